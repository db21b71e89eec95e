// One line's worth of objects: what we hold of others (imports), what others hold of ours (exports), and the calls both ways.
// Above it are stubs, below it a Wire. Everything that comes from the other side may be hostile.

import { PlainError, Table, apply, dataCloneError, defineProperty, getOwnPropertyDescriptor, promiseThen, push, symbolDispose } from "./primordials.ts";
import { Call, CapabilityState, otherRequest, promiseOf, stubDisposed } from "./stub.ts";
import { isConnect, serveConnect } from "./connect.ts";
import { isFetch, serveFetch } from "./fetch.ts";
import type { Http } from "./fetch.ts";
import { find, inherits, isCallableInstance, RpcTarget, use } from "./receiver.ts";
import type { Callable, Found, Root } from "./receiver.ts";
import { Import, stubOf } from "./stub-state.ts";
import type { Scope } from "./stub-state.ts";
import { Inlet, SocketEnd, receivedSocket } from "./sockets.ts";
import { StreamBridge } from "./streams.ts";
import type { StreamClasses } from "./streams.ts";
import { WorkerLoader, giveCode } from "./loader.ts";
import type { CodeFactory } from "./loader.ts";
import {
  ANSWER_ENDED, ANSWER_THROWN, ANSWER_VALUE,
  EXTERNAL_LOADER, EXTERNAL_READABLE, EXTERNAL_SERVICE, EXTERNAL_SOCKET, EXTERNAL_STUB, EXTERNAL_WRITABLE,
} from "./wire.ts";
import type { AnswerKind, CallNumber, Ending, Exported, External, ExternalKind, Imported, Wire, WireEvents } from "./wire.ts";

// What differs between a worker and a Node program.
export interface Host {
  // The invocation whose code is running; 0 if there are none (Node), or none is.
  owner(): number;
  // Throws where nothing may be sent: while modules are evaluated.
  mayCall(): void;
  // What is received now lives for ever: env and props.
  isPermanent(): boolean;
  // An invocation goes on for as long as somebody holds an export of it.
  retain(owner: number): void;
  release(owner: number): void;
  // Whether a stub that is passed on is thereby given away (compatibility dates before 2026-01-20).
  readonly givesAway: boolean;
  // Whether others may be given what is only promised. Cap'n Proto would have the caller's next answer sent past us, and the
  // guard of a worker's line knows no such thing.
  readonly handsOnPromises: boolean;
  // Whether stubs that are no longer reachable are let go. Where invocations end, that is enough.
  readonly collects: boolean;
  // Runs a call on an entrypoint that was exported as one (`ctx.exports`).
  callEntrypoint(call: CallNumber, entrypoint: unknown, path: string[], args: unknown[] | undefined, params: CapabilityState[],
                 session: Session, scope: Scope | undefined): void;
  // An ending that is no error of the code: "exceededCpu", ...
  makeEnding(code: string, message: string): Error;
  report(error: unknown): void;
  readonly streams: StreamClasses;
  readonly http: Http;
  // Where fetch() of what this one loads goes if nothing else is said: to where its own goes. Undefined: nowhere.
  readonly outbound: object | undefined;
}

// An object of ours that somebody else holds.
interface Export {
  root: Root;
  owner: number;
  scope: Scope | undefined;
  retains: boolean;              // keeps its invocation going
  dispose: (() => void) | undefined;
  entrypoint: unknown;           // not an object but an entrypoint, made for each call
  factory: CodeFactory | undefined;   // not an object but what gives a named worker's code
}

type NewExport = Partial<Omit<Export, "retains">>;

// A class or handler that is handed over as an entrypoint: each call makes an instance.
export class EntrypointReference {
  readonly entrypoint: unknown;
  constructor(entrypoint: unknown) { this.entrypoint = entrypoint; }
}

