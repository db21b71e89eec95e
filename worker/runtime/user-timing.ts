// User Timing and the part of Performance Timeline that reads it: marks and measures that a program makes for itself. They are bounded, as
// nobody but the program clears them. Observers are in performance-observer.ts.

import { makeDomException } from "./dom-exception.ts";
import { PlainTypeError, dateNow, push, sort, toNumberOf } from "./primordials.ts";
import { cloneValue } from "./structured-clone.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments, toDOMString, toDictionary } from "./webidl.ts";

const TOKEN = {};
const ENTRIES_MAX = 10_000;   // the oldest goes first

let partsOf: (entry: PerformanceEntry) => { name: string; type: string; start: number };

export class PerformanceEntry {
  readonly #name: string;
  readonly #entryType: string;
  readonly #startTime: number;
  readonly #duration: number;
  constructor(token: unknown = undefined, name = "", entryType = "", startTime = 0, duration = 0) {
    if (token !== TOKEN) illegalConstructor();
    this.#name = name;
    this.#entryType = entryType;
    this.#startTime = startTime;
    this.#duration = duration;
  }
  get name(): string { return this.#name; }
  get entryType(): string { return this.#entryType; }
  get startTime(): number { return this.#startTime; }
  get duration(): number { return this.#duration; }
  toJSON(): object { return { name: this.#name, entryType: this.#entryType, startTime: this.#startTime, duration: this.#duration }; }
  static {
    partsOf = (entry) => ({ name: entry.#name, type: entry.#entryType, start: entry.#startTime });
  }
}

export class PerformanceMark extends PerformanceEntry {
  readonly #detail: unknown;
  constructor(name: unknown, options: unknown = undefined) {
    requireArguments(arguments.length, 1, "'PerformanceMark' constructor");
    const text = toDOMString(name);
    const { startTime, detail } = toDictionary<{ startTime: unknown; detail: unknown }>(options, "The options of a mark");
    super(TOKEN, text, "mark", startTime === undefined ? dateNow() : toTime(startTime), 0);
    this.#detail = detail === undefined || detail === null ? null : cloneValue(detail, undefined);
  }
  get detail(): unknown { return this.#detail; }
}

export class PerformanceMeasure extends PerformanceEntry {
  readonly #detail: unknown;
  constructor(token: unknown = undefined, name = "", start = 0, duration = 0, detail: unknown = null) {
    super(token, name, "measure", start, duration);
    this.#detail = detail;
  }
  get detail(): unknown { return this.#detail; }
}

let entries: PerformanceEntry[] = [];
let observed: (entry: PerformanceEntry) => void;
export function provideObserver(tell: (entry: PerformanceEntry) => void): void { observed = tell; }

function keep<Entry extends PerformanceEntry>(entry: Entry): Entry {
  if (entries.length >= ENTRIES_MAX) entries = filter(entries, (_, index) => index > 0);
  push(entries, entry);
  observed(entry);
  return entry;
}

function filter(from: PerformanceEntry[], wanted: (parts: { name: string; type: string; start: number }, index: number) => boolean): PerformanceEntry[] {
  const list: PerformanceEntry[] = [];
  for (let i = 0; i < from.length; i++) if (wanted(partsOf(from[i]!), i)) push(list, from[i]!);
  return list;
}

export function isOf(entry: PerformanceEntry, type: string): boolean { return partsOf(entry).type === type; }

export function mark(name: unknown, options: unknown): PerformanceMark { return keep(new PerformanceMark(name, options)); }

type MeasureOptions = { start: unknown; end: unknown; duration: unknown; detail: unknown };

export function measure(name: unknown, startOrOptions: unknown, endMark: unknown): PerformanceMeasure {
  const text = toDOMString(name);
  const given = isObject(startOrOptions) ? startOrOptions as Partial<MeasureOptions> : undefined;
  const start = given === undefined ? startOrOptions : given.start, end = given === undefined ? endMark : given.end ?? endMark;
  const { duration, detail } = given ?? { duration: undefined, detail: undefined };
  if (given !== undefined && (start !== undefined || given.end !== undefined || duration !== undefined || detail !== undefined)) {
    if (endMark !== undefined) throw new PlainTypeError("Failed to execute 'measure' on 'Performance': an end mark and options that say one were given.");
    if (start === undefined && given.end === undefined) throw new PlainTypeError("Failed to execute 'measure' on 'Performance': the options have neither `start` nor `end`.");
    if (start !== undefined && given.end !== undefined && duration !== undefined) throw new PlainTypeError("Failed to execute 'measure' on 'Performance': the options have `start`, `end` and `duration`.");
  }
  const length = duration === undefined ? undefined : toTime(duration);
  const to = end !== undefined && end !== null ? timeOf(end) : start !== undefined && length !== undefined ? timeOf(start) + length : dateNow();
  const from = start !== undefined && start !== null ? timeOf(start) : length !== undefined ? to - length : 0;
  return keep(new PerformanceMeasure(TOKEN, text, from, to - from, detail === undefined || detail === null ? null : cloneValue(detail, undefined)));
}

export function clear(type: string, name: unknown): void {
  const text = name === undefined ? undefined : toDOMString(name);
  entries = filter(entries, (entry) => entry.type !== type || (text !== undefined && entry.name !== text));
}

export function entriesOf(name: unknown, type: unknown): PerformanceEntry[] { return select(entries, name, type); }

// In the order of their times.
export function select(from: PerformanceEntry[], name: unknown, type: unknown): PerformanceEntry[] {
  const wantedName = name === undefined ? undefined : toDOMString(name), wantedType = type === undefined ? undefined : toDOMString(type);
  return sort(filter(from, (entry) => (wantedName === undefined || entry.name === wantedName) && (wantedType === undefined || entry.type === wantedType)),
    (one, other) => partsOf(one).start - partsOf(other).start);
}

function toTime(value: unknown): number {
  const time = toNumberOf(value);
  if (!(time - time === 0)) throw new PlainTypeError("A time of a mark or measure must be a finite number.");
  if (time < 0) throw new PlainTypeError("A time of a mark or measure must not be negative.");
  return time;
}

// What a window's `performance.timing` has; such a name never means a mark.
const OF_WINDOWS = [
  "navigationStart", "unloadEventStart", "unloadEventEnd", "redirectStart", "redirectEnd", "fetchStart", "domainLookupStart", "domainLookupEnd",
  "connectStart", "connectEnd", "secureConnectionStart", "requestStart", "responseStart", "responseEnd", "domLoading", "domInteractive",
  "domContentLoadedEventStart", "domContentLoadedEventEnd", "domComplete", "loadEventStart", "loadEventEnd",
];

// A number is a time; anything else the name of the latest mark that has it.
function timeOf(value: unknown): number {
  if (typeof value === "number") return toTime(value);
  const name = toDOMString(value);
  for (let i = 0; i < OF_WINDOWS.length; i++) {
    if (OF_WINDOWS[i] === name) throw new PlainTypeError(`"${name}" is a time of a page that is loaded into a window, and there is none here.`);
  }
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = partsOf(entries[i]!);
    if (entry.type === "mark" && entry.name === name) return entry.start;
  }
  throw makeDomException(`There is no mark "${name}".`, "SyntaxError");
}

export function installUserTiming(): void {
  exposeInterface("PerformanceEntry", PerformanceEntry);
  exposeInterface("PerformanceMark", PerformanceMark);
  exposeInterface("PerformanceMeasure", PerformanceMeasure);
}
