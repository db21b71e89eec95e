// The wire of a Node program: ipc/js/session.ts over the native addon, values by codec.ts.

import { Session } from "../../ipc/js/session.ts";
import type { WorkerLimits } from "../../ipc/js/limits.ts";
import type { Host } from "../../ipc/js/session.ts";
import { ANSWER_THROWN, ANSWER_VALUE, EXTERNAL_SERVICE } from "../../ipc/js/wire.ts";
import type { AnswerKind, Ending, ExternalKind, NameAct, Wire, WorkerCode } from "../../ipc/js/wire.ts";
import type { Line, NativeAccount, NativeCode, NativeEvents, NativeExternal } from "./addon.d.ts";
import { decode, encode } from "./codec.ts";
import type { CodecHooks } from "./codec.ts";
import { GloveboxError } from "./errors.ts";
import type { EntrypointMaker } from "./entrypoints.ts";
import { http } from "./http.ts";

export interface LogMessage {
  level: "debug" | "info" | "log" | "warn" | "error";
  time: Date;
  text: string;
}

export const LEVELS = ["debug", "info", "log", "warn", "error"] as const;

export interface LineOptions {
  // What workers log. Absent: dropped.
  console: ((message: LogMessage) => void) | undefined;
  // The line is gone, and nobody asked for it.
  lost: (error: Error) => void;
}

export class ClientLine implements Wire, NativeEvents {
  readonly session: Session;
  readonly #line: Line;
  readonly #options: LineOptions;
  readonly #hooks: CodecHooks;
  #outbound: object | undefined;
  readonly #questions = new Map<number, (kind: AnswerKind, value: unknown) => void>();
  #closed = false;

