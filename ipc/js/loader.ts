// Worker Loader's own objects: WorkerLoader makes workers, a WorkerStub leads to their entrypoints. What `load()` is given is
// checked here, synchronously and with Cloudflare's texts; what is wrong with the code itself is told by each call. A worker may
// be asked for entrypoints, and they be called, before its code is there: all of that waits in Cap'n Proto.
//
// Which worker has a name, and when it is made again, is the supervisor's business. It asks for the code by the factory that
// the latest get() gave.

import {
  PlainError, PlainTypeError, Table, isArray, isArrayBufferView, codeUnitAt, jsonStringify, objectKeys, push, slice, symbolDispose,
} from "./primordials.ts";
import { checkLimits } from "./limits.ts";
import type { WorkerLimits } from "./limits.ts";
import { EntrypointReference, textOf } from "./session.ts";
import type { Host, Session } from "./session.ts";
import { CapabilityState, stubDisposed } from "./stub.ts";
import { newScope, stubOf } from "./stub-state.ts";
import type { Import, Scope } from "./stub-state.ts";
import { NAMES_LIST, NAME_ABORT, NAME_DELETE } from "./wire.ts";
import type { CallNumber, NameAct, NamedWorker, WorkerCode } from "./wire.ts";

const TOKEN = {};   // only this file makes WorkerStubs

type Fields = Record<string, unknown>;

// A worker, or the promise of one, or a name.
interface Worker {
  readonly import: Import;
  readonly scope: Scope;
  promised: boolean;   // its code is not there yet
}

// What the supervisor asks for a named worker's code.
export interface CodeFactory {
  readonly name: string;
  readonly strip: Strip | undefined;
  getCode: GetCode;
}

// A worker's code before its types are stripped.
export type GivenModule = Omit<WorkerCode["modules"][number], "kind"> & { kind: WorkerCode["modules"][number]["kind"] | "ts" };
export type GivenCode = Omit<WorkerCode, "modules"> & { modules: GivenModule[] };
// Has the types stripped, in a worker (client/src/typescript.ts); rejects with what is wrong with them.
export type Strip = (code: GivenCode) => Promise<WorkerCode>;

interface Named extends Worker {
  readonly factory: CodeFactory;
  // Entrypoints without props and limits, by their names: to get one again costs nothing then.
  readonly plain: Table<Import, string>;
}

// Names that are remembered on this side, so that to get a warm worker costs no message. Others are as good.
const NAMES_KEPT = 256;
const NAME_BYTES_MAX = 1024;   // ipc/wire-limits.h

export class WorkerLoader {
  readonly #import: Import;
  readonly #strip: Strip | undefined;
  // Least recently used first. Empty where invocations end: there each has what it got, and no other.
  readonly #named = new Table<Named, string>();
  #latest: Named | undefined;

  // `strip`: absent where nobody does that, which is in workers.
  constructor(imported: Import, strip?: Strip) {
    this.#import = imported;
    this.#strip = strip;
  }

