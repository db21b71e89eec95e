// The package `glovebox`: workers on this machine from a Node.js program, with Cloudflare's Worker Loader API.
//
// Written by hand; client/test/types-test.ts holds it to @cloudflare/workers-types. The brands have the names that they have
// there, so that classes of either package are recognised by both. Unless something else is said, an option that is
// undefined is as good as absent, and null is refused with a TypeError.

/// <reference lib="esnext.disposable" />

// -- Connecting ----------------------------------------------------------------------------------------------------------------

/**
 * A connection to a supervisor, by default one of this program's own in a child process: limits hold, and what workers send is
 * parsed outside of this program, also while its own loop is busy. An idle connection does not keep a program from ending.
 *
 * Rejects with a TypeError for wrong options, and with a {@link GloveboxError} whose code is `"unavailable"` if there is no
 * supervisor, or it cannot start: because a layer of the jail is missing on this machine, for example.
 */
export function connect(options?: ConnectOptions): Promise<Glovebox>;

export interface ConnectOptions {
  /**
   * The Unix socket of a running `glovebox serve`.
   * Absent: a supervisor of one's own. Given: no other option but `console` may be.
   */
  socket?: string | undefined;
  /**
   * Where a supervisor of one's own runs.
   * Absent or false: in a child process, one for each connection.
   * True: in this process, on this thread's own loop. A tool call takes about half the time. For it, what workers send is parsed
   * here, and while JavaScript keeps the loop busy no limit is enforced; what is over its limit is stopped when the loop is free
   * again. Connections of one thread with equal `supervisor` options share one supervisor, others have one each. With the last
   * of them, or with the thread, its workers are killed and reaped.
   */
  inProcess?: boolean | undefined;
  /** How a supervisor of one's own is to be. Absent: as `glovebox serve` is by default. */
  supervisor?: SupervisorOptions | undefined;
  /** What workers may reach on the internet, where `globalOutbound` is left out. Absent: nothing. Not with `socket` or `inProcess`. */
  egress?: EgressOptions | undefined;
  /**
   * What workers log.
   * Absent: standard error, a line each, without control characters.
   * `"ignore"`: nothing, and it is not even sent. A function: gets each message.
   */
  console?: "ignore" | ((message: LogMessage) => void) | undefined;
}

/** What is not allowed here is refused. */
export interface EgressOptions {
  /**
   * `"api.example.com"` (https), `"*.example.com"` for all below it, `"http://intranet.example:8080"`, `"example.com:*"`. Without `methods`: all of
   * fetch(). `connect()` of `cloudflare:sockets` takes an origin with the method `"CONNECT"`.
   */
  allow: (string | { origin: string; methods?: string[] | undefined })[];
  /** Addresses that may be connected to although they are not of the public internet: `"10.1.0.0/16"`, `"127.0.0.1"`. Absent: none. */
  allowPrivate?: string[] | undefined;
  /** A worker writes `{{secret:NAME}}` into a header; the value is put in for these hosts, over TLS unless `plain` is true. Absent: none. */
  secrets?: Record<string, { value: string; hosts: string[]; plain?: boolean | undefined }> | undefined;
  /** `"127.0.0.1:53"`. Absent: the machine's. */
  nameservers?: string[] | undefined;
  /** A file of certificates in PEM that are trusted besides the machine's. Absent: none. */
  caFile?: string | undefined;
}

