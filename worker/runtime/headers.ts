// Headers of the Fetch standard. Names are kept in lower case; values are byte strings, a character for each byte.
//
// No name is forbidden: that is for browsers, whose users must be protected from pages. As on Cloudflare's platform, the headers of
// what came from elsewhere (a request to a handler, the response to a fetch()) are immutable; `new Headers(them)` is not.

import { withValue } from "./pairs.ts";
import {
  PlainTypeError, codeUnitAt, defineProperty, getOwnPropertyDescriptor, includes, isArray, ownKeys, push, slice, sort, symbolIterator, toLowerCase,
} from "./primordials.ts";
import { exposeInterface, isObject, makePairIterator, requireArguments, toDOMString, toSequence } from "./webidl.ts";
import { provideShower } from "./inspect.ts";

let listOf: (value: unknown) => string[] | undefined;
let freezeHeaders: (headers: Headers) => void;
let sortedOf: (headers: Headers) => string[];
let addHeader: (headers: Headers, name: string, value: string) => void;
let setList: (headers: Headers, list: string[]) => void;

const makeIterator = makePairIterator<Headers>("Headers", (headers, index) => {
  const list = sortedOf(headers);
  return index * 2 < list.length ? [list[index * 2]!, list[index * 2 + 1]!] : undefined;
});

export class Headers {
  #list: string[] = [];   // name, value, name, value, ... as they were added
  #sorted: string[] | undefined = undefined;   // by name, values of one name joined: what iteration shows
  #immutable = false;

  static {
    listOf = (value) => (isObject(value) && #list in value ? (value as Headers).#list : undefined);
    freezeHeaders = (headers) => { headers.#immutable = true; };
    sortedOf = (headers) => headers.#sorted ??= sortAndJoin(headers.#list);
    addHeader = (headers, name, value) => {
      headers.#append(name, value);
      headers.#sorted = undefined;
    };
    setList = (headers, list) => {
      headers.#list = list;
      headers.#sorted = undefined;
    };
  }

  constructor(init: unknown = undefined) {
    if (init === undefined) return;
    if (!isObject(init)) throw new PlainTypeError("Failed to construct 'Headers': the value is neither a sequence of pairs nor a record.");
    const other = listOf(init);
    if (other !== undefined) {
      for (let i = 0; i < other.length; i++) push(this.#list, other[i]!);
      return;
    }
    const method = (init as { [symbolIterator]?: unknown })[symbolIterator];
    if (method !== undefined && method !== null) {
      const pairs = toSequence(init, method);
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[i];
        if (!isObject(pair)) throw new PlainTypeError("Failed to construct 'Headers': each pair must be iterable.");
        const parts = toSequence(pair, (pair as { [symbolIterator]?: unknown })[symbolIterator]);
        if (parts.length !== 2) throw new PlainTypeError("Failed to construct 'Headers': each pair must be a name and a value.");
        this.#append(toName(parts[0]), toValue(parts[1]));
      }
      return;
    }
    const keys = ownKeys(init);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (!getOwnPropertyDescriptor(init, key)?.enumerable) continue;
      this.#append(toName(key), toValue((init as Record<PropertyKey, unknown>)[key]));
    }
  }

  append(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2, "'append' on 'Headers'");
    const key = toName(name);
    const text = toValue(value);
    this.#change();
    this.#append(key, text);
  }

