import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { setTimeout as wait, setImmediate as immediate, setInterval as every } from "node:timers/promises";
import timers from "node:timers";
import process from "node:process";

const als = new AsyncLocalStorage(), other = new AsyncLocalStorage({ defaultValue: "none", name: "other" });
const order = (run) => new Promise((resolve) => { const seen = []; run((x) => seen.push(x)); setTimeout(() => resolve(seen), 20); });

export const cases = {
  "storage across what waits": () => als.run("a", async () => {
    const seen = [als.getStore()];
    await null; seen.push(als.getStore());
    await new Promise((r) => setTimeout(r, 1)); seen.push(als.getStore());
    await new Promise((r) => setImmediate(r)); seen.push(als.getStore());
    await new Promise((r) => queueMicrotask(() => { seen.push(als.getStore()); r(); }));
    await new Promise((r) => process.nextTick(() => { seen.push(als.getStore()); r(); }));
    await new Promise((r) => setTimeout(() => { seen.push(als.getStore()); r(); }, 1));
    await new Promise((r) => timers.setTimeout(() => { seen.push(als.getStore()); r(); }, 1));
    await new Promise((r) => { let n = 0; const t = setInterval(() => { seen.push(als.getStore()); if (++n === 2) { clearInterval(t); r(); } }, 1); });
    await wait(1); seen.push(als.getStore());
    for await (const x of Readable.from([1, 2])) seen.push(als.getStore() + x);
    for await (const x of new ReadableStream({ start(c) { c.enqueue(1); c.close(); } })) seen.push(als.getStore() + x);
    await Promise.all([1, 2].map(async (x) => { await null; seen.push(als.getStore() + x); }));
    return seen;
  }),
  "storages that nest": () => als.run(1, () => other.run(2, () => [als.getStore(), other.getStore(), als.run(3, () => [als.getStore(), other.getStore()]), als.exit(() => als.getStore()), als.getStore()])),
  "storages side by side": () => Promise.all(["a", "b", "c"].map((x) => als.run(x, async () => { await wait(1); const first = als.getStore(); await null; return first + als.getStore(); }))),
  "no storage": () => [als.getStore(), other.getStore(), other.name],
  "enterWith": async () => { als.enterWith("e"); await null; const got = als.getStore(); als.disable(); return [got, als.getStore()]; },
  "bind and snapshot": () => { const bound = als.run("b", () => AsyncLocalStorage.bind(() => als.getStore())), snapshot = als.run("s", () => AsyncLocalStorage.snapshot()); return als.run("now", () => [bound(), snapshot(() => als.getStore()), als.getStore()]); },
  "resources": () => { const r = als.run("r", () => new AsyncResource("T")); return [r.runInAsyncScope(function (x) { return [als.getStore(), this, x]; }, "me", 5), als.run("r2", () => AsyncResource.bind(() => als.getStore()))(), typeof r.asyncId()]; },
  "a resource that is none": () => new AsyncResource(5),
  "what throws in run()": () => { try { als.run("t", () => { throw new Error("x"); }); } catch {} return als.getStore(); },
  "rejections": () => als.run("x", () => Promise.reject(new Error()).catch(() => als.getStore())),
  "emitters see who emits": () => { const e = new EventEmitter(); let seen; als.run("on", () => e.on("x", () => { seen = als.getStore(); })); als.run("emit", () => e.emit("x")); return seen; },
  "thenables": () => als.run("t", async () => { const got = await { then(r) { r(als.getStore()); } }; return [got, als.getStore()]; }),
  "generators": () => { function* g() { yield als.getStore(); yield als.getStore(); } const it = als.run("g", () => { const i = g(); return i; }); return [it.next().value, als.run("n", () => it.next().value)]; },
  "ticks go before promises": () => order((note) => { setTimeout(() => { Promise.resolve().then(() => note("promise")); process.nextTick(() => note("tick")); process.nextTick(() => { note("tick2"); process.nextTick(() => note("tick3")); Promise.resolve().then(() => note("promise2")); }); queueMicrotask(() => note("microtask")); note("now"); }, 0); }),
  "ticks out of promises": () => order((note) => { Promise.resolve().then(() => { process.nextTick(() => note("tick")); note("p1"); }).then(() => note("p2")); }),
  "tick arguments": () => new Promise((r) => process.nextTick((...a) => r(a), 1, 2)),
  "a tick that is none": () => process.nextTick(5),
  "timers": async () => [await wait(1, "v"), await immediate("i"), typeof timers.setTimeout(() => {}, 1).unref().hasRef(), await (async () => { const seen = []; for await (const x of every(1, "e")) { seen.push(x); if (seen.length === 3) return seen; } })()],
  "timers aborted": () => wait(1000, null, { signal: AbortSignal.abort("why") }),
  "timers aborted later": () => { const c = new AbortController(); setTimeout(() => c.abort(), 1); return wait(100000, null, { signal: c.signal }); },
  "a timer that is none": () => timers.setTimeout("x"),
  "timers cleared": () => order((note) => { clearTimeout(timers.setTimeout(() => note("no"), 1)); clearImmediate(setImmediate(() => note("no"))); const t = timers.setTimeout(() => note("refreshed"), 1); t.refresh(); clearTimeout(+setTimeout(() => note("no"), 1)); timers.clearInterval(undefined); }),
  "process": () => [process.platform, typeof process.hrtime.bigint(), process.hrtime([0, 0]).length, process === globalThis.process, Object.prototype.toString.call(process), typeof process.emit, process.exitCode],
  "process.env": () => { process.env.GLOVEBOX_TEST = 5; const got = [process.env.GLOVEBOX_TEST, "GLOVEBOX_TEST" in process.env]; delete process.env.GLOVEBOX_TEST; return [...got, process.env.GLOVEBOX_TEST]; },
  "warnings": () => new Promise((resolve) => { const on = (w) => { process.off("warning", on); resolve([w.name, w.message, w.code]); }; process.on("warning", on); process.emitWarning("careful", "Custom", "C1"); }),
};
