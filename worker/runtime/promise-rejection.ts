// PromiseRejectionEvent of the HTML standard: the global object hears of promises that are rejected and that nobody handles, before the
// console does.

import { Event, dispatchTrusted, globalHasListeners } from "./event.ts";
import { PlainTypeError } from "./primordials.ts";
import { exposeInterface, isObject, requireArguments } from "./webidl.ts";

export class PromiseRejectionEvent extends Event {
  readonly #promise: object;
  readonly #reason: unknown;
  constructor(type: string, init: unknown) {
    requireArguments(arguments.length, 2, "'PromiseRejectionEvent' constructor");
    super(type, init);
    const { promise, reason } = (isObject(init) ? init : {}) as { promise?: unknown; reason?: unknown };
    if (!isObject(promise)) throw new PlainTypeError("Failed to construct 'PromiseRejectionEvent': the options have no `promise`.");
    this.#promise = promise;
    this.#reason = reason;
  }
  get promise(): object { return this.#promise; }
  get reason(): unknown { return this.#reason; }
}

export const rejectionHooks = {
  // Whether it is to be logged. `handled`: it was told of before as one that nobody handles, and now somebody does.
  promiseRejected(promise: object, reason: unknown, handled: boolean): boolean {
    const type = handled ? "rejectionhandled" : "unhandledrejection";
    if (!globalHasListeners(type)) return true;
    return dispatchTrusted(globalThis, new PromiseRejectionEvent(type, { __proto__: null, promise, reason, cancelable: !handled }));
  },
};

export function installPromiseRejection(): void {
  exposeInterface("PromiseRejectionEvent", PromiseRejectionEvent);
}
