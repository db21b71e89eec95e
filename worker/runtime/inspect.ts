// Values as text for people, much as Node's util.inspect shows them. Looks without touching: no getter, no trap of a Proxy, no
// toString of the value runs, and the text is bounded however large or cyclic the value is.

import {
  apply, bigintToString, codeUnitAt, dateToISOString, dateValueOf, functionToString, getOwnPropertyDescriptor,
  getPrototypeOf, includes, indexOf, join, matches, ownKeys, push, regExpToString, repeat, slice, symbolToString,
  toStringOf, typedArrayLength, typedArrayName, PlainError,
} from "./primordials.ts";

const DEPTH_MAX = 2;
const ITEMS_MAX = 100;
const LISTED_MAX = 10_000;   // a list that is longer is not searched for properties beside its items
const STRING_MAX = 10_000;
const LINE_WIDTH = 76;
const TEXT_MAX = 16_384;   // of everything; what lies beyond is "..."

type Job = {
  depthMax: number;
  path: object[];        // from the root to the object being shown
  circular: object[];    // those found again below themselves
  left: number;          // characters that may still be produced
};

// How instances of the runtime's own classes look: [name, what to show in braces]. Undefined: not one of its instances.
type Shower = (value: object) => [string, object] | undefined;
const showers: Shower[] = [];
export function provideShower(shower: Shower): void { push(showers, shower); }

export function inspect(value: unknown, depthMax = DEPTH_MAX): string {
  const job: Job = { depthMax, path: [], circular: [], left: TEXT_MAX };
  return show(job, value, 0, false);
}

// For console's text: strings stand as they are, everything else is inspected.
export function display(value: unknown, depthMax = DEPTH_MAX): string {
  return typeof value === "string" ? value : inspect(value, depthMax);
}

function show(job: Job, value: unknown, indent: number, inside: boolean): string {
  if (job.left <= 0) return "...";
  const text = isPrimitive(value) ? showPrimitive(value) : showObject(job, value as object, indent, inside);
  job.left -= indent + 2 + (isPrimitive(value) ? text.length : 0);   // with its margin and comma
  return text;
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== "object" && typeof value !== "function");
}

function showPrimitive(value: unknown): string {
  switch (typeof value) {
    case "string": return quote(value);
    case "bigint": return `${bigintToString(value)}n`;
    case "symbol": return symbolToString(value);
    case "number": return value === 0 && 1 / value < 0 ? "-0" : `${value}`;
    default: return toStringOf(value);
  }
}

export function quote(text: string): string {
  let shown = text;
  let more = "";
  if (text.length > STRING_MAX) {
    shown = slice(text, 0, STRING_MAX);
    more = `... ${text.length - STRING_MAX} more characters`;
  }
  const mark = !includes(shown, "'") ? "'" : !includes(shown, '"') ? '"' : !includes(shown, "`") && !includes(shown, "${") ? "`" : "'";
  let result = mark;
  let done = 0;
  for (let i = 0; i < shown.length; i++) {
    const unit = codeUnitAt(shown, i);
    let escape = "";
    if (unit === 10) escape = "\\n";
    else if (unit === 13) escape = "\\r";
    else if (unit === 9) escape = "\\t";
    else if (unit === 92) escape = "\\\\";
    else if (unit === 39 && mark === "'") escape = "\\'";
    else if (unit < 32 || (unit >= 127 && unit < 160)) escape = `\\x${unit < 16 ? "0" : ""}${hex(unit)}`;
    else if (unit >= 0xd800 && unit < 0xe000) {
      const next = i + 1 < shown.length ? codeUnitAt(shown, i + 1) : 0;
      if (unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) i++;
      else escape = `\\u${hex(unit)}`;
    }
    if (escape !== "") {
      result += slice(shown, done, i) + escape;
      done = i + 1;
    }
  }
  return result + slice(shown, done) + mark + more;
}

const HEX = "0123456789ABCDEF";
function hex(unit: number): string {
  let text = "";
  for (let rest = unit; rest > 0; rest >>= 4) text = HEX[rest & 15]! + text;
  return text === "" ? "0" : text;
}

