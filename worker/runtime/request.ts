// Request of the Fetch standard, as far as it means something outside of a browser.

import { PlainTypeError, toLowerCase } from "./primordials.ts";
import { dependentSignal, isSignal } from "./abort.ts";
import type { AbortSignal } from "./abort.ts";
import { Body, defineBodyMembers, extractBody } from "./body.ts";
import type { BodyMembers } from "./body.ts";
import { Headers, addHeader, freezeHeaders, getHeader, hasHeader, headersList, isToken, makeHeaders } from "./headers.ts";
import { provideShower } from "./inspect.ts";
import { exposeInterface, isObject, requireArguments, toDOMString, toDictionary, toUSVString } from "./webidl.ts";

export type Redirect = "follow" | "manual" | "error";

export interface RequestParts {
  method: string;
  url: string;
  headers: Headers;
  body: Body | undefined;
  redirect: Redirect;
  signal: AbortSignal | undefined;   // as it was given
  cf: unknown;
  cache: string | undefined;
}

let partsOf: (value: unknown) => RequestParts | undefined;
let setParts: (request: Request, parts: RequestParts) => void;

const TOKEN = {};   // only makeRequest() fills a request by itself
const NO_PARTS = {} as RequestParts;

export interface RequestInit {
  method: unknown; headers: unknown; body: unknown; redirect: unknown; signal: unknown; cf: unknown; cache: unknown;
}

export class Request {
  #parts: RequestParts = NO_PARTS;
  #signal: AbortSignal | undefined = undefined;

