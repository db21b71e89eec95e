// `new WebSocket(url)`: a request that asks for an upgrade, to where the worker's fetch() goes.

import type { SocketEnd } from "../../ipc/js/sockets.ts";
import { makeDomException } from "./dom-exception.ts";
import { fetchOutbound } from "./fetch.ts";
import { getHeader, headersList, isToken, makeHeaders } from "./headers.ts";
import { PlainTypeError, indexOf, join, push, slice, symbolIterator } from "./primordials.ts";
import { Request } from "./request.ts";
import { responseParts } from "./response.ts";
import { endOf, provideConnect } from "./web-socket.ts";
import type { Connection } from "./web-socket.ts";
import { isObject, toDOMString, toSequence, toUSVString } from "./webidl.ts";

function refuse(words: string): never { throw makeDomException(`WebSocket Constructor: ${words}`, "SyntaxError"); }

function toHttpUrl(url: string): string {
  if (slice(url, 0, 3) === "ws:") return `http${slice(url, 2)}`;
  if (slice(url, 0, 4) === "wss:") return `https${slice(url, 3)}`;
  return refuse("The url scheme must be ws or wss.");
}

function toProtocols(value: unknown): string[] {
  if (value === undefined) return [];
  const method = isObject(value) ? (value as { [symbolIterator]?: unknown })[symbolIterator] : undefined;
  if (method === undefined || method === null) {
    const protocol = toDOMString(value);
    if (!isToken(protocol)) refuse("The protocol header token is invalid.");
    return [protocol];
  }
  const list = toSequence(value as object, method);
  const protocols: string[] = [];
  if (list.length === 0) refuse("The protocols array cannot be empty.");
  for (let i = 0; i < list.length; i++) {
    const protocol = toDOMString(list[i]);
    if (!isToken(protocol)) refuse("One of the protocol header tokens is invalid.");
    for (let j = 0; j < i; j++) if (protocols[j] === protocol) refuse("The protocols header cannot have repeating values.");
    push(protocols, protocol);
  }
  return protocols;
}

async function open(request: Request): Promise<{ end: SocketEnd; protocol: string }> {
  const parts = responseParts(await fetchOutbound(request))!;
  const end = endOf(parts.webSocket);
  if (end === undefined) {
    parts.body?.cancel(undefined);
    throw new PlainTypeError("Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching " +
      `protocols), but received ${parts.status} instead.`);
  }
  return { end, protocol: getHeader(headersList(parts.headers)!, "sec-websocket-protocol") ?? "" };
}

function connect(url: unknown, protocols: unknown): Connection {
  const record = native.urlParse(toUSVString(url), undefined);
  if (record === undefined) return refuse("The url is invalid.");
  const href = record[0];
  const target = toHttpUrl(href);
  if (indexOf(href, "#") >= 0) refuse("The url fragment must be empty.");
  const list = toProtocols(protocols);
  const headers = makeHeaders(["upgrade", "websocket"]);
  if (list.length > 0) push(headersList(headers)!, "sec-websocket-protocol", join(list, ", "));
  return { url: href, made: open(new Request(target, { __proto__: null, headers })) };
}

export function installSocketConnect(): void { provideConnect(connect); }