/** The flags of `glovebox serve`, which are explained by `glovebox serve --help` and `glovebox policy`. */
export interface SupervisorOptions {
  /** Absent: `"default"`, with JIT and WebAssembly. `"no-wasm"`: no WebAssembly. `"jitless"`: neither. */
  profile?: "default" | "no-wasm" | "jitless" | undefined;
  /** Warm workers kept ready. Absent: suited to the machine. */
  poolSize?: number | undefined;
  /** Layers of the jail without which to go on, less safely, if this machine lacks them. Absent: none, so the start fails. */
  allowMissing?: string[] | undefined;
  /** Workers alive at once; further loads are refused. Absent: 2,000. */
  workersMax?: number | undefined;
  /**
   * What may be kept of compiled modules, in MiB, so that loading the same modules again is quicker. Absent: 64. 0: nothing is kept.
   */
  codeCacheMbMax?: number | undefined;
  /** How long a named worker stays warm without a call, in milliseconds, unless it asks for less. Absent: 600,000. */
  namedIdleMsMax?: number | undefined;
  /**
   * Memory of all named workers together, in MiB, the pages that they share with others aside. Beyond it those least recently used
   * are evicted, unless a call is under way in them. Absent: a quarter of the machine's.
   */
  namedMemoryMbMax?: number | undefined;
  /** The policy: of each limit the most that a load may ask for, and what it gets if it asks for nothing. */
  limits?: WorkerLimits | undefined;
}

/** What a worker gave to `console`. */
export interface LogMessage {
  level: "debug" | "info" | "log" | "warn" | "error";
  /** By the worker's clock. */
  time: Date;
  /** Formatted as `console.log` does. Written by the worker: it may contain anything, control characters included. */
  text: string;
}

export class Glovebox implements AsyncDisposable {
  private constructor();
  readonly loader: WorkerLoader;
  /**
   * One more loader. Its names (`get()`) are its own, and none of its workers gets more than `limits`, which are lowered to the supervisor's
   * policy themselves.
   */
  createLoader(options?: { limits?: WorkerLimits | undefined }): WorkerLoader;
  /** Fulfilled when the line is gone: with nothing after `close()`, with the reason otherwise. */
  readonly closed: Promise<GloveboxError | undefined>;
  /** The layers in force, the pool, the live workers and what they hold, how calls ended. */
  status(): Promise<Record<string, any>>;
  /** Ends every worker that was loaded over this connection; calls under way fail with the code `"disconnected"`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** What is open now: for those who look for a leak. */
  counts(): { calls: number; exports: number };
}

// -- What goes wrong -------------------------------------------------------------------------------------------------------------

/**
 * How a call ended, if not by its code: that list is `Ending.Code` in ipc/call.capnp. And how a connection did.
 */
export type GloveboxErrorCode =
  /** The worker died by a signal of its own making. */
  | "crashed"
  /** The policy killed it: a forbidden system call. */
  | "killed"
  | "exceededCpu"
  | "exceededWallTime"
  | "exceededMemory"
  | "exceededResultSize"
  /** The worker broke the rules of the wire, which no JavaScript can do. */
  | "protocolViolation"
  /** The worker's process was gone. */
  | "exited"
  /** The worker was disposed of. */
  | "revoked"
  /** The supervisor could not provide a worker. */
  | "startFailed"
  | "terminated"
  /** Nothing was left that could have settled the call. */
  | "hung"
  | "exceededLogs"
  /** Too many calls under way, or too many workers. */
  | "overloaded"
  /** The worker made more calls to others, during this call, than it may. */
  | "exceededSubrequests"
  /** The worker was ended between calls: for its idle time, its age, or for want of memory. */
  | "evicted"
  /** Its own code ended the worker, or `abort()` did. */
  | "aborted"
  /** There is nobody to ask any more: the connection is closed or lost. */
  | "disconnected"
  /** There never was: `connect()` failed. */
  | "unavailable";

/** Anything that is not an error of the code at the other end. That one arrives as what was thrown, with `remote: true`. */
export class GloveboxError extends Error {
  private constructor();
  readonly code: GloveboxErrorCode;
}

// -- Accounts ----------------------------------------------------------------------------------------------------------------------

/**
 * Calls `method` (`agent.method`, or a stub that is a function) and gives, whatever comes of the call, its outcome and the
 * supervisor's account of it. Rejects with a TypeError if `method` is nothing of the kind, and for nothing else. Not part of
 * Cloudflare's API.
 */
