// The addon against a real daemon with real workers behind it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test, before, after } from "node:test";
import { Worker } from "node:worker_threads";

import { ADDON, Daemon, ENDED, FAILED, TestLine, THROWN, VALUE, addon } from "./world.mjs";
import { encode } from "./values.mjs";

let daemon;
const NO_LIMITS = Object.fromEntries(addon.limits.map((name) => [name, 0]));
before(async () => { daemon = await Daemon.start(); });
after(() => daemon.end());

const ECHO = `import { WorkerEntrypoint } from "cloudflare:workers";
  export default class extends WorkerEntrypoint { echo(...args) { return args; } fail() { throw new TypeError("boom"); }
  big(n) { return "x".repeat(n); } spin() { for (;;); } log(text) { console.warn(text); }
  wait(ms) { return new Promise((resolve) => setTimeout(resolve, ms)); } }`;

async function withLine(body) {
  const line = new TestLine(daemon.socket);
  try {
    return await body(line, line.entrypoint(line.load(ECHO, { wantsLogs: true, limits: { ...NO_LIMITS, cpuMs: 200 } })));
  } finally {
    line.native.close();
    await line.closed;
  }
}

test("a call is answered with what the worker returns", () => withLine(async (line, target) => {
  const args = [1, "two", null, true, { three: [3] }, undefined];
  const answer = await line.call(target, ["echo"], ...args);
  assert.deepEqual(answer, { kind: VALUE, value: args, externals: [], disposable: false, pipeline: answer.pipeline, code: undefined });
}));

test("what the worker throws comes as thrown", () => withLine(async (line, target) => {
  const answer = await line.call(target, ["fail"]);
  assert.equal(answer.kind, THROWN);
  assert.equal(answer.value.message, "boom");
}));

test("a call that uses up its processor time is ended, and says so", () => withLine(async (line, target) => {
  const answer = await line.call(target, ["spin"]);
  assert.equal(answer.kind, ENDED);
  assert.equal(answer.code, "exceededCpu");
  assert.match(answer.value, /200/);
}));

test("large arguments and large results arrive whole", () => withLine(async (line, target) => {
  for (const size of [100, 60_000, 70_000, 1 << 20, 20 << 20]) {
    const answer = await line.call(target, ["big"], size);
    assert.equal(answer.kind, VALUE);
    assert.equal(answer.value.length, size);
  }
  const text = "y".repeat(5 << 20);
  assert.equal((await line.call(target, ["echo"], text)).value[0], text);
}));

test("unaligned bytes are as good as aligned ones", () => withLine(async (line, target) => {
  const bytes = encode(["unaligned"]);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const answer = await line.answer(line.native.call(target, ["echo"], shifted.subarray(1), []));
  assert.deepEqual(answer.value, ["unaligned"]);
}));

test("many calls under way are each answered", () => withLine(async (line, target) => {
  const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => line.call(target, ["echo"], i)));
  answers.forEach((answer, i) => assert.deepEqual(answer.value, [i]));
  assert.equal(line.native.pending, 0);
}));

test("a call on the result of a call is answered, if only with why not", () => withLine(async (line, target) => {
  const first = line.send(target, ["echo"], [1]);
  const early = line.answer(line.send(first, ["x"], []));
  const { pipeline } = await line.answer(first);
  const late = line.answer(line.send(first, ["x"], []));
  for (const answer of [await early, await late]) {
    assert.equal(answer.kind, pipeline ? THROWN : FAILED);
    if (!pipeline) assert.match(answer.value, /othing|null/);
  }
  line.native.release(first);
  line.native.release(first);
  assert.throws(() => line.send(first, [], []), TypeError);
}));

test("what is logged comes before the answer", () => withLine(async (line, target) => {
  await line.call(target, ["log"], "hello");
  const logs = line.events.filter(([name]) => name === "log");
  assert.equal(logs.length, 1);
  const [, , level, time, text] = logs[0];
  assert.deepEqual([level, text], [3, "hello"]);
  assert.ok(Math.abs(time - Date.now()) < 60_000);
}));

test("status is a document", () => withLine(async (line) => {
  const status = await line.answer(line.native.status());
  assert.equal(typeof JSON.parse(status.value), "object");
}));

