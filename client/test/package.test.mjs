// The package as its user has it, on whatever Node.js runs this file.

import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { GloveboxError, RpcStub, RpcTarget, WorkerEntrypoint, WorkerLoader, connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const run = promisify(execFile);
const COMMAND = process.env.GLOVEBOX_COMMAND ?? path.join(realpathSync(fileURLToPath(new URL("../dist", import.meta.url))), "../tools/glovebox");
const HERE = fileURLToPath(new URL(".", import.meta.url));

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(text, options = {}) {
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, globalOutbound: null, ...options });
}
// What a program prints that is run by the same Node.js.
async function program(text, args = [], options = {}) {
  const { stdout } = await run(process.execPath, [...args, "--input-type=module", "-e", text], { cwd: HERE, timeout: 20_000, ...options });
  return stdout.trim();
}

// A daemon of this test's own, and the socket that it listens on.
async function startDaemon(context) {
  const socket = `/tmp/glovebox-test-${process.pid}`;
  const daemon = spawn(COMMAND, ["serve", "--socket", socket], { stdio: ["ignore", "pipe", "inherit"] });
  context.after(() => daemon.kill("SIGKILL"));
  await new Promise((resolve, reject) => { daemon.stdout.once("data", resolve); daemon.once("exit", () => reject(new Error("the daemon did not start"))); });
  return { daemon, socket };
}

// -- Give it tools -----------------------------------------------------------------------------------------------------------

test("a sandbox uses the tool that it was given, and sees nothing else", async () => {
  class ChatRoomAPI extends WorkerEntrypoint {
    async post(message) {
      return { id: crypto.randomUUID(), message };
    }
  }
  const worker = glovebox.loader.load({
    compatibilityDate: "2026-03-01",
    mainModule: "agent.js",
    modules: {
      "agent.js": `
      export default {
        async myAgent(text, env) {
          // Only env.CHAT_ROOM is reachable. Nothing else.
          return env.CHAT_ROOM.post(text);
        }
      }
    `,
    },
    env: { CHAT_ROOM: entrypoint(ChatRoomAPI) },
    globalOutbound: null,
  });
  const out = await worker.getEntrypoint().myAgent("hello");
  assert.match(out.id, /^[0-9a-f-]{36}$/);
  assert.deepEqual(Object.keys(out), ["id", "message"]);
  assert.equal(out.message, "hello");
  worker[Symbol.dispose]();

  const spy = load(`export default { keys(_, env) { return [Object.getOwnPropertyNames(env), Object.getOwnPropertySymbols(env).length, Object.getPrototypeOf(env) === Object.prototype]; } }`,
                   { env: { CHAT_ROOM: entrypoint(ChatRoomAPI) } });
  assert.deepEqual([...await spy.getEntrypoint().keys(0)], [["CHAT_ROOM"], 0, true]);
  spy[Symbol.dispose]();
});

test("env takes data, entrypoints, RpcTargets, functions and stubs side by side", async () => {
  class Target extends RpcTarget { hi() { return "target"; } }
  const worker = load(`import { env as same } from "cloudflare:workers";
    export default { async all(_, env) { return [env.data.n, await env.service.hi(), await env.target.hi(), await env.fn(2), await env.stub.hi(), env === same]; } }`, {
    env: { data: { n: 1 }, service: entrypoint({ hi: (_) => "never called" }), target: new Target(), fn: (n) => n * 2, stub: new RpcStub(new Target()) },
  });
  assert.match((await failure(worker.getEntrypoint().all(0))).message, /always send exactly one argument/);   // a handler takes (arg, env, ctx)
  worker[Symbol.dispose]();

  class Service extends WorkerEntrypoint { hi() { return "service " + this.ctx.props.id; } }
  const other = load(`import { env as same } from "cloudflare:workers";
    export default { async all(_, env) { return [env.data.n, await env.service.hi(), await env.target.hi(), await env.fn(2), await env.stub.hi(), env === same]; } }`, {
    env: { data: { n: 1 }, service: entrypoint(Service, { props: { id: 5 } }), target: new Target(), fn: (n) => n * 2, stub: new RpcStub(new Target()) },
  });
  assert.deepEqual([...await other.getEntrypoint().all(0)], [1, "service 5", "target", 4, "target", true]);
  assert.deepEqual([...await other.getEntrypoint().all(0)], [1, "service 5", "target", 4, "target", true]);   // and again in another call
  other[Symbol.dispose]();
});

