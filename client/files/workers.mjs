// What `cloudflare:workers` is in Node.js: see register.mjs, or alias it to "glovebox/workers" in a bundler.
import glovebox from "./glovebox.cjs";
export const {
  RpcTarget, WorkerEntrypoint, DurableObject, WorkflowEntrypoint, RpcPromise, RpcProperty, RpcStub, ServiceStub, env, exports, waitUntil,
  abortIsolate,
} = glovebox;
