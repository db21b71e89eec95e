// The native addon (client/addon/): Cap'n Proto on Node's own libuv loop. It knows nothing of JavaScript's values: what
// they become is a Value (ipc/value.capnp) as bytes, made and read by codec.ts.
//
// All functions are synchronous and quick; events come from Node's loop, never from inside one of these functions. After
// `closed` no event comes any more. Names of numbers are as in ipc/js/wire.ts.

import type { WorkerLimits } from "../../ipc/js/limits.ts";

// Bytes of a Cap'n Proto message without framing: one segment, whose root is a Value. What comes from the other side was
// copied by Cap'n Proto's checked reader, so that no pointer of it leaves the segment; what it says is unchecked.
type ValueBytes = Uint8Array;

interface NativeExternal {
  kind: number;        // ipc/js/wire.ts: EXTERNAL_...
  id: number;
  imported: boolean;   // outgoing only
  label?: string;      // outgoing only
}

interface NativeEvents {
  deliver(call: number, target: number, path: string[], args: ValueBytes | undefined, externals: NativeExternal[]): void;
  // kind: ANSWER_... `value`: bytes for VALUE and THROWN, the message for ENDED and FAILED. `code`: the ending's name.
  // `account`: if it was asked for and the supervisor gave one.
  answered(call: number, kind: number, value: ValueBytes | string, externals: NativeExternal[], disposable: boolean,
           pipeline: boolean, code: string | undefined, account: NativeAccount | undefined): void;
  released(target: number): void;
  log(worker: number, level: number, time: number, text: string): void;
  // The line is gone: calls under way have been answered as FAILED before. Once.
  closed(message: string): void;
}

interface Line {
  // An import: a loader of the supervisor's. `limits`: the most that its workers get.
  loader(limits?: WorkerLimits): number;
  // An import: where requests of workers go, of a supervisor that has an egress policy.
  outbound(): number;
  // `account`: absent is false.
  call(target: number, path: readonly string[], args: ValueBytes | undefined, externals: NativeExternal[], account?: boolean): number;
  release(id: number): void;
  settle(call: number, ok: boolean, value: ValueBytes, externals: NativeExternal[], pipeline: number, disposable: boolean): void;
  // An import for an export of our own: calls on it come back as `deliver`.
  loopback(target: number): number;
  load(loader: number, code: NativeCode, wantsLogs: boolean): number;
  // `factory`: an export of our own. When code is wanted it is delivered as a call without path and arguments, to be answered
  // by giveCode() or, with an error whose message says why not, by settle().
  get(loader: number, name: string, factory: number, wantsLogs: boolean): number;
  giveCode(call: number, code: NativeCode): void;
  // A call: answered with a boolean, or a list (NAME_... in wire.ts).
  byName(loader: number, act: number, name: string): number;
  entrypoint(worker: number, name: string, props: ValueBytes | undefined, externals: NativeExternal[], limits: WorkerLimits | undefined): number;
  // A call: answered with an empty value when the worker is revoked.
  revoke(worker: number): number;
  // As in wire.ts. To settle a promise that is not there (any more) does nothing; what is left at the end is rejected.
  promise(): number;
  resolve(promise: number, worker: number): void;
  reject(promise: number, message: string): void;
  // A call: answered with a string value, the status document.
  status(): number;
  // Ends the line; what is under way is answered as FAILED.
  close(): void;
  // Calls under way. They keep Node's loop alive; an idle line does not.
  readonly pending: number;
}

interface NativeCode {
  compatibilityDate: string;
  compatibilityFlags: string[];
  mainModule: string;
  modules: { name: string; kind: "js" | "cjs" | "text" | "json" | "data" | "wasm"; body: string | Uint8Array }[];
  env: ValueBytes | undefined;
  outbound: number;   // of envExternals, counted from 1: where fetch() goes; 0: nowhere
  envExternals: NativeExternal[];
  limits: WorkerLimits | undefined;
  tails?: NativeExternal[];   // absent: none
}

// Account in ipc/call.capnp. Times are milliseconds since the epoch; level: as in LogMessage.
export interface NativeAccount {
  outcome: string;
  startTime: number;
  wallMs: number;
  cpuMs: number;
  peakMemoryBytes: number;
  subRequests: number;
  bytesIn: number;
  bytesOut: number;
  capabilities: { label: string; kind: string; calls: number; bytesOut: number; bytesIn: number }[];
  logs: { level: number; time: number; text: string }[];
  exceptions: { time: number; name: string; message: string; stack: string }[];
  truncated: boolean;
}

// As `glovebox serve` has them; undefined: its defaults. Numbers are from 1 to 2^32 - 1.
export interface NativeSupervisorOptions {
  profile: string | undefined;            // one of `profiles`
  poolSize: number | undefined;
  allowMissing: string[] | undefined;     // of `layers`
  workersMax: number | undefined;
  codeCacheMbMax: number | undefined;
  namedIdleMsMax: number | undefined;
  namedMemoryMbMax: number | undefined;
  limits: Partial<WorkerLimits> | undefined;
}

export interface Addon {
  // Throws an Error with `code` "GLOVEBOX_UNAVAILABLE" if nobody listens there.
  connect(socketPath: string, events: NativeEvents): Line;
  // To a supervisor on this thread's loop, which starts with the first line and ends, with all its workers, before `closed`
  // of the last; lines with the same folder and options share it. Calls on it wait while it starts and fail with its words
  // if it cannot; throws like connect() if the folder is not one that the build wrote.
  embed(installationFolder: string, options: NativeSupervisorOptions, events: NativeEvents): Line;
  readonly profiles: readonly string[];
  readonly layers: readonly string[];
  readonly limits: readonly string[];     // the names of WorkerLimits
}
