// glovebox serve --config: a project on HTTP, as a service has it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { later, running, temporaryFolder } from "./command-world.mjs";

function project(source, config = {}) {
  const folder = temporaryFolder("serve");
  writeFileSync(path.join(folder, "wrangler.jsonc"), JSON.stringify({ name: "served", main: "index.ts", compatibility_date: "2026-04-15", ...config }));
  writeFileSync(path.join(folder, "index.ts"), source);
  return folder;
}

function start(...words) {
  const child = spawn(process.env.GLOVEBOX_COMMAND, ["serve", ...words], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  const server = { child, output: "", words: "", ended: new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal))) };
  child.stdout.setEncoding("utf8").on("data", (text) => { server.output += text; });
  child.stderr.setEncoding("utf8").on("data", (text) => { server.words += text; });
  return server;
}

async function serve(folder, ...flags) {
  const server = start("--config", folder, "--listen", "127.0.0.1:0", ...flags);
  let ended = false;
  void server.ended.then(() => { ended = true; });
  while (!server.output.includes("\n") && !ended) await later(5);
  server.url = /^Ready on (\S+) \(served\)\n$/.exec(server.output)?.[1];
  assert.ok(server.url, `${server.output}${server.words}`);
  // The lines so far that are what is looked for; waits for one.
  server.lines = async (wanted) => {
    for (let i = 0; i < 500; i++) {
      const lines = server.words.split("\n").slice(0, -1).map((line) => JSON.parse(line)).filter(wanted);
      if (lines.length > 0) return lines;
      await later(10);
    }
    assert.fail(`not said: ${wanted}\n${server.words}`);
  };
  return server;
}

const get = async (url) => {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
};

test("each request is a line of JSON, and so is what the worker logs and throws", async () => {
  const server = await serve(project(`export default { async fetch(request: Request) {
    console.warn("half \\ud800 a pair");
    const n: number = 1; if (request.url.endsWith("/throw")) throw new TypeError("the secret");
    return new Response("made", { status: 201 });
  } };`));
  assert.deepEqual(await get(`${server.url}/a?b=1`), { status: 201, body: "made" });
  assert.equal((await get(`${server.url}/throw`)).status, 500);
  const [made] = await server.lines((line) => line.request?.path === "/a?b=1");
  assert.equal(made.level, "info");
  assert.equal(made.worker, "served");
  assert.ok(Math.abs(Date.parse(made.time) - Date.now()) < 120_000 && made.time.endsWith("Z"), made.time);
  assert.deepEqual({ ...made.request, ms: 0 }, { method: "GET", path: "/a?b=1", status: 201, outcome: "ok", ms: 0 });
  assert.match(made.message, /^GET \/a\?b=1 201 \(\d+ ms\)$/);
  const [threw] = await server.lines((line) => line.request?.path === "/throw");
  assert.deepEqual([threw.level, threw.request.status, threw.request.outcome], ["error", undefined, "exception"]);
  assert.match(threw.request.error, /^TypeError: the secret\n {4}at Object\.fetch \(index\.ts:3:68\)/);
  const [logged] = await server.lines((line) => line.level === "warn");
  assert.deepEqual([logged.worker, logged.message], ["served", "half \ufffd a pair"]);
});

test("a worker that died is started again by the next request, with all that it was given", async () => {
  const server = await serve(project(`let served = 0;
    export default { async fetch(request: Request, env: any) {
      if (request.url.endsWith("/loop")) for (;;);
      const agent = env.LOADER.load({ compatibilityDate: "2026-03-01", mainModule: "a.js", modules: { "a.js": "export default { one: () => 1 }" } });
      return Response.json([++served, env.NAME, await agent.getEntrypoint().one(0)]);
    } };`, { vars: { NAME: "n" }, worker_loaders: [{ binding: "LOADER" }], limits: { cpu_ms: 300 } }));
  assert.equal((await get(server.url)).body, '[1,"n",1]');
  assert.equal((await get(server.url)).body, '[2,"n",1]');
  assert.deepEqual(await get(`${server.url}/loop`), { status: 500, body: "The worker ended: exceededCpu.\n" });
  assert.equal((await get(server.url)).body, '[1,"n",1]');
  const [again] = await server.lines((line) => line.message === "'served' is started again");
  assert.equal(again.level, "warn");
});