test("several entrypoints, each with props and limits of its own", async () => {
  const worker = load(`import { WorkerEntrypoint } from "cloudflare:workers";
    export class Named extends WorkerEntrypoint { props() { return this.ctx.props; } spin() { for (;;); } }
    export const handlers = { twice: (n) => n * 2 };
    export default { hello: (name) => "hello " + name };`);
  assert.equal(await worker.getEntrypoint().hello("you"), "hello you");
  assert.equal(await worker.getEntrypoint("handlers").twice(4), 8);
  assert.deepEqual({ ...await worker.getEntrypoint("Named", { props: { tenant: 3 } }).props() }, { tenant: 3 });
  const error = await failure(worker.getEntrypoint("Named", { limits: { cpuMs: 60 } }).spin());
  assert.equal(error.code, "exceededCpu");
  assert.match(error.message, /limit of 60 ms of CPU/);
  assert.match((await failure(worker.getEntrypoint("Nobody").x(1))).message, /Worker has no such entrypoint: Nobody/);
  worker[Symbol.dispose]();
});

test("props may hold tools as well", async () => {
  const worker = load(`import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint { async use() { return this.ctx.props.tool(20); } }`);
  const target = worker.getEntrypoint(undefined, { props: { tool: (n) => n + 1 } });
  assert.deepEqual([await target.use(), await target.use()], [21, 21]);
  worker[Symbol.dispose]();
});

test("what a worker is given it can use after the call, from what others hold of it", async () => {
  const worker = load(`import { RpcTarget } from "cloudflare:workers";
    class Session extends RpcTarget { #f; constructor(f) { super(); this.#f = f; } ask(n) { return this.#f(n); } [Symbol.dispose]() { this.#f[Symbol.dispose](); } }
    export default { open(f) { return new Session(f.dup()); } }`);
  const session = await worker.getEntrypoint().open((n) => n * 3);
  assert.deepEqual([await session.ask(2), await session.ask(3)], [6, 9]);
  session[Symbol.dispose]();
  worker[Symbol.dispose]();
});

test("a stub that was kept for another call is refused there", async () => {
  const worker = load(`let kept; export default { keep(f) { kept = f.dup(); return 1; }, async use() { return await kept(1); } }`);
  const target = worker.getEntrypoint();
  await target.keep(() => 1);
  const error = await failure(target.use(0));
  assert.match(error.message, /^Cannot perform I\/O on behalf of a different request\. .*\(I\/O type: Client\)$/);
  worker[Symbol.dispose]();
});

