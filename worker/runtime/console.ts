// console, of the Console standard. Each call becomes one text; the host sends it to whoever loaded the worker.

import { captureStackTrace, dateNow, defineProperty, getOwnPropertyDescriptor, indexOf, join, objectCreate, ownKeys, padEnd, push, repeat, slice, toStringTag } from "./primordials.ts";
import { exposeValue } from "./webidl.ts";
import { inspect } from "./inspect.ts";
import { formatArguments } from "./format.ts";

const DEBUG = 0, INFO = 1, LOG = 2, WARN = 3, ERROR = 4;

const TEXT_MAX = 16_384;
const GROUPS_MAX = 32;
const LABELS_MAX = 1_000;
const ROWS_MAX = 200;
const COLUMNS_MAX = 20;

let groupDepth = 0;
let counts = objectCreate(null) as Record<string, number>;
let started = objectCreate(null) as Record<string, number>;

function write(level: number, text: string): void {
  let shown = text;
  if (groupDepth > 0) {
    const margin = repeat("  ", groupDepth);
    shown = "";
    let from = 0;
    for (let end = indexOf(text, "\n"); end >= 0; end = indexOf(text, "\n", from)) {
      shown += margin + slice(text, from, end + 1);
      from = end + 1;
    }
    shown += margin + slice(text, from);
  }
  if (shown.length > TEXT_MAX) shown = `${slice(shown, 0, TEXT_MAX)}... ${shown.length - TEXT_MAX} more characters`;
  native.log(level, shown);
}

function print(level: number, args: unknown[]): void {
  let text: string;
  try {
    text = formatArguments(args);
  } catch {
    text = "(a value that could not be shown)";   // no stack left, as far as we know
  }
  write(level, text);
}

// A DOMString; of a symbol, which has none, something all the same.
const label = (value: unknown) => (value === undefined ? "default" : typeof value === "symbol" ? "symbol" : `${value as string}`);

function remember(table: Record<string, number>, name: string, value: number): Record<string, number> {
  const kept = name in table || ownKeys(table).length < LABELS_MAX ? table : (objectCreate(null) as Record<string, number>);
  kept[name] = value;
  return kept;
}

function elapsed(name: string): string | undefined {
  const start = started[name];
  return start === undefined ? undefined : `${name}: ${dateNow() - start}ms`;
}

// A property as a table's cell, without running a getter.
function cell(row: object, key: PropertyKey): string {
  const descriptor = getOwnPropertyDescriptor(row, key);
  return descriptor === undefined ? "" : "value" in descriptor ? inspect(descriptor.value, 0) : "[Getter]";
}

const isPlainRow = (value: unknown): value is object => typeof value === "object" && value !== null && native.classify(value) !== 1;

function enumerableKeys(value: object): string[] {
  const keys = ownKeys(value);
  const names: string[] = [];
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (typeof key === "string" && getOwnPropertyDescriptor(value, key)?.enumerable) push(names, key);
  }
  return names;
}

function formatTable(data: object): string {
  const rows = enumerableKeys(data);
  const columns: string[] = [];
  let hasValues = false;
  const values: unknown[] = [];
  for (let i = 0; i < rows.length && i < ROWS_MAX; i++) {
    const value = getOwnPropertyDescriptor(data, rows[i]!)?.value as unknown;
    push(values, value);
    if (!isPlainRow(value)) {
      hasValues = true;
      continue;
    }
    const names = enumerableKeys(value);
    for (let j = 0; j < names.length && columns.length < COLUMNS_MAX; j++) {
      let known = false;
      for (let k = 0; k < columns.length; k++) known = known || columns[k] === names[j];
      if (!known) push(columns, names[j]!);
    }
  }
  const lines: string[][] = [["(index)"]];
  for (let j = 0; j < columns.length; j++) push(lines[0]!, columns[j]!);
  if (hasValues) push(lines[0]!, "Values");
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const line = [rows[i]!];
    for (let j = 0; j < columns.length; j++) push(line, isPlainRow(value) ? cell(value, columns[j]!) : "");
    if (hasValues) push(line, isPlainRow(value) ? "" : inspect(value, 0));
    push(lines, line);
  }
  return drawTable(lines) + (rows.length > ROWS_MAX ? `\n... ${rows.length - ROWS_MAX} more rows` : "");
}

