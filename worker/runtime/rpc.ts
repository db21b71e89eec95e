// The worker's one line to the outside: ipc/js/session.ts over the natives of worker/rpc-natives.c++.

import { Session } from "../../ipc/js/session.ts";
import type { Host } from "../../ipc/js/session.ts";
import { RpcTarget, WorkerEntrypoint, DurableObject, WorkflowEntrypoint } from "../../ipc/js/receiver.ts";
import { RpcPromise, RpcProperty, RpcStub, ServiceStub, provideLocalStubs } from "../../ipc/js/stub.ts";
import { EXTERNAL_SERVICE } from "../../ipc/js/wire.ts";
import type { Wire, WorkerCode } from "../../ipc/js/wire.ts";
import { callEnded, currentExports, forgetMain, invoke, useEnv, useMain } from "./entrypoint.ts";
import { makeDomException } from "./dom-exception.ts";
import { currentOutbound, useOutbound } from "./fetch.ts";
import { http } from "./http.ts";
import { inspect } from "./inspect.ts";
import { current, endIfOver, find, forgetAll } from "./invocation.ts";
import { beginNode, forgetTicks } from "./node/node.ts";
import { PlainError, defineProperty, promiseThen, provideDataCloneError } from "./primordials.ts";
import { reportException } from "./report.ts";
import { ReadableStream, WritableStream } from "./streams.ts";

const wire: Wire = {
  call: (target, path, args) => native.rpcCall(target, path as string[], args as unknown[] | undefined),
  release: (id) => native.rpcRelease(id),
  settle: (call, ok, value, pipeline, disposable) => native.settle(call, ok, value, pipeline, disposable),
  loopback: (target) => native.rpcLoopback(target),
  load: (loader, code: WorkerCode) => native.rpcLoad(loader, code),
  entrypoint: (worker, name, props, limits) => native.rpcEntrypoint(worker, name, props, limits),
  get: (loader, name, factory) => native.rpcGet(loader, name, factory),
  giveCode: (call, code) => native.rpcGiveCode(call, code),
  byName: (loader, act, name) => native.rpcByName(loader, act, name),
  revoke: (worker) => native.rpcRevoke(worker),
  promise: () => native.rpcPromise(),
  resolve: (promise, worker) => native.rpcResolve(promise, worker),
  reject: (promise, message) => native.rpcReject(promise, message),
};

let givesAway = false;

const host: Host = {
  owner: () => native.currentInvocation(),
  mayCall: () => native.refuseAtTopLevel(),
  isPermanent: () => native.currentInvocation() === 0,
  retain: (owner) => find(owner)?.hold(),
  release: (owner) => find(owner)?.letGo(),
  get givesAway() { return givesAway; },
  handsOnPromises: false,
  collects: false,
  callEntrypoint(call, entrypoint, path, args, params) {
    const { name, props } = entrypoint as { name: string; props: unknown };
    invoke(call, name, props, path, args, params);
  },
  makeEnding(code, message) {
    const error = new PlainError(message);
    defineProperty(error, "code", { value: code, enumerable: true, configurable: true, writable: true });
    return error;
  },
  report: reportException,
  streams: { ReadableStream, WritableStream } as unknown as Host["streams"],
  http,
  get outbound() { return currentOutbound(); },
};

export const session: Session = new Session(host);
session.wire = wire;
provideLocalStubs((value) => session.localStub(value));
provideDataCloneError((message) => makeDomException(message, "DataCloneError"));

// `import ... from "cloudflare:workers"`
export const workersModule: Record<string, unknown> = {
  WorkerEntrypoint,
  DurableObject,
  WorkflowEntrypoint,
  RpcTarget,
  RpcStub,
  RpcPromise,
  RpcProperty,
  ServiceStub,
  env: {},
  exports: {},
  // Ends this worker: every call under way in it fails, and none of its code runs any more. What has a name is made again by
  // the next call.
  abortIsolate(reason?: unknown): never {
    native.refuseAtTopLevel();
    if (reason !== undefined) native.log(4, `abortIsolate: ${typeof reason === "string" ? reason : inspect(reason)}`);
    native.abortIsolate();
    for (;;) {}   // where V8 looks whether to go on
  },
  waitUntil(promise: unknown): void {
    const invocation = current();
    if (invocation === undefined) throw new PlainError("waitUntil() can only be called while a call is being handled.");
    invocation.waitUntil(promise);
  },
};

// Called by C++ by these names; worker/runtime/native.d.ts says what each is for.
export const rpcHooks = {
  begin(env: unknown, stubsAreGivenAway: boolean, outbound: number, node: number): void {
    givesAway = stubsAreGivenAway;
    useOutbound(!(outbound > 0) ? undefined : session.fromExternal(EXTERNAL_SERVICE, outbound));
    forgetMain();
    useEnv(env);
    workersModule.env = env;
    workersModule.exports = currentExports();
    beginNode(node, env);
  },
  setMain: useMain,
  invoke(id: number, name: string, props: unknown, path: string[], args: unknown[] | undefined): void {
    invoke(id, name, props, path, args, session.takeReceived());
  },
  deliver(call: number, target: number, path: string[], args: unknown[] | undefined): void {
    const owner = session.ownerOfExport(target);
    const invocation = find(owner);
    if (invocation !== undefined) {
      invocation.openCalls.set(call, true);
      // session.deliver() answers in a later turn of the microtasks or at once; either way the host is told by settle().
      promiseThen(session.deliver(call, target, path, args), () => callEnded(owner, call));
      return;
    }
    void session.deliver(call, target, path, args);
  },
  ownerOfExport: (target: number): number => session.ownerOfExport(target),
  ownerOfCall: (call: number): number => session.ownerOfCall(call),
  answered: session.answered.bind(session),
  released(target: number): void { session.released(target); },
  dropReceived(): void { session.takeReceived().forEach((state) => state.dispose()); },
  abandoned(call: number): void {
    const invocation = find(call);
    if (invocation === undefined) return;   // a call on an export: its invocation goes on for others
    invocation.openCalls.delete(call);
    endIfOver(invocation);
  },
  isAwaiting: (): boolean => session.isAwaiting,
  forgetAll(): void {
    forgetTicks();
    forgetAll();
  },
};

export const rpcCodecHooks = {
  externalOf(value: object): [number, number, boolean] | undefined {
    const external = session.externalOf(value);
    return external === undefined ? undefined : [external.kind, external.id, external.imported];
  },
  fromExternal: (kind: number, id: number): object => session.fromExternal(kind as never, id),
};
