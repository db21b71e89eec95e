// The package `glovebox`: workers on this machine from a Node.js program, with Cloudflare's Worker Loader API.

export { BundleError, Bundler, createBundler, createWorker } from "./bundler.ts";
export { connect, Glovebox } from "./connect.ts";
export { entrypoint } from "./entrypoints.ts";
export { GloveboxError } from "./errors.ts";
export { run } from "./run.ts";
export { WorkerLoader, WorkerStub } from "../../ipc/js/loader.ts";
export { RpcTarget, WorkerEntrypoint, DurableObject, WorkflowEntrypoint } from "../../ipc/js/receiver.ts";
export { RpcPromise, RpcProperty, RpcStub, ServiceStub } from "../../ipc/js/stub.ts";

// What `cloudflare:workers` has besides, for packages that import it. A Node program has no bindings of its own.
export const env: Record<string, unknown> = {};
export const exports: Record<string, unknown> = {};
export function abortIsolate(): never { throw new Error("abortIsolate() ends a worker, and this is a program. It can end with process.exit()."); }
export function waitUntil(promise: unknown): void {
  Promise.resolve(promise).catch((error: unknown) => queueMicrotask(() => { throw error; }));
}