test("timers end with their invocation, and waitUntil() holds it", async () => {
  const seen = [];
  const worker = load(`import { waitUntil } from "cloudflare:workers";
    export default {
      bare(tell) { const t = tell.dup(); setTimeout(() => t("bare timer"), 20); return 1; },
      held(tell, env, ctx) { const t = tell.dup(); ctx.waitUntil(new Promise((resolve) => setTimeout(() => { t("held timer"); resolve(); }, 20))); return 1; },
      module(tell) { const t = tell.dup(); waitUntil(new Promise((resolve) => setTimeout(() => { t("module timer"); resolve(); }, 20))); return 1; },
    }`);
  const tell = (text) => { seen.push(text); };
  for (const name of ["bare", "held", "module"]) await worker.getEntrypoint()[name](tell);
  for (let i = 0; i < 100 && seen.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(seen, ["held timer", "module timer"]);
  worker[Symbol.dispose]();
});

test("ctx.abort() ends the invocation with what it is given", async () => {
  const worker = load(`export default { async stop(_, env, ctx) { try { ctx.abort(new RangeError("stop here")); } catch {} await new Promise((r) => setTimeout(r, 5000)); return "went on"; }, ok: () => "ok" }`);
  const error = await failure(worker.getEntrypoint().stop(0));
  assert.deepEqual([error.name, error.message], ["RangeError", "stop here"]);
  assert.equal(await worker.getEntrypoint().ok(0), "ok");
  worker[Symbol.dispose]();
});

test("ctx.exports leads to a worker's own entrypoints", async () => {
  const worker = load(`import { WorkerEntrypoint, exports } from "cloudflare:workers";
    export class Inner extends WorkerEntrypoint { who() { return "inner " + (this.ctx.props.n ?? "-"); } }
    export default { async ask(_, env, ctx) { return [await ctx.exports.Inner.who(), await ctx.exports.Inner({ props: { n: 2 } }).who(), await exports.Inner.who()]; },
                     give(_, env, ctx) { return { inner: ctx.exports.Inner({ props: { n: 3 } }) }; } }`);
  assert.deepEqual([...await worker.getEntrypoint().ask(0)], ["inner -", "inner 2", "inner -"]);
  assert.equal(await (await worker.getEntrypoint().give(0)).inner.who(), "inner 3");
  worker[Symbol.dispose]();
});

test("`using` disposes of results in a worker", async () => {
  const disposed = [];
  class Thing extends RpcTarget { value() { return 7; } [Symbol.dispose]() { disposed.push("thing"); } }
  const worker = load(`export default { async use(make) { { using thing = await make(); return await thing.value(); } } }`);
  assert.equal(await worker.getEntrypoint().use(() => new Thing()), 7);
  for (let i = 0; i < 100 && disposed.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(disposed, ["thing"]);
  worker[Symbol.dispose]();
});

// -- Loaders in workers --------------------------------------------------------------------------------------------------------

test("a worker that is given a loader loads workers, which end with it", async () => {
  const parent = load(`export default { async run(n, env) {
      const child = env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "export default { twice: (n) => n * 2, who: (_, env) => env.NAME }" }, env: { NAME: "child" } });
      const entry = child.getEntrypoint();
      return [await entry.twice(n), await entry.who(0)];
    }, async big(size, env) {
      const text = "x".repeat(size);
      const child = env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "import t from './t.txt'; export default { length: () => t.length }", "t.txt": { text } } });
      return child.getEntrypoint().length(0);
    }, give(_, env) {
      return { entry: env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": "export default { hi: () => 'handed on', call2: (f) => f(1) }" } }).getEntrypoint() };
    } }`, { env: { LOADER: glovebox.loader } });
  assert.deepEqual([...await parent.getEntrypoint().run(21)], [42, "child"]);
  assert.equal(await parent.getEntrypoint().big(1_000_000), 1_000_000);
  const { entry } = await parent.getEntrypoint().give(0);
  assert.equal(await entry.hi(0), "handed on");
  parent[Symbol.dispose]();
  assert.equal(await entry.hi(0), "handed on");   // somebody else holds it
  assert.equal(await entry.call2((n) => n + 1), 2);
});

// -- Revocation ----------------------------------------------------------------------------------------------------------------

test("after a worker was disposed of no call of its reaches a tool", async () => {
  let calls = 0;
  const worker = load(`export default { async flood(tool) { for (;;) await tool(); } }`);
  const flooding = failure(worker.getEntrypoint().flood(() => { calls++; }));
  while (calls < 50) await new Promise((resolve) => setTimeout(resolve, 1));
  worker[Symbol.dispose]();
  const atOnce = calls;
  const error = await flooding;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(calls, atOnce);
  assert.equal(error.code, "revoked");
});

test("not even one that waits behind the result of another", async () => {
  let answer, reached = false;
  class Second extends RpcTarget { second() { reached = true; return 1; } }
  const worker = load(`export default { async run(tools) { return await tools.first().second(); } }`);
  class Tools extends RpcTarget { first() { return new Promise((resolve) => { answer = resolve; }); } }
  const running = failure(worker.getEntrypoint().run(new Tools()));
  while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 20));   // the second call has arrived and waits
  worker[Symbol.dispose]();
  answer(new Second());
  assert.equal((await running).code, "revoked");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(reached, false);
});