  load(code: unknown): WorkerStub {
    if (!isObject(code)) throw new PlainTypeError("Failed to execute 'load' on 'WorkerLoader': parameter 1 is not of type 'WorkerCode'.");
    const session = this.#import.session;
    session.check(this.#import);
    const checked = checkCode(code, session.host, this.#strip);
    if (!isReady(checked)) {
      const worker = this.#promise(session.host.owner());
      void this.#fulfill(worker, () => this.#strip!(checked));
      return this.#ownStub(worker);
    }
    const scope = newScope();
    const id = session.writing(scope, () => session.wire.load(this.#import.id, checked));
    return this.#ownStub({ import: session.hold(id, scope), scope, promised: false });
  }

  // The warm worker of that name, until delete(); it is made when there is none, and again when it has died or was evicted. Without
  // a name (null) it is the caller's own, as from load(). `getCode` is called when there is none, and only then; what it throws, and
  // what is wrong with what it gives, is told by each call that waits for it, and not remembered longer.
  get(name: unknown, getCode: unknown): WorkerStub {
    if (typeof getCode !== "function") throw new PlainTypeError("Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'Function'.");
    const session = this.#import.session;
    session.check(this.#import);
    if (name === undefined || name === null) {
      const worker = this.#promise(session.host.owner());
      void this.#fulfill(worker, async () => ready(checkGiven(await (getCode as GetCode)(), session.host, this.#strip), this.#strip));
      return this.#ownStub(worker);
    }
    const id = checkName(name);
    let named = this.#named.get(id);
    if (named === undefined) named = this.#get(id, getCode as GetCode);
    else named.factory.getCode = getCode as GetCode;
    if (session.host.collects && named !== this.#latest) {
      this.#latest = named;
      this.#named.delete(id);
      this.#named.set(id, named);
      if (this.#named.size > NAMES_KEPT) this.#named.delete(this.#named.first()!);
    }
    return new WorkerStub(TOKEN, named, false);
  }

  #get(name: string, getCode: GetCode): Named {
    const session = this.#import.session;
    const factory: CodeFactory = { name, strip: this.#strip, getCode };
    const scope = newScope();
    const id = session.writing(scope, () => session.wire.get(this.#import.id, name, session.exportFactory(factory)));
    const named: Named = { import: session.hold(id, scope), scope, promised: false, factory, plain: new Table() };
    session.collect(named, named.import);
    return named;
  }

  // Ends the worker of that name, for everybody, and forgets the name. False: there is none.
  async delete(name: unknown): Promise<boolean> {
    if (name === undefined || name === null) return false;
    const id = checkName(name);
    this.#named.delete(id);
    this.#latest = undefined;
    return this.#byName(NAME_DELETE, id) as Promise<boolean>;
  }

  // Ends it now; the next call, or the next get(), makes it again. False: there is none.
  async abort(name: unknown): Promise<boolean> { return this.#byName(NAME_ABORT, checkName(name)) as Promise<boolean>; }

  // Named workers, in order of their last use, latest first.
  async list(): Promise<NamedWorker[]> { return this.#byName(NAMES_LIST, "") as Promise<NamedWorker[]>; }

  #byName(act: NameAct, name: string): Promise<unknown> {
    const session = this.#import.session;
    session.check(this.#import);
    return session.ask(() => session.wire.byName(this.#import.id, act, name)).result;
  }

  // For the session: what is passed on when the loader is.
  importFor(session: Session): Import {
    if (this.#import.session !== session) throw new PlainError("A WorkerLoader of another connection cannot be passed on here.");
    session.check(this.#import);
    return this.#import;
  }

  #ownStub(worker: Worker): WorkerStub {
    const stub = new WorkerStub(TOKEN, worker, true);
    this.#import.session.collect(stub, worker.import);
    return stub;
  }

  #promise(owner: number): Worker {
    const session = this.#import.session;
    const scope = newScope();
    const id = session.writing(scope, () => session.wire.promise());
    return { import: session.hold(id, scope, owner), scope, promised: true };
  }

  async #fulfill(worker: Worker, getCode: () => Promise<WorkerCode>): Promise<void> {
    const session = this.#import.session;
    const { scope } = worker;
    const { id } = worker.import;
    const fail = (error: unknown) => {
      if (!settle(worker)) return;
      scope.failure = { error };
      session.wire.reject(id, CODE_NEVER_CAME);
    };
    session.expectOf(session.host.owner(), id, () => fail(new PlainError(INVOCATION_OVER)));
    try {
      const code = await getCode();
      if (!worker.promised) return;
      session.check(this.#import);
      const loaded = session.writing(scope, () => session.wire.load(this.#import.id, code));
      settle(worker);
      session.wire.resolve(id, loaded);
    } catch (error) {
      fail(error);
    }
  }
}

// The supervisor needs a named worker's code.
export async function giveCode(session: Session, call: CallNumber, factory: CodeFactory, scope: Scope | undefined): Promise<void> {
  try {
    const { getCode, strip } = factory;
    const code = await ready(checkGiven(await getCode(), session.host, strip), strip);
    session.writing(scope, () => session.wire.giveCode(call, code));
  } catch (error) {
    const words = `The code of the worker "${factory.name}" could not be had: ${textOf(error)}`;
    session.codeFailed(words, error);
    session.refuse(call, words);
  }
}

function checkGiven(code: unknown, host: Host, strip: Strip | undefined): GivenCode {
  if (!isObject(code)) throw new PlainTypeError("Incorrect type for Promise: the Promise did not resolve to 'WorkerCode'.");
  return checkCode(code, host, strip);
}

async function ready(code: GivenCode, strip: Strip | undefined): Promise<WorkerCode> { return isReady(code) ? code : strip!(code); }

function isReady(code: GivenCode): code is WorkerCode {
  for (let i = 0; i < code.modules.length; i++) {
    if (code.modules[i]!.kind === "ts") return false;
  }
  return true;
}

function checkName(value: unknown): string {
  const name = `${value as string}`;
  // UTF-8 has at most three bytes for a unit.
  if (name.length * 3 > NAME_BYTES_MAX && utf8Length(name) > NAME_BYTES_MAX) {
    throw new PlainTypeError(`The name of a worker is limited to ${NAME_BYTES_MAX} bytes.`);
  }
  return name;
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = codeUnitAt(text, i);
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;   // a pair of surrogates: four
  }
  return bytes;
}

type GetCode = () => unknown;

const CODE_NEVER_CAME = "The worker could not be loaded: its code did not come.";
const INVOCATION_OVER = "The invocation in which getCode() was to give the worker's code is over.";

function isObject(value: unknown): value is Fields { return typeof value === "object" && value !== null; }

// False: it was before.
function settle(worker: Worker): boolean {
  if (!worker.promised) return false;
  worker.promised = false;
  worker.import.session.hasCome(worker.import.id);
  return true;
}

function end(worker: Worker): void {
  if (worker.scope.revoked) return;
  const { session, id } = worker.import;
  const promised = settle(worker);
  session.revoke(worker.scope, worker.import);
  if (promised) session.wire.reject(id, CODE_NEVER_CAME);
}

export class WorkerStub {
  readonly #worker: Worker | Named;
  readonly #isOwn: boolean;   // the worker ends with it; otherwise it has a name, and others may use it
  #disposed = false;

  constructor(token: unknown, worker: Worker | Named, isOwn: boolean) {
    if (token !== TOKEN) throw new PlainTypeError("Illegal constructor");
    this.#worker = worker;
    this.#isOwn = isOwn;
  }

  // Absent, null and "default" are the default export. Whether there is such an entrypoint is told by each call on it.
  getEntrypoint(name?: unknown, options?: unknown): object {
    const { import: imported, scope } = this.#worker;
    const session = imported.session;
    if (this.#disposed) throw stubDisposed();
    session.check(imported);
    const { props, limits } = entrypointOptions(options);
    if ("plain" in this.#worker && session.host.collects && props === undefined && limits === undefined) {
      return new CapabilityState("ServiceStub", plainEntrypoint(this.#worker, entrypointName(name)), this.#worker).proxy;
    }
    const id = session.writing(scope, () => session.wire.entrypoint(imported.id, entrypointName(name), props, limits));
    const entrypoint = session.hold(id, scope);
    entrypoint.isPromise = this.#worker.promised;
    scope.entrypoints.set(id, entrypoint);
    return new CapabilityState("ServiceStub", entrypoint).proxy;
  }

  getDurableObjectClass(): never {
    throw new PlainError("getDurableObjectClass() is not available: this version of Glovebox has no durable objects. Use getEntrypoint(), " +
      "and keep what has to last on the side that loads the worker.");
  }

  // Ends the worker if it is this stub's own: calls under way fail, and nothing it was handed can be used by it any more.
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (!this.#isOwn) return;
    this.#worker.import.session.keep(this);
    end(this.#worker);
  }

  async [Symbol.asyncDispose](): Promise<void> { this[symbolDispose](); }
}

function plainEntrypoint(named: Named, name: string): Import {
  let entrypoint = named.plain.get(name);
  if (entrypoint === undefined) {
    const { import: { session, id: worker }, scope } = named;
    const id = session.writing(scope, () => session.wire.entrypoint(worker, name, undefined, undefined));
    named.plain.set(name, entrypoint = session.hold(id, scope));
    session.collect(named, entrypoint);
  }
  return entrypoint;
}

// -- What load() is given ------------------------------------------------------------------------------------------------------

function fieldError(field: string, type: string, expected: string): Error {
  return new PlainTypeError(`Incorrect type for the '${field}' field on '${type}': the provided value is not of type '${expected}'.`);
}

function checkCode(code: Fields, host: Host, strip: Strip | undefined): GivenCode {
  const { compatibilityDate, compatibilityFlags, mainModule, modules, env, limits, globalOutbound, tails, streamingTails, allowExperimental, typescript } = code;
  if (typeof modules !== "object" || modules === null) throw fieldError("modules", "WorkerCode", "object");
  if (typeof mainModule !== "string") throw fieldError("mainModule", "WorkerCode", "string");
  if (env !== undefined && (typeof env !== "object" || env === null)) throw fieldError("env", "WorkerCode", "Object");
  const flags: string[] = [];
  if (compatibilityFlags !== undefined) {
    if (!isArray(compatibilityFlags)) throw fieldError("compatibilityFlags", "WorkerCode", "Array");
    for (let i = 0; i < compatibilityFlags.length; i++) push(flags, `${compatibilityFlags[i] as string}`);
  }
  if (globalOutbound !== undefined && globalOutbound !== null && !isEntrypoint(globalOutbound)) throw fieldError("globalOutbound", "WorkerCode", "Fetcher");
  if (allowExperimental === true) {
    throw new PlainError("'allowExperimental' is only allowed when the calling worker has the 'experimental' compat flag set.");
  }
  if (typescript !== undefined && typeof typescript !== "boolean") throw fieldError("typescript", "WorkerCode", "boolean");
  if (typescript === true && strip === undefined) {
    throw new PlainTypeError("'typescript' is an option of programs that load workers, not of workers: types have to be stripped before.");
  }
  if (streamingTails !== undefined) {
    throw new PlainError("Streaming tail workers are experimental. You must pass the option 'allowExperimental: true' to the worker loader to use them");
  }
  return {
    compatibilityDate: `${compatibilityDate as string}`,
    compatibilityFlags: flags,
    mainModule,
    modules: checkModules(modules as Fields, typescript === true),
    env: env as object | undefined,
    outbound: globalOutbound === undefined ? host.outbound : globalOutbound === null ? undefined : globalOutbound as object,
    limits: checkLimits(limits, "WorkerCode"),
    tails: checkTails(tails),
  };
}

// As many as the supervisor takes.
const TAILS_MAX = 8;

function checkTails(tails: unknown): object[] {
  const checked: object[] = [];
  if (tails === undefined) return checked;
  if (!isArray(tails)) throw fieldError("tails", "WorkerCode", "Array");
  if (tails.length > TAILS_MAX) throw new PlainTypeError(`A worker may have ${TAILS_MAX} tails; this one has ${tails.length}.`);
  for (let i = 0; i < tails.length; i++) {
    const tail = tails[i] as unknown;
    if (!isEntrypoint(tail)) {
      throw new PlainTypeError(`Incorrect type for array element ${i}: the provided value is not of type 'Fetcher'.`);
    }
    push(checked, tail);
  }
  return checked;
}

function isEntrypoint(value: unknown): value is object {
  const state = stubOf(value);
  return value instanceof EntrypointReference || (state instanceof CapabilityState && state.kind === "ServiceStub");
}

function checkModules(modules: Fields, typescript: boolean): GivenModule[] {
  const names = objectKeys(modules);
  const checked: GivenModule[] = [];
  for (let i = 0; i < names.length; i++) push(checked, checkModule(names[i]!, modules[names[i]!], typescript));
  if (checked.length === 0) throw new PlainTypeError("Dynamic Worker code must contain at least one module.");
  return checked;
}

function endsWith(text: string, end: string): boolean {
  return text.length >= end.length && slice(text, text.length - end.length) === end;
}

const KINDS = ["js", "cjs", "text", "data", "json", "py", "wasm"] as const;

function isTypeScript(name: string): boolean { return endsWith(name, ".ts") || endsWith(name, ".tsx") || endsWith(name, ".mts") || endsWith(name, ".jsx"); }

function checkModule(name: string, content: unknown, typescript: boolean): GivenModule {
  if (typeof content === "string") {
    if (endsWith(name, ".py")) throw pythonError(name);
    if (typescript && isTypeScript(name)) return { name, kind: "ts", body: content };
    if (!endsWith(name, ".js")) {
      throw new PlainTypeError(
        `Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: ${name}` +
        (isTypeScript(name) ? ". If you're trying to load TypeScript, bundle it first with '@cloudflare/worker-bundler' and pass the generated JavaScript modules." : ""));
    }
    return { name, kind: "js", body: content };
  }
  if (typeof content !== "object" || content === null) {
    throw new PlainTypeError(`Module '${name}' is ${content === null ? "null" : `a ${typeof content}`}, expected its text or an object such as { js: "..." }.`);
  }
  const fields = content as Fields;
  let kind: (typeof KINDS)[number] | undefined;
  let count = 0;
  for (let i = 0; i < KINDS.length; i++) {
    if (fields[KINDS[i]!] === undefined) continue;
    kind = KINDS[i];
    count++;
  }
  if (kind === undefined || count !== 1) {
    throw new PlainTypeError(
      `Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or 'wasm'. Module '${name}' contained ${count} properties.`);
  }
  const body = fields[kind];
  switch (kind) {
    case "js":
    case "cjs":
    case "text":
      if (typeof body !== "string") throw fieldError(kind, "Module", "string");
      return { name, kind, body };
    case "json": return { name, kind, body: jsonStringify(body) ?? "null" };
    case "py": throw pythonError(name);
    default: return { name, kind, body: bytesOf(kind, body) };
  }
}

function pythonError(name: string): Error {
  return new PlainTypeError(`Module "${name}" is a Python module; this version of Glovebox runs JavaScript and WebAssembly only.`);
}

// A copy: what the caller does to its buffer later does not matter.
function bytesOf(kind: "data" | "wasm", body: unknown): Uint8Array {
  if (isArrayBufferView(body)) return new Uint8Array(new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength));
  if (body instanceof ArrayBuffer) return new Uint8Array(new Uint8Array(body));
  const { WebAssembly } = globalThis as unknown as { WebAssembly?: { Module: new () => object } };
  if (kind === "wasm" && WebAssembly !== undefined && body instanceof WebAssembly.Module) {
    throw new PlainTypeError("Incorrect type for the 'wasm' field on 'Module': a compiled WebAssembly.Module cannot be handed over here; pass its bytes.");
  }
  throw fieldError(kind, "Module", "Array");
}

function entrypointName(name: unknown): string {
  if (name === undefined || name === null) return "default";
  return `${name as string}`;
}

function entrypointOptions(options: unknown): { props: unknown; limits: WorkerLimits | undefined } {
  if (options === undefined || options === null) return { props: undefined, limits: undefined };
  if (typeof options !== "object") {
    throw new PlainTypeError("Failed to execute 'getEntrypoint' on 'WorkerStub': parameter 2 is not of type 'EntrypointOptions'.");
  }
  const { props, limits } = options as Fields;
  return { props, limits: checkLimits(limits, "EntrypointOptions") };
}
