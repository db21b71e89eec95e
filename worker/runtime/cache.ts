// `caches`: Cloudflare's Cache API, in this worker's own memory. Nothing of it outlives the worker or is seen by another, so a hit is as rare
// as a worker is short-lived; what is kept is bounded, and who was used least recently goes first.

import { joinChunks } from "./blob.ts";
import { Body } from "./body.ts";
import { getHeader, headersList, makeHeaders } from "./headers.ts";
import { Bytes, PlainTypeError, Table, dateNow, indexOf, matches, push, slice, splice, toLowerCase, toNumberOf } from "./primordials.ts";
import { Request, requestParts } from "./request.ts";
import { makeResponse, responseParts } from "./response.ts";
import type { Response } from "./response.ts";
import { exposeInterface, exposeValue, illegalConstructor, requireArguments, toDOMString, toDictionary } from "./webidl.ts";

const TOKEN = {};
// A worker has 128 MiB by default.
const CACHE_BYTES_MAX = 16 * 1024 * 1024;   // of all caches together, bodies and heads
const CACHE_ENTRIES_MAX = 1000;
const CACHES_MAX = 100;

interface Entry {
  key: string;
  cache: string;
  status: number;
  statusText: string;
  headers: string[];
  body: Uint8Array<ArrayBuffer> | undefined;
  vary: string[];          // names and the values that the request had for them
  expires: number;         // by the clock; Infinity: never
  size: number;
}

// Least recently used first.
const entries: Entry[] = [];
let bytes = 0;
const { parse: parseDate } = Date;

function remove(place: number): void {
  bytes -= entries[place]!.size;
  splice(entries, place, 1);
}

class Cache {
  readonly #name: string;
  constructor(token: unknown = undefined, name: string = "") {
    if (token !== TOKEN) illegalConstructor();
    this.#name = name;
  }

  async match(input: unknown, options: unknown = undefined): Promise<Response | undefined> {
    const name = this.#name;
    requireArguments(arguments.length, 1, "'match' on 'Cache'");
    const request = toRequest(input);
    if (request.method !== "GET" && !ignoresMethod(options)) return undefined;
    const place = find(name, request);
    if (place < 0) return undefined;
    const entry = entries[place]!;
    remove(place);
    keep(entry);
    const headers = makeHeaders([...entry.headers, "cf-cache-status", "HIT"]);
    return makeResponse({
      status: entry.status, statusText: entry.statusText, headers, body: entry.body === undefined ? undefined : new Body(new Bytes(entry.body)),
      url: request.url, redirected: false, cf: undefined, webSocket: null,
    });
  }

  async put(input: unknown, response: unknown): Promise<void> {
    const name = this.#name;
    requireArguments(arguments.length, 2, "'put' on 'Cache'");
    const request = toRequest(input);
    const parts = responseParts(response);
    if (parts === undefined) throw new PlainTypeError("Cache put: the second argument is not a Response.");
    if (request.method !== "GET") throw new PlainTypeError("Cannot cache response to non-GET request.");
    if (parts.status === 206) throw new PlainTypeError("Cannot cache response to a range request (206 Partial Content).");
    const headers = headersList(parts.headers)!;
    const vary = getHeader(headers, "vary") ?? "";
    if (indexOf(vary, "*") >= 0) throw new PlainTypeError("Cannot cache response with 'Vary: *' header.");
    const { body } = parts;
    if (body?.unusable) throw new PlainTypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    const content = body === undefined ? undefined : await readBounded(body);
    const lifetime = lifetimeOf(headers);
    const before = find(name, request);
    if (before >= 0) remove(before);
    if (lifetime <= 0) return;
    const kept: string[] = [];
    let size = request.url.length + (content?.length ?? 0);
    for (let i = 0; i < headers.length; i++) {
      push(kept, headers[i]!);
      size += headers[i]!.length;
    }
    keep({
      key: keyOf(request.url), cache: name, status: parts.status, statusText: parts.statusText, headers: kept, body: content,
      vary: varyOf(vary, request.headers), expires: dateNow() + lifetime, size,
    });
  }

