// setTimeout and its family. The timers themselves stand with the host, which knows whose they are.

import { PlainTypeError, apply, toNumberOf } from "./primordials.ts";
import { exposeValue } from "./webidl.ts";
import { reportException } from "./report.ts";

const MAX_DELAY_MS = 0x7fffffff;

function start(name: string, repeat: boolean, callback: unknown, milliseconds: unknown, args: unknown[]): number {
  if (typeof callback !== "function") {
    throw new PlainTypeError(`Failed to execute '${name}' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.`);
  }
  // As in browsers, a delay is a 32-bit integer: beyond it, and for anything that is no number, it is zero.
  const wanted = toNumberOf(milliseconds);
  const delay = wanted > 0 && wanted <= MAX_DELAY_MS ? wanted | 0 : 0;
  return native.setTimer(() => {
    try {
      apply(callback, globalThis, args);
    } catch (exception) {
      reportException(exception);
    }
  }, delay, repeat);
}

function stop(id: unknown): void {
  const number = toNumberOf(id);
  if (number > 0) native.clearTimer(number);
}

const functions = {
  setTimeout(callback: unknown, delay: unknown = undefined, ...args: unknown[]): number { return start("setTimeout", false, callback, delay, args); },
  setInterval(callback: unknown, delay: unknown = undefined, ...args: unknown[]): number { return start("setInterval", true, callback, delay, args); },
  clearTimeout(id: unknown = undefined): void { stop(id); },
  clearInterval(id: unknown = undefined): void { stop(id); },
};

export function installTimers(): void {
  exposeValue("setTimeout", functions.setTimeout);
  exposeValue("setInterval", functions.setInterval);
  exposeValue("clearTimeout", functions.clearTimeout);
  exposeValue("clearInterval", functions.clearInterval);
}
