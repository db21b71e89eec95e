// Every limit, where it may be set, and what a call is told that meets it. The names are one list: C++'s.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { RpcTarget, connect } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
const { loader } = glovebox;
after(() => glovebox.close());

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const AGENT = `import { RpcTarget } from "cloudflare:workers";
  const kept = [];
  class Box extends RpcTarget {}
  export default {
    echo: (value) => value,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    spin() { for (;;); },
    ask: async (n, env) => { for (let i = 0; i < n; i++) await env.tool(i); return n; },
    askAtOnce: async (n, env) => (await Promise.all(Array.from({ length: n }, (_, i) => env.tool(i)))).length,
    insist: async (n, env) => { let refused = 0; for (let i = 0; i < n; i++) { try { await env.tool(i); } catch { refused++; } } return refused; },
    boxes: (n) => Array.from({ length: n }, () => new Box()),
    timers: (n) => { for (let i = 0; i < n; i++) setTimeout(() => {}, 1e6); return n; },
    log: (n) => { for (let i = 0; i < n; i++) console.log("x".repeat(100)); },
    text: (n) => "x".repeat(n),
    hold: (n) => { for (let i = 0; i < n; i++) kept.push(new Array(1000).fill(i)); return n; },
    buffers: (n) => { for (let i = 0; i < n; i++) kept.push(new Uint8Array(1 << 20).fill(1)); return n; },
    load: async (_, env) => { const worker = env.LOADER.load(env.code); try { return await worker.getEntrypoint().echo(1); } finally { worker[Symbol.dispose](); } },
  };`;
const code = (limits, env = {}, text = AGENT) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, limits, env });
const agent = (limits, env) => loader.load(code(limits, env)).getEntrypoint();
const told = async (promise, outcome, words) => {
  const error = await failure(promise);
  assert.equal(error.code ?? error.name, outcome, String(error));
  assert.match(error.message, words);
};

test("the names are C++'s", async () => {
  const { limits } = await glovebox.status();
  const names = Object.keys(limits).filter((name) => name !== "workers");
  assert.throws(() => glovebox.createLoader({ limits: { x: 1 } }), (error) => error.message.endsWith(`there are: ${names.join(", ")}.`));
});

test("cpuMs, wallMs: of a call", async () => {
  await told(agent({ cpuMs: 30 }).spin(0), "exceededCpu", /limit of 30 ms of CPU/);
  await told(agent({ wallMs: 50 }).wait(60_000), "exceededWallTime", /limit of 50 ms/);
});

test("startupCpuMs: of the modules' evaluation, and cpuMs where that is less", async () => {
  const spinning = (limits) => loader.load(code(limits, {}, "for (;;);")).getEntrypoint().echo(0);
  await told(spinning({ startupCpuMs: 40 }), "exceededCpu", /limit of 40 ms of CPU time while its modules were evaluated/);
  await told(spinning({ cpuMs: 20 }), "exceededCpu", /limit of 20 ms of CPU time while its modules were evaluated/);
});

test("subRequests: of a call, each has its own", async () => {
  let calls = 0;
  const env = { tool: () => { calls++; } };
  const target = agent({ subRequests: 5 }, env);
  for (let i = 0; i < 3; i++) assert.equal(await target.ask(5), 5);
  await told(target.ask(6), "exceededSubrequests", /limit of 5 calls to others in this call \(Too many subrequests\).*limits\.subRequests/);
  assert.equal(calls, 20);                              // the sixth never reached the tool
  assert.equal(await target.ask(5), 5);                 // the worker goes on
  calls = 0;
  await told(target.askAtOnce(50), "exceededSubrequests", /limit of 5/);
  assert.ok(calls <= 5, `${calls} calls got through`);
  calls = 0;
  await told(target.insist(1_000_000), "exceededSubrequests", /limit of 5/);
  assert.equal(calls, 5);
});

test("subRequests: calls that overlap in one worker are each charged all", async () => {
  const worker = loader.load(code({}, { tool: () => later(5) }));
  const generous = worker.getEntrypoint(), strict = worker.getEntrypoint(undefined, { limits: { subRequests: 10 } });
  const waiting = strict.wait(60_000);
  await told(Promise.all([generous.ask(11), waiting]), "exceededSubrequests", /limit of 10/);
  await told(waiting, "exceededSubrequests", /limit of 10/);
  assert.equal(await generous.ask(11), 11);
});

test("subRequests: a load counts, a stream counts once", async () => {
  const target = agent({ subRequests: 2 }, { LOADER: loader, code: code() });
  assert.equal(await target.load(0), 1);
  const strict = agent({ subRequests: 1 }, { LOADER: loader, code: code() });
  await told(strict.load(0), "exceededSubrequests", /limit of 1/);
  const reader = loader.load({ ...code({ subRequests: 1 }), modules: { "m.js": `export default {
    async read(stream) { let n = 0; for await (const chunk of stream) n += chunk.length; return n; } }` } }).getEntrypoint();
  const chunks = new ReadableStream({ type: "bytes", start(c) { for (let i = 0; i < 20; i++) c.enqueue(new Uint8Array(1000)); c.close(); } });
  assert.equal(await reader.read(chunks), 20_000);
});

