// 100,000 calls and 10,000 capabilities leave nothing behind: not in this program, not in the supervisor, not in the worker.
// Counts where there are counts, and memory between the fifth and the last round, when everything has reached its size.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { after, test } from "node:test";

import { RpcTarget, connect } from "glovebox";
import { Daemon } from "./world.mjs";

const ROUNDS = 10;
const daemon = await Daemon.start("--pool", "1");
const glovebox = await connect({ socket: daemon.socket, console: "ignore" });
after(async () => {
  await glovebox.close();
  await daemon.end();
});

const AGENT = `
import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
class Thing extends RpcTarget { value() { return 1; } }
export default class extends WorkerEntrypoint {
  echo(value) { return value; }
  async useTool(tool, count) { for (let i = 0; i < count; i++) await tool({ i }); return count; }
  make() { return new Thing(); }
  async take(f, target) { return await f(1) + await target.value(); }
  async makeMany(make, count) {
    for (let i = 0; i < count; i++) {
      using thing = await make();
      await thing.value();
    }
    return count;
  }
}`;
class Thing extends RpcTarget { value() { return 1; } }

const kilobytes = (pid) => {
  const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match[1]);
};
// The worker that was loaded: the child of the warden that is neither the zygote nor waiting in the pool.
async function workerPid() { return (await glovebox.status()).workers[0].pid; }
const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

async function settle() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function measure() {
  await settle();
  const pid = await workerPid();
  const status = await glovebox.status();
  return {
    node: Math.round(process.memoryUsage().heapUsed / 1024), daemon: kilobytes(daemon.process.pid), worker: kilobytes(pid),
    exports: glovebox.counts().exports, calls: glovebox.counts().calls, descriptors: descriptors(daemon.process.pid),
    capabilities: status.workers[0].liveCapabilities,
  };
}

async function rounds(t, body) {
  const worker = glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": AGENT } });
  const agent = worker.getEntrypoint();
  await agent.echo(1);
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    await body(agent);
    samples.push(await measure());
  }
  worker[Symbol.dispose]();
  const [fifth, last] = [samples[4], samples[ROUNDS - 1]];
  t.diagnostic(`fifth round ${JSON.stringify(fifth)}, last ${JSON.stringify(last)}`);
  for (const name of ["exports", "calls", "descriptors", "capabilities"]) assert.equal(last[name], fifth[name], name);
  // Kilobytes. V8 lets a worker's heap grow until it sees fit to collect, by up to 8 MB; 50,000 calls that lose 200 bytes each
  // would exceed that. Node's heap has just been collected, and the supervisor has none.
  assert.ok(last.node - fifth.node < 1500, `Node's heap grew from ${fifth.node} to ${last.node} kB`);
  assert.ok(last.daemon - fifth.daemon < 2500, `the supervisor grew from ${fifth.daemon} to ${last.daemon} kB`);
  assert.ok(last.worker - fifth.worker < 10_000, `the worker grew from ${fifth.worker} to ${last.worker} kB`);
}

test("100,000 calls, half of them on tools", (t) => rounds(t, async (agent) => {
  for (let i = 0; i < 5000; i++) await agent.echo({ i });
  await agent.useTool(() => ({ ok: true }), 5000);
}));

test("10,000 capabilities made and dropped, by either side", (t) => rounds(t, async (agent) => {
  for (let i = 0; i < 250; i++) {
    const thing = await agent.make();
    await thing.value();
    thing[Symbol.dispose]();
    await agent.take(() => 1, new Thing());
  }
  await agent.makeMany(() => new Thing(), 250);
}));

test("promises and results that nobody disposes of are collected", async () => {
  const worker = glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": AGENT } });
  const agent = worker.getEntrypoint();
  await agent.echo(1);
  const before = (await glovebox.status()).workers[0].liveCapabilities;
  for (let i = 0; i < 1000; i++) await agent.make();
  for (let i = 0; i < 50 && (await glovebox.status()).workers[0].liveCapabilities > before + 100; i++) await settle();
  const after = (await glovebox.status()).workers[0].liveCapabilities;
  assert.ok(after <= before + 100, `${after} capabilities are left of 1,000 (${before} before)`);
  worker[Symbol.dispose]();
});