function showObject(job: Job, given: object, indent: number, inside: boolean): string {
  let value = given;
  if (native.classify(value) === 1) {
    const target = native.proxyTarget(value);
    if (target === null) return "<Revoked Proxy>";
    value = target;
  }
  for (let i = 0; i < job.path.length; i++) {
    if (job.path[i] !== value) continue;
    let index = -1;
    for (let j = 0; j < job.circular.length; j++) if (job.circular[j] === value) index = j;
    if (index < 0) index = push(job.circular, value) - 1;
    return charge(job, `[Circular *${index + 1}]`);
  }
  const depth = job.path.length;
  push(job.path, value);
  let text = showKind(job, value, depth, indent, inside);
  job.path.length = depth;
  for (let j = 0; j < job.circular.length; j++) {
    if (job.circular[j] === value) text = `<ref *${j + 1}> ${text}`;
  }
  return text;
}

function charge(job: Job, text: string): string {
  job.left -= text.length;
  return text;
}

type Shape = { prefix: string; open: string; close: string; items: string[]; skipIndices: boolean };

function showKind(job: Job, value: object, depth: number, indent: number, inside: boolean): string {
  const kind = native.classify(value);
  const name = getPrototypeOf(value) === null ? "[Object: null prototype]" : native.constructorName(value);
  const tooDeep = depth > job.depthMax;
  const shape: Shape = { prefix: name, open: "{", close: "}", items: [], skipIndices: false };
  for (let i = 0; i < showers.length; i++) {
    const shown = showers[i]!(value);
    if (shown === undefined) continue;
    if (tooDeep) return charge(job, `[${shown[0]}]`);
    addProperties(job, shown[1], shape, indent);
    return finish(job, { ...shape, prefix: shown[0] }, indent);
  }
  switch (kind) {
    case 2: return finishLeaf(job, functionLabel(value as Function), value, shape, tooDeep, indent);
    case 4: return showError(job, value, shape, tooDeep, indent, inside);
    case 7: {
      const time = dateValueOf(value as Date);
      return finishLeaf(job, time !== time ? "Invalid Date" : dateToISOString(value as Date), value, shape, tooDeep, indent);
    }
    case 8: return finishLeaf(job, showRegExp(value as RegExp), value, shape, tooDeep, indent);
    case 13: {
      const inner = native.primitiveOf(value);
      const type = typeof inner;
      shape.skipIndices = true;
      const label = `${type[0] === "b" ? (type === "bigint" ? "BigInt" : "Boolean") : type === "string" ? "String" : type === "number" ? "Number" : "Symbol"}`;
      return finishLeaf(job, `[${label}: ${showPrimitive(inner)}]`, value, shape, tooDeep, indent);
    }
    case 17: shape.prefix = "[Module: null prototype]";
  }
  if (tooDeep) return charge(job, kind === 3 ? "[Array]" : getPrototypeOf(value) === null ? name : `[${name}]`);
  switch (kind) {
    case 3: addArray(job, value as unknown[], shape, indent); break;
    case 5: addMap(job, value, shape, indent); break;
    case 6: addSet(job, value, shape, indent); break;
    case 9: addPromise(job, value, shape, indent); break;
    case 10: addTypedArray(job, value, shape); break;
    case 11:
    case 12: push(shape.items, `byteLength: ${native.byteLength(value)}`); break;
    case 14: push(shape.items, "<items unknown>"); break;
    case 15: addSet(job, value, shape, indent); break;
    case 16: shape.prefix = "Object [Generator]"; break;
    default: if (name === "Object" && kind !== 17) shape.prefix = "";
  }
  addProperties(job, value, shape, indent);
  return finish(job, shape, indent);
}

// RegExp.prototype.toString asks the pattern for `source` and `flags`, which an own property may shadow.
function showRegExp(value: RegExp): string {
  const shadowed = getOwnPropertyDescriptor(value, "source") !== undefined || getOwnPropertyDescriptor(value, "flags") !== undefined;
  if (shadowed) return "[RegExp]";
  try { return regExpToString(value); } catch { return "[RegExp]"; }
}

function functionLabel(value: Function): string {
  const descriptor = getOwnPropertyDescriptor(value, "name");
  const name = descriptor !== undefined && typeof descriptor.value === "string" ? descriptor.value : "";
  const source = functionToString(value);
  if (slice(source, 0, 5) === "class") {
    const parent = getPrototypeOf(value) as object | null;
    const parentName = parent !== null && typeof parent === "function" ? getOwnPropertyDescriptor(parent, "name")?.value : undefined;
    return `[class ${name || "(anonymous)"}${typeof parentName === "string" && parentName !== "" ? ` extends ${parentName}` : ""}]`;
  }
  const type = slice(source, 0, 5) === "async" ? "AsyncFunction" : slice(source, 0, 9) === "function*" ? "GeneratorFunction" : "Function";
  return `[${type}${name === "" ? " (anonymous)" : `: ${name}`}]`;
}