  static {
    partsOf = (value) => (isObject(value) && #parts in value ? (value as Request).#parts : undefined);
    setParts = (request, parts) => { request.#parts = parts; };
  }

  constructor(input: unknown, init: unknown = undefined) {
    if (input === TOKEN) return;
    requireArguments(arguments.length, 1, "'Request' constructor");
    const given = toDictionary<RequestInit>(init, "The request's options");
    const from = partsOf(input);
    const { body, signal } = given;
    const hasBody = body !== undefined && body !== null;
    const parts: RequestParts = from === undefined
      ? { method: "GET", url: parseUrl(input), headers: new Headers(), body: undefined, redirect: "follow", signal: undefined, cf: undefined, cache: undefined }
      : { ...from, body: undefined };

    if (given.method !== undefined) parts.method = toMethod(given.method);
    if (given.redirect !== undefined) parts.redirect = toRedirect(given.redirect);
    if (given.cf !== undefined) parts.cf = given.cf;
    if (given.cache !== undefined) parts.cache = toDOMString(given.cache);
    if (signal !== undefined) {
      if (signal !== null && !isSignal(signal)) throw new PlainTypeError("Failed to construct 'Request': `signal` is not of type 'AbortSignal'.");
      parts.signal = signal === null ? undefined : signal;
    } else if (from !== undefined) {
      parts.signal = from.signal === undefined ? undefined : signalOf(input as Request);
    }
    parts.headers = new Headers(given.headers ?? from?.headers);

    if ((hasBody || from?.body !== undefined) && (parts.method === "GET" || parts.method === "HEAD")) {
      throw new PlainTypeError("Request with a GET or HEAD method cannot have a body.");
    }
    if (hasBody) {
      const extracted = extractBody(body)!;
      parts.body = extracted.body;
      if (extracted.type !== undefined && !hasHeader(headersList(parts.headers)!, "content-type")) addHeader(parts.headers, "content-type", extracted.type);
    } else if (from?.body !== undefined && body !== null) {
      parts.body = from.body.moved();
    }
    this.#parts = parts;
  }

  get method(): string { return this.#parts.method; }
  get url(): string { return this.#parts.url; }
  get headers(): Headers { return this.#parts.headers; }
  get redirect(): string { return this.#parts.redirect; }
  get signal(): AbortSignal {
    const { signal } = this.#parts;
    return this.#signal ??= dependentSignal(signal);
  }
  get cf(): unknown { return this.#parts.cf; }
  get cache(): string { return this.#parts.cache ?? "default"; }
  get credentials(): string { this.#parts; return "same-origin"; }
  get integrity(): string { this.#parts; return ""; }
  get keepalive(): boolean { this.#parts; return false; }
  get mode(): string { this.#parts; return "cors"; }
  get referrer(): string { this.#parts; return "about:client"; }
  get referrerPolicy(): string { this.#parts; return ""; }
  get destination(): string { this.#parts; return ""; }
  get duplex(): string { this.#parts; return "half"; }

  clone(): Request {
    const parts = this.#parts;
    if (parts.body?.unusable) throw new PlainTypeError("Cannot clone a Request whose body has been used or is locked.");
    const list = headersList(parts.headers)!;
    const copy: string[] = [];
    for (let i = 0; i < list.length; i++) copy[i] = list[i]!;
    return makeRequest({ ...parts, headers: makeHeaders(copy), body: parts.body?.clone(), signal: parts.signal === undefined ? undefined : signalOf(this) });
  }
}
export interface Request extends BodyMembers {}

const signalGetter = Object.getOwnPropertyDescriptor(Request.prototype, "signal")!.get!;
const signalOf = signalGetter.call.bind(signalGetter) as (request: Request) => AbortSignal;

export { partsOf as requestParts, setParts as setRequestParts };

export function makeRequest(parts: RequestParts): Request {
  const request = new Request(TOKEN);
  setParts(request, parts);
  return request;
}
export function emptyRequest(): Request { return new Request(TOKEN); }
export function freezeRequest(parts: RequestParts): void { freezeHeaders(parts.headers); }

export function isRedirect(value: unknown): value is Redirect { return value === "follow" || value === "manual" || value === "error"; }

// A method as the standard keeps it; undefined: not one that may be used.
export function normalMethod(method: string): string | undefined {
  if (!isToken(method)) return undefined;
  const name = toLowerCase(method);
  switch (name) {
    case "get": return "GET";
    case "head": return "HEAD";
    case "post": return "POST";
    case "put": return "PUT";
    case "delete": return "DELETE";
    case "options": return "OPTIONS";
    case "connect": case "trace": case "track": return undefined;
    default: return method;
  }
}

// ---------------------------------------------------------------------------------------------------------------------

function toMethod(value: unknown): string {
  const method = toDOMString(value);
  const normal = normalMethod(method);
  if (normal === undefined) throw new PlainTypeError(`Invalid HTTP method string: ${method}`);
  return normal;
}

function toRedirect(value: unknown): Redirect {
  const redirect = toDOMString(value);
  if (!isRedirect(redirect)) throw new PlainTypeError(`Invalid redirect value, must be one of "follow", "error" or "manual" ("${redirect}" was given).`);
  return redirect;
}

function parseUrl(value: unknown): string {
  const text = toUSVString(value);
  const url = absoluteUrl(text);
  if (url === undefined) throw new PlainTypeError(`Invalid URL: ${text}`);
  if (url === "") throw new PlainTypeError("A request's URL may not hold a user name or password. Use an Authorization header.");
  return url;
}

// Undefined: not an absolute URL. "": it holds credentials.
export function absoluteUrl(text: string, base: string | undefined = undefined): string | undefined {
  const record = native.urlParse(text, base);
  if (record === undefined) return undefined;
  const protocolEnd = record[1], usernameEnd = record[2], hostStart = record[3];
  return protocolEnd + 2 < usernameEnd || hostStart > usernameEnd ? "" : record[0];
}

export function installRequest(): void {
  defineBodyMembers(Request.prototype, (self) => {
    const parts = partsOf(self);
    if (parts === undefined) throw new PlainTypeError("Illegal invocation");
    return { body: parts.body, contentType: getHeader(headersList(parts.headers)!, "content-type") };
  });
  exposeInterface("Request", Request);
  provideShower((value) => {
    const parts = partsOf(value);
    if (parts === undefined || parts === NO_PARTS) return undefined;
    const { method, url, headers, redirect } = parts;
    return ["Request", { method, url, headers, redirect, bodyUsed: parts.body?.used ?? false }];
  });
}