export function run<F extends (...args: any) => any>(
  method: F, ...args: IsAny<F> extends true ? any[] : Parameters<F>
): Promise<RunResult<IsAny<F> extends true ? any : Awaited<ReturnType<F>>>>;

export type RunResult<T = any> =
  | { outcome: "ok"; value: T; error?: undefined; account: Account | undefined }
  | { outcome: Exclude<RunOutcome, "ok">; value?: undefined; error: unknown; account: Account | undefined };

/** `"exception"`: the code threw. */
export type RunOutcome = "ok" | "exception" | GloveboxErrorCode;

/**
 * What a call took and did, by the books of the supervisor and the kernel. A worker has one thread: where calls of one worker
 * overlap, each is charged what any of them used meanwhile. Undefined where no supervisor heard of the call (arguments that
 * cannot be sent, a connection that is lost, a stub of an object of this program's own).
 */
export interface Account {
  outcome: RunOutcome;
  startTime: Date;
  /** From the call's arrival at the supervisor to its end. */
  wallMs: number;
  /** CPU time of the worker's process. A call that comes before the modules are evaluated is charged their evaluation. */
  cpuMs: number;
  /** The most that the process has had resident in its life so far, what it shares with others included. */
  peakMemoryBytes: number;
  /** Calls of the worker to others, but for the reads and writes of streams. */
  subRequests: number;
  /** Of the arguments. */
  bytesIn: number;
  /** Of the result. */
  bytesOut: number;
  /** What the worker used of what it was handed, by name. An empty label: all others of that kind together. */
  capabilities: CapabilityUse[];
  /** In order, at most 48 KiB. */
  logs: LogMessage[];
  /** What the code threw and did not catch, as the worker words it; at most 16 KiB. */
  exceptions: UncaughtException[];
  /** Logs or exceptions are missing for lack of room. */
  truncated: boolean;
}

export interface CapabilityUse {
  label: string;
  /** `"none"`: the bytes of large values. */
  kind: "stub" | "service" | "readable" | "writable" | "loader" | "socket" | "none";
  calls: number;
  /** From the worker. */
  bytesOut: number;
  /** To it. */
  bytesIn: number;
}

export interface UncaughtException {
  time: Date;
  /** Empty: it was no Error, and `message` is its text or class. */
  name: string;
  message: string;
  stack: string;
}

// -- Worker Loader ---------------------------------------------------------------------------------------------------------------

/** May itself be handed to a worker, in `env`, `props` or an argument: what that one loads lives under its limits and ends with it. */
export class WorkerLoader {
  private constructor();
  /** A fresh worker. Throws at once if `code` is malformed; what is wrong with the modules is told by each call. */
  load(code: WorkerCode): WorkerStub;
  /**
   * The worker of that name, which stays warm: there is one for each loader and name until `delete()`. It is made when there is none:
   * at first, and again when it has died, failed to start, was aborted, or was evicted between calls (`SupervisorOptions.namedIdleMsMax`,
   * `namedMemoryMbMax`, `workersMax`). Stubs and entrypoints outlive that, and their next call has it made again; what came out of a
   * call does not, and keeps the worker from being evicted. A call under way when the worker dies fails, and is not repeated.
   * Without a name (null or undefined): a fresh one, as from `load()`.
   *
   * `getCode` is called when there is none, once however many ask, and not before this returns. The stub may be used at once, and calls
   * wait for the code. If `getCode` fails, each of them fails with its error, and the next call or `get()` asks again. The latest
   * `getCode` given is the one that is asked.
   */
  get(name: string | null | undefined, getCode: () => WorkerCode | PromiseLike<WorkerCode>): WorkerStub;
  /**
   * Ends the worker of that name, for everybody, and forgets the name: calls under way and later ones on stubs of it fail with
   * `"revoked"`. False: there is none. Not part of Cloudflare's API.
   */
  delete(name: string): Promise<boolean>;
  /**
   * Ends the worker of that name now: calls under way fail with `"aborted"`, and the next one has it made again. False: there is none.
   * Not part of Cloudflare's API.
   */
  abort(name: string): Promise<boolean>;
  /** The names that live or are held, latest use first. Not part of Cloudflare's API. */
  list(): Promise<NamedWorker[]>;
}

