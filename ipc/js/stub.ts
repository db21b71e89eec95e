// The objects through which code uses what lives in another process: RpcStub and ServiceStub (a capability), RpcPromise (a
// call that was made) and RpcProperty (a path that has not been asked for yet). All are callable, and every name that they do
// not have themselves is a name at the other end.

import {
  PlainError, PlainPromise, PlainTypeError, apply, captureStackTrace, defineProperty, getOwnPropertyDescriptor, hasOwn, indexOf, objectPrototype, promiseThen, slice,
  symbolAsyncDispose, symbolDispose, toStringTag,
} from "./primordials.ts";
import { connectBy } from "./connect.ts";
import { fetchBy } from "./fetch.ts";
import { PATH_DEPTH_MAX, isCallableInstance, notFunction, notImplemented, notPipelinable } from "./receiver.ts";
import type { Session } from "./session.ts";
import { stamp, stubOf } from "./stub-state.ts";
import type { Import, Scope, StubKind, StubState } from "./stub-state.ts";
import type { Socket } from "./tcp-socket.ts";
import type { CallNumber } from "./wire.ts";

const STUB_DISPOSED = "RPC stub used after being disposed.";
const PROMISE_DISPOSED = "RPC promise used after being disposed.";
const OTHER_REQUEST =
  "Cannot perform I/O on behalf of a different request. I/O objects (such as streams, request/response bodies, and others) " +
  "created in the context of one request handler cannot be accessed from a different request's handler. This is a limitation " +
  "of Cloudflare Workers which allows us to improve overall performance. (I/O type: Client)";

type Path = readonly string[];
const ROOT: Path = [];

function noop(): void {}

// -- What stands behind ------------------------------------------------------------------------------------------------------

abstract class State implements StubState {
  abstract readonly kind: StubKind;
  abstract readonly isCapability: boolean;
  readonly proxy: object;

  constructor() {
    this.proxy = new Proxy(CALLABLE, this as ProxyHandler<typeof CALLABLE>);
  }

  // The call or read of a path that starts here.
  abstract ask(path: Path, args: unknown[] | undefined, account?: boolean): Call;
  abstract readonly members: object;
  abstract dispose(): void;

  // -- Traps -----------------------------------------------------------------------------------------------------------------

  get(_target: unknown, key: PropertyKey): unknown {
    if (typeof key === "string" && !(key in this.members)) return this.property(key);
    if (key === symbolDispose) return () => this.dispose();
    if (key === symbolAsyncDispose) return async () => this.dispose();
    if (key === toStringTag) return this.kind;
    return (this.members as Record<PropertyKey, unknown>)[key];
  }
  apply(_target: unknown, _self: unknown, args: unknown[]): object { return promiseOf(this.ask(ROOT, args)); }
  construct(): never { throw new PlainTypeError(`${this.kind} is not a constructor`); }
  has(_target: unknown, key: PropertyKey): boolean {
    return key === symbolDispose || key === symbolAsyncDispose || (key in this.members);
  }
  getPrototypeOf(): object { return this.members; }
  setPrototypeOf(): boolean { return false; }
  isExtensible(): boolean { return true; }
  preventExtensions(): boolean { return false; }
  ownKeys(): (string | symbol)[] { return []; }
  getOwnPropertyDescriptor(): undefined { return undefined; }
  defineProperty(): boolean { return false; }
  set(_target: unknown, key: PropertyKey): never {
    throw new PlainTypeError(`Cannot set the property '${String(key)}' of an ${this.kind}: it stands for an object in another process.`);
  }
  deleteProperty(): boolean { return false; }

  property(name: string): object | undefined { return new PropertyState(this, [name]).proxy; }
}

// The target of every proxy: `typeof` is "function", and nothing of it shows.
const CALLABLE = (() => {}) as unknown as () => unknown;

// A capability.
export class CapabilityState extends State {
  readonly kind: "RpcStub" | "ServiceStub";
  readonly isCapability = true;
  readonly import: Import;
  readonly members: object;
  readonly #lender: object | undefined;
  #disposed = false;

  // `lender`: who holds the import, and goes on holding it for as long as this refers to it. Absent: this one does.
  constructor(kind: "RpcStub" | "ServiceStub", imported: Import, lender?: object) {
    super();
    this.kind = kind;
    this.import = imported;
    this.#lender = lender;
    this.members = kind === "RpcStub" ? RpcStub.prototype : ServiceStub.prototype;
    stamp(this.proxy, this);
    if (!imported.permanent && lender === undefined) imported.session.collect(this.proxy, imported);
  }

