// PerformanceObserver of the Performance Timeline: who observes is told of marks and measures when the code of now has come to an await or
// its end. That is a job and no task, as tasks end with their invocation, and what is measured last would never be told.

import { makeDomException } from "./dom-exception.ts";
import { queueJob } from "./job.ts";
import { PlainTypeError, apply, freeze, objectCreate, push, symbolIterator } from "./primordials.ts";
import { reportException } from "./report.ts";
import { entriesOf, isOf, provideObserver, select } from "./user-timing.ts";
import type { PerformanceEntry } from "./user-timing.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments, toDOMString, toDictionary, toSequence } from "./webidl.ts";

const TOKEN = {};
const SUPPORTED = freeze(["mark", "measure"]);   // in the order of the alphabet

type ObserverInit = { entryTypes: unknown; type: unknown; buffered: unknown };

let add: (observer: PerformanceObserver, entry: PerformanceEntry) => void;
let deliver: (observer: PerformanceObserver) => void;

export class PerformanceObserverEntryList {
  readonly #entries: PerformanceEntry[];
  constructor(token: unknown = undefined, entries: PerformanceEntry[] = []) {
    if (token !== TOKEN) illegalConstructor();
    this.#entries = entries;
  }
  getEntries(): PerformanceEntry[] { return select(this.#entries, undefined, undefined); }
  getEntriesByType(type: unknown): PerformanceEntry[] {
    const entries = this.#entries;
    requireArguments(arguments.length, 1, "'getEntriesByType' on 'PerformanceObserverEntryList'");
    return select(entries, undefined, toDOMString(type));
  }
  getEntriesByName(name: unknown, type: unknown = undefined): PerformanceEntry[] {
    const entries = this.#entries;
    requireArguments(arguments.length, 1, "'getEntriesByName' on 'PerformanceObserverEntryList'");
    return select(entries, toDOMString(name), type);
  }
}

export class PerformanceObserver {
  readonly #callback: (...args: unknown[]) => unknown;
  #kind: "none" | "single" | "multiple" = "none";
  #types: string[] = [];
  #records: PerformanceEntry[] = [];
  #tellsDropped = false;

  constructor(callback: unknown) {
    requireArguments(arguments.length, 1, "'PerformanceObserver' constructor");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to construct 'PerformanceObserver': parameter 1 is not of type 'function'.");
    this.#callback = callback as (...args: unknown[]) => unknown;
  }

  observe(options: unknown = undefined): void {
    const kind = this.#kind;
    const init = toDictionary<ObserverInit>(options, "The options of observe()");
    const buffered = !!init.buffered, { entryTypes, type } = init;
    if (entryTypes === undefined && type === undefined) throw new PlainTypeError("Failed to execute 'observe' on 'PerformanceObserver': the options have neither `entryTypes` nor `type`.");
    if (entryTypes !== undefined && type !== undefined) throw new PlainTypeError("Failed to execute 'observe' on 'PerformanceObserver': the options have both `entryTypes` and `type`.");
    const wanted = entryTypes === undefined ? "single" : "multiple";
    const types = entryTypes === undefined ? [toDOMString(type)] : toTypes(entryTypes);
    if (kind !== "none" && kind !== wanted) {
      throw makeDomException("This observer has been told to observe by `entryTypes` before and now by `type`, or the other way round.", "InvalidModificationError");
    }
    this.#kind = wanted;
    this.#tellsDropped = true;
    const supported: string[] = [];
    for (let i = 0; i < SUPPORTED.length; i++) if (includes(types, SUPPORTED[i]!)) push(supported, SUPPORTED[i]!);
    if (supported.length === 0) return;
    if (wanted === "multiple") {
      this.#types = supported;
    } else {
      if (!includes(this.#types, supported[0]!)) push(this.#types, supported[0]!);
      if (buffered) {
        const past = entriesOf(undefined, supported[0]);
        for (let i = 0; i < past.length; i++) push(this.#records, past[i]!);
        if (past.length > 0) queueDelivery();
      }
    }
    if (!includes(observers, this)) push(observers, this);
  }

  disconnect(): void {
    this.#records = [];
    this.#types = [];
    this.#kind = "none";
    const others: PerformanceObserver[] = [];
    for (let i = 0; i < observers.length; i++) if (observers[i] !== this) push(others, observers[i]!);
    observers = others;
  }

  takeRecords(): PerformanceEntry[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  static get supportedEntryTypes(): readonly string[] { return SUPPORTED; }

  static {
    add = (observer, entry) => {
      for (let i = 0; i < observer.#types.length; i++) if (isOf(entry, observer.#types[i]!)) push(observer.#records, entry);
    };
    deliver = (observer) => {
      if (observer.#records.length === 0) return;
      const records = observer.#records;
      observer.#records = [];
      const options = objectCreate(Object.prototype) as { droppedEntriesCount?: number };
      // Nothing is ever dropped before it is told.
      if (observer.#tellsDropped) options.droppedEntriesCount = 0;
      observer.#tellsDropped = false;
      apply(observer.#callback, observer, [new PerformanceObserverEntryList(TOKEN, records), observer, options]);
    };
  }
}

let observers: PerformanceObserver[] = [];
let deliveryQueued = false;

function observed(entry: PerformanceEntry): void {
  if (observers.length === 0) return;
  for (let i = 0; i < observers.length; i++) add(observers[i]!, entry);
  queueDelivery();
}

function queueDelivery(): void {
  if (deliveryQueued) return;
  deliveryQueued = true;
  queueJob(() => {
    deliveryQueued = false;
    // As they are now: a callback may connect and disconnect.
    const now: PerformanceObserver[] = [];
    for (let i = 0; i < observers.length; i++) push(now, observers[i]!);
    for (let i = 0; i < now.length; i++) {
      try {
        deliver(now[i]!);
      } catch (exception) {
        reportException(exception);
      }
    }
  });
}

function toTypes(value: unknown): string[] {
  if (!isObject(value)) throw new PlainTypeError("Failed to execute 'observe' on 'PerformanceObserver': `entryTypes` is not a sequence.");
  return toSequence(value, (value as { [symbolIterator]?: unknown })[symbolIterator], toDOMString) as string[];
}

function includes<T>(list: T[], item: T): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === item) return true;
  return false;
}

export function installPerformanceObserver(): void {
  provideObserver(observed);
  exposeInterface("PerformanceObserver", PerformanceObserver);
  exposeInterface("PerformanceObserverEntryList", PerformanceObserverEntryList);
}