test("nor can anything be asked of it any more", async () => {
  const worker = load(`export default { hi: () => "hi" }`);
  const target = worker.getEntrypoint();
  assert.equal(await target.hi(0), "hi");
  worker[Symbol.dispose]();
  worker[Symbol.dispose]();
  assert.equal((await failure(target.hi(0))).code, "revoked");
  assert.throws(() => worker.getEntrypoint(), /disposed/);
});

// -- The package in a program ----------------------------------------------------------------------------------------------------

test("import and require give the same classes", async () => {
  const required = createRequire(import.meta.url)("glovebox");
  assert.equal(required.RpcTarget, RpcTarget);
  assert.equal(required.connect, connect);
  assert.equal(createRequire(import.meta.url)("glovebox/workers").RpcTarget, RpcTarget);
  assert.equal((await import("glovebox/workers")).RpcTarget, RpcTarget);
});

test("the types tell every export, and every way to end", async () => {
  const read = (file) => readFileSync(new URL(file, import.meta.url), "utf8");
  const types = read("../types/index.d.ts"), workers = read("../types/workers.d.ts");
  const declared = new Set([...types.matchAll(/^export (?:abstract )?(?:class|function|const) (\w+)/gm)].map((match) => match[1]));
  assert.deepEqual([...declared].sort(), Object.keys(await import("glovebox")).sort());
  const passedOn = /^export \{ (.+) \} from/m.exec(workers)[1].split(", ");
  const own = [...workers.matchAll(/^export (?:function|const) (\w+)/gm)].map((match) => match[1]);
  assert.deepEqual([...passedOn, ...own].sort(), Object.keys(await import("glovebox/workers")).sort());

  const schema = /enum Code \{(.*?)\n {2}\}/s.exec(read("../../ipc/call.capnp"))[1];
  const endings = [...schema.matchAll(/^ +(\w+) @\d+;/gm)].map((match) => match[1]);
  const codes = [.../type GloveboxErrorCode =(.*?);\n/s.exec(types)[1].matchAll(/\| "(\w+)"/g)].map((match) => match[1]);
  assert.ok(endings.length >= 14);
  // Those that are no failures of a call's.
  const ofAccounts = ["canceled", "ok", "exception"];
  assert.deepEqual(codes, [...endings.filter((name) => !ofAccounts.includes(name)), "disconnected", "unavailable"]);
});

test("packages that import cloudflare:workers load with --import glovebox/register", async () => {
  const printed = await program(`
    import { RpcTarget, WorkerEntrypoint, env } from "cloudflare:workers";
    import { RpcTarget as Same } from "glovebox";
    import { createRequire } from "node:module";
    const required = createRequire(import.meta.url)("cloudflare:workers");
    const { DynamicWorkerExecutor } = await import("@cloudflare/codemode");
    console.log(RpcTarget === Same, required.RpcTarget === Same, typeof WorkerEntrypoint, typeof env, typeof DynamicWorkerExecutor);`,
    ["--import", "glovebox/register"]);
  assert.equal(printed, "true true function object function");
});

test("a program that does not close its connection ends all the same", async () => {
  const printed = await program(`
    import { connect } from "glovebox";
    const g = await connect();
    const w = g.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default { hi: (f) => f(1) }" } });
    console.log(await w.getEntrypoint().hi((n) => n + 1));`);
  assert.equal(printed, "2");
});

