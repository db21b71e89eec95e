// What the semantics of Workers RPC (stubs, paths, pipelining, disposal, ownership: the other files of this folder) need
// from whoever speaks Cap'n Proto for them. There are two: C++ in the worker (worker/rpc-natives.c++) and the addon of the
// Node client (client/addon/). Everything of Cap'n Proto that matters is behind these few functions: references,
// pipelining, order, release.
//
// Numbers name things and are never used twice:
// - an *import* is a capability of somebody else that we hold;
// - an *export* is an object of ours that somebody else may hold; one number for each time it is handed over;
// - a *call* of ours; its number is also the import of its result's pipeline. A call *to* us has a number of its own.

import type { WorkerLimits } from "./limits.ts";

export const EXTERNAL_NONE = 0;
export const EXTERNAL_STUB = 1;
export const EXTERNAL_SERVICE = 2;
export const EXTERNAL_READABLE = 3;
export const EXTERNAL_WRITABLE = 4;
export const EXTERNAL_LOADER = 5;
export const EXTERNAL_SOCKET = 6;
export type ExternalKind = 0 | 1 | 2 | 3 | 4 | 5 | 6;

// What stands in a value's place when it is not copied. `imported`: `id` is an import that is sent back or passed on;
// otherwise it is an export.
export interface External {
  kind: ExternalKind;
  id: number;
  imported: boolean;
}

export type Imported = number;
export type Exported = number;
export type CallNumber = number;

// How a call of ours came out.
export const ANSWER_VALUE = 0;
export const ANSWER_THROWN = 1;
export const ANSWER_ENDED = 2;    // the worker at the other end could not answer; `value` is an Ending
export const ANSWER_FAILED = 3;   // nothing there to call, no room for it, or the line is lost; `value` is an Ending
export type AnswerKind = 0 | 1 | 2 | 3;
export interface Ending { code: string; message: string }

// What is done with a name of a loader's.
export const NAME_DELETE = 0;   // answered with whether there was one
export const NAME_ABORT = 1;    // the same
export const NAMES_LIST = 2;    // answered with a list of NamedWorker
export type NameAct = 0 | 1 | 2;
export interface NamedWorker { name: string; live: boolean; callsInFlight: number; memoryBytes: number; idleMs: number }

// Us to the other side. Sending is never waited for.
export interface Wire {
  // `args` undefined: read the property. Throws what `externalOf` threw, a DataCloneError, or an Error if the arguments
  // are too large; nothing has been sent then. `account`: the answer is to come with one, if a supervisor gives it.
  call(target: Imported, path: readonly string[], args: readonly unknown[] | undefined, account: boolean): CallNumber;
  // An import, or the pipeline of a call. Forgotten at once; a call goes on and is answered all the same.
  release(id: Imported): void;
  // Answers a call to us. `pipeline` is an export, or 0.
  // Throws like call(). False: nobody waits for the answer any more, and nothing was handed over.
  settle(call: CallNumber, ok: boolean, value: unknown, pipeline: Exported, disposable: boolean): boolean;

  // A capability for an object of our own, as others hold them.
  loopback(target: Exported): Imported;

  // A worker; an import to be released. `code` is checked already (loader.ts).
  load(loader: Imported, code: WorkerCode): Imported;
  // The worker of that name. `factory` is an export that gives its code: when some is needed it is called, with no path and no
  // arguments, and answered by giveCode(), or as a call that throws.
  get(loader: Imported, name: string, factory: Exported): Imported;
  giveCode(call: CallNumber, code: WorkerCode): void;
  byName(loader: Imported, act: NameAct, name: string): CallNumber;
  entrypoint(worker: Imported, name: string, props: unknown, limits: WorkerLimits | undefined): Imported;
  // Ends the worker; does not release it.
  revoke(worker: Imported): void;

  // An import that stands for a worker to come: what is asked of it waits, in order. Settled once.
  promise(): Imported;
  // It becomes `worker`, an import that is used up by this.
  resolve(promise: Imported, worker: Imported): void;
  reject(promise: Imported, message: string): void;
}

// The other side to us.
export interface WireEvents {
  // While a value is written: asked for each function, proxy and object that is no plain data. Undefined: not ours, refuse it.
  externalOf(value: object): External | undefined;
  // While a value is read: makes what stands for an external of the other side.
  fromExternal(kind: ExternalKind, id: Imported): object;

  // A call on one of our exports. It is settled once, by the time the promise is fulfilled.
  deliver(call: CallNumber, target: Exported, path: string[], args: unknown[] | undefined): Promise<void>;
  answered(call: CallNumber, kind: AnswerKind, value: unknown, externals: number, disposable: boolean, pipeline: boolean, account?: unknown): void;
  // Nobody holds the export any more.
  released(target: Exported): void;
}

// What Worker Loader calls WorkerLoaderWorkerCode, checked and brought into one form.
export interface WorkerCode {
  compatibilityDate: string;
  compatibilityFlags: string[];
  mainModule: string;
  modules: { name: string; kind: "js" | "cjs" | "text" | "json" | "data" | "wasm"; body: string | Uint8Array }[];
  env: object | undefined;
  outbound: object | undefined;   // an entrypoint: where its global fetch() goes
  limits: WorkerLimits | undefined;
  tails: object[];   // each an entrypoint: of somebody else, or of one's own that is handed over
}
