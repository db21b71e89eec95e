// load({ tails }): entrypoints that are told of each call on a worker, of this program or of another worker.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { WorkerEntrypoint, connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
const { loader } = glovebox;
after(() => glovebox.close());

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const code = (text, options = {}) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
const AGENT = `
  import { WorkerEntrypoint } from "cloudflare:workers";
  export default {
    ok(x) { console.log("said", x); console.warn("warned"); return x; },
    boom() { throw new TypeError("boom"); },
    spin() { for (;;); },
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    flood(n) { for (let i = 0; i < n; i++) console.log("x".repeat(500)); return n; },
    later(ms, env, ctx) { ctx.waitUntil(new Promise((resolve) => setTimeout(() => { console.log("later"); resolve(); }, ms))); return 1; },
  };
  export class Named extends WorkerEntrypoint { deep = { not: "reachable" }; hi() { return "hi"; } }`;

class Tail extends WorkerEntrypoint {
  tail(events) { this.ctx.props.events.push(...events); }
}
function collector() {
  const events = [];
  return { events, tail: entrypoint(Tail, { props: { events } }) };
}
async function until(condition) {
  for (let i = 0; i < 1000 && !condition(); i++) await later(5);
  assert.ok(condition());
}

test("the name of a worker that has one is its script's name", async () => {
  const { events, tail } = collector();
  const target = loader.get("tenant 7", () => code(AGENT, { tails: [tail] })).getEntrypoint();
  for (let i = 0; i < 2; i++) {
    assert.equal(await target.ok(7), 7);
    await until(() => events.length === i + 1);
    assert.equal(events[i].scriptName, "tenant 7");
    await loader.abort("tenant 7");
  }
  await loader.delete("tenant 7");
});

test("tails that tell each other come to an end", async () => {
  let told = 0;
  const text = "export default { run: (x) => x, async tail(events, env) { await env.note(); } }";
  const get = (name, other) => loader.get(name, () => code(text, {
    env: { note: () => { told++; } },
    tails: [get(other, name)],
  })).getEntrypoint();
  assert.equal(await get("ping", "pong").run(1), 1);
  await until(() => told === 4);   // TAIL_DEPTH_MAX
  await later(100);
  assert.equal(told, 4);
  assert.equal(await get("ping", "pong").run(2), 2);
  await until(() => told === 8);
  await loader.delete("ping");
  await loader.delete("pong");
});

