// `glovebox/workers`: what `cloudflare:workers` is in a Node.js program. Who has no @cloudflare/workers-types declares it so in
// tsconfig.json: "paths": { "cloudflare:workers": ["./node_modules/glovebox/types/workers.d.ts"] }

export { DurableObject, RpcPromise, RpcProperty, RpcStub, RpcTarget, ServiceStub, WorkerEntrypoint, WorkflowEntrypoint } from "./index";

/** A program has no bindings of its own: empty. */
export const env: Record<string, any>;
/** Empty as well. */
export const exports: Record<string, any>;
/** Throws: this is a program, and no worker. */
export function abortIsolate(reason?: unknown): never;
/** There is no invocation to end: the promise goes on, and if it is rejected that is an uncaught exception. */
export function waitUntil(promise: PromiseLike<unknown>): void;
