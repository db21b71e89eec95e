// The WebSocket that a Node program gets from fetch(): as Cloudflare's, and no more of it than talking takes.

import { DISCONNECTED_WORDS, MESSAGE_BYTES_MAX, NO_CODE, isSendableCode, provideSockets } from "../../ipc/js/sockets.ts";
import type { Message, SocketEnd } from "../../ipc/js/sockets.ts";

const NOT_ACCEPTED = "You must call accept() on this WebSocket before sending messages.";
const REASON_BYTES_MAX = 123;   // of the WebSockets standard

const ends = new WeakMap<object, SocketEnd>();

export class WebSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;

  readonly #end: SocketEnd;
  #incomingEnded = false;
  #failed = false;
  #handlers = new Map<string, { handler: unknown }>();

  constructor(end: SocketEnd) {
    super();
    if (typeof end !== "object") throw new TypeError("This WebSocket comes out of fetch() on an entrypoint: (await stub.fetch(url, { headers: { Upgrade: \"websocket\" } })).webSocket");
    this.#end = end;
    ends.set(this, end);
  }

  accept(): void {
    const end = this.#end;
    if (end.released) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    if (end.accepted) return;
    // An open connection keeps the program going, as other connections of Node's do.
    const open = setInterval(() => {}, 0x7fffffff);
    end.accept({
      ready: true,
      message: (data) => this.dispatchEvent(new MessageEvent("message", { data: typeof data === "string" ? data : bufferOf(data) })),
      closed: (code, reason) => {
        this.#incomingEnded = true;
        clearInterval(open);
        this.dispatchEvent(closeEvent(code, reason, true));
        end.close(code, "");   // the handshake's other half, if the handlers left it
      },
      lost: (why) => {
        this.#incomingEnded = this.#failed = true;
        clearInterval(open);
        if (why !== undefined) this.dispatchEvent(Object.assign(new Event("error"), { error: why, message: why instanceof Error ? why.message : String(why) }));
        this.dispatchEvent(closeEvent(1006, DISCONNECTED_WORDS, false));
      },
    });
  }

  send(message: unknown): void {
    const end = this.#end;
    const data = toMessage(message);
    if (end.released || end.outgoingLost) return;
    if (!end.accepted) throw new TypeError(NOT_ACCEPTED);
    if (end.outgoingEnded) throw new TypeError("Can't call WebSocket send() after close().");
    end.send(data);
  }

  close(code?: number, reason?: string): void {
    const end = this.#end;
    if (code !== undefined && !isSendableCode(code)) throw new TypeError(`Invalid WebSocket close code: ${code}.`);
    if (reason !== undefined && code === undefined) throw new TypeError("If you specify a WebSocket close reason, you must also specify a code.");
    const text = String(reason ?? "").toWellFormed();
    if (Buffer.byteLength(text) > REASON_BYTES_MAX) {
      throw new DOMException(`The reason of a WebSocket's close may have ${REASON_BYTES_MAX} bytes at most.`, "SyntaxError");
    }
    if (end.released || end.outgoingEnded) return;
    if (!end.accepted) throw new TypeError(NOT_ACCEPTED);
    end.close(code ?? NO_CODE, text);
  }

  get readyState(): number {
    const ended = this.#end.outgoingEnded;
    if (this.#failed || (this.#incomingEnded && ended)) return WebSocket.CLOSED;
    return this.#incomingEnded || ended ? WebSocket.CLOSING : WebSocket.OPEN;
  }
  get url(): null { return null; }
  get protocol(): string { return ""; }
  get extensions(): string { return ""; }
  get bufferedAmount(): number { return this.#end.waitingBytes; }
  get binaryType(): string { return "arraybuffer"; }

  get onmessage(): unknown { return this.#handler("message"); }
  set onmessage(handler: unknown) { this.#setHandler("message", handler); }
  get onclose(): unknown { return this.#handler("close"); }
  set onclose(handler: unknown) { this.#setHandler("close", handler); }
  get onerror(): unknown { return this.#handler("error"); }
  set onerror(handler: unknown) { this.#setHandler("error", handler); }

  #handler(type: string): unknown { return this.#handlers.get(type)?.handler ?? null; }
  #setHandler(type: string, handler: unknown): void {
    const slot = this.#handlers.get(type);
    const given = typeof handler === "function" ? handler : null;
    if (slot !== undefined) {
      slot.handler = given;
      return;
    }
    const made = { handler: given as unknown };
    this.#handlers.set(type, made);
    this.addEventListener(type, (event) => { if (typeof made.handler === "function") made.handler.call(this, event); });
  }
}

provideSockets({ make: (end) => new WebSocket(end), endOf: (value) => typeof value === "object" && value !== null ? ends.get(value) : undefined });

// A Response that answers a handshake. Node's own class has no status below 200.
export function upgradeResponse(webSocket: WebSocket, statusText: string, headers: Headers): Response {
  const response = new Response(null, { statusText, headers });
  Object.defineProperty(response, "status", { value: 101, configurable: true });
  Object.defineProperty(response, "ok", { value: false, configurable: true });
  Object.defineProperty(response, "webSocket", { value: webSocket, configurable: true });
  return response;
}

// Of a response to a handshake.
export function socketOf(response: unknown): SocketEnd | undefined {
  const socket: unknown = Object.getOwnPropertyDescriptor(response, "webSocket")?.value;
  return typeof socket === "object" && socket !== null ? ends.get(socket) : undefined;
}

// Throws why it cannot be handed on.
export function endToHandOver(end: SocketEnd): SocketEnd {
  if (end.released) throw new TypeError("Can't return WebSocket that was already used in a response.");
  if (end.accepted) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
  return end;
}

// ---------------------------------------------------------------------------------------------------------------------

function toMessage(value: unknown): Message {
  const message = value instanceof ArrayBuffer ? new Uint8Array(value.slice(0))
    : ArrayBuffer.isView(value) ? new Uint8Array(new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)) : String(value).toWellFormed();
  if (message.length > MESSAGE_BYTES_MAX) {
    throw new TypeError(`A WebSocket's message may have ${MESSAGE_BYTES_MAX} bytes at most; this one has ${message.length}. Send it in parts.`);
  }
  return message;
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function closeEvent(code: number, reason: string, wasClean: boolean): Event {
  return Object.assign(new Event("close"), { code, reason, wasClean });
}
