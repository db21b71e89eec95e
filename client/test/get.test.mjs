// loader.get(): named workers that stay warm, and what is asked of them before their code is there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { GloveboxError, RpcTarget, connect } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
const { loader } = glovebox;
after(() => glovebox.close());

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const code = (text, options = {}) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
const COUNTER = `import { RpcTarget } from "cloudflare:workers";
  let n = 0;
  const list = [];
  class Box extends RpcTarget { constructor(v) { super(); this.v = v; } open() { return this.v; } }
  export default {
    count: () => ++n, push(v) { list.push(v); return list.length; }, list: () => list.splice(0), box: (v) => new Box(v),
    call: (f) => f(20), spin() { for (;;); }, hog() { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); },
    fail() { throw new Error("just an error"); }, wait: () => new Promise((resolve) => setTimeout(resolve, 60_000)),
  };
  export const other = { hi: (name) => "hi " + name };`;
// What `give` was set to, once somebody has asked for the code.
async function asked(give) {
  while (give() === undefined) await later(1);
  return give();
}
let names = 0;
const fresh = () => `worker ${++names}`;

// The process behind a name.
async function pidOf(name) { return (await glovebox.status()).workers.find((worker) => worker.name === name).pid; }

async function kill(name) {
  const pid = await pidOf(name);
  process.kill(pid, "SIGKILL");
  while (isAlive(pid)) await later(1);
}

function isAlive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function loads() { return (await glovebox.status()).loads; }

test("the same name is the same warm worker, and getCode runs once, without arguments", async () => {
  const name = fresh();
  const seen = [];
  function getCode(...args) {
    seen.push([args.length, this]);
    return code(COUNTER);
  }
  const first = loader.get(name, getCode), second = loader.get(name, getCode);
  assert.notEqual(first, second);
  assert.deepEqual(await Promise.all([first.getEntrypoint().count(0), second.getEntrypoint().count(0)]), [1, 2]);
  assert.equal(await loader.get(name, async () => { throw new Error("not asked"); }).getEntrypoint().count(0), 3);
  assert.equal(await loader.get(fresh(), async () => code(COUNTER)).getEntrypoint().count(0), 1);
  assert.deepEqual(seen, [[0, undefined]]);
  assert.equal(await loader.get(name, getCode).getEntrypoint("other").hi("you"), "hi you");
});

test("names are strings: numbers are made to be, and the empty one is as good as others", async () => {
  assert.equal(await loader.get(17, () => code(COUNTER)).getEntrypoint().count(0), 1);
  assert.equal(await loader.get("17", () => code(COUNTER)).getEntrypoint().count(0), 2);
  assert.equal(await loader.get("", () => code(COUNTER)).getEntrypoint().count(0), 1);
  assert.equal(await loader.get("", () => code(COUNTER)).getEntrypoint().count(0), 2);
  assert.throws(() => loader.get("x"), { name: "TypeError", message: "Failed to execute 'get' on 'WorkerLoader': parameter 2 is not of type 'Function'." });
});

test("another connection has workers of its own", async () => {
  const name = fresh();
  const other = await connect({ console: "ignore" });
  assert.equal(await loader.get(name, () => code(COUNTER)).getEntrypoint().count(0), 1);
  assert.equal(await other.loader.get(name, () => code(COUNTER)).getEntrypoint().count(0), 1);
  await other.close();
});

test("calls that come before the code wait, in order, with what they were given at the time", async () => {
  let give;
  const worker = loader.get(fresh(), () => new Promise((resolve) => { give = resolve; }));
  const target = worker.getEntrypoint();
  const value = { n: 1 };
  const answers = [];
  const calls = [1, 2, 3].map((n) => {
    value.n = n;
    return target.push(value).then((length) => { answers.push(length); });
  });
  value.n = "too late";
  const opened = target.box("inside").open();          // pipelined on a call that waits
  const boxed = target.box(7);
  const called = target.call((n) => n + 1);            // a function of ours, called from there
  const nobody = failure(target.nobody(0));
  await asked(() => give);
  await later(20);
  assert.deepEqual(answers, []);
  give(code(COUNTER));
  await Promise.all(calls);
  assert.deepEqual(answers, [1, 2, 3]);
  assert.deepEqual([...await target.list(0)].map((item) => item.n), [1, 2, 3]);
  assert.equal(await opened, "inside");
  assert.equal(await (await boxed).open(), 7);
  assert.equal(await called, 21);
  assert.match((await nobody).message, /does not implement the method "nobody"/);
  assert.equal(await target.count(0), 1);              // later calls go the same way
});

