// Named workers that go and come back: eviction, death, abort, and what outlives them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { RpcTarget, connect } from "glovebox";
import { failure } from "./failure.mjs";

const logs = [];
const glovebox = await connect({ console: (message) => logs.push(message.text) });
const { loader } = glovebox;
after(() => glovebox.close());

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(condition) {
  for (;;) {
    const value = await condition();
    if (value) return value;
    await later(2);
  }
}
const code = (text, options = {}) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
const COUNTER = `import { RpcTarget, WorkerEntrypoint, abortIsolate } from "cloudflare:workers";
  let n = 0;
  const list = [];
  class Box extends RpcTarget { constructor(v) { super(); this.v = v; } open() { return this.v; } }
  export default {
    count: () => ++n, push(v) { list.push(v); return list.length; }, list: () => list.splice(0), box: (v) => new Box(v),
    wait: () => new Promise((resolve) => setTimeout(resolve, 60_000)), hold: (tool) => tool.hold(() => n), fill: (mb) => { list.push(new Uint8Array(mb << 20).fill(1)); },
    async abort(text) { console.log(text); abortIsolate("enough"); await null; console.log("not reached"); return 1; },
    leave(ms, env, ctx) { ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, ms))); return ++n; },
  };
  export class Props extends WorkerEntrypoint { use(x) { return this.ctx.props.tool.twice(x); } count() { return ++n; } }`;
let names = 0;
const fresh = () => `worker ${++names}`;
const get = (name, from = loader) => from.get(name, () => code(COUNTER)).getEntrypoint();
const row = async (name, from = loader) => (await from.list()).find((worker) => worker.name === name);

function isAlive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
async function kill(name, of = glovebox) {
  const { pid } = (await of.status()).workers.find((worker) => worker.name === name);
  process.kill(pid, "SIGKILL");
  await until(() => !isAlive(pid));
}

class Tool extends RpcTarget { twice(n) { return n * 2; } }

test("entrypoints with props, and the tools in these, serve one worker after the other", async () => {
  const name = fresh();
  const stub = loader.get(name, () => code(COUNTER));
  const target = stub.getEntrypoint("Props", { props: { tool: new Tool() } });
  assert.equal(await target.use(4), 8);
  for (let round = 1; round <= 3; round++) {
    await kill(name);
    assert.equal(await target.use(round), round * 2);
    assert.equal(await stub.getEntrypoint("Props", { props: { tool: new Tool() } }).use(round), round * 2);
    assert.equal(await target.count(), 1);
  }
  await loader.delete(name);
});

test("calls that come while it is made again wait, in order", async () => {
  const name = fresh();
  let asked = 0;
  const target = loader.get(name, async () => { asked++; await later(20); return code(COUNTER); }).getEntrypoint();
  await target.push(0);
  await kill(name);
  const value = { n: 0 };
  const calls = [];
  for (let n = 1; n <= 40; n++) {
    value.n = n;
    calls.push(target.push({ ...value }));
    if (n % 8 === 0) await later(5);   // before, while and after it is made
  }
  const opened = target.box("inside").open();
  assert.deepEqual(await Promise.all(calls), Array.from({ length: 40 }, (_, i) => i + 1));
  assert.deepEqual([...await target.list(0)].map((item) => item.n), Array.from({ length: 40 }, (_, i) => i + 1));
  assert.equal(await opened, "inside");
  assert.equal(asked, 2);
  await loader.delete(name);
});

test("what is wrong with the code is told, and asked for again by the next call", async () => {
  const name = fresh();
  let text = "throw new Error('not yet');";
  const target = loader.get(name, () => code(text)).getEntrypoint();
  const errors = await Promise.all([failure(target.count(0)), failure(target.count(0))]);
  for (const error of errors) assert.match(error.message, /^Failed to start Worker:\nUncaught Error: not yet/);
  text = "export default {";
  assert.match((await failure(target.count(0))).message, /^Failed to start Worker:\nUncaught SyntaxError/);
  text = COUNTER;
  assert.equal(await target.count(0), 1);
  assert.equal(await target.count(0), 2);
  await loader.delete(name);
});

