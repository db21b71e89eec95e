// run(): what a call took and did, beside what came of it. The numbers are held to the kernel's own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { GloveboxError, RpcStub, RpcTarget, connect, run } from "glovebox";

const glovebox = await connect({ console: "ignore" });
const { loader } = glovebox;
after(() => glovebox.close());

const code = (text, options = {}) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
const AGENT = `
  import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
  const kept = [];
  class Box extends RpcTarget { constructor(v) { super(); this.v = v; } open() { return this.v; } }
  class Sly extends Error { get name() { return "another each time " + Math.random(); } }
  export default {
    echo: (x) => x,
    box: (x) => new Box(x),
    burn(ms) { const end = Date.now() + ms; let n = 0; while (Date.now() < end) n++; return n; },
    fill(mib) { for (let i = 0; i < mib; i++) kept.push(new Uint8Array(1 << 20).fill(1)); return kept.length; },
    spin() { for (;;); },
    hog() { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); },
    never: () => new Promise(() => {}),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    log(lines) { for (const line of lines) console.log(line); console.error("the last"); },
    flood(n) { for (let i = 0; i < n; i++) console.log("x".repeat(1000)); return n; },
    boom() { throw new RangeError("too far"); },
    text() { throw "just text"; },
    sly() { throw new Sly("s"); },
    proxy() { throw new Proxy(new Error("hidden"), { get() { return "no"; } }); },
    symbol: () => Symbol("s"),
    count(n) { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; },
    async stray() { Promise.reject(new TypeError("unhandled")); setTimeout(() => { throw new Error("in a timer"); }, 0); await new Promise((r) => setTimeout(r, 5)); },
    async tools(n, env) { for (let i = 0; i < n; i++) await env.TOOL("x".repeat(100)); await env.OTHER.hi(); return n; },
    async given(f) { return await f("y"); },
    async held({ gate, name }) { await gate(); console.log(name); },
  };
  export class Named extends WorkerEntrypoint { hi() { return "named"; } }`;
class Other extends RpcTarget { hi() { return "hi"; } }
const load = (options = {}) => loader.load(code(AGENT, { env: { TOOL: (x) => x + x, OTHER: new Other() }, ...options }));
const within = (value, expected, share) => assert.ok(Math.abs(value - expected) <= expected * share, `${value} is not within ${share} of ${expected}`);

async function pidOf(agent, method = "echo") {
  await agent[method](0);
  return (await glovebox.status()).recent.at(-1).pid;
}
// Nanoseconds on a processor, by the scheduler.
const schedstat = (pid) => Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]);
const peak = (pid) => Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;

test("the account agrees with the kernel's books", async () => {
  const agent = load().getEntrypoint();
  const pid = await pidOf(agent);
  const before = schedstat(pid);
  const { account } = await run(agent.burn, 300);
  within(account.cpuMs, (schedstat(pid) - before) / 1e6, 0.1);
  assert.ok(account.wallMs > 298, `${account.wallMs}`);   // the worker's clock shows whole milliseconds
  const filled = await run(agent.fill, 40);
  within(filled.account.peakMemoryBytes, peak(pid), 0.1);
  assert.ok(filled.account.peakMemoryBytes - account.peakMemoryBytes > 35 << 20, `${filled.account.peakMemoryBytes} after ${account.peakMemoryBytes}`);
});

test("of a killed worker it is what the kernel said when it was reaped", async () => {
  const agent = load().getEntrypoint();
  const pid = await pidOf(agent);
  await agent.fill(30);
  const high = peak(pid);
  const start = schedstat(pid);
  const running = run(agent.spin, 0);
  while (schedstat(pid) - start < 200e6) await new Promise((resolve) => setTimeout(resolve, 20));
  // Stopped first, so that the last look is at all that it ever ran.
  process.kill(pid, "SIGSTOP");
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) await new Promise((resolve) => setTimeout(resolve, 1));
  const last = schedstat(pid);
  process.kill(pid, "SIGKILL");
  const { outcome, account } = await running;
  assert.equal(outcome, "exited");
  within(account.cpuMs, (last - start) / 1e6, 0.1);
  within(account.peakMemoryBytes, high, 0.1);
});

