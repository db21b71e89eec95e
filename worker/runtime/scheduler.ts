// `scheduler` as Cloudflare has it: wait() is a setTimeout() that can be awaited, and given up by a signal.

import { AbortSignal, isSignal, onAbort } from "./abort.ts";
import { PlainPromise, PlainTypeError, getOwnPropertyDescriptor, toNumberOf, uncurryThis } from "./primordials.ts";
import { exposeInterface, exposeValue, illegalConstructor, requireArguments, toDictionary } from "./webidl.ts";

const TOKEN = {};
const DELAY_MS_MAX = 0x7fffffff;
const reasonOf = uncurryThis(getOwnPropertyDescriptor(AbortSignal.prototype, "reason")!.get!) as (signal: object) => unknown;
const throwIfAborted = uncurryThis(AbortSignal.prototype.throwIfAborted) as (signal: object) => void;

class Scheduler {
  #brand = true;
  constructor(token: unknown = undefined) { if (token !== TOKEN) illegalConstructor(); }

  async wait(delay: unknown, options: unknown = undefined): Promise<void> {
    this.#brand;
    requireArguments(arguments.length, 1, "'wait' on 'Scheduler'");
    const wanted = toNumberOf(delay);
    const { signal } = toDictionary<{ signal: unknown }>(options, "The options of wait()");
    if (signal !== undefined && signal !== null && !isSignal(signal)) throw new PlainTypeError("The `signal` of wait() is not an AbortSignal.");
    if (isSignal(signal)) throwIfAborted(signal);
    return new PlainPromise<void>((resolve, reject) => {
      const timer = native.setTimer(resolve, wanted > 0 ? (wanted < DELAY_MS_MAX ? wanted | 0 : DELAY_MS_MAX) : 0, false);
      if (!isSignal(signal)) return;
      onAbort(signal, () => {
        native.clearTimer(timer);
        reject(reasonOf(signal));
      });
    });
  }
}

export function installScheduler(): void {
  exposeInterface("Scheduler", Scheduler);
  exposeValue("scheduler", new Scheduler(TOKEN));
}
