// MessageChannel and MessagePort of the HTML standard, within one worker: both ports of a channel are in it, because a port cannot be
// transferred. What is posted is cloned at once and arrives in a later turn.

import { EventTarget, defineEventHandler, dispatchTrusted } from "./event.ts";
import { PlainTypeError, defineProperty, getOwnPropertyDescriptor, splice, symbolIterator } from "./primordials.ts";
import { MessageEvent } from "./socket-events.ts";
import { cloneValue } from "./structured-clone.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments } from "./webidl.ts";

const TOKEN = {};
let entangle: (one: MessagePort, other: MessagePort) => void;
let startPort: (port: MessagePort) => void;

export class MessagePort extends EventTarget {
  #peer: MessagePort | undefined = undefined;
  #started = false;
  #waiting: { data: unknown }[] = [];   // until somebody listens

  static {
    entangle = (one, other) => {
      one.#peer = other;
      other.#peer = one;
    };
    startPort = (port) => port.#start();
  }

  constructor(token: unknown = undefined) {
    if (token !== TOKEN) illegalConstructor();
    super();
  }

  postMessage(message: unknown, options: unknown = undefined): void {
    requireArguments(arguments.length, 1, "'postMessage' on 'MessagePort'");
    const peer = this.#peer;
    // A list of what is transferred, or an object that has one.
    const isList = isObject(options) && typeof (options as { [symbolIterator]?: unknown })[symbolIterator] === "function";
    if (options !== undefined && options !== null && !isObject(options)) throw new PlainTypeError("The options of postMessage() must be an object or a list.");
    const data = cloneValue(message, isList ? options : (options as { transfer?: unknown } | undefined | null)?.transfer);
    if (peer === undefined) return;
    peer.#waiting[peer.#waiting.length] = { data };
    if (peer.#started) peer.#deliverLater();
  }

  start(): void { this.#start(); }

  close(): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    this.#peer = peer.#peer = undefined;
    this.#waiting = [];
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    for (let i = this.#waiting.length; i > 0; i--) this.#deliverLater();
  }

  // A turn for each message, as the standard has a task for each.
  #deliverLater(): void {
    native.setTimer(() => {
      const first = splice(this.#waiting, 0, 1)[0];
      if (first !== undefined) dispatchTrusted(this, new MessageEvent("message", { data: first.data }));
    }, 0, false);
  }
}

export class MessageChannel {
  readonly #port1 = new MessagePort(TOKEN);
  readonly #port2 = new MessagePort(TOKEN);
  constructor() { entangle(this.#port1, this.#port2); }
  get port1(): MessagePort { return this.#port1; }
  get port2(): MessagePort { return this.#port2; }
}

export function installMessagePort(): void {
  defineEventHandler(MessagePort.prototype, "message");
  defineEventHandler(MessagePort.prototype, "messageerror");
  // Who sets it, listens.
  const { get, set } = getOwnPropertyDescriptor(MessagePort.prototype, "onmessage")!;
  defineProperty(MessagePort.prototype, "onmessage", {
    get,
    set(this: MessagePort, value: unknown) {
      set!.call(this, value);
      startPort(this);
    },
    enumerable: true,
    configurable: true,
  });
  exposeInterface("MessagePort", MessagePort);
  exposeInterface("MessageChannel", MessageChannel);
}
