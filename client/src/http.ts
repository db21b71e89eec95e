// Node's requests and responses as ipc/js/fetch.ts needs them.

import type { Http, Outgoing } from "../../ipc/js/fetch.ts";
import { rememberBody } from "./platform-objects.ts";
import { socketOf } from "./web-socket.ts";

// In Node a request's signal follows that which was given to it for as long as the request is there, and it does not hold the request itself.
const requestOf = new WeakMap<AbortSignal, Request>();

class OutgoingRequest implements Outgoing {
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal | undefined;
  #request: Request;
  #bytes: Uint8Array | undefined;   // the body, if it can be sent again
  #sent = false;

  constructor(input: unknown, init: unknown) {
    const given = init as (RequestInit & { duplex?: string }) | undefined;
    // Node asks for this where a body is a stream; elsewhere it does no harm.
    this.#request = new Request(input as RequestInfo, given === undefined || given === null ? undefined : { duplex: "half", ...given } as RequestInit);
    this.redirect = this.#request.redirect as "follow" | "manual" | "error";
    // Only one that somebody else holds can be aborted.
    this.signal = given?.signal instanceof AbortSignal || input instanceof Request ? this.#request.signal : undefined;
    if (this.signal !== undefined) requestOf.set(this.signal, this.#request);
    this.#bytes = bytesOf(given?.body);
  }
  get url(): string { return this.#request.url; }
  get method(): string { return this.#request.method; }

  make(): object {
    const { url, method, headers, body } = this.#request;
    const content = this.#bytes ?? body;
    this.#sent = true;
    const request = new Request(url, { method, headers, body: content, redirect: "manual", duplex: "half" } as RequestInit);
    if (this.#bytes !== undefined) rememberBody(request, this.#bytes);
    return request;
  }

  redirectTo(url: string, asGet: boolean): boolean {
    const { headers, body } = this.#request;
    let { method } = this.#request;
    if (asGet) {
      method = "GET";
      this.#bytes = undefined;
      for (const name of OF_THE_BODY) headers.delete(name);
    } else if (body !== null && this.#bytes === undefined) {
      return false;
    }
    if (new URL(url).origin !== new URL(this.url).origin) for (const name of CREDENTIALS) headers.delete(name);
    this.#request = new Request(url, { method, headers });
    return true;
  }
}

// What a redirect to GET, or to somebody else, does not take along.
const OF_THE_BODY = ["content-encoding", "content-language", "content-location", "content-length", "content-type"];
const CREDENTIALS = ["authorization", "cookie", "proxy-authorization"];

// Undefined: it can only be read from its stream.
function bytesOf(body: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof URLSearchParams) return new TextEncoder().encode(body.toString());
  if (ArrayBuffer.isView(body)) return new Uint8Array(new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength));
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  return undefined;
}

export const http: Http = {
  open: (input, init) => new OutgoingRequest(input, init),
  isRequest: (value) => value instanceof Request,
  asksForSocket: (request) => (request as Request).headers.get("upgrade")?.toLowerCase() === "websocket",
  lookAt: (value) => value instanceof Response
    ? { status: value.status, location: value.headers.get("location"), hasSocket: socketOf(value) !== undefined } : undefined,
  arrived() {},
  finish(response, url, redirected, signal) {
    let finished = response as Response;
    if (signal !== undefined && finished.body !== null) {
      const { status, statusText, headers } = finished;
      finished = new Response(untilAborted(finished.body, signal as AbortSignal), { status, statusText, headers });
    }
    // Node has no other way to say it.
    Object.defineProperty(finished, "url", { value: url.split("#", 1)[0], configurable: true });
    Object.defineProperty(finished, "redirected", { value: redirected, configurable: true });
    return finished;
  },
  drop(response) {
    const { body } = response as Response;
    socketOf(response)?.refuse();
    if (body !== null && !body.locked) body.cancel().catch(() => {});
  },
  resolve(location, base) {
    if (!URL.canParse(location, base)) return undefined;
    const { protocol, href, username, password } = new URL(location, base);
    return (protocol === "http:" || protocol === "https:") && username === "" && password === "" ? href : undefined;
  },
  onAbort(signal, act) {
    const target = signal as AbortSignal;
    target.addEventListener("abort", act, { once: true });
    return () => target.removeEventListener("abort", act);
  },
};

// The same stream, which fails when the signal says so.
function untilAborted(stream: ReadableStream<Uint8Array>, signal: AbortSignal): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let stop = () => {};
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    type: "bytes",
    start(controller) {
      stop = http.onAbort(signal, () => {
        controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {});
      });
    },
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
      stop();
      controller.close();
      (controller as unknown as ReadableByteStreamController).byobRequest?.respond(0);
    },
    cancel(reason) {
      stop();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
