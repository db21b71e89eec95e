// What a Node.js program sees of Glovebox, beside what it would use instead. `tools/bench node` runs it, with
// --import glovebox/register.

import path from "node:path";
import { parseArgs } from "node:util";
import { connect } from "glovebox";
import { compare, header, row } from "./measure.mjs";
import { BUFFER } from "./workload-data.mjs";
import { AGENT, Workload } from "./workload.mjs";

// Long enough for all caches to be lost on a machine that is shared.
const IDLE_MS = 50;

const FIGURES = [
  // They differ in what a pool of warm workers has time for, and in what is left in the processors' caches.
  { key: "loadAndFirstCall", title: "load + first call, one at a time", unit: "us", loop: 1 },
  { key: "loadAndFirstCallAfterIdling", part: "loadAndFirstCall", title: `load + first call, after ${IDLE_MS} ms`, unit: "us", loop: 1, pause: IDLE_MS },
  { key: "loadAndFirstCallInARow", part: "loadAndFirstCall", title: "load + first call, back to back", unit: "us", loop: 10 },
  { key: "warmCall", title: "warm call", unit: "us", loop: 1000 },
  { key: "toolCall", title: "tool call, from the agent and back", unit: "us", loop: 1000 },
  { key: "thousandToolCalls", title: "1,000 tool calls in one run", unit: "ms", loop: 2, long: true },
  { key: "thousandToolCallsAtOnce", title: "1,000 tool calls at once", unit: "ms", loop: 2, long: true },
  { key: "textArgument", title: "1 MiB string argument", unit: "ms", loop: 100, long: true },
  { key: "bufferArgument", title: "16 MiB ArrayBuffer argument", unit: "ms", loop: 5, long: true, bytes: BUFFER.byteLength },
  { key: "codemode", title: "codemode execute(), 3 tools, one at a time", unit: "ms", loop: 1 },
  { key: "codemodeAfterIdling", part: "codemode", title: `codemode execute(), 3 tools, after ${IDLE_MS} ms`, unit: "ms", loop: 1, pause: IDLE_MS },
  { key: "codemodeInARow", part: "codemode", title: "codemode execute(), 3 tools, back to back", unit: "ms", loop: 10 },
];
const NAMES = FIGURES.map(({ key }) => key).join(", ");

const HELP = `tools/bench node [options]: loads, calls, tool calls and bulk data as a Node.js program sees them

  --samples N     loops that are timed for each figure (100; a fifth of them for the long ones)
  --pause MS      between two loops (5): enough for what the one before has left to do. After ${IDLE_MS} ms, which two figures have
                  instead, processors have gone to sleep and lost what was in their caches
  --only A,B      some of the figures:
                  ${NAMES}
  --socket PATH   the supervisor behind this socket instead of one of the program's own
  --no-peers      Glovebox alone
  --json          JSON for machines on standard output

A sample is the mean of a loop, of the same length for all: workerd has no fine clock inside, so each loop is timed from
outside. Subjects take turns of ten loops, with pauses between all loops. A loop in workerd contains one HTTP request on loopback: about
0.4 ms, which is not subtracted; at most 3 % of a loop, but more of a single load.`;

const { values: options } = parseArgs({
  options: {
    samples: { type: "string", default: "100" },
    pause: { type: "string", default: "5" },
    only: { type: "string" },
    socket: { type: "string" },
    peers: { type: "string" },   // the folder where they are installed; tools/bench names it
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit();
}
const samples = Number(options.samples);
if (!(Number.isInteger(samples) && samples > 0)) throw new TypeError(`--samples expects a whole number from 1, got ${options.samples}`);
const pauseMs = Number(options.pause);
if (!(pauseMs >= 0 && pauseMs <= 10_000)) throw new TypeError(`--pause expects milliseconds from 0 to 10000, got ${options.pause}`);
const only = options.only?.split(",");
const unknown = only?.find((name) => !FIGURES.some(({ key }) => key === name));
if (unknown !== undefined) throw new TypeError(`--only expects some of ${NAMES}; got ${unknown}`);

const say = (text) => { if (!options.json) console.log(text); };

const subjects = [];
const start = async (name, how) => {
  try {
    subjects.push(await how());
  } catch (error) {
    console.error(`${name} is left out: ${error.message}`);
  }
};
subjects.push(await glovebox("ours", "Glovebox", { socket: options.socket }));
subjects.push(byName(subjects[0]));
subjects.push(await glovebox("inProcess", "with the supervisor in process", { inProcess: true }));
if (options.peers !== undefined) {
  const folder = path.resolve(options.peers);
  await start("workerd", async () => (await import("./node-peers/workerd.mjs")).startWorkerd(folder));
  await start("isolated-vm", async () => (await import("./node-peers/isolated-vm.mjs")).startIsolatedVm(folder));
}

const report = { node: process.version, figures: {} };
say(header());
for (const { key, part = key, title, unit, loop, long, bytes, pause = pauseMs } of FIGURES) {
  if (only !== undefined && !only.includes(key)) continue;
  const summaries = await compare(subjects.filter((subject) => subject.can(part)), part, { rounds: long ? Math.ceil(samples / 5) : samples, loop, pauseMs: pause });
  const ours = summaries.get(subjects[0]);
  const figure = report.figures[key] = { unit: "us", loop };
  for (const [subject, summary] of summaries) {
    const entry = figure[subject.key] = { ...summary };
    let note = "";
    if (bytes !== undefined) {
      entry.megabytesPerSecond = bytes / summary.p50;
      note += `, ${entry.megabytesPerSecond.toFixed(0)} MB/s`;
    }
    if (subject !== subjects[0]) {
      entry.ratioOfP50 = summary.p50 / ours.p50;
      note += `: ${entry.ratioOfP50.toFixed(2)} x ours`;
    }
    say(row(subject === subjects[0] ? title : `  ${subject.title}`, summary, { unit, loop, note }));
  }
}
if (options.json) console.log(JSON.stringify(report, null, 2));
for (const subject of subjects) await subject.close();

// Glovebox, connected in the given way.
async function glovebox(key, title, how) {
  const connection = await connect({ ...how, console: "ignore" });
  const worker = connection.loader.load(AGENT);
  const workload = new Workload(connection.loader, worker.getEntrypoint());
  return {
    key,
    title,
    connection,
    can: () => true,
    run: (part, count) => workload[part](count),
    close: () => connection.close(),
  };
}

// Over the same connection, a named worker that is gotten by its name for each call: what a server does for a tenant.
function byName({ connection: { loader } }) {
  const calls = {
    async warmCall(count) {
      for (let n = 0; n < count; n++) await loader.get("tenant", () => AGENT).getEntrypoint().nothing();
    },
  };
  return {
    key: "byName",
    title: "get() by its name, then the call",
    can: (part) => part in calls,
    run: (part, count) => calls[part](count),
    close() {},
  };
}
