// EventSource of the HTML standard, and Cloudflare's EventSource.from(stream): server-sent events, read off a worker's own fetch().

import { makeDomException } from "./dom-exception.ts";
import { isReadableStream } from "./body.ts";
import { Body } from "./body.ts";
import { TextDecoder } from "./encoding.ts";
import { Event, EventTarget, defineEventHandler, dispatchTrusted } from "./event.ts";
import { fetchOutbound } from "./fetch.ts";
import { parseParameters } from "./form-data-coding.ts";
import { getHeader, headersList, makeHeaders } from "./headers.ts";
import { PlainTypeError, indexOf, matches, slice, toNumberOf, uncurryThis } from "./primordials.ts";
import { Request, absoluteUrl } from "./request.ts";
import { responseParts } from "./response.ts";
import { MessageEvent } from "./socket-events.ts";
import { defineConstants, exposeInterface, requireArguments, toDictionary, toUSVString } from "./webidl.ts";

const CONNECTING = 0, OPEN = 1, CLOSED = 2;
const RECONNECTION_MS = 3000, RECONNECTION_MS_MAX = 60_000;
const EVENT_CHARACTERS_MAX = 16 * 1024 * 1024;   // of one event that is not ended yet
const decode = uncurryThis(TextDecoder.prototype.decode);
const TOKEN = {};

type Reader = ReturnType<Body["reader"]>;

let from: (stream: Body) => EventSource;

export class EventSource extends EventTarget {
  #url = "";
  #withCredentials = false;
  #state = CONNECTING;
  #lastEventId = "";
  #reconnection = RECONNECTION_MS;
  #reader: Reader | undefined = undefined;
  #timer = 0;

  static {
    from = (body) => {
      const source = new EventSource(TOKEN);
      void source.#readOnce(body);
      return source;
    };
  }

  constructor(url: unknown, options: unknown = undefined) {
    super();
    if (url === TOKEN) return;
    requireArguments(arguments.length, 1, "'EventSource' constructor");
    const text = toUSVString(url);
    const parsed = absoluteUrl(text);
    if (parsed === undefined || parsed === "") throw makeDomException(`"${slice(text, 0, 200)}" is not an absolute URL without credentials, as EventSource needs.`, "SyntaxError");
    native.refuseAtTopLevel();
    this.#url = parsed;
    this.#withCredentials = !!toDictionary<{ withCredentials: unknown }>(options, "The options of an EventSource").withCredentials;
    void this.#connect();
  }

  // Cloudflare's: what a stream of bytes says, once.
  static from(stream: unknown): EventSource {
    requireArguments(arguments.length, 1, "'from' on 'EventSource'");
    if (!isReadableStream(stream)) throw new PlainTypeError("EventSource.from() expects a ReadableStream of bytes.");
    return from(new Body(stream));
  }

  get url(): string { return this.#url; }
  get withCredentials(): boolean { return this.#withCredentials; }
  get readyState(): number { return this.#state; }

  close(): void {
    this.#state = CLOSED;
    if (this.#timer !== 0) native.clearTimer(this.#timer);
    this.#reader?.cancel(undefined);
    this.#reader = undefined;
  }

  async #connect(): Promise<void> {
    try {
      const list = ["accept", "text/event-stream", "cache-control", "no-cache"];
      if (this.#lastEventId !== "") list[list.length] = "last-event-id", list[list.length] = this.#lastEventId;
      const answer = responseParts(await fetchOutbound(new Request(this.#url, { __proto__: null, headers: makeHeaders(list) })));
      if (this.#state === CLOSED) return answer?.body?.cancel(undefined);
      const type = answer === undefined ? "" : parseParameters(getHeader(headersList(answer.headers)!, "content-type") ?? "").essence;
      if (answer === undefined || answer.status !== 200 || type !== "text/event-stream" || answer.body === undefined) return this.#fail();
      await this.#read(answer.body);
    } catch {
      // Refused or broken off: as if it had ended.
    }
    this.#reconnect();
  }

  async #readOnce(body: Body): Promise<void> {
    try {
      await this.#read(body);
    } catch {
      // As above, but nobody can be asked again.
    }
    this.#fail();
  }

  async #read(body: Body): Promise<void> {
    const reader = this.#reader = body.reader();
    this.#state = OPEN;
    dispatchTrusted(this, new Event("open"));
    const decoder = new TextDecoder("utf-8");
    const parser = new Parser((type, data, id) => {
      this.#lastEventId = id;
      if (this.#state !== CLOSED) dispatchTrusted(this, new MessageEvent(type, { data, lastEventId: id }));
    }, (milliseconds) => { this.#reconnection = milliseconds < RECONNECTION_MS_MAX ? milliseconds : RECONNECTION_MS_MAX; }, this.#lastEventId);
    for (let chunk = await reader.read(); chunk !== undefined; chunk = await reader.read()) {
      if (this.#state === CLOSED) return;
      if (!parser.take(decode(decoder, chunk, { stream: true }))) return reader.cancel(undefined);
    }
  }

  #reconnect(): void {
    if (this.#state === CLOSED) return;
    this.#state = CONNECTING;
    dispatchTrusted(this, new Event("error"));
    if (this.#state as number === CLOSED) return;
    this.#timer = native.setTimer(() => {
      this.#timer = 0;
      void this.#connect();
    }, this.#reconnection, false);
  }

  #fail(): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    dispatchTrusted(this, new Event("error"));
  }
}

// The format of the standard, line by line.
class Parser {
  readonly #event: (type: string, data: string, id: string) => void;
  readonly #retry: (milliseconds: number) => void;
  #rest = "";
  #skipLineFeed = false;   // the one of a CRLF whose CR ended a chunk
  #type = "";
  #data: string | undefined = undefined;
  #id: string;
  constructor(event: (type: string, data: string, id: string) => void, retry: (milliseconds: number) => void, id: string) {
    this.#event = event;
    this.#retry = retry;
    this.#id = id;
  }

  // False: an event is larger than one may be.
  take(text: string): boolean {
    if (this.#skipLineFeed && text[0] === "\n") text = slice(text, 1);
    if (text !== "") this.#skipLineFeed = false;
    let rest = this.#rest + text;
    for (let found; (found = matches(/^[^\r\n]*/, rest)![0]).length < rest.length;) {
      const end = rest[found.length] === "\r" && rest[found.length + 1] === "\n" ? 2 : 1;
      if (found.length + end === rest.length && rest[found.length] === "\r") this.#skipLineFeed = true;
      rest = slice(rest, found.length + end);
      this.#line(found);
    }
    this.#rest = rest;
    return rest.length + (this.#data?.length ?? 0) <= EVENT_CHARACTERS_MAX;
  }

  #line(line: string): void {
    if (line === "") {
      const type = this.#type === "" ? "message" : this.#type, data = this.#data;
      this.#type = "";
      this.#data = undefined;
      if (data !== undefined) this.#event(type, data, this.#id);
      return;
    }
    const colon = indexOf(line, ":");
    if (colon === 0) return;
    const field = colon < 0 ? line : slice(line, 0, colon);
    const value = colon < 0 ? "" : slice(line, line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (field === "event") this.#type = value;
    else if (field === "id" && indexOf(value, "\0") < 0) this.#id = value;
    else if (field === "retry" && matches(/^\d+$/, value) !== null) this.#retry(toNumberOf(value));
  }
}

export function installEventSource(): void {
  for (const type of ["open", "message", "error"]) defineEventHandler(EventSource.prototype, type);
  exposeInterface("EventSource", EventSource);
  defineConstants(EventSource, { CONNECTING, OPEN, CLOSED });
}