export interface NamedWorker {
  name: string;
  /** It has a process now. */
  live: boolean;
  callsInFlight: number;
  /** Of its process alone, when that was last looked at. */
  memoryBytes: number;
  /** Since its last call. */
  idleMs: number;
}

export class WorkerStub implements Disposable, AsyncDisposable {
  private constructor();
  /**
   * What the worker exports: a class that extends WorkerEntrypoint, or an object of handlers `(arg, env, ctx)`. Absent, null and
   * `"default"`: the default export. Whether there is such an export is told by each call.
   *
   * As `getEntrypoint<typeof Agent>()` its methods have types; without, anything goes. (That it is `any` then makes
   * this Cloudflare's WorkerStub, too: to compare an Entrypoint with their Fetcher is more than the compiler can do.)
   */
  getEntrypoint<T = unknown>(name?: string | null, options?: EntrypointCallOptions): unknown extends T ? any : Entrypoint<T>;
  /** Throws: this version has no durable objects. */
  getDurableObjectClass(name?: string, options?: EntrypointCallOptions): never;
  /**
   * Ends the worker: calls under way fail, and what it was given can be used by it no more. If it has a name, only the stub ends:
   * others may use the worker.
   */
  [Symbol.dispose](): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface EntrypointCallOptions {
  /** `this.ctx.props` of the entrypoint: data and capabilities. Absent: `{}`. */
  props?: any;
  /** Limits of each call on it. Absent, or a field absent: the worker's. The lower one counts. */
  limits?: CallLimits | undefined;
}

/** Cloudflare's WorkerLoaderWorkerCode, which is as good. */
export interface WorkerCode {
  /** YYYY-MM-DD. */
  compatibilityDate: string;
  /** Absent: none. */
  compatibilityFlags?: string[] | undefined;
  /** A key of `modules`. */
  mainModule: string;
  /** By name. A string is an ES module whose name ends with `.js`; an object says its type and may have any name. */
  modules: Record<string, string | WorkerModule>;
  /**
   * True: modules given as strings may have names that end with `.ts`, `.mts`, `.tsx` or `.jsx`, and imports in them may leave the
   * ending away. Types are stripped, not checked, in a worker of this loader's; what is wrong with them is told by each call, as a
   * SyntaxError. The rest, `env` too, is read when that has been done. Absent or false: such names are refused, as Cloudflare does.
   * Not part of Cloudflare's API.
   */
  typescript?: boolean | undefined;
  /** What the worker can reach: data, entrypoints, RpcTargets, functions, stubs, loaders. Absent: `{}`. Null is refused. */
  env?: any;
  /** The worker's limits, bounded by the supervisor's. Absent, or a field absent: the supervisor's. */
  limits?: WorkerLimits | undefined;
  /**
   * Entrypoints that are told of each call on the worker when that has ended: `tail(events)`. Of this program (`entrypoint()`) or
   * of other workers. At most 8. Absent: none.
   */
  tails?: object[] | undefined;
  /**
   * An entrypoint that answers the worker's global `fetch()`: of this program (`entrypoint()`) or of another worker. Null: none, `fetch()` is
   * refused. Absent: as null; for what a worker loads, that worker's own.
   */
  globalOutbound?: object | null | undefined;
}

/** Exactly one of these. */
export interface WorkerModule {
  js?: string;
  cjs?: string;
  text?: string;
  data?: ArrayBuffer | ArrayBufferView;
  json?: any;
  /** The bytes. A compiled `WebAssembly.Module` is a type of Cloudflare's, and refused by this version. */
  wasm?: ArrayBuffer | ArrayBufferView | object;
}

export interface CallLimits {
  /**
   * CPU time of one call, in milliseconds. It is the worker's process's, by the kernel's account, from the call's beginning to its end: calls that
   * overlap in one worker are each charged what any of them uses. Policy: 30,000.
   */
  cpuMs?: number | undefined;
  /** Time of one call by the clock, in milliseconds. Policy: 60,000. */
  wallMs?: number | undefined;
  /**
   * Calls of the worker to others (tools, other workers, loads) during one call on it; a stream counts once. Calls that overlap are each charged all.
   * Policy: 10,000.
   */
  subRequests?: number | undefined;
}

/** Of each the lower of what was asked for and the policy counts; absent asks for the policy's. */
export interface WorkerLimits extends CallLimits {
  /** JavaScript heap, ArrayBuffers and WebAssembly memory of the worker together, in MiB. Policy: 128. */
  memoryMb?: number | undefined;
  /** Of that for the JavaScript heap alone, in MiB. Policy: all. */
  heapMb?: number | undefined;
  /** CPU time for the evaluation of its modules, in milliseconds; `cpuMs` if that is less. Policy: 1,000. */
  startupCpuMs?: number | undefined;
  /** Calls from outside under way at once; further ones fail with `"overloaded"`. Policy: 1,000, which is the most. */
  callsInFlight?: number | undefined;
  /** Capabilities that it holds at once; and of it, that others hold. Policy: 4,096, which is the most. */
  capabilities?: number | undefined;
  /** Timers set at once. Policy: 10,000. */
  timers?: number | undefined;
  /** Bytes of logs in its life; what is beyond is dropped, and said once. Policy: 1 MiB. */
  logBytes?: number | undefined;
  /** Bytes of one result or error. Policy: 32 MiB, which is the most. */
  resultBytes?: number | undefined;
  /** Time without a call under way, in milliseconds; then it is evicted. Policy: without end. */
  idleMs?: number | undefined;
  /** Age, in milliseconds; then it takes no call any more, and is evicted when none is under way. Policy: without end. */
  lifetimeMs?: number | undefined;
}

// -- Entrypoints and targets -------------------------------------------------------------------------------------------------------

/**
 * A class whose instances are handed over by reference: whoever receives one gets a stub, and calls its methods through that.
 * Methods and getters of its prototype can be reached, its own fields and what is private (`#`) cannot.
 */
export abstract class RpcTarget {
  readonly __RPC_TARGET_BRAND: never;
}

/**
 * A class of which each call makes an instance. In a program: hand it over as `entrypoint(Class, { props, env })`. In a worker:
 * export it.
 */
export abstract class WorkerEntrypoint<Env = Record<string, unknown>, Props = {}> {
  readonly __WORKER_ENTRYPOINT_BRAND: never;
  protected ctx: ExecutionContext<Props>;
  protected env: Env;
  constructor(ctx: ExecutionContext<Props>, env: Env);
}

export interface ExecutionContext<Props = {}> {
  readonly props: Props;
  readonly exports: Record<string, any>;
  waitUntil(promise: PromiseLike<unknown>): void;
  passThroughOnException(): void;
  abort(reason?: unknown): never;
}

/** For packages that import it: this version has no durable objects. */
export abstract class DurableObject<Env = Record<string, unknown>> {
  readonly __DURABLE_OBJECT_BRAND: never;
  protected ctx: unknown;
  protected env: Env;
  constructor(ctx: unknown, env: Env);
}

/** For packages that import it: this version has no workflows. */
export abstract class WorkflowEntrypoint<Env = Record<string, unknown>> {
  readonly __WORKFLOW_ENTRYPOINT_BRAND: never;
  protected ctx: unknown;
  protected env: Env;
  constructor(ctx: unknown, env: Env);
}

/**
 * What stands for an entrypoint of this program in a value that is handed over: what `ctx.exports.X({ props })` is in a worker.
 * `target` is a class that extends WorkerEntrypoint, or an object of handlers `(arg, env, ctx)`.
 */
export function entrypoint<T extends object>(target: T, options?: EntrypointOptions<T>): EntrypointReference<T>;

export interface EntrypointOptions<T = unknown> {
  /** `this.ctx.props`. It stays in this program. Absent: `{}`. */
  props?: T extends abstract new (ctx: ExecutionContext<infer Props>, env: any) => unknown ? Props : unknown;
  /** `this.env`. It stays in this program. Absent: `{}`. */
  env?: T extends abstract new (ctx: any, env: infer Env) => unknown ? Env : unknown;
}

/** It has no methods here. Whoever receives it has them, as an {@link Entrypoint}. */
export interface EntrypointReference<T = unknown> {
  readonly __ENTRYPOINT_REFERENCE: T;
}

// -- Stubs -------------------------------------------------------------------------------------------------------------------------

/**
 * An entrypoint of somebody else. `T` is the class (`typeof Agent`), its instances' type (`Agent`), or the type of an object of
 * handlers, which are called with one argument each. Without it, methods are `any`.
 */
export type Entrypoint<T = unknown> = ServiceStub & (
  unknown extends T ? Untyped
  : T extends undefined ? Untyped
  : T extends abstract new (...args: any) => infer Instance ? Provider<Instance, ReservedOnEntrypoints>
  : T extends { readonly __WORKER_ENTRYPOINT_BRAND: any } ? Provider<T, ReservedOnEntrypoints>
  : Handlers<T>);

/** Of whatever types the program has for the platform. */
type PlatformResponse = typeof globalThis extends { Response: { prototype: infer R } } ? R & (R extends { webSocket: any } ? unknown : WithSocket) : any;

/** The answer to `fetch(url, { headers: { Upgrade: "websocket" } })`, where that was a WebSocket: its status is 101 then. */
interface WithSocket { readonly webSocket?: WebSocket }

/** One end of a WebSocket, as workers have them. It is to be accepted before anything else. */
export interface WebSocket {
  accept(): void;
  send(message: string | ArrayBuffer | ArrayBufferView): void;
  close(code?: number, reason?: string): void;
  readonly readyState: number;
  /** What was sent and is not on its way yet. */
  readonly bufferedAmount: number;
  addEventListener(type: "message", listener: (event: { readonly data: string | ArrayBuffer }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string; readonly wasClean: boolean }) => void): void;
  addEventListener(type: "error", listener: (event: { readonly message: string; readonly error: unknown }) => void): void;
  removeEventListener(type: string, listener: (event: any) => void): void;
}