// `stack` without user code: V8's own accessor (the one every error has) or a plain string.
let stackGetter: (() => unknown) | undefined;   // not there yet when the snapshot is made

function dataOf(value: object, key: string): unknown {
  for (let at: object | null = value; at !== null; at = getPrototypeOf(at) as object | null) {
    if (native.classify(at) === 1) return undefined;
    const descriptor = getOwnPropertyDescriptor(at, key);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}

export function stackOf(error: object): string {
  const descriptor = getOwnPropertyDescriptor(error, "stack");
  let stack: unknown = descriptor?.value;
  stackGetter ??= getOwnPropertyDescriptor(new PlainError(), "stack")?.get;
  if (stackGetter !== undefined && descriptor?.get === stackGetter) {
    try { stack = apply(stackGetter, error, []); } catch { /* Error.prepareStackTrace of the user's threw */ }
  }
  if (typeof stack === "string" && stack !== "") return stack;
  const name = dataOf(error, "name");
  const message = dataOf(error, "message");
  const shownName = typeof name === "string" ? name : "Error";
  return `[${shownName}${typeof message === "string" && message !== "" ? `: ${message}` : ""}]`;
}

function showError(job: Job, error: object, shape: Shape, tooDeep: boolean, indent: number, inside: boolean): string {
  let text = stackOf(error);
  if (text.length > STRING_MAX) text = `${slice(text, 0, STRING_MAX)}...`;
  if (inside && indexOf(text, "\n") >= 0) text = indentLines(text, indent);
  charge(job, text);
  if (tooDeep) return text;
  const extra: Shape = { ...shape, prefix: text };
  const cause = getOwnPropertyDescriptor(error, "cause");
  if (cause !== undefined && !cause.enumerable && "value" in cause) push(extra.items, `[cause]: ${show(job, cause.value, indent + 2, true)}`);
  const errors = getOwnPropertyDescriptor(error, "errors");
  if (errors !== undefined && !errors.enumerable && "value" in errors) push(extra.items, `[errors]: ${show(job, errors.value, indent + 2, true)}`);
  addProperties(job, error, extra, indent);
  return extra.items.length === 0 ? text : finish(job, extra, indent);
}

function indentLines(text: string, indent: number): string {
  let result = "";
  let from = 0;
  for (let end = indexOf(text, "\n"); end >= 0; end = indexOf(text, "\n", from)) {
    result += slice(text, from, end + 1) + repeat(" ", indent);
    from = end + 1;
  }
  return result + slice(text, from);
}

function finishLeaf(job: Job, label: string, value: object, shape: Shape, tooDeep: boolean, indent: number): string {
  charge(job, label);
  shape.prefix = label;
  if (!tooDeep) addProperties(job, value, shape, indent);
  return shape.items.length === 0 ? label : finish(job, shape, indent);
}

function addArray(job: Job, array: unknown[], shape: Shape, indent: number): void {
  const length = getOwnPropertyDescriptor(array, "length")!.value as number;
  shape.prefix = shape.prefix === "Array" ? "" : `${shape.prefix}(${length})`;
  shape.open = "[";
  shape.close = "]";
  shape.skipIndices = true;
  let holes = 0;
  let index = 0;
  const flush = () => {
    if (holes > 0) push(shape.items, `<${holes} empty item${holes === 1 ? "" : "s"}>`);
    holes = 0;
  };
  // Holes cost no item, but looking at them costs time.
  for (let looked = 0; index < length && shape.items.length < ITEMS_MAX && looked < 10 * ITEMS_MAX && job.left > 0; index++, looked++) {
    const descriptor = getOwnPropertyDescriptor(array, index);
    if (descriptor === undefined) {
      holes++;
      continue;
    }
    flush();
    push(shape.items, showDescriptor(job, descriptor, indent));
  }
  flush();
  addMore(shape, length - index);
}

function addMore(shape: Shape, count: number): void {
  if (count > 0) push(shape.items, `... ${count} more item${count === 1 ? "" : "s"}`);
}

function addMap(job: Job, map: object, shape: Shape, indent: number): void {
  const entries = native.entriesOf(map) ?? [];
  shape.prefix += `(${entries.length / 2})`;
  let i = 0;
  for (; i < entries.length && i < 2 * ITEMS_MAX && job.left > 0; i += 2) {
    push(shape.items, `${show(job, entries[i], indent + 2, true)} => ${show(job, entries[i + 1], indent + 2, true)}`);
  }
  addMore(shape, (entries.length - i) / 2);
}

function addSet(job: Job, set: object, shape: Shape, indent: number): void {
  const entries = native.entriesOf(set) ?? [];
  if (native.classify(set) === 6) shape.prefix += `(${entries.length})`;
  let i = 0;
  for (; i < entries.length && i < ITEMS_MAX && job.left > 0; i++) push(shape.items, show(job, entries[i], indent + 2, true));
  addMore(shape, entries.length - i);
}

function addPromise(job: Job, promise: object, shape: Shape, indent: number): void {
  const state = native.promiseState(promise);
  if (state[0] === 0) push(shape.items, "<pending>");
  else push(shape.items, `${state[0] === 2 ? "<rejected> " : ""}${show(job, state[1], indent + 2, true)}`);
}

function addTypedArray(job: Job, view: object, shape: Shape): void {
  const length = typedArrayLength(view);
  shape.prefix = `${typedArrayName(view)}(${length})`;
  shape.open = "[";
  shape.close = "]";
  shape.skipIndices = true;
  let i = 0;
  for (; i < length && i < ITEMS_MAX; i++) push(shape.items, charge(job, showPrimitive((view as unknown[])[i])));
  addMore(shape, length - i);
}

const INDEX = /^(?:0|[1-9][0-9]{0,9})$/;
const IDENTIFIER = /^[A-Za-z_$][A-Za-z_$0-9]*$/;

function addProperties(job: Job, value: object, shape: Shape, indent: number): void {
  // The indices of a typed array or a long list would be listed one by one, and it rarely has more.
  if (shape.skipIndices && (native.classify(value) === 10 || isLongList(value))) return;
  const keys = ownKeys(value);
  let shown = 0;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (shape.skipIndices && typeof key === "string" && isIndex(key)) continue;
    const descriptor = getOwnPropertyDescriptor(value, key);
    if (descriptor === undefined || !descriptor.enumerable) continue;
    if (shown++ >= ITEMS_MAX || job.left <= 0) {
      push(shape.items, `... more properties`);
      return;
    }
    const name = typeof key === "symbol" ? `[${symbolToString(key)}]` : matchesPlain(IDENTIFIER, key) ? key : quote(key);
    charge(job, name);
    push(shape.items, `${name}: ${showDescriptor(job, descriptor, indent)}`);
  }
}