test("an entrypoint may be handed on, duplicated and disposed of before the code is there", async () => {
  let give;
  const target = loader.get(fresh(), () => new Promise((resolve) => { give = resolve; })).getEntrypoint();
  const user = loader.load(code("export default { use: (_, env) => env.COUNTER.count(0) };", { env: { COUNTER: target } }));
  const used = user.getEntrypoint().use(0);
  const copy = target.dup();
  target[Symbol.dispose]();
  assert.match((await failure(target.count(0))).message, /used after being disposed/);
  const counted = copy.count(0);
  (await asked(() => give))(code(COUNTER));
  assert.deepEqual((await Promise.all([used, counted])).sort(), [1, 2]);
  user[Symbol.dispose]();
});

test("what getCode throws is told by each call that waits, as it is, and is not remembered", async () => {
  const name = fresh();
  let times = 0;
  const broken = async () => { times++; await later(5); throw Object.assign(new RangeError("no such tenant"), { tenant: 5 }); };
  const worker = loader.get(name, broken), same = loader.get(name, broken);
  const target = worker.getEntrypoint();
  const errors = await Promise.all([target.count(0), target.box(1).open(), same.getEntrypoint("other").hi("x"), target.property].map(failure));
  assert.equal(times, 1);
  for (const error of errors) {
    assert.deepEqual([error.name, error.message, error.tenant], ["RangeError", "no such tenant", 5]);
    assert.match(error.stack, /broken/);
  }
  assert.equal((await failure(target.count(0))).message, "no such tenant");
  assert.equal(times, 2);                                                    // it was asked again
  assert.equal(await loader.get(name, () => code(COUNTER)).getEntrypoint().count(0), 1);
  assert.equal(await target.count(0), 2);                                    // and is well now
  const thrown = loader.get(fresh(), () => { throw "at once"; }).getEntrypoint();
  assert.equal(await failure(thrown.count(0)), "at once");
});

test("what is wrong with what getCode gives is told by each call", async () => {
  const rows = [
    [undefined, "Incorrect type for Promise: the Promise did not resolve to 'WorkerCode'."],
    ["text", "Incorrect type for Promise: the Promise did not resolve to 'WorkerCode'."],
    [{ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: {} }, "Dynamic Worker code must contain at least one module."],
    [code("", { env: 5 }), "Incorrect type for the 'env' field on 'WorkerCode': the provided value is not of type 'Object'."],
  ];
  for (const [given, expected] of rows) {
    for (const name of [null, fresh()]) {
      const error = await failure(loader.get(name, () => given).getEntrypoint().x(0));
      assert.equal(`${error.name}: ${error.message}`, `TypeError: ${expected}`);
    }
  }
  const uncloneable = await failure(loader.get(fresh(), () => code("", { env: { weak: new WeakMap() } })).getEntrypoint().x(0));
  assert.equal(uncloneable.name, "DataCloneError");
  const syntax = await failure(loader.get(fresh(), () => code("export default {")).getEntrypoint().x(0));
  assert.match(syntax.message, /^Failed to start Worker:\nUncaught SyntaxError/);
});

test("without a name each is the caller's own", async () => {
  for (const name of [null, undefined]) {
    const worker = loader.get(name, async () => code(COUNTER)), other = loader.get(name, async () => code(COUNTER));
    assert.deepEqual([await worker.getEntrypoint().count(0), await other.getEntrypoint().count(0)], [1, 1]);
    const target = worker.getEntrypoint();
    worker[Symbol.dispose]();
    assert.equal((await failure(target.count(0))).code, "revoked");
    assert.throws(() => worker.getEntrypoint(), /disposed/);
    assert.equal(await other.getEntrypoint().count(0), 2);
    other[Symbol.dispose]();
  }
  assert.equal(await loader.delete(null), false);
});

