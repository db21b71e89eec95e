// Which tests there are, and the text that a worker runs for one: a file is run once for each of its variants.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";

import { CACHE, FOLDERS, WINDOW_TESTS } from "./folders.mjs";

const TREE = path.join(CACHE, "fixtures/wpt");

// Path in the test tree -> text, or undefined.
export function readResource(name) {
  const file = path.join(TREE, path.normalize(`/${name}`));
  return existsSync(file) ? readFileSync(file) : undefined;
}

// Tests are made to be run in several kinds of global; these are written without a document.
function isTest(name) {
  return name.endsWith(".any.js") || name.endsWith(".worker.js") || WINDOW_TESTS.has(name);
}

// [{ folder, file, variant }], sorted, file as in the test tree.
export function allTests() {
  const tests = [];
  for (const folder of FOLDERS) {
    const names = readdirSync(path.join(TREE, folder), { recursive: true }).map((name) => path.join(folder, name)).filter(isTest);
    for (const file of names.sort()) {
      for (const variant of variantsOf(file)) tests.push({ folder, file, variant });
    }
  }
  return tests;
}

function variantsOf(file) {
  const variants = metaOf(readResource(file).toString("utf8")).filter(([key]) => key === "variant").map(([, value]) => value);
  return variants.length === 0 ? [""] : variants;
}

// The lines `// META: key=value` at the top.
function metaOf(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const meta = /^\/\/ *META: *([\w-]+)=(.*?)\s*$/.exec(line);
    if (meta !== null) found.push([meta[1], meta[2]]);
    else if (line.trim() !== "" && !line.startsWith("//")) break;
  }
  return found;
}

export const ORIGIN = "http://web-platform.test:8000";

// The modules of the worker that runs it, beside the harness.
//
// A classic script is what the tests are, and several of them share what they declare: so all of them are one function. It is
// compiled as a CommonJS module, since code from strings is for the top level of a worker alone. That is where it runs if it
// needs such code.
export function modulesOf({ file, variant }) {
  const text = readResource(file).toString("utf8");
  const meta = metaOf(text);
  const scripts = ["resources/testharness.js", ...meta.filter(([key]) => key === "script").map(([, value]) => resolve(file, value))];
  const [testharness, ...others] = scripts.map((name) => scriptOf(name));
  // Wrapped once more: no script may find the names that a CommonJS module has, and their `this` is the global object.
  const program = [
    "const harness = globalThis.__harness; delete globalThis.__harness; harness.start();",
    `(function (exports, module, require, __filename, __dirname) { ${testharness}`,
    "harness.prepare()", ...others.flatMap((script) => [script, declarationsOf(script)]), `${withImports(file, text)}\n}).call(globalThis);`,
  ].join("\n;\n");
  const how = {
    href: `${ORIGIN}/${file}${variant}`,
    long: meta.some(([key, value]) => key === "timeout" && value === "long"),
    atTopLevel: file.startsWith("wasm/") || path.basename(file).startsWith("idlharness"),
    resources: {},
  };
  if (path.basename(file).startsWith("idlharness")) how.resources = interfaces();
  return { "test.cjs": { cjs: program }, "how.json": { json: how } };
}

// What idlharness.js fetches.
function interfaces() {
  const names = readdirSync(path.join(TREE, "interfaces")).map((name) => `/interfaces/${name}`);
  return Object.fromEntries(names.map((name) => [name, readResource(name).toString("utf8")]));
}

const resolve = (file, script) => script.startsWith("/") ? script.slice(1) : path.join(path.dirname(file), script);

function scriptOf(name) {
  // Served under names of their own by WPT's server.
  const text = readResource(name === "resources/WebIDLParser.js" ? "resources/webidl2/lib/webidl2.js" : name);
  if (text === undefined) throw new Error(`${name} is not in the test tree`);
  return withImports(name, text.toString("utf8"));
}

// What a classic script declares is a property of the global object, and some scripts look for it there.
function declarationsOf(text) {
  return [...text.matchAll(/^(?:async )?function\s*\*?\s*([A-Za-z_$][\w$]*)/gm)].map(([, name]) => `if (typeof ${name} === "function") globalThis.${name} = ${name};`).join(" ");
}

// importScripts() of what is not the harness itself, in its place.
function withImports(file, text) {
  return text.replace(/^importScripts\((.*?)\);?/gm, (_, list) => list.split(",").map((item) => item.trim().slice(1, -1))
    .filter((script) => !script.startsWith("/resources/testharness"))
    .map((script) => scriptOf(resolve(file, script))).flatMap((script) => [script, declarationsOf(script)]).join("\n;\n"));
}