function isLongList(value: object): boolean {
  return native.classify(value) === 3 && (getOwnPropertyDescriptor(value, "length")!.value as number) > LISTED_MAX;
}

function isIndex(key: string): boolean {
  return matchesPlain(INDEX, key);
}

function matchesPlain(pattern: RegExp, text: string): boolean {
  return text.length < 200 && matches(pattern, text) !== null;
}

function showDescriptor(job: Job, descriptor: PropertyDescriptor, indent: number): string {
  if (descriptor.get !== undefined) return charge(job, descriptor.set !== undefined ? "[Getter/Setter]" : "[Getter]");
  if (descriptor.set !== undefined) return charge(job, "[Setter]");
  return show(job, descriptor.value, indent + 2, true);
}

function finish(job: Job, shape: Shape, indent: number): string {
  const prefix = shape.prefix === "" ? "" : `${shape.prefix} `;
  const items = shape.items;
  if (items.length === 0) return charge(job, `${prefix}${shape.open}${shape.close}`);
  let width = indent + prefix.length;
  let breaks = false;
  for (let i = 0; i < items.length; i++) {
    width += items[i]!.length + 2;
    breaks = breaks || indexOf(items[i]!, "\n") >= 0;
  }
  charge(job, prefix);
  if (!breaks && width <= LINE_WIDTH) return `${prefix}${shape.open} ${join(items, ", ")} ${shape.close}`;
  const margin = repeat(" ", indent);
  return `${prefix}${shape.open}\n${margin}  ${join(items, `,\n${margin}  `)}\n${margin}${shape.close}`;
}

