// The worker's requests and responses as ipc/js/fetch.ts needs them.

import type { Http, Outgoing, Signal } from "../../ipc/js/fetch.ts";
import { onAbort } from "./abort.ts";
import type { AbortSignal } from "./abort.ts";
import { Body } from "./body.ts";
import { indexOf, slice, toLowerCase } from "./primordials.ts";
import { Headers, addHeader, freezeHeaders, getHeader, headersList, setHeadersList } from "./headers.ts";
import { withValue } from "./pairs.ts";
import { Request, absoluteUrl, makeRequest, requestParts } from "./request.ts";
import type { RequestParts } from "./request.ts";
import { responseParts } from "./response.ts";
import { ReadableStream, byteController } from "./streams.ts";
import { endOf } from "./web-socket.ts";

// What a body's redirect to GET takes along.
const OF_THE_BODY = ["content-encoding", "content-language", "content-location", "content-length", "content-type"];

class OutgoingRequest implements Outgoing {
  readonly #parts: RequestParts;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal | undefined;
  #bytes: Uint8Array<ArrayBuffer> | undefined;   // what can be sent again

  constructor(request: Request) {
    const parts = requestParts(request)!;
    this.redirect = parts.redirect;
    this.signal = parts.signal;
    this.#bytes = parts.body?.bytes;
    this.#parts = { ...parts, redirect: "manual", body: parts.body?.moved() };
  }
  get url(): string { return this.#parts.url; }
  get method(): string { return this.#parts.method; }

  make(): object { return makeRequest({ ...this.#parts }); }

  redirectTo(url: string, asGet: boolean): boolean {
    const parts = this.#parts;
    const hadBody = parts.body !== undefined;
    if (asGet) {
      parts.method = "GET";
      parts.body = undefined;
      this.#bytes = undefined;
    } else if (hadBody) {
      if (this.#bytes === undefined) return false;
      parts.body = new Body(this.#bytes);
    }
    const isElsewhere = originOf(url) !== originOf(parts.url);
    const list = headersList(parts.headers)!;
    const headers = new Headers();
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!;
      if ((asGet && has(OF_THE_BODY, name)) || (isElsewhere && has(CREDENTIALS, name))) continue;
      addHeader(headers, name, list[i + 1]!);
    }
    parts.headers = headers;
    parts.url = url;
    return true;
  }
}

const CREDENTIALS = ["authorization", "cookie", "proxy-authorization"];

function has(list: string[], name: string): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === name) return true;
  return false;
}

function originOf(url: string): string {
  const record = native.urlParse(url, undefined)!;
  return slice(url, 0, record[6]);   // up to the path
}

export const http: Http = {
  open: (input, init) => new OutgoingRequest(new Request(input, init)),
  isRequest: (value) => requestParts(value) !== undefined,
  asksForSocket: (request) => toLowerCase(getHeader(headersList(requestParts(request)!.headers)!, "upgrade") ?? "") === "websocket",
  arrived(request) {
    const value = native.traceparent();
    if (value !== undefined) {
      const { headers } = requestParts(request)!;
      setHeadersList(headers, withValue(headersList(headers)!, "traceparent", value));
    }
  },
  lookAt(value) {
    const parts = responseParts(value);
    return parts === undefined ? undefined
      : { status: parts.status, location: getHeader(headersList(parts.headers)!, "location"), hasSocket: parts.webSocket !== null };
  },
  finish(response, url, redirected, signal) {
    const parts = responseParts(response)!;
    const hash = indexOf(url, "#");
    parts.url = hash < 0 ? url : slice(url, 0, hash);
    parts.redirected = redirected;
    freezeHeaders(parts.headers);
    if (signal !== undefined && parts.body !== undefined && parts.body.bytes === undefined) parts.body = untilAborted(parts.body, signal as AbortSignal);
    return response;
  },
  drop(response) {
    const { body, webSocket } = responseParts(response)!;
    body?.cancel(undefined);
    endOf(webSocket)?.refuse();
  },
  resolve(location, base) {
    const url = absoluteUrl(location, base);
    return url !== undefined && (slice(url, 0, 7) === "http://" || slice(url, 0, 8) === "https://") ? url : undefined;
  },
  onAbort(signal, act) {
    let listens = true;
    onAbort(signal as AbortSignal, () => { if (listens) act(); });
    return () => { listens = false; };
  },
};

// The same body, which fails when the signal says so.
function untilAborted(body: Body, signal: AbortSignal): Body {
  const reader = body.reader();
  return new Body(new ReadableStream({
    __proto__: null,
    type: "bytes",
    start(controller: object) {
      onAbort(signal, () => {
        if (reader.ended) return;
        reader.cancel(signal.reason);
        byteController.error(controller, signal.reason);
      });
    },
    async pull(controller: object) {
      const chunk = await reader.read();
      if (chunk === undefined) byteController.end(controller);
      else if (chunk.length > 0) byteController.enqueue(controller, chunk);
    },
    cancel: (reason: unknown) => reader.cancel(reason),
  } as object as { type: "bytes" }, { highWaterMark: 0 }));
}