export interface ServiceStub extends Disposable {
  dup(): this;
  /** The entrypoint's `fetch` handler, with what the global `fetch()` takes. Redirects are followed to the same entrypoint. */
  fetch(input: any, init?: any): Promise<PlatformResponse>;
  /** A connection to the entrypoint's `connect` handler: a Socket as in `cloudflare:sockets`, without startTls(). `any`: where that is declared it has its own type. */
  connect(address: any, options?: any): any;
}
export const ServiceStub: abstract new () => ServiceStub;

/** What stands for an RpcTarget or a function of somebody else. It is let go by disposal or garbage collection. */
export type RpcStub<T = unknown> = (unknown extends T ? Untyped : Provider<T>) & StubBase<T>;
/** `new RpcStub(target)`: a stub for an object of one's own, as others have them. */
export const RpcStub: { new <T extends object>(value: T): RpcStub<T> };

/**
 * What a call returns at once. Calls and reads on it are sent without waiting (they are pipelined); to `await` it gives the result.
 */
export type RpcPromise<T = unknown> = Promise<T> & Disposable;
export const RpcPromise: abstract new () => RpcPromise;

/** What a property of a stub is: to `await` it reads it. */
export type RpcProperty<T = unknown> = Promise<T>;
export const RpcProperty: abstract new () => RpcProperty;

