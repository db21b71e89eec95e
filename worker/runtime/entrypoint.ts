// Calls from outside: which entrypoint they are for, and the invocation they run in. Where the rest of a call goes is
// ipc/js/receiver.ts; programs match on the texts of the errors.
//
// Runs among hostile code: what is taken from globals is taken before any of it runs.

import { DurableObject, WorkerEntrypoint, inherits } from "../../ipc/js/receiver.ts";
import type { Callable, Root } from "../../ipc/js/receiver.ts";
import type { CapabilityState } from "../../ipc/js/stub.ts";
import { stamp, stubOf } from "../../ipc/js/stub-state.ts";
import { begin, endIfOver, find as findInvocation, provideEnd } from "./invocation.ts";
import type { Invocation } from "./invocation.ts";
import { PlainError, PlainTypeError, construct, defineProperty, hasOwn, objectKeys, promiseThen } from "./primordials.ts";
import { session } from "./rpc.ts";

type Exports = Record<string, unknown>;

let env: unknown = {};
let main: Exports = { __proto__: null } as unknown as Exports;
let loopbacks: object = {};

export function currentExports(): object { return loopbacks; }
export function useEnv(value: unknown): void { env = value; }

// The main module is evaluated; `ctx.exports` are its exports as stubs.
export function useMain(namespace: Exports): void {
  main = namespace;
  const names = objectKeys(namespace);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = namespace[name];
    const isEntrypoint = typeof value === "function" ? inherits(value, classOf(WorkerEntrypoint)) : typeof value === "object" && value !== null;
    if (isEntrypoint) defineProperty(loopbacks, name, { get: () => loopback(name), enumerable: true, configurable: true });
  }
}

export function forgetMain(): void {
  main = { __proto__: null } as unknown as Exports;
  loopbacks = {};
}

// `exports.X` is a service stub for the entrypoint, and `exports.X({ props })` one with props.
function loopback(name: string): object {
  const plain = session.localService({ name, props: {} }) as object;
  const specialise = (options: unknown) => {
    const props = typeof options === "object" && options !== null ? (options as { props?: unknown }).props : undefined;
    return session.localService({ name, props: props ?? {} });
  };
  const either = new Proxy(specialise, {
    get: (_, key) => (plain as Record<PropertyKey, unknown>)[key],
    has: (_, key) => key in plain,
    getPrototypeOf: () => Object.getPrototypeOf(plain) as object,
  });
  // Handed over as it is, it is the one without props.
  stamp(either, stubOf(plain)!);
  return either;
}

// `value` inherits from `of` as classes do: through their constructors.
function classOf(of: Function): { prototype: object } { return { prototype: of }; }

function entrypoint(name: string): { value: unknown; isClass: boolean } {
  const key = name === "" ? "default" : name;
  const value = hasOwn(main, key) ? main[key] : undefined;
  if (typeof value === "function") {
    if (inherits(value, classOf(WorkerEntrypoint))) return { value, isClass: true };
    if (inherits(value, classOf(DurableObject))) {
      throw new PlainTypeError(`The export "${key}" is a Durable Object class, not an entrypoint.`);
    }
    throw new PlainTypeError(
      `The export "${key}" is a function or a class that does not extend WorkerEntrypoint, so it cannot be called. ` +
        `Export an object with methods, or a class that extends WorkerEntrypoint (import it from "cloudflare:workers").`,
    );
  }
  if (typeof value === "object" && value !== null) return { value, isClass: false };
  throw new PlainError(key === "default" ? "Worker has no default entrypoint." : `Worker has no such entrypoint: ${name}`);
}

function rootOf(name: string, invocation: Invocation): Root {
  const found = entrypoint(name);
  if (!found.isClass) {
    return { value: found.value, instance: false, entrypoint: true, injected: { env, ctx: invocation.context } };
  }
  return { value: construct(found.value as Callable, [invocation.context, env]), instance: true, entrypoint: true };
}

// A call on an entrypoint begins an invocation, which has the call's number. `args` undefined: the property is read.
export function invoke(id: number, name: string, props: unknown, path: string[], args: unknown[] | undefined, params: CapabilityState[]): void {
  const invocation = begin(id, props, loopbacks);
  invocation.openCalls.set(id, true);
  promiseThen(session.run(id, id, undefined, params, () => session.enter(rootOf(name, invocation), path, args)), () => callEnded(id, id));
}

export function callEnded(owner: number, call: number): void {
  const invocation = findInvocation(owner);
  if (invocation === undefined) return;
  invocation.openCalls.delete(call);
  endIfOver(invocation);
}

provideEnd((invocation, reason) => {
  invocation.openCalls.forEach((_, call) => session.settle(call, invocation.id, undefined, false, reason));
  session.ownerEnded(invocation.id, invocation.aborted === undefined ? undefined : invocation.aborted.reason);
  native.invocationEnded(invocation.id);
});
