// What has been done, in a table with a row for each minute.

import { summary } from "../benchmark/measure.mjs";

const FAILURES_SHOWN = 10;

const COLUMNS = [
  ["min", 4], ["ops", 7], ["warm us p50", 12], ["p99", 8], ["load us p50", 12], ["p99", 8],
  ["supervisor kB", 14], ["node kB", 8], ["fds", 5], ["processes", 10], ["workers", 8], ["calls", 6],
];
const line = (values) => COLUMNS.map(([, width], index) => String(values[index] ?? "-").padStart(width)).join("");

export class Report {
  #minute = emptyMinute();
  #kinds = new Map();       // of hostile operations: name -> Map of endings
  #shown = { whole: 0, operations: 0 };
  operations = 0;
  hostile = 0;
  failures = 0;

  constructor(print) { this.print = print; }

  header() { this.print(`${line(COLUMNS.map(([title]) => title))}   hostile by ending`); }

  done(operation, ending) {
    this.operations++;
    this.#minute.operations++;
    if (operation.kind !== "hostile") return;
    this.hostile++;
    count(this.#minute.endings, ending);
    if (!this.#kinds.has(operation.name)) this.#kinds.set(operation.name, new Map());
    count(this.#kinds.get(operation.name), ending);
  }
  timed(measure, us) { this.#minute.times[measure].push(us); }
  failed({ seed, lane, number, name, error }) {
    this.failures++;
    // What concerns all of it often comes last, and says why the others failed.
    const kind = lane === undefined ? "whole" : "operations";
    if (++this.#shown[kind] > FAILURES_SHOWN) return;
    const where = lane === undefined ? "the run as a whole" : `lane ${lane}, operation ${number} (${name})`;
    this.print(`FAILED: seed ${seed}, ${where}: ${error?.stack ?? error}`);
  }

  // A row of what came since the last one, beside the last sample.
  row(minute, sample) {
    const { operations, times, endings } = this.#minute;
    const figures = ["warm", "fresh"].flatMap((measure) => {
      if (times[measure].length === 0) return [undefined, undefined];
      const { p50, p99 } = summary(times[measure]);
      return [p50.toFixed(0), p99.toFixed(0)];
    });
    this.print(`${line([minute, operations, ...figures, sample?.supervisorKb, sample?.nodeKb, sample?.descriptors, sample?.processes, sample?.liveWorkers, sample?.callsInFlight])}   ${show(endings)}`);
    this.#minute = emptyMinute();
  }

  // Prints what came of each hostile kind, what has grown, and in the last line whether all is well, which it returns.
  verdict(growth, what) {
    this.print("\nhostile kinds, and how they ended:");
    for (const [name, endings] of [...this.#kinds].sort()) this.print(`  ${name.padEnd(46)} ${show(endings)}`);
    this.print("\ngrowth:");
    for (const { name, from, to, slack, ok } of growth ?? []) {
      this.print(`  ${name.padEnd(14)} from ${from} to ${to}, may grow by ${slack}: ${ok ? "ok" : "TOO MUCH"}`);
    }
    if (growth === undefined) this.print("  not judged: it ended before there was anything to compare");
    const grown = (growth ?? []).filter(({ ok }) => !ok).map(({ name }) => name);
    const wrong = [];
    if (this.failures > 0) wrong.push(`${this.failures} failures`);
    if (grown.length > 0) wrong.push(`growth of ${grown.join(", ")}`);
    if (growth === undefined) wrong.push("ended early");
    this.print(`\nsoak ${wrong.length === 0 ? "passed" : `FAILED (${wrong.join("; ")})`}: ${what}, ${this.operations} operations, ${this.hostile} of them hostile`);
    return wrong.length === 0;
  }
}

function emptyMinute() { return { operations: 0, endings: new Map(), times: { warm: [], fresh: [] } }; }
function count(map, key) { map.set(key, (map.get(key) ?? 0) + 1); }
function show(map) { return [...map].sort().map(([name, number]) => `${name} ${number}`).join(", "); }
