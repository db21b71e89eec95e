// Response of the Fetch standard.

import { PlainRangeError, PlainTypeError, codeUnitAt, jsonStringify, toNumberOf, trunc } from "./primordials.ts";
import { Body, defineBodyMembers, extractBody } from "./body.ts";
import type { BodyMembers } from "./body.ts";
import { Headers, addHeader, freezeHeaders, getHeader, hasHeader, headersList, makeHeaders } from "./headers.ts";
import { provideShower } from "./inspect.ts";
import { isWebSocket } from "./web-socket.ts";
import type { WebSocket } from "./web-socket.ts";
import { exposeInterface, isObject, requireArguments, toDOMString, toDictionary, toUSVString } from "./webidl.ts";

export interface ResponseParts {
  status: number;       // 0: an error
  statusText: string;
  headers: Headers;
  body: Body | undefined;
  url: string;          // of what a fetch() answered
  redirected: boolean;
  cf: unknown;
  webSocket: WebSocket | null;
}

let partsOf: (value: unknown) => ResponseParts | undefined;
let setParts: (response: Response, parts: ResponseParts) => void;

interface ResponseInit { status: unknown; statusText: unknown; headers: unknown; cf: unknown; webSocket: unknown }

export class Response {
  #parts: ResponseParts;

  static {
    partsOf = (value) => (isObject(value) && #parts in value ? (value as Response).#parts : undefined);
    setParts = (response, parts) => { response.#parts = parts; };
  }

  constructor(body: unknown = undefined, init: unknown = undefined) {
    const parts = this.#parts = toParts(init);
    const extracted = extractBody(body);
    if (extracted === undefined) return;
    if (isNullBodyStatus(parts.status)) throw new PlainTypeError(`Response with null body status (${parts.status}) cannot have body.`);
    parts.body = extracted.body;
    if (extracted.type !== undefined) addType(parts, extracted.type);
  }

  static json(data: unknown, init: unknown = undefined): Response {
    requireArguments(arguments.length, 1, "'json' on 'Response'");
    const text = jsonStringify(data) as string | undefined;
    if (text === undefined) throw new PlainTypeError("Failed to execute 'json' on 'Response': the value has no JSON form.");
    const response = new Response(undefined, init);
    const parts = response.#parts;
    if (isNullBodyStatus(parts.status)) throw new PlainTypeError(`Response with null body status (${parts.status}) cannot have body.`);
    parts.body = new Body(native.utf8Encode(text));
    addType(parts, "application/json");
    return response;
  }

  static redirect(url: unknown, status: unknown = 302): Response {
    requireArguments(arguments.length, 1, "'redirect' on 'Response'");
    const text = toUSVString(url);
    const record = native.urlParse(text, undefined);
    if (record === undefined) throw new PlainTypeError(`Unable to parse URL: ${text}`);
    const code = trunc(toNumberOf(status));
    if (!isRedirectStatus(code)) throw new PlainRangeError(`${toDOMString(status)} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.`);
    const headers = makeHeaders(["location", record[0]]);
    freezeHeaders(headers);
    return makeResponse({ status: code, statusText: "", headers, body: undefined, url: "", redirected: false, cf: undefined, webSocket: null });
  }

  static error(): Response {
    const headers = new Headers();
    freezeHeaders(headers);
    return makeResponse({ status: 0, statusText: "", headers, body: undefined, url: "", redirected: false, cf: undefined, webSocket: null });
  }

  get type(): string { return this.#parts.status === 0 ? "error" : "default"; }
  get url(): string { return this.#parts.url; }
  get redirected(): boolean { return this.#parts.redirected; }
  get status(): number { return this.#parts.status; }
  get ok(): boolean { return this.#parts.status >= 200 && this.#parts.status <= 299; }
  get statusText(): string { return this.#parts.statusText; }
  get headers(): Headers { return this.#parts.headers; }
  get webSocket(): WebSocket | null { return this.#parts.webSocket; }
  get cf(): unknown { return this.#parts.cf; }

  clone(): Response {
    const parts = this.#parts;
    if (parts.webSocket !== null) throw new PlainTypeError("Cannot clone a response to a WebSocket handshake.");
    if (parts.body?.unusable) throw new PlainTypeError("Cannot clone a Response whose body has been used or is locked.");
    return makeResponse({ ...parts, headers: new Headers(parts.headers), body: parts.body?.clone() });
  }
}
export interface Response extends BodyMembers {}

export { partsOf as responseParts, setParts as setResponseParts };

export function makeResponse(parts: ResponseParts): Response {
  const response = new Response();
  setParts(response, parts);
  return response;
}

export function isNullBodyStatus(status: number): boolean {
  return status === 101 || status === 103 || status === 204 || status === 205 || status === 304;
}

export function isRedirectStatus(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

// RFC 9112, reason-phrase.
export function isReasonPhrase(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = codeUnitAt(text, i);
    if (unit !== 9 && (unit < 32 || unit === 127 || unit > 255)) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------------------------------

function toParts(init: unknown): ResponseParts {
  const given = toDictionary<ResponseInit>(init, "The response's options");
  let status = 200;
  const webSocket = given.webSocket === undefined ? null : given.webSocket;
  if (webSocket !== null && !isWebSocket(webSocket)) throw new PlainTypeError("The response's `webSocket` is not a WebSocket: give it one of a WebSocketPair.");
  if (given.status !== undefined) status = trunc(toNumberOf(given.status));
  if (webSocket !== null) {
    if (status !== 101) throw new PlainRangeError("Responses with a WebSocket must have status code 101.");
  } else if (given.status !== undefined) {
    if (!(status >= 200 && status <= 599)) throw new PlainRangeError("Responses may only be constructed with status codes in the range 200 to 599, inclusive.");
  }
  const statusText = given.statusText === undefined ? "" : toDOMString(given.statusText);
  if (!isReasonPhrase(statusText)) throw new PlainTypeError("Invalid statusText: it holds a character that cannot stand in a line of HTTP.");
  const headers = given.headers === undefined ? new Headers() : new Headers(given.headers);
  return { status, statusText, headers, body: undefined, url: "", redirected: false, cf: given.cf, webSocket };
}

function addType(parts: ResponseParts, type: string): void {
  if (!hasHeader(headersList(parts.headers)!, "content-type")) addHeader(parts.headers, "content-type", type);
}

export function installResponse(): void {
  defineBodyMembers(Response.prototype, (self) => {
    const parts = partsOf(self);
    if (parts === undefined) throw new PlainTypeError("Illegal invocation");
    return { body: parts.body, contentType: getHeader(headersList(parts.headers)!, "content-type") };
  });
  exposeInterface("Response", Response);
  provideShower((value) => {
    const parts = partsOf(value);
    if (parts === undefined) return undefined;
    const { status, statusText, headers, url } = parts;
    return ["Response", { status, statusText, headers, url, bodyUsed: parts.body?.used ?? false }];
  });
}
