// Makes of the package html-rewriter-wasm, which is Cloudflare's lol-html with its bindings for JavaScript, what HTMLRewriter is built on
// (worker/runtime/html-rewriter.ts). Run by the engine's executable:
//   node html-rewriter.mjs PACKAGE ESBUILD GLUE BYTES
// GLUE: the bindings as a module with one function, makeRewriter(), that makes a rewriter's classes anew over a WebAssembly instance of its
// own: the package has one instance for all, and two rewriters that wait for handlers at the same time share its stack.
// BYTES: C++ source with the WebAssembly, whose memory has a bound. Only pages that are read take memory.
// A place of the package that is not there exactly once is an error: another version is to be looked at anew.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const MEMORY_PAGES_MAX = 1024;   // 64 MiB: as much is reserved for each rewriter that runs

const [, , folder, esbuild, glueOutput, bytesOutput] = process.argv;

function text(name, changes) {
  let result = readFileSync(path.join(folder, name), "utf8");
  for (const [before, after] of changes) {
    const parts = result.split(before);
    if (parts.length !== 2) throw new Error(`${name} of html-rewriter-wasm has ${JSON.stringify(before)} ${parts.length - 1} times, not once; worker/web/html-rewriter.mjs was written for another version of it.`);
    result = parts.join(after);
  }
  return result;
}

const asyncify = text("dist/asyncify.js", [
  ['const assert = require("assert");\n', ""],
  ["\nlet wasm;\n", "\n"],
  ["  wasm = wasmExports;\n", ""],
  ["module.exports = { awaitPromise, setWasmExports, wrap };", ""],
]);
const bindings = text("dist/html_rewriter.js", [
  ["const { awaitPromise, setWasmExports, wrap } = require(String.raw`./asyncify.js`);\n", ""],
  ["const { TextDecoder, TextEncoder } = require(String.raw`util`);\n", ""],
  ["const path = require('path').join(__dirname, 'html_rewriter_bg.wasm');\nconst bytes = require('fs').readFileSync(path);\n\nconst wasmModule = new WebAssembly.Module(bytes);\n", ""],
  ["new WebAssembly.Instance(wasmModule, imports)", "new Instance(wasmModule, imports)"],
  ["module.exports.__wasm = wasm;", ""],
]);
// What the bindings take from their surroundings is handed in: it was captured before any user code.
const glue = `export function makeRewriter(wasmModule, Instance, { Array, Error, Int32Array, JSON, Map, Object, Promise, TextDecoder, TextEncoder, TypeError, Uint8Array }) {
const module = { exports: {} };
function assert(holds) { if (!holds) throw new Error("html-rewriter-wasm is in a state that it must not be in"); }
assert.strictEqual = (value, expected) => assert(value === expected);
${asyncify}
${bindings}
return module.exports;
}
`;
const { status, stdout, stderr } = spawnSync(esbuild, ["--minify-whitespace", "--target=esnext", "--log-level=warning"], { input: glue, encoding: "utf8" });
if (status !== 0) throw new Error(`esbuild refused the bindings of html-rewriter-wasm: ${stderr}`);
writeFileSync(glueOutput, stdout);

const bytes = withMemoryMax(readFileSync(path.join(folder, "dist/html_rewriter_bg.wasm")));
const lines = [];
for (let i = 0; i < bytes.length; i += 64) {
  lines.push(`"${Array.from(bytes.subarray(i, i + 64), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("")}"`);
}
writeFileSync(bytesOutput, `#include "worker/web/html-rewriter.h"
#pragma GCC diagnostic ignored "-Woverlength-strings"
namespace glovebox {
static const char BYTES[] =
${lines.join("\n")};
std::span<const uint8_t> htmlRewriterBytes() { return {reinterpret_cast<const uint8_t*>(BYTES), sizeof(BYTES) - 1}; }
}
`);

// The same WebAssembly, with a maximum in its memory section.
function withMemoryMax(wasm) {
  const MEMORY_SECTION = 5;
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < wasm.length) {
    const start = at, section = wasm[at++], size = number(), end = at + size;
    if (section === MEMORY_SECTION) {
      const count = number(), flags = number(), minimum = number();
      if (count !== 1 || flags !== 0) throw new Error("html-rewriter-wasm has another memory than worker/web/html-rewriter.mjs was written for.");
      const content = [1, 1, ...encoded(minimum), ...encoded(MEMORY_PAGES_MAX)];
      return Buffer.concat([wasm.subarray(0, start), Buffer.from([MEMORY_SECTION, content.length, ...content]), wasm.subarray(end)]);
    }
    at = end;
  }
  throw new Error("html-rewriter-wasm has no memory.");
}

function encoded(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