test("revoke ends a worker and is answered", (t) => withLine(async (line) => {
  const worker = line.load(ECHO);
  const target = line.entrypoint(worker);
  await line.call(target, ["echo"]);
  const waiting = line.call(target, ["wait"], 10_000);
  const revoked = await line.answer(line.native.revoke(worker));
  if (/not implemented/.test(revoked.value)) return t.skip("this supervisor cannot revoke");
  assert.deepEqual([revoked.kind, revoked.value], [VALUE, undefined]);
  const ended = await waiting;
  assert.deepEqual([ended.kind, ended.code], [ENDED, "revoked"]);
}));

test("bodies and env of every kind are carried", () => withLine(async (line) => {
  const worker = line.load("", {
    env: encode({ secret: 7 }),
    modules: [
      { name: "main.js", kind: "js", body: `import text from "./a.txt"; import json from "./b.json"; import data from "./c.bin"; import { x } from "./d.js";
        import { WorkerEntrypoint } from "cloudflare:workers";
        export default class extends WorkerEntrypoint { get() { return [text, json.n, new Uint8Array(data)[1], x, this.env.secret]; } }` },
      { name: "a.txt", kind: "text", body: "grüße" }, { name: "b.json", kind: "json", body: '{"n":5}' },
      { name: "c.bin", kind: "data", body: new Uint8Array([1, 2]) }, { name: "d.js", kind: "js", body: "export const x = 9;" },
    ],
  });
  const answer = await line.call(line.entrypoint(worker), ["get"]);
  assert.deepEqual(answer.value, ["grüße", 5, 2, 9, 7]);
}));

test("wrong arguments are TypeErrors and send nothing", () => withLine(async (line, target) => {
  const { native } = line;
  for (const wrong of [
    () => native.call("1", [], undefined, []), () => native.call(target, "echo", undefined, []), () => native.call(target, [1], undefined, []),
    () => native.call(target, [], "bytes", []), () => native.call(target, [], new Uint8Array(7), []), () => native.call(target, [], undefined),
    () => native.call(target, [], encode([]), [{ kind: 1, id: 99999, imported: true }]), () => native.call(target, [], encode([]), [{ kind: 9, id: 1, imported: false }]),
    () => native.call(99999, [], undefined, []), () => native.call(1.5, [], undefined, []), () => native.call(-1, [], undefined, []),
    () => native.load(target, null, false), () => native.load(target, {}, false), () => native.settle(1, 1, encode(1), [], 0, false),
    () => native.revoke(12345), () => native.call.call({}, target, [], undefined, []), () => addon.connect(1, {}), () => addon.connect(daemon.socket, {}),
  ]) assert.throws(wrong, TypeError);
  assert.equal(native.pending, 0);
  assert.deepEqual((await line.call(target, ["echo"], 1)).value, [1]);
}));

test("nobody there: GLOVEBOX_UNAVAILABLE", () => {
  assert.throws(() => new TestLine("/nonexistent/socket"), { code: "GLOVEBOX_UNAVAILABLE", message: /glovebox serve/ });
});

test("close answers what is under way, says so once, and then refuses", async () => {
  const line = new TestLine(daemon.socket);
  const target = line.entrypoint(line.load(ECHO));
  await line.call(target, ["echo"]);
  const waiting = line.call(target, ["wait"], 10_000);
  line.native.close();
  line.native.close();
  assert.throws(() => line.native.loader(), { code: "GLOVEBOX_CLOSED" });
  const { kind, value } = await waiting;
  assert.equal(kind, FAILED);
  assert.equal(value, await line.closed);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(line.events, [["closed", value]]);
  assert.throws(() => line.send(target, [], []), { code: "GLOVEBOX_CLOSED" });
  line.native.release(target);
  assert.equal(line.native.pending, 0);
});

test("exports that never arrive anywhere are released", async () => {
  const line = new TestLine(daemon.socket);
  const target = line.entrypoint(line.load(ECHO));
  line.native.settle(12345, true, encode(1), [{ kind: 1, id: 77, imported: false }, { kind: 1, id: target, imported: true }], 78, false);
  assert.deepEqual(line.events, [], "not from inside a method");
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(line.events, [["released", 77], ["released", 78]]);
  line.native.close();
  await line.closed;
});

test("a daemon that is killed fails what is under way at once", async () => {
  const doomed = await Daemon.start();
  const line = new TestLine(doomed.socket);
  const target = line.entrypoint(line.load(ECHO));
  await line.call(target, ["echo"]);
  const waiting = [line.call(target, ["wait"], 10_000), line.call(target, ["wait"], 10_000)];
  await new Promise((resolve) => setTimeout(resolve, 50));
  const start = performance.now();
  await doomed.end("SIGKILL");
  for (const { kind, value } of await Promise.all(waiting)) {
    assert.equal(kind, FAILED);
    assert.equal(value, "The line to the supervisor was lost.");
  }
  assert.equal(await line.closed, "The line to the supervisor was lost.");
  assert.ok(performance.now() - start < 1_000);
});

