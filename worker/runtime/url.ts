// URL and URLSearchParams. ada parses; a URL keeps ada's record and slices its parts out of the href.

import { withValue } from "./pairs.ts";
import { PlainTypeError, defineProperty, getOwnPropertyDescriptor, join, ownKeys, push, slice, symbolIterator } from "./primordials.ts";
import { exposeInterface, isObject, makePairIterator, requireArguments, toSequence, toUSVString } from "./webidl.ts";
import { provideShower } from "./inspect.ts";

const PROTOCOL_END = 1, USERNAME_END = 2, HOST_START = 3, HOST_END = 4, PORT = 5, PATHNAME_START = 6, SEARCH_START = 7, HASH_START = 8;
const ABSENT = 0xffffffff;

let setQuery: (url: URL, query: string) => void;
let bindParams: (params: URLSearchParams, url: URL) => void;
let reloadParams: (params: URLSearchParams, query: string) => void;
let urlParts: (value: object) => object | undefined;
let paramsList: (value: object) => string[] | undefined;

export class URL {
  #record: UrlRecord;
  #searchParams: URLSearchParams | undefined = undefined;

  static {
    setQuery = (url, query) => { url.#update(8, query); };
    urlParts = (value) => (#record in value ? (value as URL).#shown() : undefined);
  }

  constructor(url: unknown, base: unknown = undefined) {
    requireArguments(arguments.length, 1, "'URL' constructor");
    const input = toUSVString(url);
    const record = native.urlParse(input, base === undefined ? undefined : toUSVString(base));
    if (record === undefined) throw invalid();
    this.#record = record;
  }

  static canParse(url: unknown, base: unknown = undefined): boolean {
    requireArguments(arguments.length, 1, "'canParse' on 'URL'");
    const input = toUSVString(url);
    return native.urlCanParse(input, base === undefined ? undefined : toUSVString(base));
  }

  static parse(url: unknown, base: unknown = undefined): URL | null {
    requireArguments(arguments.length, 1, "'parse' on 'URL'");
    const input = toUSVString(url);
    const against = base === undefined ? undefined : toUSVString(base);
    return native.urlCanParse(input, against) ? new URL(input, against) : null;
  }

  get href(): string { return this.#record[0]; }
  set href(value: unknown) {
    const record = native.urlUpdate(this.#record[0], 0, toUSVString(value));
    if (record === undefined) throw invalid();
    this.#record = record;
    this.#reload();
  }

  get origin(): string {
    const record = this.#record;
    const protocol = slice(record[0], 0, record[PROTOCOL_END]);
    switch (protocol) {
      case "http:": case "https:": case "ws:": case "wss:": case "ftp:":
        return `${protocol}//${hostOf(record)}`;
      case "blob:": {
        const inner = native.urlParse(this.pathname, undefined);
        if (inner === undefined) return "null";
        const scheme = slice(inner[0], 0, inner[PROTOCOL_END]);
        return scheme === "http:" || scheme === "https:" ? `${scheme}//${hostOf(inner)}` : "null";
      }
      default: return "null";
    }
  }

  get protocol(): string { return slice(this.#record[0], 0, this.#record[PROTOCOL_END]); }
  set protocol(value: unknown) { this.#update(1, toUSVString(value)); }

  get username(): string {
    const record = this.#record;
    return record[PROTOCOL_END] + 2 < record[USERNAME_END] ? slice(record[0], record[PROTOCOL_END] + 2, record[USERNAME_END]) : "";
  }
  set username(value: unknown) { this.#update(2, toUSVString(value)); }

  get password(): string {
    const record = this.#record;
    return record[HOST_START] > record[USERNAME_END] ? slice(record[0], record[USERNAME_END] + 1, record[HOST_START]) : "";
  }
  set password(value: unknown) { this.#update(3, toUSVString(value)); }

  get host(): string { return hostOf(this.#record); }
  set host(value: unknown) { this.#update(4, toUSVString(value)); }

  get hostname(): string { return slice(this.#record[0], hostStart(this.#record), this.#record[HOST_END]); }
  set hostname(value: unknown) { this.#update(5, toUSVString(value)); }

  get port(): string { return this.#record[PORT] === ABSENT ? "" : `${this.#record[PORT]}`; }
  set port(value: unknown) { this.#update(6, toUSVString(value)); }

  get pathname(): string {
    const record = this.#record;
    const end = record[SEARCH_START] !== ABSENT ? record[SEARCH_START] : record[HASH_START] !== ABSENT ? record[HASH_START] : undefined;
    return slice(record[0], record[PATHNAME_START], end);
  }
  set pathname(value: unknown) { this.#update(7, toUSVString(value)); }

  get search(): string {
    const record = this.#record;
    if (record[SEARCH_START] === ABSENT) return "";
    const text = slice(record[0], record[SEARCH_START], record[HASH_START] === ABSENT ? undefined : record[HASH_START]);
    return text === "?" ? "" : text;
  }
  set search(value: unknown) {
    this.#update(8, toUSVString(value));
    this.#reload();
  }

  get searchParams(): URLSearchParams {
    if (this.#searchParams === undefined) {
      this.#searchParams = new URLSearchParams();
      bindParams(this.#searchParams, this);
      this.#reload();
    }
    return this.#searchParams;
  }

  get hash(): string {
    const record = this.#record;
    if (record[HASH_START] === ABSENT) return "";
    const text = slice(record[0], record[HASH_START]);
    return text === "#" ? "" : text;
  }
  set hash(value: unknown) { this.#update(9, toUSVString(value)); }

  toString(): string { return this.#record[0]; }
  toJSON(): string { return this.#record[0]; }

  #update(part: UrlPart, value: string): void {
    this.#record = native.urlUpdate(this.#record[0], part, value) ?? this.#record;
  }

  #reload(): void {
    if (this.#searchParams !== undefined) reloadParams(this.#searchParams, this.#search());
  }

  #search(): string {
    const record = this.#record;
    if (record[SEARCH_START] === ABSENT) return "";
    return slice(record[0], record[SEARCH_START], record[HASH_START] === ABSENT ? undefined : record[HASH_START]);
  }

  #shown(): object {
    const shown: Record<string, unknown> = {};
    for (let i = 0; i < SHOWN.length; i++) shown[SHOWN[i]![0]] = SHOWN[i]![1].call(this);
    return shown;
  }
}

const SHOWN_NAMES = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
const SHOWN: [string, { call(url: URL): unknown }][] = [];
for (const name of SHOWN_NAMES) {
  const getter = getOwnPropertyDescriptor(URL.prototype, name)!.get!;
  push(SHOWN, [name, { call: getter.call.bind(getter) as (url: URL) => unknown }]);
}

function invalid(): TypeError {
  return new PlainTypeError("Invalid URL string.");
}

function hostStart(record: UrlRecord): number {
  return record[0][record[HOST_START]] === "@" ? record[HOST_START] + 1 : record[HOST_START];
}

function hostOf(record: UrlRecord): string {
  const start = hostStart(record);
  // Without a host, "/." may stand between it and the path; that is not part of the host.
  return slice(record[0], start, record[HOST_END] > start ? record[PATHNAME_START] : start);
}

const makeIterator = makePairIterator<URLSearchParams>("URLSearchParams", (params, index) => {
  const list = paramsList(params)!;
  return index * 2 < list.length ? [list[index * 2]!, list[index * 2 + 1]!] : undefined;
});

export class URLSearchParams {
  #list: string[] = [];   // name, value, name, value, ...
  #url: URL | undefined = undefined;

  static {
    bindParams = (params, url) => { params.#url = url; };
    reloadParams = (params, query) => { params.#list = native.formParse(query); };
    paramsList = (value) => (#list in value ? (value as URLSearchParams).#list : undefined);
  }

  constructor(init: unknown = "") {
    if (!isObject(init)) {
      this.#list = native.formParse(toUSVString(init));
      return;
    }
    const method = (init as { [symbolIterator]?: unknown })[symbolIterator];
    if (method !== undefined && method !== null) {
      const pairs = toSequence(init, method);
      for (let i = 0; i < pairs.length; i++) {
        const pair = pairs[i];
        if (!isObject(pair)) throw new PlainTypeError("Failed to construct 'URLSearchParams': each pair must be iterable.");
        const parts = toSequence(pair, (pair as { [symbolIterator]?: unknown })[symbolIterator]);
        if (parts.length !== 2) throw new PlainTypeError("Failed to construct 'URLSearchParams': sequence initializer must only contain pair elements.");
        const name = toUSVString(parts[0]);
        push(this.#list, name, toUSVString(parts[1]));
      }
      return;
    }
    const keys = ownKeys(init);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      if (!getOwnPropertyDescriptor(init, key)?.enumerable) continue;
      const name = toUSVString(key);
      const value = toUSVString((init as Record<PropertyKey, unknown>)[key]);
      let known = false;
      for (let j = 0; j < this.#list.length && !known; j += 2) {
        // Two keys that differ only in lone surrogates are one.
        if (this.#list[j] !== name) continue;
        this.#list[j + 1] = value;
        known = true;
      }
      if (!known) push(this.#list, name, value);
    }
  }

  get size(): number { return this.#list.length / 2; }

  append(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2, "'append' on 'URLSearchParams'");
    const key = toUSVString(name);
    push(this.#list, key, toUSVString(value));
    this.#write();
  }

  delete(name: unknown, value: unknown = undefined): void {
    requireArguments(arguments.length, 1, "'delete' on 'URLSearchParams'");
    const key = toUSVString(name);
    const only = value === undefined ? undefined : toUSVString(value);
    const kept: string[] = [];
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] !== key || (only !== undefined && this.#list[i + 1] !== only)) push(kept, this.#list[i]!, this.#list[i + 1]!);
    }
    this.#list = kept;
    this.#write();
  }

  get(name: unknown): string | null {
    requireArguments(arguments.length, 1, "'get' on 'URLSearchParams'");
    const key = toUSVString(name);
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === key) return this.#list[i + 1]!;
    return null;
  }

  getAll(name: unknown): string[] {
    requireArguments(arguments.length, 1, "'getAll' on 'URLSearchParams'");
    const key = toUSVString(name);
    const values: string[] = [];
    for (let i = 0; i < this.#list.length; i += 2) if (this.#list[i] === key) push(values, this.#list[i + 1]!);
    return values;
  }

  has(name: unknown, value: unknown = undefined): boolean {
    requireArguments(arguments.length, 1, "'has' on 'URLSearchParams'");
    const key = toUSVString(name);
    const only = value === undefined ? undefined : toUSVString(value);
    for (let i = 0; i < this.#list.length; i += 2) {
      if (this.#list[i] === key && (only === undefined || this.#list[i + 1] === only)) return true;
    }
    return false;
  }

  set(name: unknown, value: unknown): void {
    requireArguments(arguments.length, 2, "'set' on 'URLSearchParams'");
    const key = toUSVString(name);
    const text = toUSVString(value);
    this.#list = withValue(this.#list, key, text);
    this.#write();
  }

  sort(): void {
    this.#list = sortPairs(this.#list);
    this.#write();
  }

  entries(): IterableIterator<unknown> { this.#list; return makeIterator(this, "entry"); }
  keys(): IterableIterator<unknown> { this.#list; return makeIterator(this, "key"); }
  values(): IterableIterator<unknown> { this.#list; return makeIterator(this, "value"); }

  forEach(callback: unknown, thisArg: unknown = undefined): void {
    this.#list;
    requireArguments(arguments.length, 1, "'forEach' on 'URLSearchParams'");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to execute 'forEach' on 'URLSearchParams': parameter 1 is not of type 'Function'.");
    for (let i = 0; i < this.#list.length; i += 2) callCallback(callback, thisArg, [this.#list[i + 1], this.#list[i], this]);
  }

  toString(): string { return native.formSerialize(this.#list); }

  #write(): void {
    if (this.#url !== undefined) setQuery(this.#url, native.formSerialize(this.#list));
  }
}

const callCallback = Reflect.apply as (f: Function, self: unknown, args: unknown[]) => unknown;

// A stable merge sort by UTF-16 units, of the names alone.
function sortPairs(list: string[]): string[] {
  const count = list.length / 2;
  if (count < 2) return list;
  const middle = 2 * ((count / 2) | 0);
  const left: string[] = [], right: string[] = [];
  for (let i = 0; i < list.length; i++) push(i < middle ? left : right, list[i]!);
  const a = sortPairs(left), b = sortPairs(right);
  const sorted: string[] = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i]! <= b[j]!)) { push(sorted, a[i]!, a[i + 1]!); i += 2; }
    else { push(sorted, b[j]!, b[j + 1]!); j += 2; }
  }
  return sorted;
}

export const isUrl = (value: object) => urlParts(value) !== undefined;
export const queryOf = (params: URLSearchParams) => native.formSerialize(paramsList(params)!);
export const isUrlSearchParams = (value: object) => paramsList(value) !== undefined;

export function installUrl(): void {
  exposeInterface("URL", URL);
  exposeInterface("URLSearchParams", URLSearchParams);
  defineProperty(URLSearchParams.prototype, symbolIterator, {
    value: URLSearchParams.prototype.entries, writable: true, configurable: true, enumerable: false,
  });
  provideShower((value) => {
    const parts = urlParts(value);
    if (parts !== undefined) return ["URL", parts];
    const list = paramsList(value);
    if (list === undefined) return undefined;
    const shown: Record<string, unknown> = Object.create(null);
    for (let i = 0; i < list.length; i += 2) shown[list[i]!] = shown[list[i]!] === undefined ? list[i + 1] : join([shown[list[i]!], list[i + 1]], ", ");
    return ["URLSearchParams", shown];
  });
}
