// connect()'s supervisor of one's own, in a child process or in this one: how it is configured, how it starts, how it ends.

import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

import { GloveboxError, connect } from "glovebox";
import { failure } from "./failure.mjs";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL(".", import.meta.url));
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const code = (text) => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text } });
const AGENT = code("export default { hi: (f) => f(1), wait: () => new Promise(() => setTimeout(() => {}, 60_000)), spin() { for (;;); } }");

// A child process of a thread that has ended is waited for by nobody: Node's way, for any child of a thread.
const isZombie = (pid) => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
let forgotten = [];

// Children of this process, zombies too. What other tests of this file start ends before they do.
function children() { return allChildren().filter((pid) => !forgotten.includes(pid)); }
function allChildren() {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, "utf8").trim().split(" ").filter((pid) => pid !== "");
    } catch {
      return [];   // the thread has ended
    }
  });
}
async function gone(pid) {
  for (let i = 0; i < 200 && existsSync(`/proc/${pid}`); i++) await later(10);
  return !existsSync(`/proc/${pid}`);
}
async function program(text, args = [], options = {}) {
  const { stdout } = await run(process.execPath, [...args, "--input-type=module", "-e", text], { cwd: HERE, timeout: 20_000, ...options });
  return stdout.trim();
}

// -- In this process -----------------------------------------------------------------------------------------------------------

test("workers run without a process in between, and are killed and reaped with the connection", async () => {
  const glovebox = await connect({ inProcess: true, console: "ignore" });
  const agent = glovebox.loader.load(AGENT).getEntrypoint();
  assert.equal(await agent.hi((n) => n + 1), 2);
  const error = await failure(glovebox.loader.load({ ...AGENT, limits: { cpuMs: 50 } }).getEntrypoint().spin(0));
  assert.equal(error.code, "exceededCpu");
  assert.ok(children().length > 0);
  const waiting = failure(agent.wait(0));
  await glovebox.close();
  assert.equal((await waiting).code, "disconnected");
  assert.deepEqual(children(), []);
});

test("connections with equal options share a supervisor, and others have their own", async () => {
  const first = await connect({ inProcess: true, supervisor: { poolSize: 1, profile: "no-wasm" } });
  const same = await connect({ inProcess: true, supervisor: { profile: "no-wasm", poolSize: 1 } });
  const other = await connect({ inProcess: true, supervisor: { poolSize: 1 } });
  assert.equal(children().length, 2);   // a warden each
  first.loader.load(AGENT);
  const worker = first.loader.load(AGENT);
  await worker.getEntrypoint().hi(() => 1);
  assert.equal((await same.status()).workers.length, 2);
  assert.equal((await other.status()).workers.length, 0);
  await first.close();
  assert.equal(children().length, 2);
  assert.equal(await same.loader.load(AGENT).getEntrypoint().hi((n) => n), 1);
  await same.close();
  assert.equal(children().length, 1);
  await other.close();
  assert.deepEqual(children(), []);
  // And from the start.
  const again = await connect({ inProcess: true, supervisor: { profile: "no-wasm", poolSize: 1 } });
  assert.equal(await again.loader.load(AGENT).getEntrypoint().hi((n) => n), 1);
  await again.close();
  assert.deepEqual(children(), []);
});

test("one that is closed while it starts leaves nothing behind", async () => {
  const starting = connect({ inProcess: true });
  const before = connect({ inProcess: true }).then((glovebox) => glovebox.close());
  await before;
  await (await starting).close();
  assert.deepEqual(children(), []);
});

test("limits wait for a busy loop, and hold then", async () => {
  const glovebox = await connect({ inProcess: true });
  const agent = glovebox.loader.load({ ...AGENT, limits: { cpuMs: 50 } }).getEntrypoint();
  await agent.hi(() => 1);
  const spinning = failure(agent.spin(0));
  await later(5);
  const end = Date.now() + 200;
  while (Date.now() < end);
  assert.equal((await spinning).code, "exceededCpu");
  await glovebox.close();
});

