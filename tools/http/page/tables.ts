// Workers, how calls and workers ended, the last calls.

import { byId, element, foreign, place, Table } from "./dom.ts";
import * as format from "./format.ts";
import type { Call, Capability, Ending, Status, Worker } from "./status.ts";

export const nameOf = (worker: { id: number; name?: string }): string => worker.name ?? `#${worker.id}`;

const pill = (words: string, tone: string): HTMLElement => element("span", `pill ${tone}`, words);

function outcome(name: string): HTMLElement {
  const [words, tone] = format.outcome(name);
  const made = pill("", tone);
  made.append(foreign(words));
  return made;
}

const STATES: Record<string, string> = { starting: "info", busy: "good", idle: "plain", failed: "bad", ending: "warn" };

// A worker's name, which shows its logs.
function chooser(id: number, name: string, choose: (id: number) => void): HTMLElement {
  const button = element("button", "link", foreign(name));
  button.type = "button";
  button.addEventListener("click", () => choose(id));
  return name === `#${id}` ? button : element("span", "named", button, " ", element("small", "", `#${id}`));
}

const LIVE_SHOWN = 256;   // STATUS_WORKERS_MAX of the supervisor's
const CALLS_SHOWN = 16;

export class Tables {
  #chosen: number | undefined;
  #cpuBefore = new Map<number, { cpuMs: number; time: number }>();
  #cpuNow = new Map<number, number>();
  #names = new Map<number, string>();   // by process
  readonly #workers: Table<Worker>;
  readonly #endings: Table<Ending>;
  readonly #calls: Table<Call>;
  readonly #held: Table<Capability & { key: string }>;
  readonly #noWorkers = element("p", "empty");
  readonly #noEndings = element("p", "empty", "Nothing has ended so far. What meets a limit, crashes, is killed or is let go of appears here, with the reason.");
  readonly #noCalls = element("p", "empty", "No worker has been called so far.");

  constructor(choose: (id: number) => void) {
    this.#workers = new Table<Worker>("Live workers", [
      { title: "Worker", kind: "rest", text: (row) => nameOf(row), show: (row, text) => chooser(row.id, text, choose) },
      { title: "State", text: (row) => row.state, show: (_, text) => pill(text, STATES[text] ?? "plain") },
      { title: "In flight", kind: "number", text: (row) => format.count(row.callsInFlight) },
      { title: "Capabilities", kind: "number", spare: true, text: (row) => format.count(row.liveCapabilities) },
      { title: "CPU", kind: "number", text: (row) => row.cpuMs === undefined ? "–" : `${format.count(row.cpuMs)} ms` },
      { title: "CPU now", kind: "number", spare: true, text: (row) => this.#share(row) },
      { title: "Memory", kind: "number", text: (row) => row.memoryBytes === undefined ? "–" : format.bytes(row.memoryBytes) },
      { title: "Age", kind: "number", spare: true, text: (row) => format.age(row.ageMs / 1000) },
      { title: "Loaded by", spare: true, text: (row) => row.loadedBy ?? "", show: (_, text) => text === "" ? element("span", "muted", "a client") : foreign(text) },
      { title: "Process", kind: "number", spare: true, text: (row) => row.pid === undefined ? "–" : String(row.pid) },
    ], (row) => row.id, (row) => row.id === this.#chosen);

    this.#endings = new Table<Ending>("Last endings", [
      { title: "When", text: (row) => format.clock(row.time) },
      { title: "Worker", text: (row) => row.name, show: (row, text) => chooser(row.worker, text, choose) },
      { title: "What", spare: true, text: (row) => whatOf(row), show: (row) => row.what === "call" ? call(row) : "worker" },
      { title: "How", text: (row) => row.what === "letGo" ? "revoked" : row.outcome, show: (_, text) => outcome(text) },
      { title: "Why", kind: "rest", text: (row) => row.message, show: (_, text) => foreign(text) },
      { title: "CPU", kind: "number", spare: true, text: (row) => row.cpuMs === undefined ? "" : `${format.count(row.cpuMs)} ms` },
    ], (row) => row.serial, (row) => row.worker === this.#chosen);