test("memoryMb: heap and buffers together; heapMb: the heap alone", async () => {
  await told(agent({ memoryMb: 32 }).hold(1e6), "exceededMemory", /limit of 32 MiB/);
  await told(agent({ memoryMb: 32 }).buffers(100), "exceededMemory", /limit of 32 MiB/);
  const small = agent({ memoryMb: 96, heapMb: 16 });
  await told(small.hold(5_000), "exceededMemory", /./);          // 40 MB of heap
  assert.equal(await agent({ memoryMb: 96, heapMb: 16 }).buffers(60), 60);
  assert.equal(await agent({ memoryMb: 96 }).hold(5_000), 5_000);
});

test("callsInFlight: further ones are refused at once", async () => {
  const target = agent({ callsInFlight: 2 });
  const waiting = [target.wait(50), target.wait(50)];
  await told(target.echo(1), "overloaded", /calls in flight on one worker: the limit is 2/);
  await Promise.all(waiting);
  assert.equal(await target.echo(1), 1);
});

test("capabilities: held by it, and of it held by others", async () => {
  class Tool extends RpcTarget {}
  const target = agent({ capabilities: 10 });
  assert.equal((await target.echo([new Tool(), new Tool()])).length, 2);
  await told(target.echo(Array.from({ length: 11 }, () => new Tool())), "Error", /limit of 10 capabilities held at once/);
  await told(target.boxes(11), "Error", /limit of 10 capabilities of its own that others hold at once/);
});

test("timers: as many as there may be, and the next one throws", async () => {
  assert.equal(await agent({ timers: 5 }).timers(5), 5);
  await told(agent({ timers: 5 }).timers(6), "Error", /timer|timeout/i);
});

test("logBytes: what is beyond is dropped, and said once", async () => {
  const lines = [];
  const noisy = await connect({ console: ({ text }) => lines.push(text) });
  const target = noisy.loader.load(code({ logBytes: 2_000 })).getEntrypoint();
  await target.log(100);
  await target.log(100);
  await noisy.close();
  assert.ok(lines.length < 25, `${lines.length} lines`);
  assert.equal(lines.filter((line) => line.includes("more than 2000 bytes, its limit (limits.logBytes)")).length, 1, lines.join("\n"));
});

test("resultBytes: of one result", async () => {
  const target = agent({ resultBytes: 100_000 });
  assert.equal((await target.text(90_000)).length, 90_000);
  await told(target.text(110_000), "exceededResultSize", /limit of 100000 bytes/);
  assert.equal(await target.echo(1), 1);
});

test("idleMs: a worker without a call is evicted, one with a call is not", async () => {
  const target = agent({ idleMs: 60 });
  await target.wait(150);
  assert.equal(await target.echo(1), 1);
  await later(150);
  await told(target.echo(1), "evicted", /idle for longer than its limit of 60 ms/);
  const used = agent({ idleMs: 400 });
  for (let i = 0; i < 12; i++) {
    assert.equal(await used.echo(i), i);
    await later(50);
  }
});

test("lifetimeMs: takes no call any more, but finishes those it has", async () => {
  const target = agent({ lifetimeMs: 100 });
  const long = target.wait(250).then(() => "done");
  await later(150);
  await told(target.echo(1), "evicted", /lived for its limit of 100 ms/);
  assert.equal(await long, "done");
  await told(target.echo(1), "evicted", /lived for its limit of 100 ms/);
});

test("the lower one counts: supervisor, loader, load, entrypoint", async () => {
  const own = await connect({ console: "ignore", supervisor: { limits: { cpuMs: 400, subRequests: 7 } } });
  const spin = (from, limits, entrypointLimits) => from.load(code(limits)).getEntrypoint(undefined, { limits: entrypointLimits }).spin(0);
  const strict = own.createLoader({ limits: { cpuMs: 100, wallMs: 20_000 } });
  await told(spin(own.loader, { cpuMs: 1_000_000 }), "exceededCpu", /limit of 400 ms/);
  await told(spin(strict, { cpuMs: 300 }), "exceededCpu", /limit of 100 ms/);
  await told(spin(strict, { cpuMs: 60 }), "exceededCpu", /limit of 60 ms/);
  await told(spin(strict, { cpuMs: 60 }, { cpuMs: 30 }), "exceededCpu", /limit of 30 ms/);
  await told(spin(strict, { cpuMs: 60 }, { cpuMs: 90 }), "exceededCpu", /limit of 60 ms/);
  await own.close();
});

test("createLoader: what is wrong with its options is said", async () => {
  for (const [options, words] of [
    [null, /expects an object such as/],
    [{ limit: {} }, /knows no option `limit`/],
    [{ limits: { cpuMS: 1 } }, /There is no limit `limits\.cpuMS`; there are: cpuMs, wallMs/],
    [{ limits: { cpuMs: 0 } }, /createLoader\(\) expects `limits\.cpuMs` to be a whole number from 1 to 4294967295, got 0/],
    [{ limits: [] }, /createLoader\(\) expects `limits` to be an object such as \{ cpuMs: 50 \}, got an array/],
  ]) assert.throws(() => glovebox.createLoader(options), { name: "TypeError", message: words });
});

test("CPU time of calls that overlap in one worker: each is charged what any uses", async () => {
  const worker = loader.load(code({}, { tool: () => {} }));
  const waiting = worker.getEntrypoint(undefined, { limits: { cpuMs: 40 } }).wait(60_000);
  const spinning = worker.getEntrypoint(undefined, { limits: { cpuMs: 5_000 } }).spin(0);
  await told(waiting, "exceededCpu", /limit of 40 ms/);
  await told(spinning, "exceededCpu", /limit of 40 ms/);   // the worker has one thread: a stop ends all that is under way in it
});