test("abort() ends what runs; the next call has it made again", async () => {
  const name = fresh();
  const target = get(name);
  assert.equal(await target.count(0), 1);
  const waiting = [failure(target.wait(0)), failure(target.wait(0))];
  await until(async () => (await row(name)).callsInFlight === 2);
  assert.equal(await loader.abort(name), true);
  for (const error of await Promise.all(waiting)) assert.equal(error.code, "aborted");
  assert.equal(await target.count(0), 1);
  assert.equal(await loader.abort("nobody"), false);
  // Also who waits for code.
  const coming = loader.get(fresh(), () => new Promise(() => {})).getEntrypoint();
  const early = failure(coming.count(0));
  await later(10);
  assert.equal(await loader.abort(`worker ${names}`), true);
  assert.equal((await early).code, "aborted");
  await loader.delete(`worker ${names}`);
  await loader.delete(name);
});

test("abortIsolate() ends the worker from inside, and what it had said arrives", async () => {
  const name = fresh();
  const target = get(name);
  assert.equal(await target.count(0), 1);
  const other = failure(target.wait(0));
  const error = await failure(target.abort("last words"));
  assert.equal(error.code, "aborted");
  assert.match(error.message, /own code ended it with abortIsolate\(\)/);
  assert.equal((await other).code, "aborted");
  await until(() => logs.some((text) => text.startsWith("abortIsolate: enough")));
  assert.deepEqual(logs.slice(-2), ["last words", "abortIsolate: enough"]);
  assert.equal(await target.count(0), 1);
  assert.ok(!logs.includes("not reached"));
  assert.equal((await glovebox.status()).zygote.started, 1);   // nothing abnormal
  await loader.delete(name);

  // Of a worker without a name that is its end.
  const nameless = loader.load(code(COUNTER)).getEntrypoint();
  assert.equal((await failure(nameless.abort("x"))).code, "aborted");
  assert.equal((await failure(nameless.count(0))).code, "aborted");
  const early = loader.load(code(`import { abortIsolate } from "cloudflare:workers"; abortIsolate(); export default { x: () => 1 };`));
  assert.match((await failure(early.getEntrypoint().x(0))).message, /Disallowed operation called within global scope/);
});

test("a worker with many last words gets rid of them", async () => {
  const target = loader.load(code(`import { abortIsolate } from "cloudflare:workers";
    export default { go(n) { for (let i = 0; i < n; i++) console.log(i + " " + "x".repeat(1000)); abortIsolate(); } };`)).getEntrypoint();
  const before = logs.length;
  assert.equal((await failure(target.go(150))).code, "aborted");
  await until(() => logs.length === before + 150);
});

test("list() tells of each, latest use first", async () => {
  const of = glovebox.createLoader();
  assert.deepEqual([...await of.list()], []);
  const [a, b] = [get("a", of), get("b", of)];
  await a.count(0);
  await b.count(0);
  await a.count(0);
  const waiting = failure(a.wait(0));
  const rows = await until(async () => { const list = await of.list(); return list[0].callsInFlight === 1 && list; });
  assert.deepEqual(rows.map(({ name, live, callsInFlight }) => [name, live, callsInFlight]), [["a", true, 1], ["b", true, 0]]);
  assert.ok(rows[1].memoryBytes >= 1 << 19 && rows[1].memoryBytes < 16 << 20, String(rows[1].memoryBytes));
  assert.equal(rows[0].idleMs, 0);
  await until(async () => (await row("b", of)).idleMs > 0);
  const { workers } = await glovebox.status();
  assert.deepEqual(workers.filter(({ name }) => name === "a" || name === "b").map(({ name, callsInFlight }) => [name, callsInFlight]), [["a", 1], ["b", 0]]);
  await of.abort("a");
  await waiting;
  assert.equal((await row("a", of)).live, false);
  await Promise.all([of.delete("a"), of.delete("b")]);
  assert.deepEqual([...await of.list()], []);
});

