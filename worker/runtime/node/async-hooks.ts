// node:async_hooks: AsyncLocalStorage and AsyncResource, by the frames that V8 carries along (async-frame.ts). There are no hooks:
// createHook() gives one that nothing calls, and asynchronous acts have no numbers.

import { asyncFrame, setAsyncFrame } from "./async-frame.ts";
import { requireInternal } from "./library.ts";
import type { Exports } from "./library.ts";
import { apply, defineProperty } from "../primordials.ts";

const validators = () => requireInternal("internal/validators");
let lastId = 1;

class AsyncResource {
  #frame: unknown;
  #id = ++lastId;

  constructor(type: string, options: unknown = {}) {
    validators()["validateString"](type, "type");
    const trigger = typeof options === "number" ? options : (options as { triggerAsyncId?: unknown })?.triggerAsyncId ?? 0;
    if (!Number.isSafeInteger(trigger) || (trigger as number) < -1) {
      throw new (requireInternal("internal/errors")["codes"]["ERR_INVALID_ASYNC_ID"])("triggerAsyncId", trigger);
    }
    this.#frame = asyncFrame();
  }
  runInAsyncScope(callback: Function, thisArg?: unknown, ...args: unknown[]): unknown {
    const prior = asyncFrame();
    setAsyncFrame(this.#frame);
    try {
      return apply(callback, thisArg, args);
    } finally {
      setAsyncFrame(prior);
    }
  }
  emitDestroy(): this { return this; }
  asyncId(): number { return this.#id; }
  triggerAsyncId(): number { return 0; }
  bind(callback: Function, thisArg?: unknown): Function {
    validators()["validateFunction"](callback, "fn");
    const resource = this;
    const bound = function (this: unknown, ...args: unknown[]) {
      return resource.runInAsyncScope(callback, thisArg === undefined ? this : thisArg, ...args);
    };
    defineProperty(bound, "length", { value: callback.length, configurable: true });
    return bound;
  }
  static bind(callback: Function, type?: string, thisArg?: unknown): Function {
    return new AsyncResource(type || callback?.name || "bound-anonymous-fn").bind(callback, thisArg);
  }
}

class AsyncHook {
  enable(): this { return this; }
  disable(): this { return this; }
}

export const asyncHooks: Exports = {
  // Of Node.js, which needs AsyncResource first.
  get AsyncLocalStorage() { return requireInternal("internal/async_local_storage/async_context_frame"); },
  AsyncResource,
  createHook: () => new AsyncHook(),
  executionAsyncId: () => 0,
  triggerAsyncId: () => 0,
  executionAsyncResource: () => ({}),
  asyncWrapProviders: Object.freeze({ __proto__: null }),
};
