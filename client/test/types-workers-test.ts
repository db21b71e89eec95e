// The package beside Cloudflare's own types, and packages that are written for those. Compiled, never run.

import { DynamicWorkerExecutor } from "@cloudflare/codemode";
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { connect, entrypoint } from "glovebox";

class Tool extends RpcTarget {
  run(n: number): number { return n; }
}
class Agent extends WorkerEntrypoint<{ LIMIT: number }, { tenant: number }> {
  tool(): Tool { return new Tool(); }
}

export async function program(theirs: WorkerLoaderWorkerCode): Promise<void> {
  const glovebox = await connect();

  const loader: WorkerLoader = glovebox.loader;
  const stub: WorkerStub = loader.load(theirs);
  const fetcher: Fetcher = stub.getEntrypoint();
  const executor = new DynamicWorkerExecutor({ loader: glovebox.loader, globalOutbound: null });
  const { result }: { result: unknown } = await executor.execute("async () => 1", []);

  // Classes of `cloudflare:workers` are as good as ours.
  const worker = glovebox.loader.load({ ...theirs, globalOutbound: null, modules: {}, env: { AGENT: entrypoint(Agent), TOOL: new Tool() } });
  const ran: number = await worker.getEntrypoint<typeof Agent>().tool().run(1);
  const tool = await worker.getEntrypoint<Agent>().tool();
  const again: number = await tool.run(2);
  // @ts-expect-error
  tool.run("text");
  void [fetcher, result, ran, again];
}
