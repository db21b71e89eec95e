// Node.js's modules in a worker: the same cases run in the Node.js that the engine is, and what they say must be the same.

import test from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { connect } from "glovebox";

const folder = new URL("./node-compat/", import.meta.url);
const FLAGS = { compatibilityDate: "2026-03-01", compatibilityFlags: ["nodejs_compat"] };
const supervisor = await connect({ console: "ignore" });
const { loader } = supervisor;

const run = readFileSync(new URL("run.mjs", folder), "utf8");

// This test runs in the Node.js that the engine is (client/meson.build).
function inNode(probe) {
  const program = `import { runCases } from ${JSON.stringify(new URL("run.mjs", folder).href)}; import { cases } from ${JSON.stringify(new URL(probe, folder).href)};
    process.stdout.write(JSON.stringify(await runCases(cases)), () => process.exit(0));`;
  return JSON.parse(execFileSync(process.execPath, ["--no-deprecation", "--input-type=module", "-e", program], { encoding: "utf8", maxBuffer: 1 << 26 }));
}

async function inWorker(probe) {
  const worker = loader.load({
    ...FLAGS, mainModule: "main.js",
    modules: { "run.js": run, "probe.js": readFileSync(new URL(probe, folder), "utf8"), "main.js": `import { runCases } from "./run.js"; import { cases } from "./probe.js";
      export default { run: () => runCases(cases) };` },
  });
  return worker.getEntrypoint().run(null);
}

// All of it first: the tests below only compare.
const results = [];
for (const probe of readdirSync(folder).filter((name) => name !== "run.mjs" && name.endsWith(".mjs"))) {
  results.push([probe, inNode(probe), await inWorker(probe)]);
}
await supervisor.close();
for (const [probe, expected, got] of results) {
  test(`${probe}: all cases have run`, () => {
    assert.deepEqual(Object.keys(got), Object.keys(expected));
    assert.ok(Object.keys(got).length > 5);
  });
  for (const name of Object.keys(expected)) test(`${probe}: ${name}`, () => assert.equal(got[name], expected[name]));
}
