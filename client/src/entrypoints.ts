// Entrypoints that live in a Node program: what `ctx.exports.X({ props })` is in a worker, `entrypoint(X, { props, env })` is here.

import { WorkerEntrypoint, inherits } from "../../ipc/js/receiver.ts";
import type { Root } from "../../ipc/js/receiver.ts";
import { EntrypointReference } from "../../ipc/js/session.ts";
import type { Session } from "../../ipc/js/session.ts";
import type { CapabilityState } from "../../ipc/js/stub.ts";
import type { Scope } from "../../ipc/js/stub-state.ts";

export interface EntrypointOptions {
  props?: unknown;   // absent: {}
  env?: unknown;     // absent: {}
}

// What a class sees as `this.ctx`. There is no invocation to end in a Node program: a promise given to waitUntil() goes on.
class ExecutionContext {
  readonly props: unknown;
  readonly exports: object = {};
  constructor(props: unknown) { this.props = props; }
  waitUntil(promise: unknown): void { Promise.resolve(promise).catch((error: unknown) => queueMicrotask(() => { throw error; })); }
  passThroughOnException(): void {}
  abort(reason?: unknown): never { throw reason; }
}

export class EntrypointMaker {
  readonly #target: unknown;
  readonly #options: EntrypointOptions;

  constructor(target: unknown, options: EntrypointOptions) {
    this.#target = target;
    this.#options = options;
  }

  call(session: Session, scope: Scope | undefined, call: number, path: string[], args: unknown[] | undefined, params: CapabilityState[]): void {
    void session.run(call, 0, scope, params, () => session.enter(this.#root(), path, args));
  }

  #root(): Root {
    const ctx = new ExecutionContext(this.#options.props ?? {});
    const env = this.#options.env ?? {};
    if (typeof this.#target !== "function") return { value: this.#target, instance: false, entrypoint: true, injected: { env, ctx } };
    return { value: Reflect.construct(this.#target, [ctx, env]) as unknown, instance: true, entrypoint: true };
  }
}

// A class that extends WorkerEntrypoint, of which each call makes an instance; or an object of handlers, each called as
// (arg, env, ctx).
export function entrypoint(target: object, options: EntrypointOptions = {}): object {
  const isClass = typeof target === "function" && inherits(target, { prototype: WorkerEntrypoint });
  if (!isClass && (typeof target !== "object" || target === null)) {
    throw new TypeError("entrypoint() expects a class that extends WorkerEntrypoint, or an object with methods.");
  }
  return new EntrypointReference(new EntrypointMaker(target, options));
}
