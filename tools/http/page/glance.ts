// The figures at the top, and what became of requests.

import { quantile, Shares, since, Sparkline, total } from "./charts.ts";
import { byId, element, setText, type Child } from "./dom.ts";
import * as format from "./format.ts";
import type { Status } from "./status.ts";

// Looks that are remembered: as many seconds, about.
const LOOKS = 60;

class Tile {
  readonly #figure = element("p", "figure", "–");
  readonly #note = element("p", "note", "");
  readonly element: HTMLElement;

  constructor(title: string, ...children: Child[]) {
    this.element = element("div", "tile", element("h3", "", title), this.#figure, this.#note, ...children);
  }

  show(figure: string, note: string): void {
    setText(this.#figure, figure);
    setText(this.#note, note);
  }
}

const CLASSES: [name: string, words: string, className: string][] = [
  ["2xx", "2xx", "good"], ["1xx", "1xx", "plain"], ["3xx", "3xx", "info"], ["4xx", "4xx", "warn"], ["5xx", "5xx", "bad"],
  ["none", "no response", "worst"],
];

export class Glance {
  #looks: Status[] = [];
  readonly #rateLine = new Sparkline();
  readonly #cpuLine = new Sparkline();
  readonly #memoryLine = new Sparkline();
  readonly #workers = new Tile("Live workers");
  readonly #calls = new Tile("Calls in flight");
  readonly #rate: Tile;
  readonly #latency: Tile;
  readonly #cpu = new Tile("CPU of workers", this.#cpuLine.element);
  readonly #memory = new Tile("Memory of workers", this.#memoryLine.element);
  readonly #shares = new Shares(CLASSES.map(([, , className]) => className));
  readonly #counts = CLASSES.map(([, words, className]) => {
    const value = element("dd", "");
    return { value, element: element("div", className, element("dt", "", words), value) };
  });
  readonly #more = element("p", "note");

  constructor(first: Status) {
    const what = first.requests === undefined ? "Calls" : "Requests";
    this.#rate = new Tile(`${what} a second`, this.#rateLine.element);
    this.#latency = new Tile(first.requests === undefined ? "Time of a call" : "Time of a request");
    byId("tiles").replaceChildren(...[this.#workers, this.#rate, this.#latency, this.#cpu, this.#memory, this.#calls].map((tile) => tile.element));
    const counts = element("dl", "statuses", ...this.#counts.map((row) => row.element));
    byId("request-figures").replaceChildren(this.#shares.element, counts, this.#more);
  }

  show(status: Status): void {
    const last = this.#looks.at(-1);
    // A server that was started again counts anew.
    if (last !== undefined && (status.supervisor.loads < last.supervisor.loads || status.time <= last.time)) this.#looks = [];
    this.#looks.push(status);
    if (this.#looks.length > LOOKS + 1) this.#looks.shift();
    this.#showRates(status);
    const { pool, liveWorkers, loads, calls, callsInFlight } = status.supervisor;
    this.#workers.show(format.count(liveWorkers), `${format.count(pool.warm)} more warm, ${format.count(loads)} loaded so far`);
    this.#calls.show(format.count(callsInFlight), `${format.count(calls)} so far`);
    this.#showRequests(status);
  }

  #showRates(status: Status): void {
    const time = timeOf(status), first = this.#looks[0]!;
    const rates = this.#between((now, before, seconds) => (countOf(now) - countOf(before)) / seconds);
    const cpus = this.#between((now, before, seconds) => (now.workerCpuMs - before.workerCpuMs) / seconds / 10);
    const last = (values: number[]) => values.length === 0 ? undefined : mean(values.slice(-3));
    const rate = last(rates), cpu = last(cpus);
    this.#rate.show(rate === undefined ? "–" : format.rate(rate), `${format.count(countOf(status))} so far`);
    this.#rateLine.show(rates, LOOKS);
    this.#cpu.show(cpu === undefined ? "–" : `${Math.max(cpu, 0).toFixed(cpu < 10 ? 1 : 0)} %`, `of a core; ${format.duration(status.workerCpuMs / 1000)} so far`);
    this.#cpuLine.show(cpus, LOOKS);
    const isAll = status.supervisor.workersMemoryBytes > 0;
    this.#memory.show(format.bytes(memoryOf(status)), isAll ? "all processes, by their cgroup" : "resident; each counts what it shares");
    this.#memoryLine.show(this.#looks.map(memoryOf), LOOKS + 1);

    // Of the last minute, if there was anything in it.
    const lately = since(time, timeOf(first));
    const shown = total(lately) > 0 ? lately : time;
    const when = total(lately) > 0 && this.#looks.length > 1 ? `in ${format.age((status.time - first.time) / 1000 + 0.5)}` : "since the start";
    this.#latency.show(format.duration(quantile(shown, 0.5)),
      total(shown) === 0 ? "half of them; none so far" : `half of them; 95 % in ${format.duration(quantile(shown, 0.95))}, 99 % in ${format.duration(quantile(shown, 0.99))}, ${when}`);
  }

  #showRequests({ requests }: Status): void {
    byId("requests").hidden = requests === undefined;
    if (requests === undefined) return;
    const values = CLASSES.map(([name]) => requests.byStatus[name] ?? 0);
    this.#shares.show(values);
    this.#counts.forEach(({ value, element: row }, i) => {
      setText(value, format.count(values[i]!));
      row.hidden = values[i] === 0 && CLASSES[i]![0] === "1xx";
    });
    // The kernel's own account, where there is a cgroup.
const memoryOf = (status: Status) => status.supervisor.workersMemoryBytes || status.workerMemoryBytes;
const average = total(requests.time) === 0 ? "" : `, ${format.duration(requests.time.sum / total(requests.time))} on average`;
    setText(this.#more, `${format.count(requests.inFlight)} in flight, ${format.count(requests.givenUp)} given up by clients, `
      + `${format.count(requests.workerRestarts)} restarts of workers${average}.`);
  }

  #between(figure: (now: Status, before: Status, seconds: number) => number): number[] {
    return this.#looks.slice(1).map((now, i) => figure(now, this.#looks[i]!, (now.time - this.#looks[i]!.time) / 1000));
  }
}

const timeOf = (status: Status) => status.requests?.time ?? status.callTime;
const countOf = (status: Status) => total(timeOf(status));
// The kernel's own account, where there is a cgroup.
const memoryOf = (status: Status) => status.supervisor.workersMemoryBytes || status.workerMemoryBytes;
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