  async delete(input: unknown, options: unknown = undefined): Promise<boolean> {
    const name = this.#name;
    requireArguments(arguments.length, 1, "'delete' on 'Cache'");
    const request = toRequest(input);
    if (request.method !== "GET" && !ignoresMethod(options)) return false;
    const place = find(name, request);
    if (place >= 0) remove(place);
    return place >= 0;
  }
}

class CacheStorage {
  #default = new Cache(TOKEN, "");
  #named = new Table<Cache, string>();
  constructor(token: unknown = undefined) { if (token !== TOKEN) illegalConstructor(); }
  get default(): Cache { return this.#default; }
  async open(name: unknown): Promise<Cache> {
    this.#default;
    requireArguments(arguments.length, 1, "'open' on 'CacheStorage'");
    const text = toDOMString(name);
    let cache = this.#named.get(text);
    if (cache === undefined) {
      if (this.#named.size >= CACHES_MAX) throw new PlainTypeError(`A worker can have ${CACHES_MAX} caches; this would be one more. Use fewer names.`);
      cache = new Cache(TOKEN, `named ${text}`);
      this.#named.set(text, cache);
    }
    return cache;
  }
}

export function installCaches(): void {
  exposeInterface("Cache", Cache);
  exposeInterface("CacheStorage", CacheStorage);
  exposeValue("caches", new CacheStorage(TOKEN));
}

// ---------------------------------------------------------------------------------------------------------------------

function toRequest(input: unknown): { method: string; url: string; headers: string[] } {
  const parts = requestParts(input) ?? requestParts(new Request(input))!;
  return { method: parts.method, url: parts.url, headers: headersList(parts.headers)! };
}

function ignoresMethod(options: unknown): boolean {
  return !!toDictionary<{ ignoreMethod: unknown }>(options, "The options of a cache").ignoreMethod;
}

// What stands behind # is never sent.
function keyOf(url: string): string {
  const found = matches(/^[^#]*/, url);
  return found === null ? url : found[0];
}

function find(cache: string, request: { url: string; headers: string[] }): number {
  const key = keyOf(request.url), now = dateNow();
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    if (entry.key !== key || entry.cache !== cache) continue;
    if (entry.expires <= now) {
      remove(i);
      continue;
    }
    let same = true;
    for (let j = 0; same && j < entry.vary.length; j += 2) same = (getHeader(request.headers, entry.vary[j]!) ?? "") === entry.vary[j + 1];
    if (same) return i;
  }
  return -1;
}

function keep(entry: Entry): void {
  push(entries, entry);
  bytes += entry.size;
  while (entries.length > CACHE_ENTRIES_MAX || bytes > CACHE_BYTES_MAX) remove(0);
}

function varyOf(vary: string, headers: string[]): string[] {
  const list: string[] = [];
  for (let rest = vary, found; (found = matches(/^[\s,]*([^\s,]+)/, rest)) !== null; rest = slice(rest, found[0].length)) {
    const name = toLowerCase(found[1]!);
    push(list, name, getHeader(headers, name) ?? "");
  }
  return list;
}

// In milliseconds; 0: it may not be kept. Where nothing is said, it is kept until there is no room.
function lifetimeOf(headers: string[]): number {
  const control = toLowerCase(getHeader(headers, "cache-control") ?? "");
  if (matches(/(^|[\s,])(no-store|no-cache|private(?!=))/, control) !== null) return 0;
  // A response that sets a cookie is somebody's own, unless it says that the cookie alone is.
  if (getHeader(headers, "set-cookie") !== null && matches(/private=\"?set-cookie/, control) === null) return 0;
  const age = matches(/(?:^|[\s,])s-maxage=\"?(\d+)/, control) ?? matches(/(?:^|[\s,])max-age=\"?(\d+)/, control);
  if (age !== null) return toNumberOf(age[1]) * 1000;
  const expires = getHeader(headers, "expires");
  if (expires === null) return Infinity;
  const at = parseDate(expires);
  return at === at ? at - dateNow() : 0;
}

async function readBounded(body: Body): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.reader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read()) {
    size += chunk.length;
    if (size > CACHE_BYTES_MAX) {
      const problem = new PlainTypeError(`The response is larger than what a worker can cache (${CACHE_BYTES_MAX} bytes).`);
      reader.cancel(problem);
      throw problem;
    }
    push(chunks, new Bytes(chunk));
  }
  return joinChunks(chunks);
}