test("one that is disposed of before its code is there fails what waits, at once, and never runs", async () => {
  let give;
  const before = await loads();
  const worker = loader.get(null, () => new Promise((resolve) => { give = resolve; }));
  const waiting = failure(worker.getEntrypoint().count(0));
  worker[Symbol.dispose]();
  const error = await waiting;
  assert.ok(error instanceof GloveboxError);
  assert.equal(error.code, "revoked");
  give(code(COUNTER));
  await later(20);
  assert.equal(await loads(), before);
});

test("to dispose of a stub does not end a named worker for others; delete() does", async () => {
  const name = fresh();
  const mine = loader.get(name, () => code(COUNTER)), theirs = loader.get(name, () => code(COUNTER));
  const target = mine.getEntrypoint();
  assert.equal(await target.count(0), 1);
  mine[Symbol.dispose]();
  assert.throws(() => mine.getEntrypoint(), /disposed/);
  assert.equal(await target.count(0), 2);
  assert.equal(await theirs.getEntrypoint().count(0), 3);

  const waiting = failure(target.wait(0));
  assert.deepEqual(await Promise.all([loader.delete(name), loader.delete(name)]), [true, false]);
  for (const promise of [waiting, failure(target.count(0)), failure((async () => theirs.getEntrypoint().count(0))())]) {
    assert.equal((await promise).code, "revoked");
  }
  assert.equal(await loader.get(name, () => code(COUNTER)).getEntrypoint().count(0), 1);

  // Also while its code is on the way.
  const coming = fresh();
  const early = failure(loader.get(coming, () => new Promise(() => {})).getEntrypoint().count(0));
  assert.equal(await loader.delete(coming), true);
  assert.equal((await early).code, "revoked");
});

test("one that has died is made again by the next call", async () => {
  const name = fresh();
  let times = 0;
  const get = (limits) => loader.get(name, () => { times++; return code(COUNTER, { limits: { memoryMb: 16 } }); }).getEntrypoint(undefined, { limits });
  assert.equal(await get().count(0), 1);
  assert.match((await failure(get().fail(0))).message, /just an error/);
  assert.equal(await get().count(0), 2);                // an error of the code's ends nothing
  assert.equal((await failure(get({ cpuMs: 60 }).spin(0))).code, "exceededCpu");
  assert.equal(await get().count(0), 1);
  assert.equal((await failure(get().hog(0))).code, "exceededMemory");
  assert.equal(await get().count(0), 1);
  const old = get();
  await kill(name);
  assert.equal(await old.count(0), 1);
  const waiting = failure(old.wait(0));
  await kill(name);
  assert.equal((await waiting).code, "exited");         // and is not repeated
  assert.equal(await old.count(0), 1);
  assert.equal(times, 5);
  await loader.delete(name);
});

test("getCode may get others, and the same", async () => {
  const [outer, inner] = [fresh(), fresh()];
  const worker = loader.get(outer, async () => {
    const name = await loader.get(inner, () => code(COUNTER)).getEntrypoint("other").hi("inner");
    return code(`export default { name: () => ${JSON.stringify(name)} };`);
  });
  assert.equal(await worker.getEntrypoint().name(0), "hi inner");
  const self = fresh();
  let again;
  const same = loader.get(self, () => { again = loader.get(self, () => { throw new Error("asked twice"); }); return code(COUNTER); });
  assert.equal(await same.getEntrypoint().count(0), 1);
  assert.equal(await again.getEntrypoint().count(0), 2);
});

test("tools in the env of a named worker serve every call", async () => {
  class Tool extends RpcTarget { twice(n) { return n * 2; } }
  const name = fresh();
  for (const n of [1, 2, 3]) {
    const worker = loader.get(name, () => code("export default { use: (n, env) => env.TOOL.twice(n) };", { env: { TOOL: new Tool() } }));
    assert.equal(await worker.getEntrypoint().use(n), n * 2);
  }
});

