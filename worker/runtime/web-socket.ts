// WebSocket and WebSocketPair, as Cloudflare has them: an end of a pair must be accepted before it is used, or is returned in a
// Response. How the ends are joined, in one process or across several, is ipc/js/sockets.ts. Programs match on the texts of the errors.

import { DISCONNECTED_WORDS, MESSAGE_BYTES_MAX, NO_CODE, SocketEnd, isSendableCode, provideSockets } from "../../ipc/js/sockets.ts";
import type { Message, Taker } from "../../ipc/js/sockets.ts";
import { blobBytes, makeBlob } from "./blob.ts";
import { makeDomException } from "./dom-exception.ts";
import { bytesOf, isBufferSource } from "./encoding.ts";
import { ErrorEvent, Event, EventTarget, defineEventHandler, dispatchTrusted } from "./event.ts";
import { provideShower } from "./inspect.ts";
import { Bytes, PlainError, PlainTypeError, defineProperty, symbolIterator, toNumberOf, toWellFormed, trunc } from "./primordials.ts";
import { CloseEvent, MessageEvent } from "./socket-events.ts";
import { defineConstants, exposeInterface, isObject, requireArguments, toDOMString, toUSVString } from "./webidl.ts";

const NOT_ACCEPTED = "You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.";
const REASON_BYTES_MAX = 123;   // of the standard

const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;

const TOKEN = {};   // only this module makes one that is not connected by its URL

// Opens the connection of `new WebSocket(url)`; checks the arguments before it returns. Set by socket-connect.ts.
export interface Connection {
  url: string;
  made: Promise<{ end: SocketEnd; protocol: string }>;
}
let connect: (url: unknown, protocols: unknown) => Connection;
export function provideConnect(connector: typeof connect): void { connect = connector; }

let endOf: (value: unknown) => SocketEnd | undefined;
let makeSocket: (end: SocketEnd) => WebSocket;

export class WebSocket extends EventTarget {
  #end: SocketEnd | undefined;          // undefined while it is being connected
  #incomingEnded = false;
  #failed = false;
  #givenUp = false;                     // closed before it was connected
  #url: string | null = null;
  #protocol = "";
  #binaryType = "arraybuffer";
  #attachment: unknown = undefined;
  #hasAttachment = false;

  static {
    endOf = (value) => (isObject(value) && #end in value ? (value as WebSocket).#end : undefined);
    makeSocket = (end) => {
      const socket = new WebSocket(TOKEN);
      socket.#end = end;
      return socket;
    };
  }

  constructor(url: unknown, protocols: unknown = undefined) {
    super();
    if (url === TOKEN) return;
    requireArguments(arguments.length, 1, "'WebSocket' constructor");
    native.refuseAtTopLevel();
    const connection = connect(url, protocols);
    this.#url = connection.url;
    void this.#open(connection);
  }

  async #open(connection: Connection): Promise<void> {
    try {
      const { end, protocol } = await connection.made;
      if (this.#givenUp) {
        end.refuse();
        throw new PlainError("Called close before connection was established.");
      }
      this.#end = end;
      this.#protocol = protocol;
    } catch (error) {
      this.#incomingEnded = true;
      this.#report(error);
      return this.#tellClosed(1006, "Failed to establish websocket connection", false);
    }
    this.#accept(this.#end);   // who hears of it may send; what comes is told later
    dispatchTrusted(this, new Event("open"));
  }

  accept(_options: unknown = undefined): void {
    const end = this.#end;
    if (end === undefined) throw new PlainTypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    if (end.released) throw new PlainTypeError("Can't accept() WebSocket that was already used in a response.");
    if (end.accepted) return;
    native.refuseAtTopLevel();
    this.#accept(end);
  }