interface StubBase<T> extends Disposable {
  readonly __RPC_STUB_BRAND: T;
  dup(): this;
}

interface Untyped { readonly [name: string]: any }

type AnyFunction = (...args: any[]) => any;
type Branded = { readonly __RPC_TARGET_BRAND: any } | { readonly __WORKER_ENTRYPOINT_BRAND: any } | { readonly __DURABLE_OBJECT_BRAND: any };
/** What is handed over by reference. */
export type Stubable = Branded | AnyFunction;

type IsAny<T> = 0 extends 1 & T ? true : false;
type Brands = "__RPC_TARGET_BRAND" | "__WORKER_ENTRYPOINT_BRAND" | "__DURABLE_OBJECT_BRAND" | "__WORKFLOW_ENTRYPOINT_BRAND" | "__RPC_STUB_BRAND";
type ReservedOnEntrypoints = "fetch" | "connect" | "alarm" | "webSocketMessage" | "webSocketClose" | "webSocketError";

/** The methods and properties of `T`, from afar. */
export type Provider<T, Reserved extends string = never> = (T extends AnyFunction ? Method<T> : unknown) & {
  readonly [K in keyof T as Exclude<K, symbol | "dup" | Brands | Reserved>]-?: Member<NonNullable<T[K]>>;
};