test("a program stays alive while a call is under way", async () => {
  const printed = await program(`
    import { connect } from "glovebox";
    const g = await connect();
    const w = g.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default { slow: () => new Promise((r) => setTimeout(() => r('done'), 300)) }" } });
    w.getEntrypoint().slow(0).then(console.log);`);
  assert.equal(printed, "done");
});

test("Node's loop goes on while a worker is busy", async () => {
  const worker = load(`export default { spin() { const end = Date.now() + 200; while (Date.now() < end); return 1; } }`);
  let ticks = 0;
  const timer = setInterval(() => { ticks++; }, 5);
  await worker.getEntrypoint().spin(0);
  clearInterval(timer);
  assert.ok(ticks >= 10, `${ticks} ticks`);
  worker[Symbol.dispose]();
});

test("a daemon that is killed fails what is under way, with a code", async (context) => {
  const { daemon, socket } = await startDaemon(context);
  const other = await connect({ socket, console: "ignore" });
  const worker = other.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default { wait: () => new Promise((r) => setTimeout(r, 60000)) }" } });
  const waiting = failure(worker.getEntrypoint().wait(0));
  await new Promise((resolve) => setTimeout(resolve, 100));
  daemon.kill("SIGKILL");
  const error = await waiting;
  assert.ok(error instanceof GloveboxError);
  assert.equal(error.code, "disconnected");
  assert.equal((await other.closed).code, "disconnected");
  assert.throws(() => worker.getEntrypoint(), { code: "disconnected" });
});

test("a load leaves while the program goes on, and runs none of its promises", { timeout: 30_000 }, async (context) => {
  const { daemon, socket } = await startDaemon(context);
  const other = await connect({ socket, console: "ignore" });
  const ask = () => other.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "export default {}" } });
  const workers = () => JSON.parse(execFileSync(COMMAND, ["status", "--json", "--socket", socket])).workers.length;
  await other.status();
  await new Promise((resolve) => setTimeout(resolve, 10));
  let ran = false;
  void Promise.resolve().then(() => { ran = true; });
  const worker = ask();
  let seen = 0;
  for (let i = 0; i < 50 && seen === 0; i++) seen = workers();
  assert.equal(seen, 1);
  assert.equal(ran, false);
  await worker[Symbol.dispose]();
  // Nor when there is nobody any more, which is found out by writing.
  process.kill(daemon.pid, "SIGKILL");
  while (/State:\t[^Z]/.test(readFileSync(`/proc/${daemon.pid}/status`, "utf8")));
  ran = false;
  void Promise.resolve().then(() => { ran = true; });
  for (let i = 0; i < 5; i++) ask();
  assert.equal(ran, false);
  assert.equal((await other.closed).code, "disconnected");
});

// -- Bad input -------------------------------------------------------------------------------------------------------------------