test("what returns is as from the plain call, with an account", async () => {
  const agent = load().getEntrypoint();
  const before = Date.now();
  const result = await run(agent.echo, { a: [1n] });
  assert.equal(result.outcome, "ok");
  assert.deepEqual(result.value.a, [1n]);
  assert.equal(result.error, undefined);
  const { account } = result;
  assert.deepEqual(Object.keys(account), ["outcome", "startTime", "wallMs", "cpuMs", "peakMemoryBytes", "subRequests", "bytesIn", "bytesOut",
    "capabilities", "logs", "exceptions", "truncated"]);
  assert.equal(account.outcome, "ok");
  assert.ok(account.startTime instanceof Date && account.startTime >= before - 5 && account.startTime <= Date.now());
  assert.ok(account.bytesIn > 0 && account.bytesOut > 0);
  const box = await run(agent.box, 7);
  assert.equal(await box.value.open(), 7);
  assert.equal((await run(box.value.open)).value, 7);
  box.value[Symbol.dispose]();
});

test("what it throws is beside it as it was thrown, and in the account without asking the object", async () => {
  const agent = load().getEntrypoint();
  const { outcome, error, account } = await run(agent.boom, 0);
  assert.equal(outcome, "exception");
  assert.ok(error instanceof RangeError && error.remote);
  assert.equal(account.exceptions.length, 1);
  const { name, message, stack, time } = account.exceptions[0];
  assert.deepEqual([name, message], ["RangeError", "too far"]);
  assert.match(stack, /^RangeError: too far\n    at boom \(m\.js:\d+:\d+\)/);
  assert.ok(time instanceof Date);
  const { account: { exceptions: [text] } } = await run(agent.text, 0);
  assert.deepEqual([text.name, text.message], ["", "just text"]);
  const { account: { exceptions: [proxied, ...more] } } = await run(agent.proxy, 0);
  assert.deepEqual([proxied.name, proxied.message, more], ["", "a Proxy", []]);
  const { account: { exceptions: [sly] } } = await run(agent.sly, 0);
  assert.deepEqual([sly.name, sly.message], ["", "s"]);
  const { outcome: unsent, account: { exceptions: [clone] } } = await run(agent.symbol, 0);
  assert.deepEqual([unsent, clone.name, clone.message], ["exception", "DataCloneError", "Symbol(s) could not be cloned."]);
});

test("rejections nobody handles and errors in timers are in it too", async () => {
  const { outcome, account } = await run(load().getEntrypoint().stray, 0);
  assert.equal(outcome, "ok");
  assert.deepEqual(account.exceptions.map(({ name, message }) => [name, message]), [["TypeError", "unhandled"], ["Error", "in a timer"]]);
  assert.equal(account.logs.length, 2);
});

