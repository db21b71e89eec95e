// The bundler's own readers (worker/bundler/) on damaged and random bytes: they read, or say in words what is wrong, and end.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { tar } from "./package-registry.mjs";

const folder = fileURLToPath(new URL("../../worker/bundler", import.meta.url));
const { outputFiles: [bundle] } = await build({
  stdin: { contents: 'export { readTar } from "./tarball.ts"; export { membersOf, parse } from "./json-members.ts"; export { Problem } from "./problem.ts";', resolveDir: path.join(folder) },
  bundle: true, format: "esm", write: false,
});
const { readTar, membersOf, parse, Problem } = await import(`data:text/javascript;base64,${Buffer.from(bundle.text).toString("base64")}`);

const seed = Number(process.env.GLOVEBOX_SEED ?? Math.floor(Math.random() * 2 ** 32));
// mulberry32
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`20,000 damaged tarballs are read or refused in words (GLOVEBOX_SEED=${seed})`, () => {
  const next = random(seed);
  const whole = tar([
    { name: "package/package.json", body: "{}" }, { name: "x", type: "x", body: "31 path=package/a/long/name.js\n" }, { name: "short", body: "1" },
    { name: "x", type: "L", body: "package/another.js\0" }, { name: "short", body: "x".repeat(600) }, { name: "package/link", type: "2", link: "/etc/passwd" },
  ]);
  assert.deepEqual([...readTar(whole, "it").keys()], ["package.json", "a/long/name.js", "another.js"]);
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    const damaged = new Uint8Array(whole.subarray(0, next() < 0.2 ? Math.floor(next() * whole.length) : whole.length));
    for (let n = Math.floor(next() * 4); n > 0 && damaged.length > 0; n--) damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256);
    // Most damage is found by the checksum; let some of it get past that.
    if (next() < 0.7) {
      for (let at = 0; at + 512 <= damaged.length; at += 512) {
        const header = damaged.subarray(at, at + 512);
        header.fill(0x20, 148, 156);
        header.set(Buffer.from(header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 "), 148);
      }
    }
    try {
      for (const [name, body] of readTar(damaged, "it")) {
        assert.ok(body instanceof Uint8Array && body.length <= damaged.length);
        assert.ok(name !== "" && !name.startsWith("/") && !name.split("/").includes("..") && !name.includes("\0"), name);
      }
      read++;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }
  assert.ok(read > 1_000 && read < 19_000, `${read} were read`);
});

test(`members of objects are those that JSON.parse() finds, and of damaged ones no others (GLOVEBOX_SEED=${seed})`, () => {
  const next = random(seed + 1);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const value = (depth) => {
    switch (Math.floor(next() * (depth > 4 ? 5 : 7))) {
      case 0: return null;
      case 1: return next() < 0.5;
      case 2: return pick([0, -1.5, 1e21, 12345]);
      case 3: return pick(["", "plain", '"', "\\", '\\"', "}],{[", "é\u{1f600}", "\n"]);
      case 4: return pick([[], {}]);
      case 5: return Array.from({ length: Math.floor(next() * 4) }, () => value(depth + 1));
      default: return object(depth + 1);
    }
  };
  const object = (depth) => Object.fromEntries(Array.from({ length: Math.floor(next() * 5) }, (_, i) => [pick(["a", '"', "\\", "versions", "é", ""]) + i, value(depth)]));
  let agreed = 0;
  for (let i = 0; i < 20_000; i++) {
    let text = JSON.stringify(object(0), null, pick([undefined, 1, "\t"]));
    if (next() < 0.5) {
      const at = Math.floor(next() * text.length);
      text = (text.slice(0, at) + pick(['"', "{", "}", "[", "]", ",", ":", "\\", "", "1"]) + text.slice(at + Math.floor(next() * 2))).toWellFormed();
    }
    let expected, found;
    try { expected = JSON.parse(text); } catch {}
    try { found = [...membersOf(new TextEncoder().encode(text))].map(([name, bytes]) => [name, parse(bytes)]); } catch (error) { if (!(error instanceof SyntaxError)) throw error; }
    // What comes after the object is not looked at.
    if (expected === undefined) continue;
    assert.deepEqual(Object.fromEntries(found), expected, text);
    agreed++;
  }
  assert.ok(agreed > 9_000, `${agreed} were JSON`);
});
