// One implementation, whoever imports it: the classes must be the same for import and require.
import glovebox from "./glovebox.cjs";
export const {
  connect, Glovebox, GloveboxError, run, entrypoint, WorkerLoader, WorkerStub,
  RpcTarget, WorkerEntrypoint, DurableObject, WorkflowEntrypoint, RpcPromise, RpcProperty, RpcStub, ServiceStub,
} = glovebox;