  constructor(open: (events: NativeEvents) => Line, options: LineOptions) {
    this.#options = options;
    const outbound = () => this.#outbound;
    const session = this.session = new Session({ ...host, get outbound() { return outbound(); } });
    this.#hooks = {
      externalOf: (value) => session.externalOf(value),
      fromExternal: (kind, id) => session.fromExternal(kind as ExternalKind, id),
      // What the host's errors say of its files is nobody's business.
      withStacks: false,
    };
    session.wire = this;
    this.#line = open(this);
  }

  // An import that is a loader of the supervisor's.
  loader(limits?: WorkerLimits): number { return this.#line.loader(limits); }

  // From now on requests of what is loaded go to where the supervisor's egress policy lets them.
  useOutbound(): void {
    this.#outbound = this.session.fromExternal(EXTERNAL_SERVICE, this.#line.outbound());
    this.session.takeReceived();
  }

  // The status document, as JSON.
  status(): Promise<string> {
    return this.#ask(this.#line.status()) as Promise<string>;
  }

  close(): void {
    if (this.#closed) return;
    this.#line.close();
  }

  // -- Wire ------------------------------------------------------------------------------------------------------------------

  call(target: number, path: readonly string[], args: readonly unknown[] | undefined, account: boolean): number {
    if (args === undefined) return this.#line.call(target, path, undefined, [], account);
    const { bytes, externals } = encode(args, this.#hooks);
    return this.#line.call(target, path, bytes, externals, account);
  }

  release(id: number): void {
    if (!this.#closed) this.#line.release(id);
  }

  settle(call: number, ok: boolean, value: unknown, pipeline: number, disposable: boolean): boolean {
    const { bytes, externals } = encode(value, this.#hooks);
    if (!this.#closed) this.#line.settle(call, ok, bytes, externals, pipeline, disposable);
    return true;
  }

  loopback(target: number): number { return this.#line.loopback(target); }

  load(loader: number, code: WorkerCode): number {
    return this.#line.load(loader, this.#nativeCode(code), this.#options.console !== undefined);
  }

  get(loader: number, name: string, factory: number): number {
    return this.#line.get(loader, name, factory, this.#options.console !== undefined);
  }

  giveCode(call: number, code: WorkerCode): void {
    const native = this.#nativeCode(code);
    if (!this.#closed) this.#line.giveCode(call, native);
  }

  byName(loader: number, act: NameAct, name: string): number { return this.#line.byName(loader, act, name); }

  #nativeCode(code: WorkerCode): NativeCode {
    const env = code.env === undefined && code.outbound === undefined ? undefined : encode(code.env ?? {}, this.#hooks, ENV_BYTES_MAX);
    if (env !== undefined && code.outbound !== undefined) env.externals.push({ ...this.session.externalOf(code.outbound)!, label: "globalOutbound" });
    return {
      compatibilityDate: code.compatibilityDate,
      compatibilityFlags: code.compatibilityFlags,
      mainModule: code.mainModule,
      modules: code.modules,
      env: env?.bytes,
      envExternals: env?.externals ?? [],
      outbound: code.outbound === undefined ? 0 : env!.externals.length,
      limits: code.limits,
      tails: this.session.externalsOfTails(code.tails),
    };
  }

  entrypoint(worker: number, name: string, props: unknown, limits: WorkerLimits | undefined): number {
    const encoded = props === undefined ? undefined : encode(props, this.#hooks, ENV_BYTES_MAX);
    return this.#line.entrypoint(worker, name, encoded?.bytes, encoded?.externals ?? [], limits);
  }

  revoke(worker: number): void {
    if (!this.#closed) void this.#ask(this.#line.revoke(worker)).catch(() => {});
  }

  promise(): number { return this.#line.promise(); }
  resolve(promise: number, worker: number): void {
    if (!this.#closed) this.#line.resolve(promise, worker);
  }
  reject(promise: number, message: string): void {
    if (!this.#closed) this.#line.reject(promise, message);
  }

  // -- NativeEvents ------------------------------------------------------------------------------------------------------------

  deliver(call: number, target: number, path: string[], args: Uint8Array | undefined, externals: NativeExternal[]): void {
    const { session } = this;
    let values: unknown[] | undefined;
    try {
      if (args !== undefined) values = session.reading(session.scopeOfExport(target), () => decode(args, externals, this.#hooks)) as unknown[];
      if (values !== undefined && !Array.isArray(values)) throw new Error("The arguments of this call are not an array.");
    } catch (error) {
      for (const state of session.takeReceived()) state.dispose();
      session.settle(call, 0, undefined, false, error);
      return;
    }
    void session.deliver(call, target, path, values);
  }

  answered(call: number, kind: number, value: Uint8Array | string, externals: NativeExternal[], disposable: boolean, pipeline: boolean,
           code: string | undefined, account: NativeAccount | undefined): void {
    const { session } = this;
    let result: unknown = value;
    let how = kind as AnswerKind;
    if (typeof value !== "string" && (kind === ANSWER_VALUE || kind === ANSWER_THROWN)) {
      try {
        result = session.reading(session.scopeOfCall(call), () => decode(value, externals, this.#hooks));
      } catch (error) {
        for (const state of session.takeReceived()) state.dispose();
        result = error;
        how = ANSWER_THROWN;
      }
    } else if (code !== undefined) {
      result = { code, message: value };
    }
    const question = this.#questions.get(call);
    if (question !== undefined) {
      this.#questions.delete(call);
      question(how, result);
      return;
    }
    session.answered(call, how, result, externals.length, disposable, pipeline, account);
  }

  released(target: number): void { this.session.released(target); }

  log(_worker: number, level: number, time: number, text: string): void {
    this.#options.console?.({ level: LEVELS[level] ?? "log", time: new Date(time), text });
  }

  closed(message: string): void {
    this.#closed = true;
    const error = new GloveboxError("disconnected", message);
    this.session.lose(error);
    for (const question of this.#questions.values()) question(ANSWER_THROWN, error);
    this.#questions.clear();
    this.#options.lost(error);
  }

  // ----------------------------------------------------------------------------------------------------------------------------

  #ask(call: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#questions.set(call, (kind, value) => kind === ANSWER_VALUE ? resolve(value)
        : reject(value instanceof Error ? value : new GloveboxError((value as Ending).code, (value as Ending).message)));
    });
  }
}

// Worker Loader's limit.
const ENV_BYTES_MAX = 1 << 20;

// A Node program is one invocation that never ends.
const host: Host = {
  owner: () => 0,
  mayCall() {},
  isPermanent: () => false,
  retain() {},
  release() {},
  givesAway: false,
  handsOnPromises: true,
  collects: true,
  callEntrypoint(call, entrypoint, path, args, params, session, scope) {
    (entrypoint as EntrypointMaker).call(session, scope, call, path, args, params);
  },
  makeEnding: (code, message) => new GloveboxError(code, message),
  // As for anything else that is thrown where nobody catches it.
  report: (error) => queueMicrotask(() => { throw error; }),
  streams: globalThis as unknown as Host["streams"],
  http,
  outbound: undefined,
};