    this.#calls = new Table<Call>("Last calls", [
      { title: "When", text: (row) => format.clock(row.time) },
      { title: "Method", kind: "rest", text: (row) => row.method, show: (_, text) => foreign(text) },
      { title: "How", text: (row) => row.outcome, show: (_, text) => outcome(text) },
      { title: "Took", kind: "number", text: (row) => format.duration(row.wallUs / 1e6) },
      { title: "CPU", kind: "number", text: (row) => format.duration(row.cpuUs / 1e6) },
      { title: "Worker", spare: true, text: (row) => this.#names.get(row.pid) ?? "",
        show: (row, text) => text === "" ? element("span", "muted", `process ${row.pid}`) : foreign(text) },
    ], (row) => `${row.time} ${row.pid} ${row.method}`);

    this.#held = new Table("What it holds", [
      { title: "Capability", kind: "rest", text: (row) => row.label, show: (_, text) => foreign(text) },
      { title: "Kind", text: (row) => row.kind },
      { title: "Calls", kind: "number", text: (row) => format.count(row.calls) },
      { title: "Sent", kind: "number", text: (row) => format.bytes(row.bytesOut) },
      { title: "Received", kind: "number", text: (row) => format.bytes(row.bytesIn) },
    ], (row) => row.key);
  }

  choose(id: number | undefined): void { this.#chosen = id; }

  show(status: Status): void {
    const { workers, liveWorkers, recent } = status.supervisor;
    this.#noteCpu(status);
    this.#names = new Map(workers.flatMap((worker) => worker.pid === undefined ? [] : [[worker.pid, nameOf(worker)]]));
    this.#workers.fill(workers.slice(0, LIVE_SHOWN));
    this.#noWorkers.replaceChildren(...nobody(status));
    place(byId("workers"), workers.length === 0 ? this.#noWorkers : this.#workers.element);
    byId("workers-count").textContent = liveWorkers > workers.length ? `the oldest ${workers.length} of ${format.count(liveWorkers)}` : "";
    this.#endings.fill(status.endings);
    place(byId("endings"), status.endings.length === 0 ? this.#noEndings : this.#endings.element);
    const calls = recent.slice(-CALLS_SHOWN).reverse();
    this.#calls.fill(calls);
    place(byId("calls"), calls.length === 0 ? this.#noCalls : this.#calls.element);
  }

  // What the chosen one holds, if it is there.
  showHeld(worker: Worker | undefined): void {
    const rows = (worker?.capabilities ?? []).map((capability, i) => ({ ...capability, key: `${i} ${capability.label}` }));
    this.#held.fill(rows);
    byId("held").hidden = rows.length === 0;
    place(byId("held"), this.#held.element);
  }

  #share(row: Worker): string {
    const share = this.#cpuNow.get(row.id);
    return share === undefined ? "–" : `${share.toFixed(0)} %`;
  }

  #noteCpu({ time, supervisor }: Status): void {
    const before = this.#cpuBefore;
    this.#cpuBefore = new Map();
    this.#cpuNow = new Map();
    for (const { id, cpuMs } of supervisor.workers) {
      if (cpuMs === undefined) continue;
      this.#cpuBefore.set(id, { cpuMs, time });
      const last = before.get(id);
      if (last !== undefined && time > last.time) this.#cpuNow.set(id, Math.max(cpuMs - last.cpuMs, 0) / (time - last.time) * 100);
    }
  }
}

const whatOf = (ending: Ending): string => `${ending.what} ${ending.times ?? 1} ${ending.method ?? ""}`;

function call(ending: Ending): HTMLElement {
  const times = ending.times ?? 1;
  return element("span", "", times === 1 ? "call of " : `${format.count(times)} calls, the first of `, foreign(ending.method === "" ? "(itself)" : ending.method ?? ""));
}

// What to do about it.
function nobody(status: Status): (Node | string)[] {
  if (status.project !== undefined) return ["No worker is live. The project's is made again by the next request."];
  return ["No worker is live. Load one, from a program with ", element("code", "", "connect({ socket })"), ", or with ",
    element("code", "", "glovebox run --socket PATH FILE.js METHOD"), "."];
}