test("a tail of this program gets a TraceItem of each call", async () => {
  const { events, tail } = collector();
  const worker = loader.load(code(AGENT, { tails: [tail] }));
  const before = Date.now();
  assert.equal(await worker.getEntrypoint().ok(7), 7);
  await until(() => events.length === 1);
  const [event] = events;
  assert.deepEqual(Object.keys(event), ["event", "eventTimestamp", "logs", "exceptions", "diagnosticsChannelEvents", "scriptName", "entrypoint",
    "scriptVersion", "dispatchNamespace", "scriptTags", "outcome", "executionModel", "truncated", "cpuTime", "wallTime"]);
  assert.deepEqual(event.event, { rpcMethod: "ok" });
  assert.ok(event.eventTimestamp >= before - 5 && event.eventTimestamp <= Date.now());
  assert.deepEqual(event.logs.map(({ level, message }) => [level, message]), [["log", ["said 7"]], ["warn", ["warned"]]]);
  assert.ok(event.logs[0].timestamp >= before - 5);
  assert.deepEqual([event.exceptions, event.diagnosticsChannelEvents, event.scriptTags], [[], [], []]);
  assert.deepEqual([event.scriptName, event.entrypoint, event.scriptVersion, event.dispatchNamespace], [null, null, undefined, undefined]);
  assert.deepEqual([event.outcome, event.executionModel, event.truncated], ["ok", "stateless", false]);
  assert.ok(event.cpuTime > 0 && event.wallTime > 0);

  assert.equal((await failure(worker.getEntrypoint().boom(0))).message, "boom");
  assert.equal(await worker.getEntrypoint("Named").hi(), "hi");
  await until(() => events.length === 3);
  const [, thrown, named] = events;
  assert.equal(thrown.outcome, "exception");
  assert.deepEqual(thrown.exceptions.map(({ name, message }) => [name, message]), [["TypeError", "boom"]]);
  assert.match(thrown.exceptions[0].stack, /^TypeError: boom\n    at boom \(m\.js/);
  assert.equal(named.entrypoint, "Named");
});

test("also of one that is killed or disposed of, and of what is said after an answer", async () => {
  const { events, tail } = collector();
  const killed = loader.load(code(AGENT, { tails: [tail], limits: { cpuMs: 100 } }));
  await failure(killed.getEntrypoint().spin(0));
  await until(() => events.length === 1);
  assert.equal(events[0].outcome, "exceededCpu");
  const disposed = loader.load(code(AGENT, { tails: [tail] }));
  const waiting = failure(disposed.getEntrypoint().wait(60_000));
  await later(50);
  disposed[Symbol.dispose]();
  await waiting;
  await until(() => events.length === 2);
  assert.equal(events[1].outcome, "revoked");
  const talker = loader.load(code(AGENT, { tails: [tail] }));
  await talker.getEntrypoint().later(20);
  await until(() => events.length === 4);
  assert.deepEqual([events[2].event, events[2].logs], [{ rpcMethod: "later" }, []]);
  assert.equal(events[3].event, null);
  assert.deepEqual(events[3].logs.map(({ message }) => message), [["later"]]);
});

test("an entrypoint of another worker is a tail, with several beside it", async () => {
  const seen = [];
  const { events, tail } = collector();
  const watcher = loader.load(code(`import { WorkerEntrypoint } from "cloudflare:workers";
    export class Tail extends WorkerEntrypoint { async tail(events) { for (const e of events) await this.env.SEEN(e.outcome, e.event.rpcMethod, this.ctx.props.who); } }`,
    { env: { SEEN: (...args) => { seen.push(args); } } }));
  const worker = loader.load(code(AGENT, { tails: [watcher.getEntrypoint("Tail", { props: { who: "me" } }), tail] }));
  await worker.getEntrypoint().ok(1);
  await until(() => seen.length === 1 && events.length === 1);
  assert.deepEqual(seen[0], ["ok", "ok", "me"]);
});

test("a worker gives tails to what it loads: its own exports, with props and without, and stubs it was handed", async () => {
  const seen = [];
  const { events, tail } = collector();
  const parent = loader.load(code(`import { WorkerEntrypoint } from "cloudflare:workers";
    export class Tail extends WorkerEntrypoint { async tail(events) { await this.env.SEEN(this.ctx.props.who ?? "nobody", events[0].outcome, events[0].logs[0].message[0]); } }
    export default { async go(text, env, ctx) {
      const child = env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "export default { f(x) { console.log('child', x); return x; } }" },
        tails: [ctx.exports.Tail({ props: { who: "props" } }), ctx.exports.Tail, env.TAIL] });
      return await child.getEntrypoint().f(text);
    } }`, { env: { LOADER: loader, TAIL: tail, SEEN: (...args) => { seen.push(args); } } }));
  assert.equal(await parent.getEntrypoint().go("t"), "t");
  await until(() => seen.length === 2 && events.length === 1);
  assert.deepEqual(seen.sort(), [["nobody", "ok", "child t"], ["props", "ok", "child t"]]);
  assert.equal(events[0].event.rpcMethod, "f");
});

test("what is no entrypoint is refused, here and in a worker, with Cloudflare's words", async () => {
  const words = (index) => `Incorrect type for array element ${index}: the provided value is not of type 'Fetcher'.`;
  const { tail } = collector();
  const stub = await loader.load(code("export default { f: () => () => 1 }")).getEntrypoint().f(0);
  for (const wrong of [1, null, "x", {}, Tail, () => {}, new Tail({ props: {} }, {}), stub]) {
    assert.throws(() => loader.load(code(AGENT, { tails: [tail, wrong] })), { name: "TypeError", message: words(1) });
  }
  for (const wrong of [null, 1, {}, "x"]) {
    assert.throws(() => loader.load(code(AGENT, { tails: wrong })), { name: "TypeError", message: /^Incorrect type for the 'tails' field on 'WorkerCode'/ });
  }
  assert.throws(() => loader.load(code(AGENT, { tails: Array(9).fill(tail) })), { message: "A worker may have 8 tails; this one has 9." });
  assert.throws(() => loader.load(code(AGENT, { streamingTails: [tail] })), /Streaming tail workers are experimental/);
  loader.load(code(AGENT, { tails: [] }))[Symbol.dispose]();
  const inside = loader.load(code(`export default { go(_, env) {
    try { env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "" }, tails: [() => 1] }); } catch (e) { return e.name + ": " + e.message; }
  } }`, { env: { LOADER: loader } })).getEntrypoint();
  assert.equal(await inside.go(0), `TypeError: ${words(0)}`);
});

test("a tail that fails, or never answers, holds nobody up", async () => {
  class Failing extends WorkerEntrypoint { tail() { throw new Error("no"); } }
  class Slow extends WorkerEntrypoint { tail() { return new Promise(() => {}); } }
  const before = (await glovebox.status()).tailCallsFailed;
  const agent = loader.load(code(AGENT, { tails: [entrypoint(Failing), entrypoint(Slow), entrypoint({ other() {} })] })).getEntrypoint();
  for (let i = 0; i < 30; i++) assert.equal(await agent.ok(i), i);
  await later(50);
  const { tailCallsFailed, tailEventsDropped } = await glovebox.status();
  assert.ok(tailCallsFailed - before >= 30, `${tailCallsFailed}`);
  assert.ok(tailEventsDropped > 0);
});

test("a worker that floods its logs keeps neither its caller nor its tail, and they are cut", async () => {
  const { events, tail } = collector();
  const agent = loader.load(code(AGENT, { tails: [tail] })).getEntrypoint();
  assert.equal(await agent.flood(5_000), 5_000);
  await until(() => events.some((event) => event.event !== null));
  const event = events.find(({ event }) => event !== null);
  assert.equal(event.truncated, true);
  const bytes = event.logs.reduce((sum, { message }) => sum + message[0].length, 0);
  assert.ok(bytes > 10_000 && bytes <= 64 * 1024, `${bytes}`);
  assert.equal(await agent.ok(1), 1);
});
