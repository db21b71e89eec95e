// Which function or property a call from another process reaches. This is the security core of Workers RPC: a caller names
// a path, and what it must not reach (instance fields, `env`, `ctx`, the methods of Object, whatever hangs off a class that
// was not made to be called) is found here or not at all. Programs match on the texts of the errors.

import { PlainTypeError, apply, getPrototypeOf, hasOwn, isPrototypeOf, objectPrototype } from "./primordials.ts";
import { stubOf } from "./stub-state.ts";
import type { StubState } from "./stub-state.ts";

export type Callable = (...args: unknown[]) => unknown;
export type Properties = Record<string, unknown>;

export class RpcTarget {}

export class WorkerEntrypoint {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class DurableObject {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkflowEntrypoint {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

export const PATH_DEPTH_MAX = 64;

const RESERVED = ["dup", "constructor"];
const RESERVED_ON_ENTRYPOINTS = ["fetch", "connect", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"];

// What a path starts from.
export interface Root {
  value: unknown;
  // Instances show what their prototypes define and none of their own properties; plain objects the reverse.
  instance: boolean;
  // An entrypoint: more names are reserved.
  entrypoint: boolean;
  // A handler object, whose functions get (arg, env, ctx): called with what stands at these two places.
  injected?: { env: unknown; ctx: unknown };
  // The result of a call, on which another was pipelined.
  result?: boolean;
}

// What stands at the end of a path: to be called or read, or, where a stub stood on the way, to be asked for there.
export type Found =
  | { value: unknown; receiver: unknown; name: string; injected: Root["injected"] }
  | { stub: StubState; path: string[] };

export function inherits(value: unknown, from: { prototype: object }): boolean {
  return (typeof value === "object" || typeof value === "function") && value !== null && isPrototypeOf(from.prototype, value);
}

export function isCallableInstance(value: unknown): boolean {
  return inherits(value, RpcTarget) || inherits(value, WorkerEntrypoint) || inherits(value, DurableObject);
}

function isPlain(value: unknown): value is Properties {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  return getPrototypeOf(value) === objectPrototype;
}

function includes(list: string[], name: string): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === name) return true;
  return false;
}

export function notImplemented(name: string): Error {
  return new PlainTypeError(`The RPC receiver does not implement the method "${name}".`);
}

export function notFunction(name: string): Error {
  return new PlainTypeError(`"${name}" is not a function.`);
}

export function notPipelinable(): Error {
  return new PlainTypeError("Can't pipeline on RPC that did not return an object.");
}

function property(receiver: Properties, name: string, instance: boolean, entrypoint: boolean): unknown {
  if (includes(RESERVED, name) || (entrypoint && includes(RESERVED_ON_ENTRYPOINTS, name))) {
    throw new PlainTypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  if (instance) {
    if (!hasOwn(receiver, name) && isDefinedByClass(receiver, name)) {
      const value = receiver[name];
      // By identity of the value: also what a class copies from Object.prototype is none of the caller's business.
      if (value !== undefined && value !== (objectPrototype as unknown as Properties)[name]) return value;
    }
  } else if (hasOwn(receiver, name)) {
    return receiver[name];
  }
  throw notImplemented(name);
}

// Some prototype below Object.prototype has it: `__proto__` and its like are nobody's methods.
function isDefinedByClass(receiver: object, name: string): boolean {
  for (let holder = getPrototypeOf(receiver) as object | null; holder !== null && holder !== objectPrototype; holder = getPrototypeOf(holder) as object | null) {
    if (hasOwn(holder, name)) return true;
  }
  return false;
}

export function find(root: Root, path: string[]): Found {
  if (path.length > PATH_DEPTH_MAX) throw new PlainTypeError(`RPC pipelined property path is too deep (max ${PATH_DEPTH_MAX}).`);
  let { value, instance, injected } = root;
  let receiver: unknown = undefined;
  let name = "";
  for (let i = 0; i < path.length; i++) {
    const stub = stubOf(value);
    if (stub !== undefined) {
      if (!stub.isCapability) throw notImplemented(name);
      return { stub, path: copy(path, i) };
    }
    if (i > 0 || root.result === true) {
      instance = isCallableInstance(value);
      if (instance) injected = undefined;
      else if (!isPlain(value)) throw i === 0 ? notPipelinable() : notImplemented(name);
    }
    receiver = value;
    name = path[i]!;
    value = property(value as Properties, name, instance, root.entrypoint && i === 0);
  }
  return { value, receiver, name, injected };
}

function copy(path: string[], from: number): string[] {
  const rest: string[] = [];
  for (let i = from; i < path.length; i++) rest[i - from] = path[i]!;
  return rest;
}

// Calls what was found, or reads it where there are no arguments. A found stub is the caller's to ask.
export function use(found: Extract<Found, { receiver: unknown }>, args: unknown[] | undefined): unknown {
  if (args === undefined) return found.value;
  if (typeof found.value !== "function") throw notFunction(found.name);
  const fn = found.value as Callable;
  return apply(fn, found.receiver, found.injected === undefined ? args : handlerArguments(fn, found.name, args, found.injected));
}

// A handler that is not part of a class is called as (arg, env, ctx). The arity is checked both ways so that env and ctx,
// which the caller must not see, are never taken for what the caller sent.
function handlerArguments(fn: Callable, name: string, args: unknown[], injected: { env: unknown; ctx: unknown }): unknown[] {
  let arity: unknown = fn.length;
  if (typeof arity !== "number" || !(arity >= 0 && arity < 256)) {
    throw new PlainTypeError(`RPC function has unreasonable length attribute: ${typeof arity === "number" ? arity : typeof arity}`);
  }
  if (arity < 3) arity = 3;
  if (arity !== 3) {
    throw new PlainTypeError(
      `Cannot call handler function "${name}" over RPC because it has the wrong number of arguments. A simple function ` +
        `handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument ` +
        `comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead.`,
    );
  }
  if (args.length !== 1) {
    throw new PlainTypeError(
      `Attempted to call RPC function "${name}" with the wrong number of arguments. When calling a top-level handler function ` +
        `that is not declared as part of a class, you must always send exactly one argument. In order to support variable ` +
        `numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.`,
    );
  }
  return [args[0], injected.env, injected.ctx];
}
