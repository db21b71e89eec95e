// node:timers and node:timers/promises: the runtime's timers in Node.js's objects. A timer belongs to its invocation and does not
// keep a worker alive, so ref() and unref() only remember what was said.

import { requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import type { AbortSignal } from "../abort.ts";
import { apply, defineProperty } from "../primordials.ts";
import { reportException } from "../report.ts";

const MAX_DELAY_MS = 0x7fffffff;
const PROMISIFY = Symbol.for("nodejs.util.promisify.custom");

const validators = () => requireInternal("internal/validators");

export class Timeout {
  #id = 0;
  #isRef = true;
  #start: () => number;

  constructor(callback: Function, delay: unknown, args: unknown[], repeat: boolean) {
    const wanted = Number(delay);
    const delayMs = wanted >= 1 && wanted <= MAX_DELAY_MS ? Math.trunc(wanted) : 1;
    this.#start = () => native.setTimer(() => {
      if (!repeat) this.#id = 0;
      try {
        apply(callback, this, args);
      } catch (exception) {
        reportException(exception);
      }
    }, delayMs, repeat);
    this.#id = this.#start();
  }
  ref(): this { this.#isRef = true; return this; }
  unref(): this { this.#isRef = false; return this; }
  hasRef(): boolean { return this.#isRef; }
  refresh(): this {
    if (this.#id !== 0) native.clearTimer(this.#id);
    this.#id = this.#start();
    return this;
  }
  close(): this {
    if (this.#id !== 0) native.clearTimer(this.#id);
    this.#id = 0;
    return this;
  }
  [Symbol.toPrimitive](): number { return this.#id; }
  [Symbol.dispose](): void { this.close(); }
}

export class Immediate {
  #id: number;
  #isRef = true;
  constructor(callback: Function, args: unknown[]) {
    this.#id = native.setTimer(() => {
      this.#id = 0;
      try {
        apply(callback, undefined, args);
      } catch (exception) {
        reportException(exception);
      }
    }, 0, false);
  }
  ref(): this { this.#isRef = true; return this; }
  unref(): this { this.#isRef = false; return this; }
  hasRef(): boolean { return this.#isRef; }
  clear(): void {
    if (this.#id !== 0) native.clearTimer(this.#id);
    this.#id = 0;
  }
  [Symbol.dispose](): void { this.clear(); }
}

function clear(timer: unknown): void {
  if (timer instanceof Timeout) return void timer.close();
  if (timer instanceof Immediate) return timer.clear();
  const id = typeof timer === "number" || typeof timer === "string" ? Number(timer) : 0;
  if (id > 0) native.clearTimer(id);
}

const functions = {
  setTimeout(callback: Function, delay?: unknown, ...args: unknown[]): Timeout {
    validators()["validateFunction"](callback, "callback");
    return new Timeout(callback, delay, args, false);
  },
  setInterval(callback: Function, delay?: unknown, ...args: unknown[]): Timeout {
    validators()["validateFunction"](callback, "callback");
    return new Timeout(callback, delay, args, true);
  },
  setImmediate(callback: Function, ...args: unknown[]): Immediate {
    validators()["validateFunction"](callback, "callback");
    return new Immediate(callback, args);
  },
  clearTimeout: (timer?: unknown) => clear(timer),
  clearInterval: (timer?: unknown) => clear(timer),
  clearImmediate: (timer?: unknown) => clear(timer),
};

interface Options { signal?: AbortSignal; ref?: boolean }

// A promise that `start` resolves; the signal rejects it and stops what was started.
function promised<T>(value: T, options: Options | undefined, start: (resolve: () => void) => Timeout | Immediate): Promise<T> {
  const checks = validators();
  const given = options ?? {};
  try {
    checks["validateObject"](given, "options");
    if (given.signal !== undefined) checks["validateAbortSignal"](given.signal, "options.signal");
    if (given.ref !== undefined) checks["validateBoolean"](given.ref, "options.ref");
  } catch (error) {
    return Promise.reject(error);
  }
  const { AbortError } = requireInternal("internal/errors");
  const { signal } = given;
  if (signal?.aborted) return Promise.reject(new AbortError(undefined, { cause: signal.reason }));
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clear(timer);
      reject(new AbortError(undefined, { cause: signal!.reason }));
    };
    const timer = start(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve(value);
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

const promises = {
  setTimeout<T>(delay?: number, value?: T, options?: Options): Promise<T | undefined> {
    return promised(value, options, (resolve) => new Timeout(resolve, delay, [], false));
  },
  setImmediate<T>(value?: T, options?: Options): Promise<T | undefined> {
    return promised(value, options, (resolve) => new Immediate(resolve, []));
  },
  async *setInterval<T>(delay?: number, value?: T, options?: Options): AsyncGenerator<T | undefined> {
    for (;;) yield await promised(value, options, (resolve) => new Timeout(resolve, delay, [], false));
  },
  scheduler: {
    wait: (delay: number, options?: Options) => promises.setTimeout(delay, undefined, options),
    yield: () => promises.setImmediate(),
  },
};

export const timersPromises: Exports = promises;
export const timers: Exports = { ...functions, promises };
defineProperty(functions.setTimeout, PROMISIFY, { get: () => promises.setTimeout, enumerable: true });
defineProperty(functions.setImmediate, PROMISIFY, { get: () => promises.setImmediate, enumerable: true });
