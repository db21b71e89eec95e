// process.nextTick(): what is queued runs when the code of now returns, before the reactions of promises; what is queued by those, after
// them. The host calls runTicks() whenever it has been asked for one (worker/script-host.c++).

import { requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { apply } from "../primordials.ts";
import { reportException } from "../report.ts";

interface Tick { callback: Function; args: unknown[]; continuation: unknown }

// A list that is read from `next` on.
let ticks: Tick[] = [];
let next = 0;

export function nextTick(callback: unknown, ...args: unknown[]): void {
  requireInternal("internal/validators")["validateFunction"](callback, "callback");
  if (ticks.length === next) native.requestTicks();
  ticks[ticks.length] = { callback: callback as Function, args, continuation: native.getContinuation() };
}

export function runTicks(): void {
  while (next < ticks.length) {
    const tick = ticks[next++]!;
    if (next === ticks.length) {
      ticks = [];
      next = 0;
    }
    native.setContinuation(tick.continuation);
    try {
      apply(tick.callback, undefined, tick.args);
    } catch (exception) {
      reportException(exception);
    }
  }
  native.setContinuation(undefined);
}

// The host has ended all calls.
export function forgetTicks(): void {
  ticks = [];
  next = 0;
}

export function emitWarning(process: Exports, warning: unknown, type: any, code: any): void {
  const { codes } = requireInternal("internal/errors");
  if (typeof type === "object" && type !== null) ({ type = "Warning", code } = type);
  if (typeof type === "function") type = "Warning";
  let made = warning as Error & { code?: unknown };
  if (typeof warning === "string") {
    made = new Error(warning);
    made.name = String(type || "Warning");
    if (typeof code === "string") made.code = code;
  } else if (!(warning instanceof Error)) {
    throw new codes["ERR_INVALID_ARG_TYPE"]("warning", ["Error", "string"], warning);
  }
  if (made.name === "DeprecationWarning" && process["noDeprecation"]) return;
  nextTick(() => { process["emit"]("warning", made); });
}