function drawTable(lines: string[][]): string {
  const widths: number[] = [];
  for (let i = 0; i < lines.length; i++) {
    for (let j = 0; j < lines[i]!.length; j++) {
      const width = lines[i]![j]!.length;
      if (j >= widths.length) push(widths, width);
      else if (width > widths[j]!) widths[j] = width;
    }
  }
  const rule = (left: string, middle: string, right: string) => {
    const parts: string[] = [];
    for (let j = 0; j < widths.length; j++) push(parts, repeat("─", widths[j]! + 2));
    return left + join(parts, middle) + right;
  };
  const drawn = [rule("┌", "┬", "┐")];
  for (let i = 0; i < lines.length; i++) {
    const cells: string[] = [];
    for (let j = 0; j < widths.length; j++) push(cells, ` ${padEnd(lines[i]![j] ?? "", widths[j]!)} `);
    push(drawn, `│${join(cells, "│")}│`);
    if (i === 0) push(drawn, rule("├", "┼", "┤"));
  }
  push(drawn, rule("└", "┴", "┘"));
  return join(drawn, "\n");
}

function openGroup(args: unknown[]): void {
  if (args.length > 0) print(LOG, args);
  if (groupDepth < GROUPS_MAX) groupDepth++;
}

const methods = {
  assert(condition: unknown = undefined, ...args: unknown[]): void {
    if (condition) return;
    let text = formatArguments(args);
    text = text === "" ? "Assertion failed" : `Assertion failed: ${text}`;
    write(ERROR, text);
  },
  clear(): void {},
  count(name: unknown = undefined): void {
    const key = label(name);
    const count = (counts[key] ?? 0) + 1;
    counts = remember(counts, key, count);
    write(INFO, `${key}: ${count}`);
  },
  countReset(name: unknown = undefined): void {
    const key = label(name);
    if (!(key in counts)) return write(WARN, `Count for '${key}' does not exist`);
    delete counts[key];
  },
  debug(...args: unknown[]): void { print(DEBUG, args); },
  dir(value: unknown = undefined): void { write(LOG, inspect(value)); },
  dirxml(...args: unknown[]): void { print(LOG, args); },
  error(...args: unknown[]): void { print(ERROR, args); },
  group(...args: unknown[]): void { openGroup(args); },
  groupCollapsed(...args: unknown[]): void { openGroup(args); },
  groupEnd(): void { if (groupDepth > 0) groupDepth--; },
  info(...args: unknown[]): void { print(INFO, args); },
  log(...args: unknown[]): void { print(LOG, args); },
  table(data: unknown = undefined): void { isPlainRow(data) ? write(LOG, formatTable(data)) : print(LOG, [data]); },
  time(name: unknown = undefined): void {
    const key = label(name);
    if (key in started) return write(WARN, `Timer '${key}' already exists`);
    started = remember(started, key, dateNow());
  },
  timeEnd(name: unknown = undefined): void {
    const key = label(name);
    const text = elapsed(key);
    if (text === undefined) return write(WARN, `Timer '${key}' does not exist`);
    delete started[key];
    write(INFO, text);
  },
  timeLog(name: unknown = undefined, ...args: unknown[]): void {
    const key = label(name);
    const text = elapsed(key);
    if (text === undefined) return write(WARN, `Timer '${key}' does not exist`);
    write(INFO, args.length === 0 ? text : `${text} ${formatArguments(args)}`);
  },
  trace(...args: unknown[]): void {
    const here: { stack?: string } = {};
    captureStackTrace(here, methods.trace);
    const text = formatArguments(args);
    const stack = typeof here.stack === "string" ? here.stack : "";
    const frames = indexOf(stack, "\n");
    write(DEBUG, `Trace${text === "" ? "" : `: ${text}`}${frames < 0 ? "" : slice(stack, frames)}`);
  },
  warn(...args: unknown[]): void { print(WARN, args); },
};

export function installConsole(): void {
  // A namespace object: its prototype is an empty object of its own.
  const console = objectCreate({}) as object;
  const names = ownKeys(methods) as (keyof typeof methods)[];
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    defineProperty(console, name, { value: methods[name], writable: true, enumerable: true, configurable: true });
  }
  defineProperty(console, toStringTag, { value: "console", configurable: true });
  exposeValue("console", console, false);
}