/** Handlers that are no part of a class get `env` and `ctx` from the worker; the caller gives exactly one argument. */
export type Handlers<T> = {
  readonly [K in keyof T as Exclude<K, symbol | ReservedOnEntrypoints>]-?:
    NonNullable<T[K]> extends (arg: infer Arg, ...rest: any[]) => infer R ? (arg: Argument<Arg>) => Result<Awaited<R>> : Member<NonNullable<T[K]>>;
};

type Member<V> = IsAny<V> extends true ? any : V extends AnyFunction ? Method<V> : Result<Awaited<V>>;
type Method<F extends AnyFunction> = F extends (...args: infer P) => infer R ? (...args: Arguments<P>) => Result<Awaited<R>> : never;

/**
 * What a call or read gives: a promise, with what the result has beside it. Whether the result can be cloned is not looked at: a
 * type that cannot would only turn into a `never` that explains nothing.
 */
export type Result<R> =
  IsAny<R> extends true ? any
  : [R] extends [never] ? RpcPromise<never>
  : [R] extends [StubBase<infer T>] ? RpcPromise<R> & Provider<T>
  : [R] extends [Stubable] ? RpcPromise<RpcStub<R>> & Provider<R>
  : RpcPromise<Received<R> & (R extends object ? Disposable : unknown)> & (R extends object ? PropertiesOf<R> : unknown);

type PropertiesOf<T> = T extends Cloned | readonly any[] ? unknown : Provider<T>;

// Objects that are cloned whole. Streams by what they can do, because their names are not everywhere.
type Cloned = Date | RegExp | Error | ArrayBuffer | ArrayBufferView | ReadonlyMap<any, any> | ReadonlySet<any>
  | { getReader(...args: any): any } | { getWriter(...args: any): any };

/** A value at the other end: what is handed over by reference is a stub there. */
export type Received<T> =
  IsAny<T> extends true ? any
  : T extends StubBase<any> ? T
  : T extends EntrypointReference<infer E> ? Entrypoint<E>
  : T extends Stubable ? RpcStub<T>
  : T extends Map<infer K, infer V> ? Map<Received<K>, Received<V>>
  : T extends Set<infer V> ? Set<Received<V>>
  : T extends ReadonlyMap<infer K, infer V> ? ReadonlyMap<Received<K>, Received<V>>
  : T extends ReadonlySet<infer V> ? ReadonlySet<Received<V>>
  : T extends Cloned ? T
  : T extends object ? { [K in keyof T]: Received<T[K]> }
  : T;

// What may be given where a method takes `T`: instead of a stub, what it would be a stub of.
type Argument<T> =
  IsAny<T> extends true ? any
  : T extends StubBase<infer V> ? (V extends AnyFunction ? V : V | T)
  : T extends Stubable | Cloned ? T
  : T extends object ? { [K in keyof T]: Argument<T[K]> }
  : T;
type Arguments<P extends unknown[]> = { [I in keyof P]: Argument<P[I]> };
