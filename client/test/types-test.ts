// What TypeScript knows of the package, in a program without Cloudflare's types. Compiled, never run.

import { GloveboxError, RpcStub, RpcTarget, WorkerEntrypoint, connect, entrypoint, run } from "glovebox";
import type { Entrypoint, GloveboxErrorCode, RpcPromise, WorkerCode, WorkerLoader } from "glovebox";
import { RpcTarget as SameRpcTarget, env, waitUntil } from "glovebox/workers";
import { BundleError, createBundler, createWorker } from "glovebox/bundler";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
function same<A, B>(_: Same<A, B>): void {}

class Counter extends RpcTarget {
  #n = 0;
  increment(by = 1): number { return this.#n += by; }
  get value(): number { return this.#n; }
  child(): Counter { return this; }
}

interface Box { counter: Counter; list: number[]; when: Date; optional?: string }

class Agent extends WorkerEntrypoint<{ LIMIT: number }, { tenant: number }> {
  field = "not to be reached, but a type cannot know";
  echo(text: string): string { return text + this.env.LIMIT + this.ctx.props.tenant; }
  async later(n: number): Promise<number> { return n; }
  counter(): Counter { return new Counter(); }
  box(): Box { throw new Error(); }
  maybe(): boolean { return true; }
  anything(): any { return 1; }
  nothing(): void {}
  find(id: number): Counter | undefined { return id > 0 ? new Counter() : undefined; }
  use(callback: RpcStub<(n: number) => number>, counter: RpcStub<Counter>): Promise<number> { void callback; return counter.value; }
  map(): Map<string, Counter> { return new Map(); }
  adder(): (a: number, b: number) => number { return (a, b) => a + b; }
}

const handlers = {
  twice: (n: number) => n * 2,
  async myAgent(text: string, env: { CHAT_ROOM: Agent }) { return env.CHAT_ROOM.echo(text); },
};

export async function program(): Promise<void> {
  await using glovebox = await connect({
    inProcess: true, console: (message) => { const text: string = message.text; void text; },
    supervisor: { profile: "jitless", poolSize: 2, allowMissing: ["landlock"], workersMax: 1, codeCacheMbMax: 0, namedIdleMsMax: 1, namedMemoryMbMax: 1, limits: { cpuMs: 1, wallMs: 1, memoryMb: 1, subRequests: 1, heapMb: 1, startupCpuMs: 1, callsInFlight: 1, capabilities: 1,
      timers: 1, logBytes: 1, resultBytes: 1, idleMs: 1, lifetimeMs: 1 } },
  });
  await connect({ socket: "/run/glovebox" });
  await connect({ egress: { allow: ["a.example", { origin: "http://b.example", methods: ["GET"] }], allowPrivate: ["10.0.0.0/8"], secrets: { A: { value: "v", hosts: ["a.example"] } } } });
  // @ts-expect-error
  await connect({ egress: { allow: "a.example" } });
  await connect();
  // @ts-expect-error
  await connect({ supervisor: { profile: "fast" } });
  // @ts-expect-error
  await connect({ serveArguments: [] });
  const ran = await run((null as unknown as Entrypoint<typeof Agent>).later, 1);
  if (ran.outcome === "ok") same<typeof ran.value, number>(true);
  else void (ran.error as Error);
  const cpuMs: number = ran.account!.cpuMs;
  void cpuMs;
  // @ts-expect-error
  await run((null as unknown as Entrypoint<typeof Agent>).later, "1");
  const loose = await run((null as unknown as Entrypoint).anything, 1, 2);
  if (loose.outcome === "ok") loose.value.whatever();

  const loader: WorkerLoader = glovebox.loader;
  const code: WorkerCode = {
    compatibilityDate: "2026-03-01", compatibilityFlags: ["nodejs_compat"], mainModule: "a.js", globalOutbound: null,
    modules: { "a.js": "", b: { text: "b" }, c: { data: new Uint8Array(1) }, d: { json: [1] }, e: { wasm: new ArrayBuffer(8) } },
    env: { AGENT: entrypoint(Agent, { props: { tenant: 1 }, env: { LIMIT: 5 } }), COUNTER: new Counter(), add: (a: number) => a + 1, LOADER: loader },
    limits: { cpuMs: 1, wallMs: 2, memoryMb: 3 },
  };
  // @ts-expect-error
  entrypoint(Agent, { props: { tenant: "one" } });
  entrypoint(handlers, { env: { CHAT_ROOM: 1 } });

  using worker = loader.load(code);
  loader.get("name", () => code);
  loader.get(null, async () => code)[Symbol.dispose]();
  const there: boolean = await loader.delete("name");
  const ended: boolean = await loader.abort("name");
  const [row] = await loader.list();
  const about: [string, boolean, number, number, number] = [row!.name, row!.live, row!.callsInFlight, row!.memoryBytes, row!.idleMs];

  // Without a type, anything goes.
  const untyped = worker.getEntrypoint();
  const answer: string = await untyped.anything("at", "all").you().like;
  worker.getEntrypoint("Named", { props: { a: 1 }, limits: { cpuMs: 5 } });

  // With a class.
  const agent = worker.getEntrypoint<typeof Agent>();
  same<typeof agent, Entrypoint<typeof Agent>>(true);
  same<Awaited<ReturnType<typeof agent.echo>>, string>(true);
  const echoed: string = await agent.echo("text");
  const n: number = await agent.later(1).then((value) => value + 1);
  const yes: boolean = await agent.maybe().then((value) => !value);
  await agent.nothing();
  const any: string = (await agent.anything()).whatever;
  // @ts-expect-error
  await agent.echo(5);
  // @ts-expect-error
  await agent.missing();
  // @ts-expect-error: no class's `ctx` can be reached
  agent.ctx;
  // With its instances' type, as in @cloudflare/workers-types.
  const other: string = await worker.getEntrypoint<Agent>("Agent").echo("x");

  // A target comes as a stub; what is called on the promise of one is pipelined.
  const counter = await agent.counter();
  same<typeof counter, RpcStub<Counter>>(true);
  const first: number = await counter.increment(2);
  const value: number = await counter.value;
  const pipelined: number = await agent.counter().child().child().increment();
  const read: number = await agent.counter().value;
  counter.dup()[Symbol.dispose]();
  // @ts-expect-error
  counter.increment("two");
  const maybe = await agent.find(1);
  const found: number | undefined = await maybe?.increment();

  // Objects are cloned, with stubs for the targets in them, and can be disposed of.
  using box = await agent.box();
  const inside: number = await box.counter.increment();
  const list: number[] = box.list;
  const when: Date = box.when;
  const optional: string | undefined = box.optional;
  const beside: number = await agent.box().counter.increment();
  const map = await agent.map();
  const inMap: number | undefined = await map.get("a")?.value;
  const sum: number = await agent.adder()(1, 2);
  const adder = await agent.adder();
  const again: number = await adder(1, 2);

  // Where a stub is taken, what it would be a stub of is given.
  await agent.use((x) => x + 1, new Counter());
  await agent.use((x) => x + 1, counter);
  // @ts-expect-error
  await agent.use((x: string) => 1, counter);

  // Handlers take one argument each.
  const plain = worker.getEntrypoint<typeof handlers>();
  const doubled: number = await plain.twice(21);
  const posted: string = await plain.myAgent("hello");
  // @ts-expect-error
  await plain.myAgent("hello", {});

  const stub = new RpcStub(new Counter());
  const own: number = await stub.increment();
  const promise: RpcPromise<number> = stub.increment();

  try {
    await agent.echo("x");
  } catch (error) {
    if (error instanceof GloveboxError) {
      const { code } = error;
      same<typeof code, GloveboxErrorCode>(true);
      if (code === "exceededCpu" || code === "disconnected" || code === "unavailable") return;
      // @ts-expect-error: no such code
      if (code === "exceededPatience") return;
    }
  }
  same<typeof SameRpcTarget, typeof RpcTarget>(true);
  waitUntil(glovebox.closed);
  void [there, ended, about, answer, echoed, n, yes, any, other, first, value, pipelined, read, found, inside, list, when, optional, beside, inMap, sum, again, doubled, posted, own, promise, env];
}

async function bundling(loader: WorkerLoader, path: string): Promise<void> {
  const { wranglerConfig, ...code } = await createWorker({ files: { "src/index.ts": "", "data.bin": new Uint8Array() }, minify: true, loader: { ".svg": "text" } });
  loader.load({ ...code, compatibilityDate: wranglerConfig?.compatibilityDate ?? "2026-01-01" });
  await using bundler = createBundler({ cacheFolder: path });
  await bundler.createWorker({ files: { list: () => [], read: () => null } }).catch((error: unknown) => {
    if (error instanceof BundleError) same<number | undefined, (typeof error.errors)[number]["line"] | undefined>(true);
  });
  // @ts-expect-error
  await createWorker({ files: {}, loader: { ".svg": "file" } });
}
void bundling;
