// What Node.js says of itself, in the lists beside the tests: which files it does not run, which subtests it fails.

import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import vm from "node:vm";

import { CACHE } from "./folders.mjs";

// What the lists that are programs ask for: a Node.js as it is released.
const PARTS = { "node:os": os, "../../common/crypto.js": { hasOpenSSL: () => true } };

function evaluate(file) {
  const module = { exports: {} };
  const itself = { arch: process.arch, platform: process.platform, features: {}, versions: { openssl: "3.5.0" }, config: { variables: {} } };
  vm.runInNewContext(`(function (module, require, process) {${readFileSync(file, "utf8")}\n})`, {}, { filename: file })(module, (name) => PARTS[name], itself);
  return module.exports;
}

// Lists stand for a folder, or for folders below it; keys are paths below the list's folder.
function listOf(file) {
  for (let folder = path.dirname(file); folder !== "."; folder = path.dirname(folder)) {
    for (const ending of [".json", ".cjs"]) {
      const list = path.join(CACHE, "wpt/status", folder + ending);
      if (!existsSync(list)) continue;
      const read = ending === ".json" ? JSON.parse(readFileSync(list, "utf8")) : evaluate(list);
      return read[path.relative(folder, file)] ?? {};
    }
  }
  return undefined;
}

// { known, skipped, failing }: whether Node runs the folder at all, whether it leaves the file out, the names of what it fails.
export function nodeOf(file) {
  const entry = listOf(file);
  if (entry === undefined) return { known: false, skipped: false, failing: new Set(), skipTests: [] };
  return {
    known: true,
    skipped: entry.skip !== undefined,
    failing: new Set([...(entry.fail?.expected ?? []), ...(entry.fail?.flaky ?? [])]),
    skipTests: entry.skipTests ?? [],
  };
}