  // `await` on a stub is the stub: it is no promise, whatever its object has.
  override property(name: string): object | undefined { return name === "then" ? undefined : super.property(name); }

  // Throws why it cannot be used, now and here.
  check(): void {
    if (this.#disposed) throw new PlainError(STUB_DISPOSED);
    this.import.session.check(this.import);
  }

  ask(path: Path, args: unknown[] | undefined, account = false): Call {
    try {
      this.check();
    } catch (error) {
      return Call.failed(this.import.session, error);
    }
    return this.import.session.call(this.import.id, path, args, this.import.scope, undefined, account);
  }

  dup(): object {
    this.check();
    return this.#lender === undefined ? new CapabilityState(this.kind, this.import.retain()).proxy
      : new CapabilityState(this.kind, this.import, this.#lender).proxy;
  }

  get disposed(): boolean { return this.#disposed; }

  // It was passed on, and with it whose it is. Entrypoints and what stands in `env` belong to nobody in particular.
  giveAway(): void {
    if (this.kind === "RpcStub" && !this.import.permanent) this.dispose();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#lender !== undefined) return;
    this.import.session.keep(this.proxy);
    this.import.release();
  }
}

// A call that was made: pending, settled, or refused before it left.
export class Call {
  readonly session: Session;
  readonly number: CallNumber;      // 0: never sent
  readonly owner: number;
  readonly scope: Scope | undefined;
  readonly parent: Call | undefined; // on whose result it was pipelined
  readonly result: Promise<unknown>;
  account: unknown = undefined;      // once answered, if it was asked for and there is one
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;
  #settled: "pending" | "value" | "error" = "pending";
  #value: unknown;
  #pipelineHeld: boolean;
  #kept: Import | undefined;   // the pipeline, once it is known that there is something to hold on to
  #owned: CapabilityState[] = [];
  #disposed = false;
  #failedHere = false;

  constructor(session: Session, number: CallNumber, owner: number, scope: Scope | undefined, parent: Call | undefined) {
    this.session = session;
    this.number = number;
    this.owner = owner;
    this.scope = scope;
    this.parent = parent;
    this.#pipelineHeld = number !== 0;
    const raw = new PlainPromise<unknown>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.result = number === 0 ? raw : promiseThen(raw, undefined, (error) => {
      if (this.#failedHere) throw error;
      return withLocalStack(error);
    });
  }

  static failed(session: Session, error: unknown): Call {
    const call = new Call(session, 0, 0, undefined, undefined);
    call.fail(error);
    return call;
  }

  get disposed(): boolean { return this.#disposed; }
  // Why there is nothing to be called on the result, if that is so.
  whyNothing(): { error: unknown; here: boolean } | undefined {
    if (this.#settled === "error") return { error: this.#value, here: this.#failedHere };
    const isObject = (typeof this.#value === "object" && this.#value !== null) || typeof this.#value === "function";
    return this.#settled === "value" && !isObject ? { error: notPipelinable(), here: false } : undefined;
  }

  // `owned`: the stubs in the value. `pipeline`: the result is still there at the callee.
  succeed(value: unknown, owned: CapabilityState[], disposable: boolean, pipeline: boolean): void {
    this.#settled = "value";
    this.#value = value;
    this.#owned = owned;
    const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
    const isStub = isObject && stubOf(value) !== undefined;
    // A promise that became a thenable would wait for whatever the other side does next.
    if (isObject && !isStub && hasOwn(value as object, "then") && typeof (value as { then: unknown }).then === "function") {
      for (let i = 0; i < owned.length; i++) owned[i]!.dispose();
      return this.fail(new PlainTypeError("The result has a method named \"then\", so it cannot be told from a promise. Return it inside another object."));
    }
    if (!pipeline || !isObject || (!disposable && (isStub || owned.length === 0))) this.#releasePipeline();
    else this.session.collect(this, this.#kept = this.session.hold(this.number, this.scope));
    if (isObject && !isStub) {
      const dispose = () => this.#disposeResult();
      defineProperty(value, symbolDispose, { value: dispose, enumerable: false, configurable: true, writable: true });
    }
    this.#resolve(value);
    if (this.#disposed) this.#disposeResult();
  }

  // `here`: not the other side's error, but one of code on this side, whose stack says where.
  fail(error: unknown, here = false): void {
    this.#settled = "error";
    this.#failedHere = here;
    this.#value = error;
    this.#releasePipeline();
    this.#reject(error);
  }

  // A call or read of a path below the result.
  ask(path: Path, args: unknown[] | undefined, account = false): Call {
    this.handled();
    const { session } = this;
    if (this.#disposed) return Call.failed(session, new PlainError(PROMISE_DISPOSED));
    if (this.#pipelineHeld) {
      try {
        session.checkOwner(this.owner);
      } catch (error) {
        return Call.failed(session, error);
      }
      return session.call(this.number, path, args, this.scope, this, account);
    }
    if (this.#settled === "error") return Call.failed(session, this.#value);
    const stub = stubOf(this.#value);
    if (stub instanceof CapabilityState) return stub.ask(path, args, account);
    return this.#askCopy(path, args);
  }

  // The result was plain data, all of which is here.
  #askCopy(path: Path, args: unknown[] | undefined): Call {
    const call = new Call(this.session, 0, 0, undefined, undefined);
    let value = this.#value;
    for (let i = 0; i < path.length; i++) {
      if (typeof value !== "object" || value === null) {
        call.fail(i === 0 ? notPipelinable() : notImplemented(path[i - 1]!));
        return call;
      }
      if (!hasOwn(value, path[i]!)) {
        call.fail(notImplemented(path[i]!));
        return call;
      }
      value = (value as Record<string, unknown>)[path[i]!];
    }
    if (args !== undefined) call.fail(path.length === 0 ? notPipelinable() : notFunction(path[path.length - 1]!));
    else call.#resolve(value);
    return call;
  }

  // Somebody looks at what comes of it, if only through another call: its failure is no unhandled rejection.
  handled(): void { promiseThen(this.result, undefined, noop); }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.handled();
    if (this.#settled === "value") this.#disposeResult();
  }

  #disposeResult(): void {
    for (let i = 0; i < this.#owned.length; i++) this.#owned[i]!.dispose();
    this.#owned = [];
    this.#releasePipeline();
  }

  #releasePipeline(): void {
    if (!this.#pipelineHeld) return;
    this.#pipelineHeld = false;
    if (this.#kept === undefined) return this.session.releaseCall(this);
    this.session.keep(this);
    this.#kept.release();
  }
}

// What the other side threw has no stack here; what led to the call does. Where a worker says what its own was, it stands
// beside, in `remoteStack`.
function withLocalStack(error: unknown): never {
  if (error instanceof PlainError) {
    const holder = {} as { stack: string };
    captureStackTrace(holder, withLocalStack);
    const frames = indexOf(holder.stack, "\n");
    const remote = hasOwn(error, "remote") ? getOwnPropertyDescriptor(error, "stack")?.value as unknown : undefined;
    const stack = `${error.name}: ${error.message}${frames < 0 ? "" : slice(holder.stack, frames)}`;
    try {
      if (typeof remote === "string") defineProperty(error, "remoteStack", { value: remote, enumerable: false, configurable: true, writable: true });
      defineProperty(error, "stack", { value: stack, enumerable: false, configurable: true, writable: true });
    } catch {
      // a frozen error stays as it is
    }
  }
  throw error;
}

class PromiseState extends State {
  readonly kind = "RpcPromise";
  readonly isCapability = false;
  readonly members = RpcPromise.prototype;
  readonly call: Call;

  constructor(call: Call) {
    super();
    this.call = call;
    stamp(this.proxy, this);
  }

  ask(path: Path, args: unknown[] | undefined, account = false): Call { return this.call.ask(path, args, account); }
  dispose(): void { this.call.dispose(); }
}

class PropertyState extends State {
  readonly kind = "RpcProperty";
  readonly isCapability = false;
  readonly members = RpcProperty.prototype;
  readonly #root: State;
  readonly #path: Path;

  constructor(root: State, path: Path) {
    super();
    this.#root = root;
    this.#path = path;
    stamp(this.proxy, this);
  }

  override property(name: string): object {
    if (this.#path.length >= PATH_DEPTH_MAX) {
      throw new PlainTypeError(`RPC pipelined property path is too deep (max ${PATH_DEPTH_MAX}).`);
    }
    return new PropertyState(this.#root, [...this.#path, name]).proxy;
  }
  ask(path: Path, args: unknown[] | undefined, account = false): Call { return this.#root.ask([...this.#path, ...path], args, account); }
  dispose(): void {}
}

// The call that calling this would be; undefined: nothing that stands for something to be called.
export function callOf(callee: unknown, args: unknown[], account: boolean): Call | undefined {
  const state = stubOf(callee);
  return state instanceof State ? state.ask(ROOT, args, account) : undefined;
}

export function promiseOf(call: Call): object { return new PromiseState(call).proxy; }

function stateOf<T extends State>(self: unknown, kind: new (...args: never[]) => T): T {
  const state = stubOf(self);
  if (state instanceof kind) return state;
  throw new PlainTypeError("Illegal invocation");
}

// -- What user code sees -----------------------------------------------------------------------------------------------------

type Fulfilled = ((value: unknown) => unknown) | undefined;
type Rejected = ((error: unknown) => unknown) | undefined;

// Where a stub for an object of one's own is made; set by the runtime, which has but one session.
let wrapLocally: ((value: object) => object) | undefined;
export function provideLocalStubs(wrap: (value: object) => object): void { wrapLocally = wrap; }

export class RpcStub {
  constructor(value: unknown) {
    const isPlain = typeof value === "function" || (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === objectPrototype);
    if ((!isPlain && !isCallableInstance(value)) || wrapLocally === undefined) {
      throw new PlainTypeError("RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.");
    }
    return wrapLocally(value as object) as RpcStub;
  }
  dup(): object { return stateOf(this, CapabilityState).dup(); }
}

export class ServiceStub {
  constructor() { throw new PlainTypeError("Illegal constructor"); }
  dup(): object { return stateOf(this, CapabilityState).dup(); }
  // The entrypoint's handler of requests. Redirects go to the same entrypoint.
  async fetch(input: unknown, init: unknown = undefined): Promise<object> { return fetchFrom(stateOf(this, CapabilityState), input, init); }
  // The entrypoint's handler of connections.
  connect(address: unknown, options: unknown = undefined): Socket { return connectFrom(stateOf(this, CapabilityState), address, options); }
}

export function connectFrom(entrypoint: CapabilityState, address: unknown, options: unknown): Socket {
  return connectBy((args) => entrypoint.ask(CONNECT, args).result, entrypoint.import.session.host.streams, address, options);
}
const CONNECT: Path = ["connect"];

export function fetchFrom(entrypoint: CapabilityState, input: unknown, init: unknown): Promise<object> {
  return fetchBy((request) => entrypoint.ask(FETCH, [request]), entrypoint.import.session.host.http, input, init);
}
const FETCH: Path = ["fetch"];

export class RpcPromise {
  constructor() { throw new PlainTypeError("Illegal constructor"); }
  then(fulfilled?: Fulfilled, rejected?: Rejected): Promise<unknown> {
    return promiseThen(resultOf(stateOf(this, PromiseState).call), fulfilled, rejected);
  }
  catch(rejected?: Rejected): Promise<unknown> { return this.then(undefined, rejected); }
  finally(done?: () => void): Promise<unknown> { return promiseFinally(resultOf(stateOf(this, PromiseState).call), done); }
}

export class RpcProperty {
  constructor() { throw new PlainTypeError("Illegal constructor"); }
  then(fulfilled?: Fulfilled, rejected?: Rejected): Promise<unknown> {
    return promiseThen(stateOf(this, PropertyState).ask(ROOT, undefined).result, fulfilled, rejected);
  }
  catch(rejected?: Rejected): Promise<unknown> { return this.then(undefined, rejected); }
  finally(done?: () => void): Promise<unknown> { return promiseFinally(stateOf(this, PropertyState).ask(ROOT, undefined).result, done); }
}

const promiseFinally = (promise: Promise<unknown>, done: (() => void) | undefined) => apply(PlainPromise.prototype.finally, promise, [done]) as Promise<unknown>;

function resultOf(call: Call): Promise<unknown> {
  return call.disposed ? PlainPromise.reject(new PlainError(PROMISE_DISPOSED)) : call.result;
}

export function otherRequest(): Error { return new PlainError(OTHER_REQUEST); }
export function stubDisposed(): Error { return new PlainError(STUB_DISPOSED); }