for (const how of ["{ inProcess: true }", "{}"]) {
  test(`a program that is idle ends by itself: connect(${how})`, async () => {
    const printed = await program(`
      import { connect } from "glovebox";
      const glovebox = await connect(${how});
      const w = glovebox.loader.load(${JSON.stringify(AGENT)});
      await w.getEntrypoint().hi(() => 1);
      console.log((await glovebox.status()).workers[0].pid);`);
    assert.match(printed, /^[0-9]+$/);
    assert.ok(await gone(printed));
  });

  for (const end of ["process.exit(0)", "process.kill(process.pid, 'SIGKILL')", "process.abort()"]) {
    test(`nor do workers outlive ${end}: connect(${how})`, async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", `
        import { writeSync } from "node:fs";
        import { connect } from "glovebox";
        const glovebox = await connect(${how});
        const w = glovebox.loader.load(${JSON.stringify(AGENT)});
        await w.getEntrypoint().hi(() => 1);
        w.getEntrypoint().wait(0).catch(() => {});
        writeSync(1, String((await glovebox.status()).workers[0].pid));
        ${end};`], { cwd: HERE, stdio: ["ignore", "pipe", "ignore"] });
      let pid = "";
      child.stdout.on("data", (text) => { pid += text; });
      await new Promise((resolve) => child.once("close", resolve));
      assert.match(pid, /^[0-9]+$/);
      assert.ok(await gone(pid), `worker ${pid} is still there`);
    });
  }

  test(`worker threads have theirs, which end with the thread: connect(${how})`, async () => {
    const text = `
      const { connect } = require("glovebox");
      connect(${how}).then(async (glovebox) => {
        const w = glovebox.loader.load(${JSON.stringify(AGENT)});
        await w.getEntrypoint().hi(() => 1);
        require("node:worker_threads").parentPort.postMessage((await glovebox.status()).workers[0].pid);
      });`;
    const pids = await Promise.all([1, 2].map(() => new Promise((resolve, reject) => {
      const thread = new Worker(text, { eval: true });
      let pid;
      thread.once("message", (value) => { pid = value; });
      thread.once("error", reject);
      thread.once("exit", () => resolve(pid));
    })));
    for (const pid of pids) assert.ok(await gone(pid));
    if (how === "{}") {
      for (let i = 0; i < 100 && !allChildren().every(isZombie); i++) await later(10);
      forgotten = allChildren().filter(isZombie);
    }
    assert.deepEqual(children(), []);
  });
}

test("a thread that is terminated leaves no worker and no zombie", async () => {
  for (const delay of [0, 30, 200]) {
    const thread = new Worker(`require("glovebox").connect({ inProcess: true }).then((glovebox) => {
      glovebox.loader.load(${JSON.stringify(AGENT)}).getEntrypoint().wait(0);
    })`, { eval: true });
    await new Promise((resolve) => thread.once("online", resolve));
    await later(delay);
    await thread.terminate();
    assert.deepEqual(children(), []);
  }
});

// -- How it is configured ------------------------------------------------------------------------------------------------------

for (const inProcess of [false, true]) {
  test(`what \`supervisor\` says is so, inProcess: ${inProcess}`, async () => {
    const glovebox = await connect({
      inProcess,
      supervisor: { profile: "jitless", poolSize: 1, allowMissing: ["landlock"], workersMax: 2, codeCacheMbMax: 0, limits: { cpuMs: 77, wallMs: 5_000, memoryMb: 64 } },
    });
    const status = await glovebox.status();
    assert.equal(status.profile, "jitless");
    assert.equal(status.layers.find((layer) => layer.name === "landlock").missingAllowed, true);
    const error = await failure(glovebox.loader.load({ ...AGENT, limits: { cpuMs: 1000 } }).getEntrypoint().spin(0));
    assert.match(error.message, /limit of 77 ms of CPU/);
    assert.equal(status.codeCache.bytesMax, 0);
    const limits = JSON.stringify(status.limits);
    for (const value of [77, 5000, 64, 2]) assert.ok(limits.includes(String(value)), `${value} in ${limits}`);
    await glovebox.close();
  });
}

for (const inProcess of [false, true]) {
  test(`one worker too many is refused as overload, and there is room again once another is gone, inProcess: ${inProcess}`, async () => {
    const glovebox = await connect({ inProcess, supervisor: { workersMax: 1 } });
    const echo = code("export default { echo: (value) => value }");
    const call = (worker) => worker.getEntrypoint().echo(7);
    const first = glovebox.loader.load(echo);
    assert.equal(await call(first), 7);
    for (const refused of [glovebox.loader.load(echo), glovebox.loader.get("named", () => echo)]) {
      for (let attempt = 0; attempt < 2; attempt++) {
        const error = await failure(call(refused));
        assert.deepEqual([error.code, error.message], ["overloaded", "Too many live workers: the limit is 1. Dispose of some, then try again."]);
      }
    }
    first[Symbol.dispose]();
    while ((await glovebox.status()).liveWorkers > 0) await later(5);
    assert.equal(await call(glovebox.loader.get("named", () => echo)), 7);
    await glovebox.close();
  });
}

test("a wrong option is told with what was got and what is expected", async () => {
  const rows = [
    [null, "connect() expects an object of options, or nothing."],
    [{ sockets: "x" }, "connect() knows no option `sockets`; there are: socket, inProcess, supervisor, egress, console."],
    [{ socket: 5 }, "connect() expects `socket` to be the path of a Unix socket (glovebox serve --socket PATH makes one), got 5."],
    [{ inProcess: "yes" }, "connect() expects `inProcess` to be true or false, got \"yes\"."],
    [{ console: "stderr" }, "connect() expects `console` to be a function or \"ignore\", got \"stderr\"."],
    [{ socket: "/x", inProcess: true }, "connect() got `socket` and `inProcess`: the daemon behind a socket runs and is configured already. Leave one of them out."],
    [{ socket: "/x", supervisor: {} }, "connect() got `socket` and `supervisor`: the daemon behind a socket runs and is configured already. Leave one of them out."],
    [{ inProcess: true, egress: { allow: [] } }, "connect() got `egress` and `inProcess`: requests are made by a process that a supervisor in a child process starts. Leave one of them out."],
    [{ supervisor: ["--profile"] }, "connect() expects `supervisor` to be an object such as { profile: \"jitless\" }, got an array."],
    [{ supervisor: { pool: 1 } }, "connect() knows no option `supervisor.pool`; there are: profile, allowMissing, limits, poolSize, workersMax, codeCacheMbMax, namedIdleMsMax, namedMemoryMbMax."],
    [{ supervisor: { profile: "fast" } }, "connect() expects `supervisor.profile` to be one of \"default\", \"no-wasm\", \"jitless\", got \"fast\"."],
    [{ supervisor: { poolSize: 0 } }, "connect() expects `supervisor.poolSize` to be a whole number from 1 to 4294967295, got 0."],
    [{ supervisor: { limits: { cpuMs: 1.5 } } }, "connect() expects `supervisor.limits.cpuMs` to be a whole number from 1 to 4294967295, got 1.5."],
    [{ supervisor: { limits: { wallMs: "1000" } } }, "connect() expects `supervisor.limits.wallMs` to be a whole number from 1 to 4294967295, got \"1000\"."],
    [{ supervisor: { limits: { memoryMb: null } } }, "connect() expects `supervisor.limits.memoryMb` to be a whole number from 1 to 4294967295, got null."],
    [{ supervisor: { workersMax: 2 ** 32 } }, "connect() expects `supervisor.workersMax` to be a whole number from 1 to 4294967295, got 4294967296."],
    [{ supervisor: { codeCacheMbMax: -1 } }, "connect() expects `supervisor.codeCacheMbMax` to be a whole number from 0 to 4294967295, got -1."],
    [{ supervisor: { allowMissing: "landlock" } }, "connect() expects `supervisor.allowMissing` to be a list of layers' names, got \"landlock\"."],
  ];
  for (const [options, expected] of rows) {
    const error = await failure(connect(options));
    assert.equal(`${error.name}: ${error.message}`, `TypeError: ${expected}`);
  }
  const error = await failure(connect({ supervisor: { allowMissing: ["roof"] } }));
  assert.match(error.message, /^connect\(\) expects `supervisor\.allowMissing` to be layers out of "user-namespace", .*"cgroup-cpu", got "roof"\.$/);
});

// -- How it cannot start ---------------------------------------------------------------------------------------------------------

test("parts that were not built are told, with what to do", async () => {
  const text = (how) => `import { connect } from "glovebox"; await connect(${how}).catch((e) => console.log(e.name, e.code, e.message));`;
  const child = await program(text("{}"), [], { env: { ...process.env, GLOVEBOX_COMMAND: "/nowhere/glovebox" } });
  assert.match(child, /^GloveboxError unavailable The glovebox command could not be started \(\/nowhere\/glovebox\): .*ENOENT.*tools\/dev build/);
  const here = await program(text("{ inProcess: true }"), [], { env: { ...process.env, GLOVEBOX_INSTALLATION: "/nowhere" } });
  assert.match(here, /^GloveboxError unavailable .*Glovebox's parts were not found\. Build them \(tools\/dev build\).*\/nowhere/);
});

test("a missing layer is told, with the option that goes on without it, and leaves no zombie", (t) => {
  // In a user namespace that allows no further ones the jail cannot have its own.
  const inside = (text) => spawnSync("unshare", ["--user", "--map-root-user", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" --input-type=module -e "$1"', process.execPath, text],
                                     { cwd: HERE, encoding: "utf8" });
  if (inside("").status !== 0) return t.skip("this machine lets nobody make a user namespace in which there are none");
  for (const how of ["{}", "{ inProcess: true }"]) {
    const { stdout, stderr } = inside(`
      import { readFileSync } from "node:fs";
      import { connect } from "glovebox";
      const error = await connect(${how}).catch((e) => e);
      console.log(JSON.stringify([error.name, error.code, error.message, readFileSync(\`/proc/self/task/\${process.pid}/children\`, "utf8").trim()]));`);
    const [name, code, message, left] = JSON.parse(stdout || `["${stderr}"]`);
    assert.deepEqual([name, code, left], ["GloveboxError", "unavailable", ""]);
    assert.match(message, /Missing layer: user-namespace\. .+\nTo go on without it, and less safely: connect\(\{ supervisor: \{ allowMissing: \["user-namespace"\] \} \}\)$/s);
    assert.doesNotMatch(message, /--allow-missing/);
  }
});

test("nobody behind a socket is told, with what to do", async () => {
  const error = await failure(connect({ socket: "/nowhere/at/all" }));
  assert.ok(error instanceof GloveboxError);
  assert.equal(error.code, "unavailable");
  assert.match(error.message, /glovebox serve/);
});
