// How a call from outside finds its function and what it is called with. Worker Loader's rules: what is reachable is the
// security core of Workers RPC, and programs match on the texts of its errors.
//
// Runs among hostile code: what is taken from globals is taken before any of it runs.

const {
  getPrototypeOf,
  hasOwn,
  prototype: objectPrototype,
  freeze,
} = Object;
const { apply, construct } = Reflect;
const arrayPush = Array.prototype.push;
const isPrototypeOf = objectPrototype.isPrototypeOf;

type Anything = Record<PropertyKey, unknown>;
type Callable = (...args: unknown[]) => unknown;

// -- cloudflare:workers --------------------------------------------------------------------------------------------------

class Context {
  readonly props: unknown;
  readonly exports: unknown;
  #waits: unknown[] = [];

  constructor(props: unknown, exports: unknown) {
    this.props = props;
    this.exports = exports;
  }

  waitUntil(promise: unknown): void {
    apply(arrayPush, this.#waits, [promise]);
  }

  passThroughOnException(): void {}

  abort(reason?: unknown): void {
    throw reason;
  }

  // Not reachable for user code: a static of a class it never sees, reading a private field.
  static waitsOf(context: Context): unknown[] {
    return context.#waits;
  }
}
const waitsOf = Context.waitsOf;
Object.defineProperty(Context, "name", { value: "ExecutionContext" });
Reflect.deleteProperty(Context, "waitsOf");

class WorkerEntrypoint {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

class DurableObject {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

class WorkflowEntrypoint {
  ctx: unknown;
  env: unknown;
  constructor(ctx: unknown, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}

class RpcTarget {}

let current: Context | undefined;   // of the invocation that is being started; waitUntil() from the module uses it

export const workersModule: Record<string, unknown> = {
  WorkerEntrypoint,
  DurableObject,
  WorkflowEntrypoint,
  RpcTarget,
  env: {},
  exports: {},
  waitUntil(promise: unknown): void {
    const context = contexts.get(native.currentInvocation()) ?? current;
    if (context === undefined) throw new Error("waitUntil() can only be called while a call is being handled.");
    context.waitUntil(promise);
  },
};

// -- State, set by the host ------------------------------------------------------------------------------------------------

let env: unknown = workersModule.env;
let main: Anything = freeze({ __proto__: null }) as Anything;
const contexts = new (class ContextTable {
  // Keys are small numbers; a plain object without a prototype needs nothing from Map.prototype, which user code may change.
  #table: Record<number, Context> = { __proto__: null } as never;
  get(id: number): Context | undefined { return this.#table[id]; }
  set(id: number, context: Context): void { this.#table[id] = context; }
  delete(id: number): void { delete this.#table[id]; }
})();

// Before the modules are evaluated: they may read `env` at top level.
export function setEnv(value: unknown): void {
  env = value;
  workersModule.env = value;
}

export function setMain(namespace: Anything): void {
  main = namespace;
}

// -- Finding the function ---------------------------------------------------------------------------------------------------

const RESERVED = ["dup", "constructor"];
const RESERVED_ON_ENTRYPOINTS = ["fetch", "connect", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"];

function includes(list: string[], name: string): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === name) return true;
  return false;
}

function inherits(value: unknown, prototype: object): boolean {
  return apply(isPrototypeOf, prototype, [value]) as boolean;
}

function isPlain(value: unknown): value is Anything {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  return getPrototypeOf(value) === objectPrototype;
}

// A class instance shows what its prototypes define, and none of its own properties; a plain object the reverse.
function property(receiver: unknown, name: string, instance: boolean, top: boolean): unknown {
  if (includes(RESERVED, name) || (top && includes(RESERVED_ON_ENTRYPOINTS, name))) {
    throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  const object = receiver as Anything;
  if (instance) {
    if (!hasOwn(object, name)) {
      const value = object[name];
      if (value !== undefined && value !== (objectPrototype as Anything)[name]) return value;
    }
  } else if (hasOwn(object, name)) {
    return object[name];
  }
  throw new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

function entrypoint(name: string): { value: unknown; isClass: boolean } {
  const key = name === "" ? "default" : name;
  const value = hasOwn(main, key) ? main[key] : undefined;
  if (typeof value === "function") {
    if (inherits(value, WorkerEntrypoint)) return { value, isClass: true };
    if (inherits(value, DurableObject)) {
      throw new TypeError(`The export "${key}" is a Durable Object class, not an entrypoint.`);
    }
    throw new TypeError(
      `The export "${key}" is a function or a class that does not extend WorkerEntrypoint, so it cannot be called. ` +
        `Export an object with methods, or a class that extends WorkerEntrypoint (import it from "cloudflare:workers").`,
    );
  }
  if (typeof value === "object" && value !== null) return { value, isClass: false };
  throw new Error(key === "default" ? "Worker has no default entrypoint." : `Worker has no such entrypoint: ${name}`);
}

// A handler that is not part of a class is called as (arg, env, ctx). The arity is checked both ways so that env and ctx,
// which the caller must not see, are never taken for what the caller sent.
function handlerArguments(fn: Callable, name: string, args: unknown[], context: Context): unknown[] {
  let arity: unknown = fn.length;
  if (typeof arity !== "number" || !(arity >= 0 && arity < 256)) {
    throw new TypeError(`RPC function has unreasonable length attribute: ${typeof arity === "number" ? arity : typeof arity}`);
  }
  if (arity < 3) arity = 3;
  if (arity !== 3) {
    throw new TypeError(
      `Cannot call handler function "${name}" over RPC because it has the wrong number of arguments. A simple function ` +
        `handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument ` +
        `comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead.`,
    );
  }
  if (args.length !== 1) {
    throw new TypeError(
      `Attempted to call RPC function "${name}" with the wrong number of arguments. When calling a top-level handler function ` +
        `that is not declared as part of a class, you must always send exactly one argument. In order to support variable ` +
        `numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.`,
    );
  }
  return [args[0], env, context];
}

function run(context: Context, name: string, path: string[], args: unknown[] | undefined): unknown {
  const found = entrypoint(name);
  let receiver: unknown = found.value;
  let instance = found.isClass;
  let handler = !found.isClass;
  if (found.isClass) receiver = construct(found.value as Callable, [context, env]);

  for (let i = 0; ; i++) {
    const key = path[i]!;
    const value = property(receiver, key, instance, i === 0);
    if (i === path.length - 1) {
      if (args === undefined) return value;
      if (typeof value !== "function") throw new TypeError(`"${key}" is not a function.`);
      const fn = value as Callable;
      return apply(fn, receiver, handler ? handlerArguments(fn, key, args, context) : args);
    }
    instance = inherits(value, RpcTarget.prototype);
    if (instance) handler = false;
    else if (!isPlain(value)) throw new TypeError(`The RPC receiver does not implement the method "${path[i + 1]}".`);
    receiver = value;
  }
}

// Called by C++ for each call. `args` undefined: read the property instead of calling it.
export async function invoke(id: number, name: string, props: unknown, path: string[], args: unknown[] | undefined): Promise<void> {
  const context = new Context(props, workersModule.exports);
  contexts.set(id, context);
  try {
    current = context;
    let result: unknown;
    try {
      result = run(context, name, path, args);
    } finally {
      current = undefined;
    }
    native.settle(id, true, await result);
  } catch (error) {
    native.settle(id, false, error);
  }
  // What waitUntil() was given keeps the invocation alive, also if it is given more meanwhile.
  const waits = waitsOf(context);
  for (let i = 0; i < waits.length; i++) {
    try {
      await waits[i];
    } catch (error) {
      native.log(4, `waitUntil: ${describe(error)}`);
    }
  }
  contexts.delete(id);
  native.invocationEnded(id);
}

// Calls that were cut short leave nothing behind.
export function forget(id: number): void {
  contexts.delete(id);
}

function describe(error: unknown): string {
  try {
    return `${error instanceof Error ? (error.stack ?? error) : error}`;
  } catch {
    return "an error that cannot be shown";
  }
}