test("there are no durable objects, and that is said", () => {
  assert.throws(() => loader.get(null, () => code(COUNTER)).getDurableObjectClass("X"), /getDurableObjectClass\(\) is not available: this version of Glovebox has no durable objects/);
});

test("a connection that is closed fails what waits for code", async () => {
  const other = await connect({ console: "ignore" });
  const waiting = failure(other.loader.get("x", () => new Promise(() => {})).getEntrypoint().count(0));
  await other.close();
  assert.equal((await waiting).code, "disconnected");
  assert.throws(() => other.loader.get("y", () => code(COUNTER)), { code: "disconnected" });
  assert.equal((await failure(other.loader.get("x", () => code(COUNTER)).getEntrypoint().count(0))).code, "disconnected");
});

// -- Loaders in workers ----------------------------------------------------------------------------------------------------------

const PARENT = `
  const CHILD = { compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "let n = 0; export default { count: () => ++n, box: (v) => ({ v, open: () => v }) }" } };
  const words = (error) => error.name + ": " + error.message;
  export default {
    count: (name, env) => env.LOADER.get(name, async () => CHILD).getEntrypoint().count(0),
    async early(name, env) {
      const entry = env.LOADER.get(name, () => new Promise((resolve) => setTimeout(() => resolve(CHILD), 10))).getEntrypoint();
      return await Promise.all([entry.count(0), entry.count(0), entry.box(5).v]);
    },
    async broken(name, env) {
      const worker = env.LOADER.get(name, async () => { throw new RangeError("not today"); });
      try { await worker.getEntrypoint().count(0); } catch (error) { return words(error); }
    },
    async handOn(name, env) {
      const entry = env.LOADER.get(name, () => new Promise((resolve) => setTimeout(() => resolve(CHILD), 10))).getEntrypoint();
      const user = env.LOADER.load({ ...CHILD, modules: { "c.js": "export default { use: (_, env) => env.entry.count(0) };" }, env: { entry } });
      if (await user.getEntrypoint().use(0) !== 1) throw new Error("it was not handed on");
      return { entry };
    },
    leave(name, env, ctx) { env.LOADER.get(name, () => new Promise((resolve) => setTimeout(() => resolve(CHILD), 50))); return 1; },
    async wait(name, env) {
      try { return await env.LOADER.get(name, () => CHILD).getEntrypoint().count(0); } catch (error) { return words(error); }
    },
    async given(loader) { return [await loader.get("x", () => CHILD).getEntrypoint().count(0), await loader.get("x", () => CHILD).getEntrypoint().count(0)]; },
    delete: (name, env) => env.LOADER.delete(name),
  };`;

test("a worker that has a loader gets named workers, which stay between its calls", async () => {
  const parent = loader.load(code(PARENT, { env: { LOADER: loader } }));
  const target = parent.getEntrypoint();
  assert.deepEqual([await target.count("a"), await target.count("a"), await target.count("b")], [1, 2, 1]);
  assert.deepEqual([await target.delete("a"), await target.delete("a"), await target.count("a")], [true, false, 1]);
  assert.deepEqual([...await target.early("c")], [1, 2, 5]);
  assert.equal(await target.count("c"), 3);
  assert.equal(await target.broken("d"), "RangeError: not today");
  assert.equal(await target.count("d"), 1);
  const { entry } = await target.handOn("e");
  assert.equal(await entry.count(0), 2);
  assert.equal(await target.count("e"), 3);
  // A loader that came as an argument is the call's, and so is what it has made.
  assert.deepEqual([...await target.given(loader)], [1, 2]);
  assert.deepEqual([...await target.given(loader)], [1, 2]);
  parent[Symbol.dispose]();
});

test("a call that ends while its getCode is under way fails who waits for that, and the name is free", async () => {
  const parent = loader.load(code(PARENT, { env: { LOADER: loader } }));
  const target = parent.getEntrypoint();
  const leaving = target.leave("x");
  const waiting = target.wait("x");
  assert.equal(await leaving, 1);
  assert.equal(await waiting, 1);   // what it brought itself is asked then
  assert.equal(typeof await target.count("x"), "number");
  parent[Symbol.dispose]();
});
