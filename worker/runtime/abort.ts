// AbortController and AbortSignal of the DOM standard.

import { PlainTypeError, push, symbolIterator } from "./primordials.ts";
import { exposeInterface, illegalConstructor, isObject, requireArguments, toEnforcedInteger, toSequence } from "./webidl.ts";
import { Event, EventTarget, defineEventHandler, dispatchTrusted, provideSignalHooks } from "./event.ts";
import { makeDomException } from "./dom-exception.ts";

const TOKEN = {};   // only this module can make a signal

let abortSignal: (signal: AbortSignal, reason: unknown) => void;
let isSignal: (value: unknown) => value is AbortSignal;
let isAborted: (signal: AbortSignal) => boolean;
let dependentSignal: (source: AbortSignal | undefined) => AbortSignal;
let onAbort: (signal: AbortSignal, run: () => void) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #steps: (() => void)[] = [];
  #dependent = false;
  #sources: AbortSignal[] = [];
  #dependents: AbortSignal[] = [];

  static {
    abortSignal = (signal, reason) => signal.#abort(reason);
    isSignal = (value): value is AbortSignal => isObject(value) && #aborted in value;
    isAborted = (signal) => signal.#aborted;
    onAbort = (signal, run) => { push(signal.#steps, run); };
    dependentSignal = (source) => {
      const signal = new AbortSignal(TOKEN);
      if (source !== undefined) signal.#dependOn(source);
      return signal;
    };
  }

  constructor(token: unknown = undefined) {
    if (token !== TOKEN) illegalConstructor();
    super();
  }

  static abort(reason: unknown = undefined): AbortSignal {
    const signal = new AbortSignal(TOKEN);
    signal.#aborted = true;
    signal.#reason = reason === undefined ? makeDomException("The operation was aborted", "AbortError") : reason;
    return signal;
  }

  static timeout(milliseconds: number): AbortSignal {
    requireArguments(arguments.length, 1, "'timeout' on 'AbortSignal'");
    const delay = toEnforcedInteger(milliseconds, "The timeout");
    const signal = new AbortSignal(TOKEN);
    native.setTimer(() => signal.#abort(makeDomException("The operation was aborted due to timeout", "TimeoutError")), delay, false);
    return signal;
  }

  static any(signals: unknown): AbortSignal {
    requireArguments(arguments.length, 1, "'any' on 'AbortSignal'");
    if (!isObject(signals)) throw new PlainTypeError("The signals are not iterable.");
    const list = toSequence(signals, (signals as { [Symbol.iterator]?: unknown })[symbolIterator]);
    for (let i = 0; i < list.length; i++) {
      if (!isSignal(list[i])) throw new PlainTypeError("An element of the signals is not an AbortSignal.");
    }
    const result = new AbortSignal(TOKEN);
    const given = list as AbortSignal[];
    for (let i = 0; i < given.length; i++) {
      if (given[i]!.#aborted) {
        result.#aborted = true;
        result.#reason = given[i]!.#reason;
        return result;
      }
    }
    result.#dependent = true;
    for (let i = 0; i < given.length; i++) result.#dependOn(given[i]!);
    return result;
  }

  get aborted(): boolean { return this.#aborted; }
  get reason(): unknown { return this.#reason; }
  throwIfAborted(): void { if (this.#aborted) throw this.#reason; }

  #dependOn(signal: AbortSignal): void {
    this.#dependent = true;
    if (signal.#aborted) {
      this.#aborted = true;
      this.#reason = signal.#reason;
    } else if (!signal.#dependent) this.#follow(signal);
    else for (let i = 0; i < signal.#sources.length; i++) this.#follow(signal.#sources[i]!);
  }

  #follow(source: AbortSignal): void {
    for (let i = 0; i < this.#sources.length; i++) if (this.#sources[i] === source) return;
    push(this.#sources, source);
    push(source.#dependents, this);
  }

  #abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason === undefined ? makeDomException("The operation was aborted", "AbortError") : reason;
    // All are aborted before the first listener of any of them runs.
    const now: AbortSignal[] = [];
    for (let i = 0; i < this.#dependents.length; i++) {
      const dependent = this.#dependents[i]!;
      if (dependent.#aborted) continue;
      dependent.#aborted = true;
      dependent.#reason = this.#reason;
      push(now, dependent);
    }
    this.#dependents = [];
    this.#run();
    for (let i = 0; i < now.length; i++) now[i]!.#run();
  }

  #run(): void {
    const steps = this.#steps;
    this.#steps = [];
    this.#sources = [];
    for (let i = 0; i < steps.length; i++) steps[i]!();
    dispatchTrusted(this, new Event("abort"));
  }
}

export class AbortController {
  readonly #signal = new AbortSignal(TOKEN);
  get signal(): AbortSignal { return this.#signal; }
  abort(reason: unknown = undefined): void { abortSignal(this.#signal, reason); }
}

export { dependentSignal, isSignal, isAborted, onAbort };

export function installAbort(): void {
  provideSignalHooks({ isSignal, isAborted, onAbort } as never);
  defineEventHandler(AbortSignal.prototype, "abort");
  exposeInterface("AbortSignal", AbortSignal);
  exposeInterface("AbortController", AbortController);
}