test("two loaders with the same name have two workers", async () => {
  const [one, two] = [glovebox.createLoader(), glovebox.createLoader()];
  assert.deepEqual([await get("x", one).count(0), await get("x", one).count(0), await get("x", two).count(0)], [1, 2, 1]);
  assert.equal(await one.delete("x"), true);
  assert.equal(await get("x", two).count(0), 2);
  assert.equal(await two.delete("x"), true);
});

test("a loader that is handed to two workers has names of its own in each", async () => {
  const PARENT = `export default {
    count: (name, env) => env.LOADER.get(name, () => ({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "let n = 0; export default { count: () => ++n }" } })).getEntrypoint().count(0),
    act: ([act, name], env) => env.LOADER[act](name),
    names: async (_, env) => (await env.LOADER.list()).map(({ name, live, callsInFlight }) => [name, live, callsInFlight]),
  };`;
  const [one, two] = [1, 2].map(() => loader.load(code(PARENT, { env: { LOADER: loader } })));
  const [a, b] = [one.getEntrypoint(), two.getEntrypoint()];
  assert.equal(await get("x").count(0), 1);
  assert.deepEqual([await a.count("x"), await a.count("x"), await b.count("x")], [1, 2, 1]);
  assert.deepEqual([...await a.names(0)].map((item) => [...item]), [["x", true, 0]]);
  assert.deepEqual([await a.act(["abort", "x"]), await a.act(["abort", "y"]), await a.count("x")], [true, false, 1]);
  assert.deepEqual([await a.act(["delete", "x"]), await a.act(["delete", "x"]), await b.count("x")], [true, false, 2]);
  assert.equal(await get("x").count(0), 2);
  assert.equal(await loader.delete("x"), true);
  // They end with whoever made them.
  const before = (await glovebox.status()).liveWorkers;
  two[Symbol.dispose]();
  await until(async () => (await glovebox.status()).liveWorkers === before - 2);
  one[Symbol.dispose]();
});

test("a named worker may hold the loader that made it, and still ends with the connection", async () => {
  const other = await connect({ console: "ignore", supervisor: { poolSize: 1 } });
  const target = other.loader.get("self", () => code(`export default { run: (_, env) => Object.keys(env)[0] };`, { env: { LOADER: other.loader } })).getEntrypoint();
  assert.equal(await target.run(0), "LOADER");
  const { pid } = (await other.status()).workers.find((worker) => worker.name === "self");
  await other.close();
  await until(() => !isAlive(pid));
});

test("nothing is left of a name that was deleted", async () => {
  const before = glovebox.counts();
  const status = await glovebox.status();
  for (let round = 0; round < 20; round++) {
    const name = fresh();
    const target = loader.get(name, () => code(COUNTER, { env: { TOOL: new Tool() } })).getEntrypoint("Props", { props: { tool: new Tool() } });
    assert.equal(await target.use(1), 2);
    target[Symbol.dispose]();
    await loader.delete(name);
  }
  await until(async () => { globalThis.gc?.(); return glovebox.counts().exports <= before.exports && glovebox.counts().calls <= before.calls; });
  // What earlier tests let go of may have ended meanwhile: there may be fewer.
  await until(async () => (await glovebox.status()).liveWorkers <= status.liveWorkers);
});

test("an idle named worker does not keep a program from ending", () => {
  const program = `import { connect } from "glovebox";
    const { loader } = await connect({ console: "ignore" });
    const code = { compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default { x: () => 7 }" } };
    console.log(await loader.get("x", () => code).getEntrypoint().x(0));`;
  const { stdout, status } = spawnSync(process.execPath, [...process.execArgv, "--input-type=module", "--eval", program], { encoding: "utf8", cwd: new URL(".", import.meta.url) });
  assert.deepEqual([stdout, status], ["7\n", 0]);
});