test("what is under way when it is told to end is answered, and nothing else is taken", async () => {
  const folder = project(`export default { async fetch(request: Request) {
    console.log("began");
    return new Response(await request.text());
  } };`);
  const server = await serve(folder);
  const slow = http.request(server.url, { method: "POST" });
  const answered = new Promise((resolve, reject) => {
    slow.once("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => { body += text; }).once("end", () => resolve({ status: response.statusCode, body }));
    }).once("error", reject);
  });
  slow.write("half ");
  await server.lines((line) => line.message === "began");
  server.child.kill("SIGTERM");
  await server.lines((line) => /^draining/.test(line.message));
  let refused = false;
  for (let i = 0; i < 500 && !refused; i++) {   // the gateway hears of it a moment later
    refused = await fetch(server.url, { headers: { connection: "close" } }).then((response) => response.text()).then(() => false, () => true);
    if (!refused) await later(10);
  }
  assert.ok(refused);
  slow.end("and half");
  assert.deepEqual(await answered, { status: 200, body: "half and half" });
  assert.equal(await server.ended, 0);
});

// Two workers deep: what each of them saw of the trace, and said meanwhile.
const TRACED = `export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
  console.log("host", pathname);
  const child = env.LOADER.get("a child", () => ({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js":
    \`export default { async fetch(request) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      console.log("child", new URL(request.url).pathname);
      return new Response(request.headers.get("traceparent"));
    } };\` } }));
  const forged = "00-11111111111111111111111111111111-2222222222222222-01";
  const seen = await (await child.getEntrypoint().fetch(request.url, { headers: { traceparent: forged } })).text();
  return Response.json([request.headers.get("traceparent"), seen, request.headers.get("tracestate")]);
} };`;