test("load() says at once what is wrong with what it is given", () => {
  const { loader } = glovebox;
  const good = { compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": "" } };
  const rows = [
    [[], "TypeError: Failed to execute 'load' on 'WorkerLoader': parameter 1 is not of type 'WorkerCode'."],
    [[{ ...good, modules: undefined }], "TypeError: Incorrect type for the 'modules' field on 'WorkerCode': the provided value is not of type 'object'."],
    [[{ ...good, modules: {} }], "TypeError: Dynamic Worker code must contain at least one module."],
    [[{ ...good, modules: { "m.mjs": "" } }], "TypeError: Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: m.mjs"],
    [[{ ...good, modules: { "m.ts": "" } }], "TypeError: Module name must end with '.js' or '.py' (or the content must be an object indicating the type explicitly). Got: m.ts. If you're trying to load TypeScript, bundle it first with '@cloudflare/worker-bundler' and pass the generated JavaScript modules."],
    [[{ ...good, modules: { "m.js": { js: "", text: "" } } }], "TypeError: Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or 'wasm'. Module 'm.js' contained 2 properties."],
    [[{ ...good, modules: { "m.js": { data: "text" } } }], "TypeError: Incorrect type for the 'data' field on 'Module': the provided value is not of type 'Array'."],
    [[{ ...good, env: "text" }], "TypeError: Incorrect type for the 'env' field on 'WorkerCode': the provided value is not of type 'Object'."],
    [[{ ...good, env: null }], "TypeError: Incorrect type for the 'env' field on 'WorkerCode': the provided value is not of type 'Object'."],
    [[{ ...good, limits: { cpuMs: "many" } }], "TypeError: The value cannot be converted because it is not an integer."],
    [[{ ...good, limits: { cpuMs: -1 } }], "TypeError: The value cannot be converted because it is negative and this API expects a positive number."],
  ];
  for (const [args, expected] of rows) {
    try {
      loader.load(...args);
      assert.fail(`nothing was thrown; expected ${expected}`);
    } catch (error) {
      assert.equal(`${error.name}: ${error.message}`, expected);
    }
  }
  // Explicit undefined is as good as absent.
  loader.load({ ...good, env: undefined, limits: undefined, globalOutbound: undefined, compatibilityFlags: undefined })[Symbol.dispose]();
  assert.ok(loader instanceof WorkerLoader);
});

test("what is wrong with the code is told by each call, and costs nobody else anything", async () => {
  const bad = load("export default {");
  assert.match((await failure(bad.getEntrypoint().x(1))).message, /^Failed to start Worker:\nUncaught SyntaxError/);
  const late = load("export default {}", { compatibilityDate: "2099-01-01" });
  assert.match((await failure(late.getEntrypoint().x(1))).message, /This Worker requires compatibility date "2099-01-01"/);
  const good = load("export default { ok: () => 1 }");
  assert.equal(await good.getEntrypoint().ok(0), 1);
  for (const worker of [bad, late, good]) worker[Symbol.dispose]();
});

test("the host's stack does not reach the sandbox, the sandbox's is beside the error", async () => {
  const worker = load(`export default {
    async stackOf(f) { try { await f(); } catch (e) { return String(e.stack) + String(e.remoteStack); } },
    fail() { return deep(); } };
    function deep() { throw new Error("in the sandbox"); }`);
  const seen = await worker.getEntrypoint().stackOf(() => { throw new Error("on the host"); });
  assert.ok(!seen.includes(HERE) && !seen.includes("package.test"), seen);
  const error = await failure(worker.getEntrypoint().fail(0));
  assert.match(error.stack, /package\.test\.mjs/);
  assert.match(error.remoteStack, /deep \(m\.js/);
  worker[Symbol.dispose]();
});

test("the status tells what a worker holds and what it did with it", async () => {
  const worker = load(`export default { async use(_, env) { for (let i = 0; i < 5; i++) await env.TOOL(i); return 1; } }`, { env: { TOOL: (n) => n } });
  await worker.getEntrypoint().use(0);
  const status = await glovebox.status();
  const tool = status.workers.flatMap((w) => w.capabilities).find((c) => c.label === "TOOL");
  assert.equal(tool?.calls, 5);
  assert.ok(tool.bytesOut > 0 && tool.bytesIn > 0);
  worker[Symbol.dispose]();
});

test("a worker that spoils the methods of promises has streams and invocations that end all the same", async () => {
  const spoiler = load(`
    Promise.prototype.catch = Promise.prototype.finally = () => { throw new Error("spoilt"); };
    export default {
      async read(stream, env, ctx) {
        ctx.waitUntil(env.note("later"));
        let bytes = 0;
        const reader = stream.getReader();
        for (let next = await reader.read(); !next.done; next = await reader.read()) bytes += next.value.length;
        return bytes;
      },
    }`, { env: { note: (what) => { notes.push(what); } } });
  const notes = [];
  const stream = new ReadableStream({
    type: "bytes",
    start(controller) {
      controller.enqueue(new Uint8Array(100));
      controller.enqueue(new Uint8Array(23));
      controller.close();
    },
  });
  assert.equal(await spoiler.getEntrypoint().read(stream), 123);
  assert.deepEqual(notes, ["later"]);
});