// -- Eviction ------------------------------------------------------------------------------------------------------------------

async function withSupervisor(supervisor, body) {
  const of = await connect({ console: "ignore", supervisor });
  try {
    await body(of, of.loader, async () => (await of.status()).named);
  } finally {
    await of.close();
  }
}

test("one that is idle for too long goes, and comes back with the next call", () => withSupervisor({ namedIdleMsMax: 100 }, async (of, from, named) => {
  const target = get("x", from);
  assert.equal(await target.count(0), 1);
  await until(async () => !(await row("x", from)).live);
  assert.equal((await named()).evictions.idle, 1);
  assert.equal(await target.count(0), 1);
  // A call under way keeps it, however long; and what waitUntil() waits for at others does, too.
  const waiting = failure(target.wait(0));
  await later(300);
  assert.equal((await row("x", from)).live, true);
  await from.abort("x");
  await waiting;
  // Less may be asked for.
  const soon = from.get("soon", () => code(COUNTER, { limits: { idleMs: 20 } })).getEntrypoint();
  assert.equal(await soon.count(0), 1);
  await until(async () => !(await row("soon", from)).live);
}));

test("never one of which somebody holds what came out of a call", () => withSupervisor({ namedIdleMsMax: 50, namedMemoryMbMax: 1 }, async (of, from, named) => {
  const target = get("x", from);
  const box = await target.box(5);
  let held;
  class Holder extends RpcTarget { hold(f) { held = f.dup(); } }
  const callback = get("y", from);
  await callback.hold(new Holder());
  for (let n = 0; n < 8; n++) assert.equal(await get(`other ${n}`, from).count(0), 1);   // over the budget of memory
  await later(150);                                                                     // and of time
  assert.equal(await box.open(), 5);
  assert.equal(await held(), 0);
  assert.equal((await row("x", from)).live, true);
  // They are free to go when nobody does.
  box[Symbol.dispose]();
  held[Symbol.dispose]();
  await until(async () => !(await row("x", from))?.live && !(await row("y", from))?.live);
  assert.ok((await named()).evictions.memory > 0);
}));

test("beyond the budget of memory the one least recently used goes", () => withSupervisor({ namedMemoryMbMax: 70 }, async (of, from, named) => {
  const targets = ["a", "b", "c"].map((name) => get(name, from));
  for (const target of targets) await target.fill(16);
  await until(async () => (await from.list()).every((worker) => worker.memoryBytes > 16 << 20));
  await targets[0].count(0);
  assert.equal((await named()).evictions.memory, 0);
  const more = get("d", from);
  await more.fill(16);
  await until(async () => (await named()).evictions.memory > 0);
  assert.deepEqual((await from.list()).filter((worker) => worker.live).map((worker) => worker.name).sort(), ["a", "c", "d"]);
  assert.ok((await named()).memoryBytes <= 70 << 20);
  assert.deepEqual([await targets[0].count(0), await targets[1].count(0)], [2, 1]);   // "b" is new
}));

test("where there may be no more workers, an idle one goes rather than a load be refused", () => withSupervisor({ workersMax: 3, poolSize: 1 }, async (of, from, named) => {
  const [a, b] = [get("a", from), get("b", from)];
  assert.deepEqual([await a.count(0), await b.count(0)], [1, 1]);
  const waiting = failure(a.wait(0));
  await until(async () => (await row("a", from)).callsInFlight === 1);
  const loaded = from.load(code(COUNTER)).getEntrypoint();
  assert.equal(await loaded.count(0), 1);
  const another = from.load(code(COUNTER)).getEntrypoint();
  assert.equal(await another.count(0), 1);
  assert.equal((await named()).evictions.workers, 1);
  assert.deepEqual([(await row("a", from)).live, (await row("b", from)).live], [true, false]);
  assert.equal((await failure(b.count(0))).code, "overloaded");   // "a" is busy, and the others have no names
  await from.abort("a");
  await waiting;
  assert.equal(await b.count(0), 1);
}));