test("what an event's callback throws is an uncaught exception and leaves the line whole", async () => {
  const script = `
    const { connect } = require(process.argv[1]);
    let thrown = 0;
    process.on("uncaughtException", (error) => { thrown++; });
    const line = connect(process.argv[2], { deliver() {}, released() {}, log() {}, closed() {},
      answered(call) { if (call < 20) { line.status(); throw new Error("mine"); } else { console.log(thrown > 10 ? "fine" : thrown); line.close(); } } });
    line.status();`;
  assert.equal(await runNode(script), "fine\n");
});

const runNode = (script, ...options) => new Promise((resolve, reject) => {
  const child = spawn(process.execPath, [...options, "-e", script, ADDON, daemon.socket], { stdio: ["ignore", "pipe", "inherit"], timeout: 20_000 });
  let output = "";
  child.stdout.on("data", (data) => { output += data; });
  child.on("close", (code, signal) => code === 0 ? resolve(output) : reject(new Error(`code ${code}, signal ${signal}, output: ${output}`)));
});

const QUIET = `const { connect } = require(process.argv[1]);
  const events = { deliver() {}, answered() { console.log("answered"); }, released() {}, log() {}, closed() {} };
  const line = connect(process.argv[2], events);`;

test("an idle line lets Node end; a call under way does not", async () => {
  assert.equal(await runNode(`${QUIET} line.loader();`), "");
  assert.equal(await runNode(`${QUIET} line.status();`), "answered\n");
  assert.equal(await runNode(`${QUIET} line.close();`), "");
  assert.equal(await runNode(`${QUIET} line.status(); setTimeout(() => line.status(), 50);`), "answered\nanswered\n");
  assert.equal(await runNode(`${QUIET} line.status(); process.exit(0);`), "");
  assert.equal(await runNode(`${QUIET} events.answered = 1; line.status(); process.on("exit", () => console.log(line.pending));`), "answered\n0\n");
});

test("worker threads have lines of their own and can be ended with them", async () => {
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { connect } = require(workerData.addon);
    let n = 0;
    const line = connect(workerData.socket, { deliver() {}, released() {}, log() {}, closed() {},
      answered() { if (++n < 100) line.status(); else if (workerData.stay) { parentPort.postMessage(n); line.status(); n = 0; } else parentPort.postMessage(n); } });
    line.status();`;
  const run = async (stay) => {
    const worker = new Worker(script, { eval: true, workerData: { addon: ADDON, socket: daemon.socket, stay } });
    const exited = new Promise((resolve) => worker.once("exit", resolve));
    assert.equal(await new Promise((resolve, reject) => { worker.once("message", resolve); worker.once("error", reject); }), 100);
    if (stay) await worker.terminate();
    await exited;
  };
  await Promise.all([run(false), run(true), run(false), run(true)]);
  await run(true);
});

test("100,000 calls and 10,000 exports leave nothing behind", async () => {
  const script = `${QUIET.replace('console.log("answered")', "next()").replace("released() {}", "released() { released++; }")}
    let n = 0, released = 0, before;
    const value = new Uint8Array(32);
    new DataView(value.buffer).setBigUint64(0, 1n << 48n, true);        // a Value with one node: undefined
    new DataView(value.buffer).setUint32(8, 1, true);
    new DataView(value.buffer).setUint32(12, 3 << 3 | 7, true);
    const full = new Uint8Array(48); full.set(value);
    new DataView(full.buffer).setUint32(16, 1 << 2, true);
    new DataView(full.buffer).setUint16(20, 2, true);
    new DataView(full.buffer).setUint16(22, 1, true);
    const loader = line.loader();
    function next() {
      n++;
      // The first calls fill pools and caches. After that, 128 bytes a call would be a leak; the C library keeps some more for a while.
      if (n === 50_000) { global.gc(); before = process.memoryUsage.rss(); }
      if (n === 150_000) {
        global.gc();
        const grown = process.memoryUsage.rss() - before;
        console.log(grown < 100_000 * 128 ? "steady" : grown, released);
        return line.close();
      }
      if (n % 10 === 0) line.call(loader, ["x"], full, [{ kind: 1, id: n, imported: false }]); else line.status();
    }
    line.status();`;
  assert.equal(await runNode(script, "--expose-gc"), "steady 14999\n");
});
