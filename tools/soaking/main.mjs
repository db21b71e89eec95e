// What `tools/soak` runs, with --expose-gc: reads what is asked for, starts a supervisor, and lets soak.mjs have its way with it.

import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Lanes } from "./lanes.mjs";
import { KINDS, OPERATIONS, chooser } from "./operations.mjs";
import { Report } from "./report.mjs";
import { soak } from "./soak.mjs";
import { SupervisorProcess } from "./supervisor.mjs";
import { LANES, World } from "./world.mjs";

const HELP = `tools/soak [options]: a mixed load, a fifth of it hostile, that must be answered right and leave nothing behind

  --minutes N     how long (1); from 0.5 to 10080, a week
  --seed S        a whole number from 0 to 4294967295; the same one gives the same sequence of operations in each lane.
                  Absent: a new one, which is printed first
  --only TEXT     only operations whose names contain this

Prints a row for each minute and a verdict. Exit code 0: every answer and every ending was what it must be, and nothing
grew; 1: not so; 2: wrong arguments. An interrupt (Ctrl-C) ends it early, with a verdict on what there is.`;

const FAILURES_MAX = 10;   // then there is no point in going on

const { minutes, seed, choose } = readArguments();
const report = new Report(console.log);

let giveUp;
const givenUp = new Promise((resolve) => { giveUp = resolve; });
function failed(failure) {
  report.failed({ seed, ...failure });
  if (report.failures >= FAILURES_MAX) giveUp();
}
function failedAsAWhole(error) { failed({ error }); }
process.on("unhandledRejection", failedAsAWhole);
process.on("uncaughtException", failedAsAWhole);
function brokenDown(text) {
  failedAsAWhole(text);
  giveUp();
}
process.once("SIGINT", () => {
  console.log("interrupted");
  giveUp();
});

const kinds = KINDS.map(({ kind, weight, operations }) => `${weight} % ${kind} (${operations.length} kinds)`).join(", ");
console.log(`seed ${seed}, ${minutes} min, ${LANES} lanes, Node.js ${process.version}: ${kinds}`);
const build = process.env.GLOVEBOX_BUILD_DIR ?? fileURLToPath(new URL("../../build", import.meta.url));
const supervisor = await SupervisorProcess.start(process.env.GLOVEBOX_COMMAND ?? path.join(build, "tools/glovebox"), { died: brokenDown });
let world, growth;
try {
  world = await World.open(supervisor, { lost: brokenDown });
  const lanes = new Lanes({
    seed, world, choose, failed,
    done: (operation, ending) => report.done(operation, ending),
    timed: (measure, us) => report.timed(measure, us),
  });
  growth = await soak({ world, lanes, report, durationMs: minutes * 60_000, givenUp, failed: failedAsAWhole });
} catch (error) {
  failedAsAWhole(error);
}
await world?.glovebox.close();
await supervisor.end();
// Lanes whose answer was lost still wait.
process.exit(report.verdict(growth, `seed ${seed}, ${minutes} min`) ? 0 : 1);

function readArguments() {
  let options;
  try {
    ({ values: options } = parseArgs({
      options: {
        minutes: { type: "string", default: "1" },
        seed: { type: "string" },
        only: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (error) {
    refuse(error.message);
  }
  if (options.help) {
    console.log(HELP);
    process.exit();
  }
  const minutes = Number(options.minutes);
  if (!(minutes >= 0.5 && minutes <= 10_080)) refuse(`--minutes expects a number from 0.5 to 10080, got '${options.minutes}'`);
  const seed = options.seed === undefined ? crypto.getRandomValues(new Uint32Array(1))[0] : Number(options.seed);
  if (options.seed?.trim() === "" || !(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    refuse(`--seed expects a whole number from 0 to 4294967295, got '${options.seed}'`);
  }
  if (globalThis.gc === undefined) refuse("this needs `node --expose-gc`; tools/soak sees to that");
  const choose = chooser(options.only);
  if (choose === undefined) refuse(`--only expects a part of an operation's name, got '${options.only}'; there are:\n  ${OPERATIONS.map(({ name }) => name).join("\n  ")}`);
  return { minutes, seed, choose };
}

function refuse(text) {
  console.error(`tools/soak: ${text}\n\n${HELP}`);
  process.exit(2);
}
