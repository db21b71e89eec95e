// What is left of the global scope: self, navigator, performance, queueMicrotask; and what is taken away.

import { PlainTypeError, apply, dateNow, defineProperty } from "./primordials.ts";
import { exposeInterface, exposeValue, illegalConstructor, requireArguments } from "./webidl.ts";
import { EventTarget } from "./event.ts";
import { reportException } from "./report.ts";

const TOKEN = {};

class Navigator {
  #brand = true;
  constructor(token: unknown = undefined) { if (token !== TOKEN) illegalConstructor(); }
  get userAgent(): string { this.#brand; return "Cloudflare-Workers"; }
  get hardwareConcurrency(): number { this.#brand; return 1; }
  get platform(): string { this.#brand; return ""; }
  get language(): string { this.#brand; return "en"; }
  get languages(): string[] { this.#brand; return ["en"]; }
}

class Performance extends EventTarget {
  #brand = true;
  constructor(token: unknown = undefined) {
    if (token !== TOKEN) illegalConstructor();
    super();
  }
  // Time starts at the epoch, so that it says nothing about when this process did.
  get timeOrigin(): number { this.#brand; return 0; }
  now(): number { this.#brand; return dateNow(); }
  toJSON(): object { this.#brand; return { timeOrigin: 0 }; }
}

// The engine's own job queue: a promise reaction cannot be replaced by user code once captured.
const { then } = Promise.prototype;
const settled = Promise.resolve();

const functions = {
  queueMicrotask(callback: unknown): void {
    requireArguments(arguments.length, 1, "'queueMicrotask'");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to execute 'queueMicrotask' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.");
    apply(then, settled, [() => {
      try {
        apply(callback, undefined, []);
      } catch (exception) {
        reportException(exception);
      }
    }]);
  },
};

const disabled = {
  wait(): never { throw new PlainTypeError("Atomics.wait cannot be called in this context"); },
};

export function installGlobals(): void {
  // then() would look up the constructor's species on each call.
  defineProperty(settled, "constructor", { value: undefined });
  exposeInterface("Navigator", Navigator);
  exposeInterface("Performance", Performance);
  exposeValue("navigator", new Navigator(TOKEN));
  exposeValue("performance", new Performance(TOKEN));
  exposeValue("queueMicrotask", functions.queueMicrotask);
  exposeValue("self", globalThis);
  defineProperty(Atomics, "wait", { value: disabled.wait, writable: true, configurable: true, enumerable: false });
}
