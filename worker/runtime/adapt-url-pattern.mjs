// Writes urlpattern-polyfill as worker/runtime/url-pattern.ts imports it: its text with a few places put as the URL Pattern standard has
// them by now. Run by the engine's executable:
//   node adapt-url-pattern.mjs PACKAGE OUTPUT
// A place that is not there exactly once is an error: another version of the package is to be looked at anew.

import { readFileSync, writeFileSync } from "node:fs";

const CHANGES = [
  // Regular expressions have the flag v, which knows sets of sets: [[a-z]--a].
  ['return e&&e.ignoreCase?"ui":"u"}a(B,"flags")', 'return e&&e.ignoreCase?"vi":"v"}a(B,"flags")'],
  // A name is read by code points, not by halves of them, and so is what stands behind it.
  ["let i=e.substr(s,1);", "let i=String.fromCodePoint(e.codePointAt(s));"],
  ["{f+=e[s++];continue}break}if(!f){l(`Missing parameter name", "{f+=i;s+=i.length;continue}break}if(!f){l(`Missing parameter name"],
  ['let A=p.value.length>0?p.value[0]:"";', 'let A=p.value.length>0?String.fromCodePoint(p.value.codePointAt(0)):"";'],
  ["c.test(s.suffix[0])", "c.test(String.fromCodePoint(s.suffix.codePointAt(0)))"],
  // A hostname is read as a URL's setter does: without line breaks, and up to where a host ends.
  ["function j(e){if(e===\"\")return e;if(/[\\t\\n\\r #%/:<>?@[\\]^\\\\|]/g.test(e))throw",
    "function j(e){if(e===\"\")return e;e=e.replace(/[\\t\\n\\r]/g,\"\").replace(/[#/?\\\\].*$/s,\"\");if(e===\"\"||/[ %:<>@[\\]^|]/.test(e))throw"],
];

const [, , source, output] = process.argv;
let text = readFileSync(source, "utf8");
for (const [before, after] of CHANGES) {
  const parts = text.split(before);
  if (parts.length !== 2) throw new Error(`${source} has ${JSON.stringify(before)} ${parts.length - 1} times, not once; worker/runtime/adapt-url-pattern.mjs was written for another version of it.`);
  text = parts.join(after);
}
writeFileSync(output, text);