  #accept(end: SocketEnd): void {
    const taker: Taker = {
      ready: true,
      message: (data) => this.#tellMessage(data),
      closed: (code, reason) => {
        this.#incomingEnded = true;
        this.#tellClosed(code, reason, true);
        // What the handshake asks for, if the handlers have not done it: with the same code.
        end.close(code, "");
      },
      lost: (why) => {
        this.#incomingEnded = true;
        if (why !== undefined) this.#report(why);
        this.#tellClosed(1006, DISCONNECTED_WORDS, false);
      },
    };
    end.accept(taker);
  }

  send(message: unknown): void {
    requireArguments(arguments.length, 1, "'send' on 'WebSocket'");
    const data = toMessage(message);
    const end = this.#end;
    if (end === undefined) {
      if (this.#givenUp || this.#failed) return;
      throw makeDomException("The WebSocket is still being connected: wait for its `open` event before sending messages.", "InvalidStateError");
    }
    if (end.released || end.outgoingLost || this.#failed) return;
    if (!end.accepted) throw new PlainTypeError(NOT_ACCEPTED);
    if (end.outgoingEnded) throw new PlainTypeError("Can't call WebSocket send() after close().");
    end.send(data);
  }

  close(code: unknown = undefined, reason: unknown = undefined): void {
    const number = code === undefined ? NO_CODE : trunc(toNumberOf(code));
    if (code !== undefined && !isSendableCode(number)) throw new PlainTypeError(`Invalid WebSocket close code: ${number}.`);
    const text = reason === undefined ? "" : toUSVString(reason);
    if (reason !== undefined && code === undefined) {
      throw new PlainTypeError("If you specify a WebSocket close reason, you must also specify a code.");
    }
    if (native.utf8Encode(text).length > REASON_BYTES_MAX) {
      throw makeDomException(`The reason of a WebSocket's close may have ${REASON_BYTES_MAX} bytes at most.`, "SyntaxError");
    }
    const end = this.#end;
    if (end === undefined) {
      this.#givenUp = true;
      return;
    }
    if (end.released || end.outgoingEnded || this.#failed) return;
    if (!end.accepted) throw new PlainTypeError(NOT_ACCEPTED);
    end.close(number, text);
  }

  get readyState(): number {
    const end = this.#end;
    if (this.#failed || (end === undefined && this.#incomingEnded)) return CLOSED;
    if (end === undefined) return this.#givenUp ? CLOSING : CONNECTING;
    const ended = end.outgoingEnded;
    if (this.#incomingEnded) return ended ? CLOSED : CLOSING;
    return ended ? CLOSING : OPEN;
  }
  get url(): string | null { return this.#url; }
  get protocol(): string { return this.#protocol; }
  get extensions(): string { this.#end; return ""; }
  get bufferedAmount(): number { return this.#end === undefined ? 0 : this.#end.waitingBytes; }
  get binaryType(): string { return this.#binaryType; }
  set binaryType(value: unknown) {
    const type = toDOMString(value);
    if (type === "arraybuffer" || type === "blob") this.#binaryType = type;
  }

  serializeAttachment(value: unknown): void {
    requireArguments(arguments.length, 1, "'serializeAttachment' on 'WebSocket'");
    this.#attachment = native.structuredClone(value, []);
    this.#hasAttachment = true;
  }
  deserializeAttachment(): unknown { return this.#hasAttachment ? native.structuredClone(this.#attachment, []) : null; }

  #tellMessage(data: Message): void {
    if (this.#failed) return;
    const content = typeof data === "string" ? data : this.#binaryType === "blob" ? makeBlob(new Bytes(bytesOf(data)), "") : new Bytes(bytesOf(data)).buffer;
    dispatchTrusted(this, new MessageEvent("message", { __proto__: null, data: content }));
  }

  #tellClosed(code: number, reason: string, wasClean: boolean): void {
    dispatchTrusted(this, new CloseEvent("close", { __proto__: null, code, reason, wasClean }));
  }

  #report(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    dispatchTrusted(this, new ErrorEvent("error", { __proto__: null, message: messageOf(error), error }));
  }
}

export class WebSocketPair {
  constructor() {
    const [one, other] = SocketEnd.pair();
    defineProperty(this, 0, { value: makeSocket(one), enumerable: true, configurable: true, writable: true });
    defineProperty(this, 1, { value: makeSocket(other), enumerable: true, configurable: true, writable: true });
  }
  *[symbolIterator](): Generator<unknown> {
    yield (this as unknown as { 0: unknown })[0];
    yield (this as unknown as { 1: unknown })[1];
  }
}

export function isWebSocket(value: unknown): value is WebSocket { return endOf(value) !== undefined; }
export { endOf, makeSocket };

// What a Response that is sent carries of it. Throws why it cannot be.
export function endToHandOver(socket: WebSocket): SocketEnd {
  const end = endOf(socket);
  if (end === undefined || socketUrl(socket) !== null) throw new PlainTypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
  if (end.released) throw new PlainTypeError("Can't return WebSocket that was already used in a response.");
  if (end.accepted) throw new PlainTypeError("Can't return WebSocket in a Response after calling accept().");
  return end;
}

// ---------------------------------------------------------------------------------------------------------------------

const urlGetter = Object.getOwnPropertyDescriptor(WebSocket.prototype, "url")!.get!;
const socketUrl = urlGetter.call.bind(urlGetter) as (socket: WebSocket) => string | null;

// A copy: what is sent does not change any more.
function toMessage(value: unknown): Message {
  const message = isBufferSource(value) ? new Bytes(bytesOf(value)) : blobBytes(value) ?? toWellFormed(toDOMString(value));
  if (message.length > MESSAGE_BYTES_MAX) {
    throw new PlainTypeError(`A WebSocket's message may have ${MESSAGE_BYTES_MAX} bytes at most; this one has ${message.length}. Send it in parts.`);
  }
  return message;
}

function messageOf(error: unknown): string {
  try {
    return isObject(error) && "message" in error ? toDOMString(error.message) : toDOMString(error);
  } catch {
    return "";
  }
}

export function installWebSocket(): void {
  for (const type of ["open", "message", "close", "error"]) defineEventHandler(WebSocket.prototype, type);
  exposeInterface("WebSocket", WebSocket);
  defineConstants(WebSocket, {
    CONNECTING, OPEN, CLOSING, CLOSED,
    READY_STATE_CONNECTING: CONNECTING, READY_STATE_OPEN: OPEN, READY_STATE_CLOSING: CLOSING, READY_STATE_CLOSED: CLOSED,
  });
  exposeInterface("WebSocketPair", WebSocketPair);
  provideSockets({ make: makeSocket, endOf });
  provideShower((value) => {
    if (!isWebSocket(value)) return undefined;
    const { readyState, url, protocol } = value;
    return ["WebSocket", { readyState, url, protocol }];
  });
}
