// Writes the runtime's script: the parts of Node.js's own JavaScript library that it carries, each a function, and the runtime's bundle
// after them. The engine's executable holds their texts, so they are of its very version and of its licence (MIT). Run by that executable:
//   node library.mjs ESBUILD BUNDLE OUTPUT
// The bundler only takes the comments out of them, one by one: as a whole it would give other names to what is called as a global is.
// Only what is listed here gets in. What a listed part requires must be listed too, or be in worker/runtime/node/internal-modules.ts;
// a require() that finds neither throws when it is called, naming what it looked for.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const PARTS = [
  "internal/per_context/primordials",
  "internal/assert", "internal/errors", "internal/util", "internal/util/types", "internal/util/inspect", "internal/util/comparisons",
  "internal/util/debuglog", "internal/util/debounce", "internal/util/throttle", "internal/util/diff", "internal/util/parse_args/parse_args", "internal/util/parse_args/utils",
  "internal/validators", "internal/constants", "internal/fixed_queue", "internal/mime",
  "util", "util/types", "internal/buffer", "buffer",
  "events", "internal/events/abort_listener", "internal/events/symbols",
  "path", "path/posix", "path/win32", "querystring", "internal/querystring", "string_decoder", "punycode", "url",
  "assert", "assert/strict", "internal/assert/assertion_error", "internal/assert/utils", "internal/assert/myers_diff",
  "stream", "stream/promises", "stream/consumers", "internal/streams/add-abort-signal", "internal/streams/compose",
  "internal/streams/destroy", "internal/streams/duplex", "internal/streams/duplexify", "internal/streams/duplexpair",
  "internal/streams/end-of-stream", "internal/streams/from", "internal/streams/lazy_transform", "internal/streams/legacy",
  "internal/streams/operators", "internal/streams/passthrough", "internal/streams/pipeline", "internal/streams/readable",
  "internal/streams/state", "internal/streams/transform", "internal/streams/utils", "internal/streams/writable",
  "internal/webstreams/adapters",
  "internal/async_context_frame", "internal/async_local_storage/async_context_frame", "internal/async_local_storage/run_scope",
  "diagnostics_channel", "zlib", "internal/crypto/cipher",
];

const [, , esbuild, bundle, output] = process.argv;

function withoutComments(id, text) {
  const { status, stdout, stderr } = spawnSync(esbuild, ["--minify-whitespace", "--target=esnext", "--log-level=warning"], { input: text, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`esbuild refused ${id}: ${stderr}`);
  return stdout;
}

process.noDeprecation = true;
const texts = process.binding("natives");
const { os, zlib } = process.binding("constants");
const parts = PARTS.map((id) => {
  if (typeof texts[id] !== "string") throw new Error(`This Node.js (${process.version}) has no ${id}; worker/node/library.mjs lists it.`);
  const parameters = id === "internal/per_context/primordials" ? "primordials" : "exports, require, module, process, internalBinding, primordials";
  return `${JSON.stringify(id)}(${parameters}) {\n${withoutComments(id, texts[id])}}`;
});
const plain = (value) => JSON.stringify(value, (_, item) => typeof item === "bigint" ? Number(item) : item);
const library = `"use strict";
const nodeLibrary = { parts: { __proto__: null,
${parts.join(",\n")}
},
constants: ${plain({ os, zlib })},
versions: ${plain({ node: process.versions.node, v8: process.versions.v8, openssl: process.versions.openssl, zlib: process.versions.zlib })} };
`;
// One character beyond them would make the text in the snapshot twice as large.
const beyondLatin1 = /[^\0-\xff]/.exec(library);
if (beyondLatin1 !== null) throw new Error(`${JSON.stringify(library.slice(beyondLatin1.index - 40, beyondLatin1.index + 40))} is not Latin-1`);
writeFileSync(output, library + readFileSync(bundle, "utf8"));
