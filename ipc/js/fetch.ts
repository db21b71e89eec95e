// fetch() on an entrypoint, which is a call of `fetch` with a Request that is answered with a Response: what the caller does
// (redirects, signals) and what the receiver does (its handler). Requests and responses are the host's classes (Http below).

import { PlainError, PlainPromise, PlainTypeError, apply, promiseThen } from "./primordials.ts";
import type { Callable, Root } from "./receiver.ts";
import type { Call } from "./stub.ts";

// What is asked of the host's Request and Response.
export interface Http {
  // As `new Request(input, init)` takes them; throws as that does.
  open(input: unknown, init: unknown): Outgoing;
  isRequest(value: unknown): boolean;
  // Whether the request is for a WebSocket.
  asksForSocket(request: unknown): boolean;
  // A request has come: it gets the header that says where in a trace the call is, if it is in one.
  arrived(request: object): void;
  // Undefined: not a Response. `location` is null if there is no such header.
  lookAt(value: unknown): { status: number; location: string | null; hasSocket: boolean } | undefined;
  // The response as fetch() returns it. An abort ends its body.
  finish(response: object, url: string, redirected: boolean, signal: Signal | undefined): object;
  // Nobody wants it.
  drop(response: object): void;
  // Undefined: not a URL of http or https.
  resolve(location: string, base: string): string | undefined;
  // Calls back when the signal is aborted; what it returns takes that back.
  onAbort(signal: Signal, act: () => void): () => void;
}

export interface Signal { readonly aborted: boolean; readonly reason: unknown }

// A request that may be sent several times, with another URL each.
export interface Outgoing {
  readonly url: string;
  readonly method: string;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: Signal | undefined;
  // The Request to send now. That its redirects are for the receiver to hand back is part of it.
  make(): object;
  // False: its body was a stream, and is gone.
  redirectTo(url: string, asGet: boolean): boolean;
}

const REDIRECTS_MAX = 20;   // of the Fetch standard

// `ask` sends a Request. The first is sent before this returns, so that calls keep their order.
export async function fetchBy(ask: (request: object) => Call, http: Http, input: unknown, init: unknown): Promise<object> {
  const outgoing = http.open(input, init);
  const { signal } = outgoing;
  if (signal?.aborted) throw signal.reason;
  for (let redirects = 0;; redirects++) {
    const response = await untilAborted(ask(outgoing.make()), http, signal);
    const looks = http.lookAt(response);
    if (looks === undefined) throw new PlainTypeError("fetch() was answered with something that is not a Response.");
    const { status, location } = looks;
    const isRedirect = status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
    if (!isRedirect || location === null || outgoing.redirect === "manual") {
      return http.finish(response as object, outgoing.url, redirects > 0, signal);
    }
    http.drop(response as object);
    if (outgoing.redirect === "error") throw new PlainTypeError(`fetch() of ${outgoing.url} was redirected to ${location}, and \`redirect\` is "error".`);
    if (redirects === REDIRECTS_MAX) throw new PlainTypeError(`fetch() was redirected more than ${REDIRECTS_MAX} times.`);
    const url = http.resolve(location, outgoing.url);
    if (url === undefined) throw new PlainTypeError(`fetch() of ${outgoing.url} was redirected to what is no URL of http or https: ${location}`);
    const { method } = outgoing;
    const asGet = (status === 303 && method !== "GET" && method !== "HEAD") || (method === "POST" && (status === 301 || status === 302));
    if (!outgoing.redirectTo(url, asGet)) {
      throw new PlainTypeError(`fetch() of ${outgoing.url} was redirected with status ${status}, but its body was a stream, which cannot be sent twice.`);
    }
  }
}

function untilAborted(call: Call, http: Http, signal: Signal | undefined): Promise<unknown> {
  if (signal === undefined) return call.result;
  return new PlainPromise((resolve, reject) => {
    let aborted = false;
    const stopListening = http.onAbort(signal, () => {
      aborted = true;
      reject(signal.reason);
    });
    promiseThen(call.result, (response) => {
      stopListening();
      if (!aborted) resolve(response);
      else if (http.lookAt(response) !== undefined) http.drop(response as object);
    }, (error) => {
      stopListening();
      reject(error);
    });
  });
}

// -- The receiver -----------------------------------------------------------------------------------------------------------------

// Whether a call on an entrypoint is a request to its handler.
export function isFetch(path: string[], args: unknown[] | undefined): args is unknown[] {
  return args !== undefined && path.length === 1 && path[0] === "fetch";
}

// A handler object may also be an instance of a class, with a `fetch` of its own or of its class: other than methods, this one
// name is there to be called.
export async function serveFetch(root: Root, args: unknown[], http: Http): Promise<unknown> {
  const request = args[0];
  if (args.length !== 1 || (request !== null && !http.isRequest(request))) throw new PlainTypeError("fetch() of an entrypoint is called with one Request.");
  const { fetch } = root.value as { fetch?: unknown };
  if (typeof fetch !== "function") throw new PlainError("Handler does not export a fetch() function.");
  if (request === null) return null;   // whoever asks with none wants to know whether there is a handler
  http.arrived(request as object);
  const { injected } = root;
  const answer: unknown = await apply(fetch as Callable, root.value, injected === undefined ? [request] : [request, injected.env, injected.ctx]);
  const looks = http.lookAt(answer);
  if (looks === undefined) {
    const got = answer === null ? "null" : typeof answer === "object" ? "an object" : typeof answer === "undefined" ? "undefined" : `a ${typeof answer}`;
    throw new PlainTypeError(`The fetch() handler must return a Response, or a promise of one; it returned ${got}.`);
  }
  if (looks.hasSocket && !http.asksForSocket(request)) {
    throw new PlainTypeError('Worker tried to return WebSocket in a response to a request which did not contain the header "Upgrade: websocket".');
  }
  return answer;
}
