// What is left of the global scope: self, navigator, performance, queueMicrotask; and what is taken away.

import { PlainTypeError, apply, dateNow, defineProperty } from "./primordials.ts";
import { exposeInterface, exposeValue, illegalConstructor, requireArguments, toDOMString } from "./webidl.ts";
import { EventTarget } from "./event.ts";
import { clear, entriesOf, installUserTiming, mark, measure } from "./user-timing.ts";
import type { PerformanceEntry } from "./user-timing.ts";
import { installPerformanceObserver } from "./performance-observer.ts";
import { queueJob } from "./job.ts";

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

  mark(name: unknown, options: unknown = undefined): PerformanceEntry {
    this.#brand;
    requireArguments(arguments.length, 1, "'mark' on 'Performance'");
    return mark(name, options);
  }
  measure(name: unknown, startOrOptions: unknown = undefined, endMark: unknown = undefined): PerformanceEntry {
    this.#brand;
    requireArguments(arguments.length, 1, "'measure' on 'Performance'");
    return measure(name, startOrOptions, endMark);
  }
  clearMarks(name: unknown = undefined): void { this.#brand; clear("mark", name); }
  clearMeasures(name: unknown = undefined): void { this.#brand; clear("measure", name); }
  getEntries(): PerformanceEntry[] { this.#brand; return entriesOf(undefined, undefined); }
  getEntriesByType(type: unknown): PerformanceEntry[] {
    this.#brand;
    requireArguments(arguments.length, 1, "'getEntriesByType' on 'Performance'");
    return entriesOf(undefined, toDOMString(type));
  }
  getEntriesByName(name: unknown, type: unknown = undefined): PerformanceEntry[] {
    this.#brand;
    requireArguments(arguments.length, 1, "'getEntriesByName' on 'Performance'");
    return entriesOf(toDOMString(name), type);
  }
}

const functions = {
  queueMicrotask(callback: unknown): void {
    requireArguments(arguments.length, 1, "'queueMicrotask'");
    if (typeof callback !== "function") throw new PlainTypeError("Failed to execute 'queueMicrotask' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.");
    queueJob(() => apply(callback, undefined, []));
  },
};

const disabled = {
  wait(): never { throw new PlainTypeError("Atomics.wait cannot be called in this context"); },
};

export function installGlobals(): void {
  exposeInterface("Navigator", Navigator);
  exposeInterface("Performance", Performance);
  installUserTiming();
  installPerformanceObserver();
  exposeValue("navigator", new Navigator(TOKEN));
  exposeValue("performance", new Performance(TOKEN));
  exposeValue("queueMicrotask", functions.queueMicrotask);
  exposeValue("self", globalThis);
  defineProperty(Atomics, "wait", { value: disabled.wait, writable: true, configurable: true, enumerable: false });
}
