// tools/wpt, once the files are there.

import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { connect } from "glovebox";

import { record, skipReason, surprises } from "./expectations.mjs";
import { FOLDERS } from "./folders.mjs";
import { writeSummary } from "./report.mjs";
import { runTest } from "./run.mjs";
import { allTests } from "./tests.mjs";

const { values: options, positionals: prefixes } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: "boolean", default: false },
    record: { type: "string" },
    failures: { type: "boolean", default: false },
    jobs: { type: "string", default: String(Math.min(cpus().length, 4)) },
  },
});
const jobs = Number(options.jobs);
if (!(Number.isInteger(jobs) && jobs > 0 && jobs <= 64)) throw new TypeError(`--jobs expects a number from 1 to 64, got ${options.jobs}`);

const everything = allTests();
const tests = everything.filter((test) => prefixes.length > 0 ? prefixes.some((prefix) => test.file.startsWith(prefix)) : true);
if (tests.length === 0) throw new Error(`There is no test whose path begins with ${prefixes.join(" or ")}.`);

const glovebox = await connect({ console: "ignore", supervisor: { limits: { memoryMb: 256, wallMs: 240_000, cpuMs: 90_000, startupCpuMs: 10_000, resultBytes: 16 * 1024 * 1024 } } });
const outcomes = [];
const waiting = [...tests];
await Promise.all(Array.from({ length: jobs }, async () => {
  for (let test; (test = waiting.shift()) !== undefined;) {
    const skipped = skipReason(test);
    if (skipped !== undefined) { outcomes.push({ test, skipped, unexpected: [] }); continue; }
    const started = performance.now();
    const outcome = await runTest(glovebox, test);
    const seconds = (performance.now() - started) / 1000;
    outcomes.push({ test, ...outcome, unexpected: surprises(test, outcome), seconds });
    if (seconds > 5) console.error(`# ${test.file}${test.variant} took ${seconds.toFixed(1)} s`);
  }
}));
await glovebox.close();
outcomes.sort((a, b) => tests.indexOf(a.test) - tests.indexOf(b.test));

if (options.failures) {
  for (const { test, results, broken } of outcomes) {
    if (broken !== undefined) console.log(`${test.file}${test.variant}: BROKEN: ${broken}`);
    for (const [name, { status, message }] of results ?? []) if (status !== "pass") console.log(`${test.file}${test.variant}: ${status}: ${name}: ${message}`);
  }
}

if (options.record !== undefined) {
  for (const outcome of outcomes) record(outcome.test, outcome, options.record);
  process.exit();
}

// One line of TAP for each folder.
const folders = FOLDERS.filter((folder) => tests.some((test) => test.folder === folder));
console.log(`1..${folders.length}`);
let failed = 0;
folders.forEach((folder, index) => {
  const of = outcomes.filter(({ test }) => test.folder === folder);
  const statuses = of.flatMap(({ results }) => [...results?.values() ?? []]);
  const passed = statuses.filter(({ status }) => status === "pass").length;
  const wrong = of.filter(({ unexpected }) => unexpected.length > 0);
  if (wrong.length > 0) failed++;
  console.log(`${wrong.length > 0 ? "not ok" : "ok"} ${index + 1} - ${folder}: ${passed} of ${statuses.length} subtests pass as expected`);
  for (const { test, unexpected } of wrong) {
    for (const line of unexpected.slice(0, 20)) console.log(`# ${test.file}${test.variant}: ${line.replace(/[\n\r]+/g, " ")}`);
    if (unexpected.length > 20) console.log(`# ${test.file}${test.variant}: and ${unexpected.length - 20} more`);
  }
});
if (options.all) writeSummary(outcomes);
process.exitCode = failed > 0 ? 1 : 0;
