// The global fetch(): to where whoever loaded this worker wants its requests to go (`globalOutbound`), or nowhere.

import { CapabilityState, fetchFrom } from "../../ipc/js/stub.ts";
import { stubOf } from "../../ipc/js/stub-state.ts";
import { Body } from "./body.ts";
import { tryDecodeDataUrl } from "./data-url.ts";
import { freezeHeaders, makeHeaders } from "./headers.ts";
import { PlainError, PlainTypeError, slice } from "./primordials.ts";
import { Request, requestParts } from "./request.ts";
import { makeResponse } from "./response.ts";
import { exposeValue, requireArguments } from "./webidl.ts";

const BLOCKED = "This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities (such as " +
  "bindings in 'env') to talk to the outside world.";

let outbound: CapabilityState | undefined;

// Once for each worker. Undefined: fetch() is refused.
export function useOutbound(stub: object | undefined): void {
  const state = stub === undefined ? undefined : stubOf(stub);
  outbound = state instanceof CapabilityState ? state : undefined;
}
export function currentOutbound(): object | undefined { return outbound?.proxy; }

const functions = {
  async fetch(input: unknown, init: unknown = undefined): Promise<object> {
    requireArguments(arguments.length, 1, "'fetch'");
    native.refuseAtTopLevel();
    const request = new Request(input, init);
    const { url, signal } = requestParts(request)!;
    if (slice(url, 0, 5) === "data:") {
      signal?.throwIfAborted();
      return fetchData(url);
    }
    return fetchOutbound(request);
  },
};

export async function fetchOutbound(request: Request): Promise<object> {
  if (outbound === undefined) throw new PlainError(BLOCKED);
  return fetchFrom(outbound, request, undefined);
}

// A call on where requests go; fails as fetch() does where that is nowhere.
export async function askOutbound(path: string[], args: unknown[]): Promise<unknown> {
  if (outbound === undefined) throw new PlainError(BLOCKED);
  return outbound.ask(path, args).result;
}

function fetchData(url: string): object {
  const found = tryDecodeDataUrl(url);
  if (found === undefined) throw new PlainTypeError("fetch() of a data: URL that is not valid.");
  const headers = makeHeaders(["content-type", found.type]);
  freezeHeaders(headers);
  return makeResponse({ status: 200, statusText: "OK", headers, body: new Body(found.bytes), url, redirected: false, cf: undefined, webSocket: null });
}

export function installFetch(): void {
  exposeValue("fetch", functions.fetch);
}