test("each request is in its own trace, down to the workers that its worker loads, and so is what they log", async () => {
  const server = await serve(project(TRACED, { worker_loaders: [{ binding: "LOADER" }] }));
  const id = (n) => n.toString(16).padStart(32, "a");
  const asked = await Promise.all(Array.from({ length: 12 }, async (_, n) => {
    const headers = n % 3 === 0 ? {} : { traceparent: `00-${id(n)}-00f067aa0ba902b7-01`, tracestate: "vendor=1" };
    return (await fetch(`${server.url}/${n}`, { headers })).json();
  }));
  const spans = new Set();
  for (const [n, [host, child, state]] of asked.entries()) {
    const [, trace, span, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/.exec(host);
    assert.deepEqual([n % 3 === 0 ? "made" : trace, flags, state], n % 3 === 0 ? ["made", "00", null] : [id(n), "01", "vendor=1"]);
    const [, childTrace, childSpan] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(child);
    assert.equal(childTrace, trace);
    const [request] = await server.lines((line) => line.request?.path === `/${n}`);
    assert.deepEqual([request.trace, request.parent], [trace, n % 3 === 0 ? undefined : "00f067aa0ba902b7"]);
    const [hostSaid] = await server.lines((line) => line.message === `host /${n}`);
    assert.deepEqual([hostSaid.worker, hostSaid.trace, hostSaid.span, hostSaid.parent], ["served", trace, span, request.span]);
    const [childSaid] = await server.lines((line) => line.message === `child /${n}`);
    assert.deepEqual([childSaid.worker, childSaid.trace, childSaid.span, childSaid.parent], ['served > "a child"', trace, childSpan, span]);
    for (const each of [span, childSpan, request.span]) spans.add(each);
  }
  assert.equal(spans.size, 3 * asked.length);
  // What is not to the letter begins a trace of its own, without what others keep beside it.
  for (const traceparent of ["00-1-2-01", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, `00-${id(1).toUpperCase()}-00f067aa0ba902b7-01`]) {
    const [host, , state] = await (await fetch(`${server.url}/x`, { headers: { traceparent, tracestate: "vendor=1" } })).json();
    assert.match(host, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.equal(state, null);
  }
});

test("what a worker says comes under names that it cannot choose", async () => {
  const server = await serve(project(`export default { async fetch(request, env) {
    const code = (text) => ({ compatibilityDate: "2026-03-01", mainModule: "c.js", modules: { "c.js": text }, env: { LOADER: env.LOADER } });
    const says = "export default { say(text) { console.log(text); } };";
    await env.LOADER.load(code(says)).getEntrypoint().say("no name");
    await env.LOADER.get("x\\n{} > served", () => code(says)).getEntrypoint().say("odd name");
    await env.LOADER.get("deep", () => code(\`export default { async say(text, env) {
      const code = { compatibilityDate: "2026-03-01", mainModule: "d.js", modules: { "d.js": "export default { say(text) { console.log(text); } };" } };
      await env.LOADER.get("deeper", () => code).getEntrypoint().say(text);
    } };\`)).getEntrypoint().say("two down");
    return new Response("");
  } };`, { worker_loaders: [{ binding: "LOADER" }] }));
  assert.equal((await get(server.url)).status, 200);
  const by = async (text) => (await server.lines((line) => line.message === text))[0].worker;
  assert.match(await by("no name"), /^served > #\d+$/);
  assert.equal(await by("odd name"), 'served > "x\\n{} > served"');
  assert.equal(await by("two down"), "served > deep > deeper");
});

test("a Unix socket that a killed server left behind is taken over, and removed at the end", async () => {
  const folder = project(`export default { fetch: () => new Response("here") };`);
  const socket = path.join(folder, "http.sock");
  const ask = () => new Promise((resolve, reject) => {
    http.get({ socketPath: socket, path: "/" }, (response) => response.setEncoding("utf8").once("data", resolve)).once("error", reject);
  });
  for (const [signal, leaves] of [["SIGKILL", true], ["SIGTERM", false]]) {
    const server = start("--config", folder, "--listen", `unix:${socket}`);
    while (!server.output.includes("\n") && server.child.exitCode === null) await later(5);
    assert.equal(await ask(), "here", server.words);
    server.child.kill(signal);
    await server.ended;
    assert.equal(existsSync(socket), leaves);
  }
});

test("what cannot be served is told by words and exit code before the address is said", async () => {
  const fails = async (code, pattern, ...words) => {
    const server = start(...words);
    assert.equal(await server.ended, code, server.words);
    assert.equal(server.output, "");
    assert.match(server.words, pattern);
  };
  const good = project(`export default { fetch: () => new Response("") };`);
  await fails(65, /^glovebox: 'served' cannot serve: Error: Failed to start Worker:\nUncaught Error: a bug\n/, "--config", project("throw new Error('a bug');"), "--listen", "127.0.0.1:0");
  await fails(65, /'served' cannot serve: Error: Handler does not export a fetch\(\) function\. Requests go to export default/, "--config", project("export default { other() {} };"), "--listen", "127.0.0.1:0");
  await fails(65, /index\.ts:1:\d+/, "--config", project("export default );"), "--listen", "127.0.0.1:0");
  await fails(66, /there is no project in/, "--config", tmpdir());
  await fails(69, /expected HOST:PORT or unix:PATH/, "--config", good, "--listen", "here");
  await fails(64, /--socket is for a daemon, and --config names a project/, "--config", good, "--socket", path.join(good, "s"));
  await fails(64, /--listen is for a project's server/, "--socket", path.join(good, "s"), "--listen", "127.0.0.1:0");
  await fails(64, /needs --socket PATH .* or --config DIR/, "--pool", "1");
  const taken = await serve(good);
  await fails(69, /cannot listen on 127\.0\.0\.1:\d+: Address already in use/, "--config", good, "--listen", taken.url.slice("http://".length));
});