test("each ending has its name, its error and an account", async () => {
  const ends = async (method, options, outcome, also = () => {}) => {
    const result = await run(load(options).getEntrypoint()[method], 0);
    assert.equal(result.outcome, outcome);
    assert.ok(result.error instanceof GloveboxError);
    assert.equal(result.error.code, outcome);
    assert.equal(result.account.outcome, outcome);
    also(result.account);
  };
  await ends("spin", { limits: { cpuMs: 100 } }, "exceededCpu", ({ cpuMs }) => assert.ok(cpuMs >= 100 && cpuMs < 500, `${cpuMs}`));
  await ends("spin", { limits: { wallMs: 100 } }, "exceededWallTime");
  await ends("hog", { limits: { memoryMb: 40 } }, "exceededMemory", ({ peakMemoryBytes }) => assert.ok(peakMemoryBytes > 40 << 20));
  await ends("never", {}, "hung");
  const worker = load();
  const waiting = run(worker.getEntrypoint().wait, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  worker[Symbol.dispose]();
  const { outcome, account } = await waiting;
  assert.deepEqual([outcome, account.outcome], ["revoked", "revoked"]);
});

test("logs come in order, also where nobody else listens, and are bounded", async () => {
  const agent = load().getEntrypoint();
  await agent.log(["not asked for"]);
  const { account } = await run(agent.log, ["one", "two", "three"]);
  assert.deepEqual(account.logs.map(({ level, text }) => `${level} ${text}`), ["log one", "log two", "log three", "error the last"]);
  assert.equal(account.truncated, false);
  await agent.log(["not asked for either"]);
  const flood = await run(agent.flood, 300);
  assert.equal(flood.value, 300);
  assert.ok(flood.account.truncated);
  assert.ok(flood.account.logs.length < 60 && flood.account.logs.length > 20, `${flood.account.logs.length}`);
});

test("what the worker used is counted by name", async () => {
  const agent = load().getEntrypoint();
  const { account } = await run(agent.tools, 3);
  assert.equal(account.subRequests, 4);
  const [tool, other] = account.capabilities;
  assert.deepEqual([tool.label, tool.kind, tool.calls], ["TOOL", "stub", 3]);
  assert.ok(tool.bytesOut > 300 && tool.bytesIn > 600, `${tool.bytesOut} ${tool.bytesIn}`);
  assert.deepEqual([other.label, other.calls], ["OTHER", 1]);
  const given = await run(agent.given, (x) => x);
  assert.deepEqual(given.account.capabilities.map(({ label, calls }) => [label, calls]), [["", 1]]);
  assert.deepEqual((await run(agent.echo, 1)).account.capabilities, []);
});

test("calls that overlap are each charged what any of them did", async () => {
  const agent = load().getEntrypoint();
  const alone = await run(agent.count, 5e7);
  const held = (name) => {
    let open;
    const begun = new Promise((resolve) => { open = { begin: resolve }; });
    const gate = () => new Promise((resolve) => { open.let = resolve; open.begin(); });
    return { begun, running: run(agent.held, { gate, name }), finish: () => open.let() };
  };
  const first = held("long"), second = held("short");
  await Promise.all([first.begun, second.begun]);
  await agent.count(5e7);
  second.finish();
  const short = await second.running;
  first.finish();
  const long = await first.running;
  assert.deepEqual(long.account.logs.map(({ text }) => text), ["short", "long"]);
  assert.deepEqual(short.account.logs.map(({ text }) => text), ["short"]);
  const most = alone.account.cpuMs / 2;
  assert.ok(long.account.cpuMs >= most && short.account.cpuMs >= most, `${long.account.cpuMs} ${short.account.cpuMs} ${most}`);
});

test("the evaluation of the modules is charged to the call that waits for it", async () => {
  const agent = loader.load(code("const end = Date.now() + 100; for (let i = 0; i < 3e7; i++); export default { f: () => 1 }")).getEntrypoint();
  const first = await run(agent.f, 0), second = await run(agent.f, 0);
  assert.ok(first.account.cpuMs > 5 * second.account.cpuMs, `${first.account.cpuMs} and ${second.account.cpuMs}`);
});

test("a failure to start is an exception", async () => {
  const { outcome, error, account } = await run(loader.load(code("throw new Error('at start')")).getEntrypoint().f, 0);
  assert.equal(outcome, "exception");
  assert.match(error.message, /^Failed to start Worker:\nUncaught Error: at start/);
  assert.match(account.exceptions[0].message, /Uncaught Error: at start/);
});

test("it rejects for misuse only", async () => {
  for (const wrong of [undefined, null, 1, {}, () => 1, "text"]) await assert.rejects(run(wrong), TypeError);
  const agent = load().getEntrypoint();
  const unsendable = await run(agent.echo, Symbol("s"));
  assert.deepEqual([unsendable.outcome, unsendable.error.name, unsendable.account], ["exception", "DataCloneError", undefined]);
  const own = await run(new RpcStub((x) => x + 1), 1);
  assert.deepEqual([own.outcome, own.value, own.account], ["ok", 2, undefined]);
  const other = await connect({ console: "ignore" });
  const lost = other.loader.load(code(AGENT)).getEntrypoint();
  await lost.echo(1);
  const waiting = run(lost.wait, 60_000);
  await other.close();
  const { outcome, account } = await waiting;
  assert.deepEqual([outcome, account], ["disconnected", undefined]);
});

test("the last runs are in the status document", async () => {
  await load().getEntrypoint("Named").hi();
  const { recent, workers } = await glovebox.status();
  const last = recent.at(-1);
  assert.deepEqual([last.method, last.outcome], ["Named.hi", "ok"]);
  assert.ok(last.wallUs > 0 && last.pid > 0 && Math.floor(last.time) <= Date.now());
  assert.ok(workers.some((worker) => worker.memoryBytes > 1 << 20));
});