  delete(name: unknown): void {
    requireArguments(arguments.length, 1, "'delete' on 'Headers'");
    const key = toName(name);
    this.#change();
    const kept: string[] = [];
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] !== key) push(kept, this.#list[i]!, this.#list[i + 1]!);
    }
    this.#list = kept;
  }

  get(name: unknown): string | null {
    requireArguments(arguments.length, 1, "'get' on 'Headers'");
    return getHeader(this.#list, toName(name));
  }

  // Cloudflare's, for this one name only.
  getAll(name: unknown): string[] {
    requireArguments(arguments.length, 1, "'getAll' on 'Headers'");
    if (toName(name) !== "set-cookie") throw new PlainTypeError("getAll() can only be used with the header name \"Set-Cookie\".");
    return this.getSetCookie();
  }

  getSetCookie(): string[] {
    const values: string[] = [];
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === "set-cookie") push(values, this.#list[i + 1]!);
    return values;
  }

  has(name: unknown): boolean {
    requireArguments(arguments.length, 1, "'has' on 'Headers'");
    return hasHeader(this.#list, toName(name));
  }

  set(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2, "'set' on 'Headers'");
    const key = toName(name);
    const text = toValue(value);
    this.#change();
    this.#list = withValue(this.#list, key, text);
  }

  entries(): IterableIterator<unknown> { this.#list; return makeIterator(this, "entry"); }
  keys(): IterableIterator<unknown> { this.#list; return makeIterator(this, "key"); }
  values(): IterableIterator<unknown> { this.#list; return makeIterator(this, "value"); }

  forEach(callback: unknown, thisArg: unknown = undefined): void {
    this.#list;
    requireArguments(arguments.length, 1, "'forEach' on 'Headers'");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to execute 'forEach' on 'Headers': parameter 1 is not of type 'Function'.");
    for (let i = 0; i < sortedOf(this).length; i += 2) {
      const list = sortedOf(this);
      callCallback(callback, thisArg, [list[i + 1], list[i], this]);
    }
  }

  #change(): void {
    if (this.#immutable) throw new PlainTypeError("Can't modify immutable headers.");
    this.#sorted = undefined;
  }
  #append(name: string, value: string): void {
    push(this.#list, name, value);
  }
}

const callCallback = Reflect.apply as (f: Function, self: unknown, args: unknown[]) => unknown;

export { addHeader, listOf as headersList, freezeHeaders, setList as setHeadersList };

// `list` is the new one's own.
export function makeHeaders(list: string[]): Headers {
  const headers = new Headers();
  setList(headers, list);
  return headers;
}

export function getHeader(list: string[], name: string): string | null {
  let joined: string | null = null;
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) joined = joined === null ? list[i + 1]! : `${joined}, ${list[i + 1]!}`;
  }
  return joined;
}

export function hasHeader(list: string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
  return false;
}

// What came from another process: a copy, or undefined if these are no headers. Names may be in any case.
export function checkHeaders(value: unknown): string[] | undefined {
  if (!isArray(value) || value.length % 2 !== 0) return undefined;
  const list: string[] = [];
  for (let i = 0; i < value.length; i += 2) {
    const name = value[i] as unknown, text = value[i + 1] as unknown;
    if (typeof name !== "string" || typeof text !== "string" || !isToken(name) || !isHeaderValue(text)) return undefined;
    push(list, toLowerCase(name), text);
  }
  return list;
}

// ---------------------------------------------------------------------------------------------------------------------

function sortAndJoin(list: string[]): string[] {
  const names: string[] = [];
  for (let i = 0; i < list.length; i += 2) {
    let known = false;
    for (let j = 0; j < names.length && !known; j++) known = names[j] === list[i];
    if (!known) push(names, list[i]!);
  }
  sort(names, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const sorted: string[] = [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (name !== "set-cookie") push(sorted, name, getHeader(list, name)!);
    else for (let j = 0; j < list.length; j += 2) if (list[j] === name) push(sorted, name, list[j + 1]!);
  }
  return sorted;
}

const TOKEN_PUNCTUATION = "!#$%&'*+-.^_`|~";

// RFC 9110, token.
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = codeUnitAt(text, i);
    const isAlphanumeric = (unit >= 48 && unit <= 57) || (unit >= 65 && unit <= 90) || (unit >= 97 && unit <= 122);
    if (!isAlphanumeric && (unit > 127 || !includes(TOKEN_PUNCTUATION, text[i]!))) return false;
  }
  return text !== "";
}

function isHeaderValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = codeUnitAt(text, i);
    if (unit === 0 || unit === 10 || unit === 13 || unit > 255) return false;
  }
  return true;
}

function toName(value: unknown): string {
  const name = toDOMString(value);
  if (!isToken(name)) throw new PlainTypeError(`Invalid header name: ${slice(name, 0, 64)}`);
  return toLowerCase(name);
}

function isSpace(unit: number): boolean { return unit === 32 || unit === 9 || unit === 10 || unit === 13; }

function toValue(value: unknown): string {
  const text = toDOMString(value);
  let start = 0, end = text.length;
  while (start < end && isSpace(codeUnitAt(text, start))) start++;
  while (end > start && isSpace(codeUnitAt(text, end - 1))) end--;
  const trimmed = slice(text, start, end);
  if (!isHeaderValue(trimmed)) throw new PlainTypeError("Invalid header value: it holds a NUL, a line break or a character above U+00FF.");
  return trimmed;
}

export function installHeaders(): void {
  exposeInterface("Headers", Headers);
  defineProperty(Headers.prototype, symbolIterator, { value: Headers.prototype.entries, writable: true, configurable: true, enumerable: false });
  provideShower((value) => {
    if (listOf(value) === undefined) return undefined;
    const shown: Record<string, unknown> = { __proto__: null } as never;
    const list = sortedOf(value as Headers);
    for (let i = 0; i < list.length; i += 2) {
      const before = shown[list[i]!] as string | undefined;
      shown[list[i]!] = before === undefined ? list[i + 1] : `${before}, ${list[i + 1]!}`;
    }
    return ["Headers", shown];
  });
}