export class Session implements WireEvents {
  readonly host: Host;
  wire!: Wire;
  readonly #streams: StreamBridge;
  readonly #calls = new Table<Call>();
  readonly #exports = new Table<Export>();
  // How many of these each invocation has.
  readonly #callsOf = new Table<number>();
  readonly #exportsOf = new Table<number>();
  readonly #expected = new Table<{ owner: number; fail: () => void }>();
  // What was thrown here while a named worker's code was to be given, by the words in which those are told who wait for it.
  readonly #failures = new Table<{ error: unknown }, string>();
  #nextExport = 1;
  #retaining = 0;
  // Stubs made since the last value was read.
  #received: CapabilityState[] = [];
  // What is handed over by the value that is being written: exports made for it, and stubs passed on.
  #handedOver: { exports: Exported[]; stubs: CapabilityState[] } | undefined;
  #scope: Scope | undefined;
  #owned: Table<Table<Import>> = new Table();
  #lost: Error | undefined;
  readonly #registry: FinalizationRegistry<Import> | undefined;

  constructor(host: Host) {
    this.host = host;
    this.#streams = new StreamBridge(host.streams);
    if (host.collects) this.#registry = new FinalizationRegistry((imported) => imported.release());
  }

  counts(): { calls: number; exports: number } { return { calls: this.#calls.size, exports: this.#exports.size }; }
  // Something may still come from outside: an answer, or a call by somebody whom an invocation waits for.
  get isAwaiting(): boolean { return this.#calls.size > 0 || this.#retaining > 0; }

  // -- Calling -----------------------------------------------------------------------------------------------------------------

  call(target: Imported, path: readonly string[], args: unknown[] | undefined, scope: Scope | undefined, parent: Call | undefined,
       account: boolean): Call {
    let number: CallNumber;
    try {
      this.host.mayCall();
      if (this.#lost !== undefined) throw this.#lost;
      number = this.#writing(scope, () => this.wire.call(target, path, args, account), this.host.givesAway);
    } catch (error) {
      return Call.failed(this, error);
    }
    const call = new Call(this, number, this.host.owner(), scope, parent);
    this.#calls.set(number, call);
    count(this.#callsOf, call.owner, 1);
    return call;
  }

  // A question that is no call of an object's; answered as one.
  ask(send: () => CallNumber): Call {
    this.host.mayCall();
    if (this.#lost !== undefined) throw this.#lost;
    const call = new Call(this, send(), this.host.owner(), undefined, undefined);
    this.#calls.set(call.number, call);
    count(this.#callsOf, call.owner, 1);
    return call;
  }

  answered(number: CallNumber, kind: AnswerKind, value: unknown, externals: number, disposable: boolean, pipeline: boolean,
           account?: unknown): void {
    const call = this.#calls.get(number);
    const received = this.takeReceived();
    if (call === undefined) return disposeAll(received);
    this.#forgetCall(number, call);
    call.account = account;
    // Whoever disposed of the worker knows that its calls fail: where nobody looks, that is no news.
    if (call.scope?.revoked) call.handled();
    // A call on the result of another that failed, or was no object, fails as that one did, whoever on the way says what.
    if (kind !== ANSWER_VALUE && call.parent !== undefined) {
      const why = call.parent.whyNothing();
      if (why !== undefined) return call.fail(why.error, why.here);
    }
    const { scope } = call;
    switch (kind) {
      case ANSWER_VALUE: return call.succeed(value, received, disposable, pipeline);
      case ANSWER_THROWN: {
        const failure = this.#failureOf(value);
        return failure === undefined ? call.fail(asRemote(value)) : call.fail(failure.error, true);
      }
      case ANSWER_ENDED: {
        const { code, message } = value as Ending;
        return call.fail(this.host.makeEnding(code, message));
      }
      default: {
        if (scope?.revoked) return call.fail(this.#revoked());
        if (scope?.failure !== undefined) return call.fail(scope.failure.error, true);
        const { code, message } = value as Ending;
        return call.fail(this.host.makeEnding(code, message));
      }
    }
  }

  // Code was to be given and `error` was thrown: whoever waits for it on this side gets it as it is, all others these words.
  codeFailed(words: string, error: unknown): void {
    this.#failures.delete(words);
    this.#failures.set(words, { error });
    if (this.#failures.size > FAILURES_MAX) this.#failures.delete(this.#failures.first()!);
  }
  #failureOf(value: unknown): { error: unknown } | undefined {
    if (this.#failures.size === 0 || !(value instanceof PlainError)) return undefined;
    const message = getOwnPropertyDescriptor(value, "message")?.value as unknown;
    return typeof message === "string" ? this.#failures.get(message) : undefined;
  }

  // Every call fails with `error` and every export is let go; nothing can be sent any more.
  lose(error: Error): void {
    this.#lost = error;
    this.#calls.forEach((call) => call.fail(error));
    this.#exports.forEach((_, id) => this.released(id));
  }

  check(imported: Import): void {
    if (imported.owner !== 0) this.checkOwner(imported.owner);
    if (imported.released) throw imported.scope?.revoked ? this.#revoked() : stubDisposed();
  }
  checkOwner(owner: number): void {
    if (owner !== 0 && owner !== this.host.owner()) throw otherRequest();
  }

  // -- Letting go ----------------------------------------------------------------------------------------------------------------

  releaseImport(imported: Import): void {
    imported.scope?.entrypoints.delete(imported.id);
    const owned = this.#owned.get(imported.owner);
    if (owned !== undefined) {
      owned.delete(imported.id);
      if (owned.size === 0) this.#owned.delete(imported.owner);
    }
    if (this.#lost === undefined) this.wire.release(imported.id);
  }
  releaseCall(call: Call): void {
    if (this.#lost === undefined) this.wire.release(call.number);
  }

  // While an invocation is making something: `fail` is called if it ends before.
  expectOf(owner: number, id: Imported, fail: () => void): void {
    if (owner !== 0) this.#expected.set(id, { owner, fail });
  }
  hasCome(id: Imported): void { this.#expected.delete(id); }

  // An invocation is over: what it held is let go, what it exported is gone.
  ownerEnded(owner: number, reason?: unknown): void {
    this.#expected.forEach((expected) => {
      if (expected.owner === owner) expected.fail();
    });
    this.#owned.get(owner)?.forEach((imported) => imported.releaseAll());
    if (this.#callsOf.get(owner) !== undefined) this.#calls.forEach((call, number) => {
      if (call.owner !== owner) return;
      this.#forgetCall(number, call);
      call.handled();
      call.fail(reason ?? new PlainError("The invocation that made this call is over."));
    });
    if (this.#exportsOf.get(owner) !== undefined) this.#exports.forEach((entry, id) => {
      if (entry.owner === owner) this.released(id);
    });
  }

  #forgetCall(number: CallNumber, call: Call): void {
    this.#calls.delete(number);
    count(this.#callsOf, call.owner, -1);
  }

  #forgetExport(id: Exported, entry: Export): void {
    this.#exports.delete(id);
    count(this.#exportsOf, entry.owner, -1);
  }

  // Where invocations do not end: lets go of `imported` when the object is unreachable, or not any more.
  collect(object: object, imported: Import): void { this.#registry?.register(object, imported, object); }
  keep(object: object): void { this.#registry?.unregister(object); }

  // A worker, and everything that was handed over to it or came from it.
  revoke(scope: Scope, worker: Import): void {
    scope.revoked = true;
    if (this.#lost === undefined && !worker.released) this.wire.revoke(worker.id);
    // Those that nobody disposed of would keep what is left of it until they are collected.
    scope.entrypoints.forEach((imported) => imported.releaseAll());
    worker.release();
  }

  #revoked(): Error { return this.host.makeEnding("revoked", "The worker that this belongs to was disposed of."); }

  // -- Writing values ------------------------------------------------------------------------------------------------------------

  // Runs `write`, which serialises something and sends it. What it hands over is taken back if it throws.
  #writing<T>(scope: Scope | undefined, write: () => T, givesAway: boolean): T {
    const outer = this.#handedOver;
    const outerScope = this.#scope;
    const mine = this.#handedOver = { exports: [] as Exported[], stubs: [] as CapabilityState[] };
    // What came from a worker that was disposed of may lead on to one that lives: to whom it was handed.
    this.#scope = scope?.revoked ? undefined : scope;
    let sent = false;
    try {
      const result = write();
      sent = true;
      return result;
    } finally {
      this.#handedOver = outer;
      this.#scope = outerScope;
      if (!sent) {
        for (let i = 0; i < mine.exports.length; i++) this.#takeBack(mine.exports[i]!);
      } else if (givesAway) {
        for (let i = 0; i < mine.stubs.length; i++) mine.stubs[i]!.giveAway();
      }
    }
  }

  // For loader.ts: serialises what is handed to a worker.
  writing<T>(scope: Scope | undefined, write: () => T): T {
    this.host.mayCall();
    if (this.#lost !== undefined) throw this.#lost;
    return this.#writing(scope, write, false);
  }

  externalOf(value: object): External | undefined {
    if (this.#handedOver === undefined) return undefined;   // a clone that goes nowhere
    const state = stubOf(value);
    if (state !== undefined) {
      if (!(state instanceof CapabilityState)) {
        throw dataCloneError(`Could not serialize object of type "${state.kind}". This type does not support serialization.`);
      }
      state.check();
      if (state.import.isPromise && !this.host.handsOnPromises) {
        throw new PlainError("This entrypoint cannot be handed on: it was asked for before the code of its worker was there. Await a call on it, " +
          "then ask for it again: getEntrypoint().");
      }
      push(this.#handedOver.stubs, state);
      return { kind: state.kind === "RpcStub" ? EXTERNAL_STUB : EXTERNAL_SERVICE, id: state.import.id, imported: true };
    }
    if (value instanceof WorkerLoader) return { kind: EXTERNAL_LOADER, id: value.importFor(this).id, imported: true };
    if (value instanceof EntrypointReference) return this.#exportFor(EXTERNAL_SERVICE, { entrypoint: value.entrypoint });
    if (value instanceof SocketEnd) return this.#externalOfSocket(value.handOver());
    if (value instanceof Inlet) return this.#externalOfSocket(value);
    const stream = this.#streams.sourceOrSink(value);
    if (stream !== undefined) {
      return this.#exportFor(stream.readable ? EXTERNAL_READABLE : EXTERNAL_WRITABLE,
                             { root: { value: stream.target, instance: true, entrypoint: false }, dispose: () => stream.target.dropped() });
    }
    if (typeof value === "function" || isCallableInstance(value)) {
      const target = duplicated(value);
      return this.#exportFor(EXTERNAL_STUB, { root: rootOf(target), dispose: disposerOf(target) });
    }
    return undefined;
  }

  // One that came from elsewhere is passed on as it is.
  #externalOfSocket(socket: CapabilityState | Inlet): External {
    if (socket instanceof Inlet) {
      return this.#exportFor(EXTERNAL_SOCKET, { root: { value: socket, instance: true, entrypoint: false }, dispose: () => socket.dropped() });
    }
    socket.check();
    push(this.#handedOver!.stubs, socket);
    return { kind: EXTERNAL_SOCKET, id: socket.import.id, imported: true };
  }

  // Of what is handed over with a worker's code but not to the worker: its tails, who hear of it when it is gone.
  externalsOfTails(tails: readonly object[]): External[] {
    const scope = this.#scope;
    this.#scope = undefined;
    try {
      const externals: External[] = [];
      for (let i = 0; i < tails.length; i++) push(externals, this.externalOf(tails[i]!)!);
      return externals;
    } finally {
      this.#scope = scope;
    }
  }

  #exportFor(kind: ExternalKind, entry: NewExport): External {
    const id = this.exportEntry(entry, true);
    push(this.#handedOver!.exports, id);
    return { kind, id, imported: false };
  }

  // While something is written.
  exportFactory(factory: CodeFactory): Exported {
    const id = this.exportEntry({ factory });
    push(this.#handedOver!.exports, id);
    return id;
  }

  exportEntry(entry: NewExport, mayRetain = false): Exported {
    const id = this.#nextExport++;
    const owner = entry.entrypoint === undefined ? (entry.owner ?? this.host.owner()) : 0;
    const retains = mayRetain && owner !== 0;
    this.#exports.set(id, {
      root: entry.root ?? NOTHING, owner, scope: entry.scope ?? this.#scope, retains, dispose: entry.dispose, entrypoint: entry.entrypoint, factory: entry.factory,
    });
    count(this.#exportsOf, owner, 1);
    if (retains) this.#retain(owner);
    return id;
  }

  // Never left this process.
  #takeBack(id: Exported): void {
    const entry = this.#exports.get(id);
    if (entry === undefined) return;
    this.#forgetExport(id, entry);
    if (entry.retains) this.#release(entry.owner);
  }

  #retain(owner: number): void {
    this.#retaining++;
    this.host.retain(owner);
  }

  #release(owner: number): void {
    this.#retaining--;
    this.host.release(owner);
  }

  // -- Reading values ------------------------------------------------------------------------------------------------------------

  fromExternal(kind: ExternalKind, id: Imported): object {
    const imported = this.hold(id, this.#scope);
    switch (kind) {
      case EXTERNAL_STUB:
      case EXTERNAL_SERVICE: {
        const state = new CapabilityState(kind === EXTERNAL_STUB ? "RpcStub" : "ServiceStub", imported);
        if (!imported.permanent) push(this.#received, state);
        return state.proxy;
      }
      case EXTERNAL_READABLE: return this.#streams.readable(imported);
      case EXTERNAL_WRITABLE: return this.#streams.writable(imported);
      case EXTERNAL_LOADER: return new WorkerLoader(imported);
      case EXTERNAL_SOCKET: return receivedSocket(imported);
      default: throw new PlainError("Malformed value: a capability of no known kind.");
    }
  }

  // `ownedBy`: an invocation other than the one that is running, or 0.
  hold(id: Imported, scope: Scope | undefined, ownedBy?: number): Import {
    const permanent = ownedBy === undefined && this.host.isPermanent();
    const owner = ownedBy ?? (permanent ? 0 : this.host.owner());
    const imported = new Import(this, id, owner, permanent, scope);
    if (owner !== 0) {
      let owned = this.#owned.get(owner);
      if (owned === undefined) this.#owned.set(owner, owned = new Table());
      owned.set(id, imported);
    }
    return imported;
  }

  takeReceived(): CapabilityState[] {
    const received = this.#received;
    this.#received = [];
    return received;
  }

  // What is read while `read` runs belongs to `scope`.
  reading<T>(scope: Scope | undefined, read: () => T): T {
    const outer = this.#scope;
    this.#scope = scope;
    try {
      return read();
    } finally {
      this.#scope = outer;
    }
  }

  scopeOfCall(number: CallNumber): Scope | undefined { return this.#calls.get(number)?.scope; }
  ownerOfCall(number: CallNumber): number { return this.#calls.get(number)?.owner ?? 0; }
  scopeOfExport(id: Exported): Scope | undefined { return this.#exports.get(id)?.scope; }
  ownerOfExport(id: Exported): number { return this.#exports.get(id)?.owner ?? 0; }

  // -- Being called --------------------------------------------------------------------------------------------------------------

  async deliver(call: CallNumber, target: Exported, path: string[], args: unknown[] | undefined): Promise<void> {
    const params = this.takeReceived();
    const entry = this.#exports.get(target);
    if (entry === undefined || entry.scope?.revoked) {
      disposeAll(params);
      const gone = entry === undefined ? new PlainError("The execution context which hosts this callback is no longer running.") : this.#revoked();
      this.wire.settle(call, false, gone, 0, false);
      return;
    }
    if (entry.factory !== undefined) return giveCode(this, call, entry.factory, entry.scope);
    if (entry.entrypoint !== undefined) return this.host.callEntrypoint(call, entry.entrypoint, path, args, params, this, entry.scope);
    await this.run(call, entry.owner, entry.scope, params, () => this.reach(find(entry.root, path), args));
  }

  // Calls what was found, here or, where a stub stood on the way, there.
  reach(found: Found, args: unknown[] | undefined): unknown {
    if (!("stub" in found)) return use(found, args);
    return promiseOf((found.stub as CapabilityState).ask(found.path, args));
  }

  // A call on an entrypoint: a request to its handler, a connection to the other one, or a method.
  enter(root: Root, path: string[], args: unknown[] | undefined): unknown {
    if (isConnect(path, args)) return serveConnect(root, args, this.host.streams, (handler) => this.#retainWhile(handler));
    return isFetch(path, args) ? serveFetch(root, args, this.host.http) : this.reach(find(root, path), args);
  }

  #retainWhile(handler: Promise<unknown>): void {
    const owner = this.host.owner();
    if (owner !== 0) this.#retain(owner);
    const over = () => { if (owner !== 0) this.#release(owner); };
    promiseThen(handler, over, (error: unknown) => {
      this.host.report(error);
      over();
    });
  }

  // Runs a call's code and answers it; afterwards its parameters are disposed of.
  async run(call: CallNumber, owner: number, scope: Scope | undefined, params: CapabilityState[], body: () => unknown): Promise<void> {
    let ok = true;
    let value: unknown;
    try {
      value = await body();
    } catch (error) {
      ok = false;
      value = error;
    }
    if (ok && scope?.revoked) {
      ok = false;
      value = this.#revoked();
    }
    this.settle(call, owner, scope, ok, value);
    disposeAll(params);
  }

  settle(call: CallNumber, owner: number, scope: Scope | undefined, ok: boolean, value: unknown): void {
    if (this.#lost !== undefined) return;
    let pipeline = 0;
    let disposable = false;
    if (ok && ((typeof value === "object" && value !== null) || typeof value === "function")) {
      const state = stubOf(value);
      let dispose: (() => void) | undefined;
      if (state instanceof CapabilityState) {
        // The result's stub is given away; what is pipelined on goes through one of its own.
        if (!state.disposed) {
          const kept = new CapabilityState(state.kind, state.import.retain());
          this.keep(kept.proxy);   // reachable or not, it lives as long as the export
          dispose = () => kept.dispose();
          pipeline = this.exportEntry({ root: { value: kept.proxy, instance: false, entrypoint: false, result: true }, owner, scope, dispose });
        }
      } else {
        if (typeof value === "object" && !isCallableInstance(value)) dispose = disposerOf(value as object);
        disposable = dispose !== undefined;
        pipeline = this.exportEntry({ root: { value, instance: false, entrypoint: false, result: true }, owner, scope, dispose });
      }
    }
    try {
      this.#writing(scope, () => {
        if (!this.wire.settle(call, ok, ok ? value : asThrowable(value), pipeline, disposable)) {
          this.released(pipeline);
          return;
        }
        // As long as the caller holds something of the result, its invocation goes on.
        const entry = pipeline === 0 ? undefined : this.#exports.get(pipeline);
        if (entry === undefined || entry.owner === 0) return;
        if (disposable || this.#handedOver!.exports.length > 0 || this.#handedOver!.stubs.length > 0) {
          entry.retains = true;
          this.#retain(entry.owner);
        } else {
          count(this.#exportsOf, entry.owner, -1);
          count(this.#exportsOf, 0, 1);
          entry.owner = 0;   // plain data needs no invocation
        }
      }, ok);
    } catch (error) {
      if (pipeline !== 0) this.#takeBack(pipeline);
      this.#settleFailed(call, error);
    }
  }

  // There is no code.
  refuse(call: CallNumber, words: string): void {
    if (this.#lost === undefined) this.wire.settle(call, false, new PlainError(words), 0, false);
  }

  // The value could not be sent: what is said instead.
  #settleFailed(call: CallNumber, problem: unknown): void {
    try {
      this.#writing(undefined, () => this.wire.settle(call, false, asThrowable(problem), 0, false), false);
    } catch {
      this.wire.settle(call, false, new PlainError(textOf(problem)), 0, false);
    }
  }

  released(id: Exported): void {
    const entry = this.#exports.get(id);
    if (entry === undefined) return;
    this.#forgetExport(id, entry);
    if (entry.dispose !== undefined) {
      try {
        entry.dispose();
      } catch (error) {
        this.host.report(error);
      }
    }
    if (entry.retains) this.#release(entry.owner);
  }

  // A stub for an object of our own, through Cap'n Proto all the same: what is true of other stubs is true of it.
  localStub(value: object): object {
    const target = isCallableInstance(value) || typeof value === "function" ? duplicated(value) : value;
    const id = this.exportEntry({ root: rootOf(target), dispose: disposerOf(target) });
    return new CapabilityState("RpcStub", this.hold(this.wire.loopback(id), this.#scope)).proxy;
  }

  localService(entrypoint: unknown): object {
    const id = this.exportEntry({ entrypoint });
    return new CapabilityState("ServiceStub", this.hold(this.wire.loopback(id), undefined)).proxy;
  }
}

// ----------------------------------------------------------------------------------------------------------------------------

// They are told at once; this is for those that are on their way.
const FAILURES_MAX = 100;

const NOTHING: Root = { value: undefined, instance: false, entrypoint: false };

function rootOf(target: object): Root {
  return { value: target, instance: typeof target !== "function" && isCallableInstance(target), entrypoint: false };
}

function disposerOf(target: object): (() => void) | undefined {
  const dispose = (target as { [symbolDispose]?: unknown })[symbolDispose];
  return typeof dispose === "function" ? () => { apply(dispose as Callable, target, []); } : undefined;
}

// An object may bring its own way of being duplicated for each stub of it.
function duplicated(target: object): object {
  const isTarget = inherits(target, RpcTarget);
  if (!isTarget && typeof target !== "function") return target;
  const { dup } = target as { dup?: unknown };
  if (typeof dup !== "function") return target;
  const copy = apply(dup as Callable, target, []);
  if (isTarget ? !inherits(copy, RpcTarget) : typeof copy !== "function") {
    throw new TypeError(isTarget
      ? "Couldn't create a stub for the RcpTarget because it has a dup() method which did not return another RpcTarget. Either remove the dup() method or make sure it returns an RpcTarget."
      : "Couldn't create a stub for the function because it has a dup() method which did not return another function. Either remove the dup() method or make sure it returns a function.");
  }
  return copy as object;
}

// Entries of zero are none, so that the table does not grow.
function count(table: Table<number>, owner: number, change: 1 | -1): void {
  const now = (table.get(owner) ?? 0) + change;
  if (now === 0) table.delete(owner);
  else table.set(owner, now);
}

export function disposeAll(states: CapabilityState[]): void {
  for (let i = 0; i < states.length; i++) states[i]!.dispose();
}

export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value that cannot be shown";
  }
}

// What can be thrown but not cloned, or says nothing when it arrives, is told as text.
function asThrowable(value: unknown): unknown {
  return value === undefined || typeof value === "function" || typeof value === "symbol" ? new PlainError(textOf(value)) : value;
}

// What somebody else threw: always an object, and marked.
function asRemote(value: unknown): unknown {
  const object = Object(value) as object;
  try {
    defineProperty(object, "remote", { value: true, enumerable: true, configurable: true, writable: true });
  } catch {
    // a frozen one stays as it is
  }
  return object;
}

