// glovebox dev: a project on HTTP, as somebody has it who is writing it.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { cpSync, realpathSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { later, running, temporaryFolder } from "./command-world.mjs";

const ROOT = realpathSync(fileURLToPath(new URL("../..", import.meta.url)));
// `words`: what it has said on standard error so far.
async function dev(folder, ...flags) {
  const child = spawn(process.env.GLOVEBOX_COMMAND, ["dev", folder, "--listen", "127.0.0.1:0", ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  const server = { child, words: "", url: "", ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal))) };
  child.stderr.setEncoding("utf8").on("data", (text) => { server.words += text; });
  await new Promise((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      server.url = /^Ready on (http:\S+) /.exec(text)?.[1];
      resolve();
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}: ${server.words}`)));
  });
  server.says = async (pattern) => {
    for (let i = 0; i < 500 && !pattern.test(server.words); i++) await later(10);
    assert.match(server.words, pattern);
  };
  return server;
}

function project(source, config = {}) {
  const folder = temporaryFolder("dev");
  writeFileSync(path.join(folder, "wrangler.jsonc"), JSON.stringify({ name: "written", main: "index.ts", compatibility_date: "2026-04-15", ...config }));
  // In place: for a moment the file is empty.
  const write = (text) => writeFileSync(path.join(folder, "index.ts"), text);
  write(source);
  return { folder, write };
}
const answering = (text) => `export default { async fetch(request: Request): Promise<Response> { return new Response(${JSON.stringify(text)}); } };`;

// On a connection that is kept, as a browser's.
const agent = new http.Agent({ keepAlive: true });
after(() => agent.destroy());
function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, { agent }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => { body += text; }).once("end", () => resolve({ status: response.statusCode, body }));
      response.once("error", reject);
    }).once("error", reject);
  });
}

// A WebSocket, as browsers have them.
async function open(url) {
  const socket = new WebSocket(url.replace("http", "ws"));
  socket.binaryType = "arraybuffer";
  const heard = [];
  let wake = () => {};
  socket.addEventListener("message", ({ data }) => { heard.push(data); wake(); });
  const closed = new Promise((resolve) => socket.addEventListener("close", ({ code, reason, wasClean }) => resolve([code, reason, wasClean])));
  const until = async (count) => {
    while (heard.length < count) await new Promise((resolve) => { wake = resolve; });
    return heard;
  };
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    closed.then((how) => reject(new Error(`closed before it was open: ${how}`)));
  });
  return { socket, heard, until, closed };
}

test("packages of the project's folder are bundled with it, and again when its files change", async () => {
  const hono = (text) => `import { Hono } from "hono"; const app = new Hono(); app.get("/", (c) => c.text(${JSON.stringify(text)})); export default app;`;
  const { folder, write } = project(hono("first"));
  cpSync(path.join(ROOT, "node_modules/hono"), path.join(folder, "node_modules/hono"), { recursive: true });
  const server = await dev(folder);
  assert.equal((await get(server.url)).body, "first");
  write('import { Hono } from "hono"; import { x } from "hono/no-such-thing"; export default x;');
  await server.says(/index\.ts:1:48: Could not resolve "hono\/no-such-thing"/);
  assert.equal((await get(server.url)).body, "first");
  write(hono("second"));
  for (let i = 0; i < 500 && (await get(server.url)).body !== "second"; i++) await later(10);
  assert.equal((await get(server.url)).body, "second");
});

test("a project with a loader runs what an agent wrote, for each request", async () => {
  const server = await dev(path.join(ROOT, "examples/agent-sandbox"));
  for (let i = 0; i < 3; i++) {
    const { status, body } = await get(server.url);
    assert.equal(status, 200);
    const { doubled, ts } = JSON.parse(body);
    assert.equal(doubled, 42);
    assert.ok(Math.abs(Date.now() - ts) < 60_000);
  }
  await server.says(/^GET \/ 200 \(\d+ ms\)$/m);
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, 0);
});

test("a web framework's app answers HTTP as it does anywhere", async () => {
  const { folder } = project("", { main: "app.js", vars: { NAME: "a project", SECRET: "s" } });
  await build({
    entryPoints: [path.join(ROOT, "examples/hono/app.js")], outfile: path.join(folder, "app.js"),
    bundle: true, format: "esm", target: "es2023", conditions: ["workerd", "worker", "browser"],
  });
  const { url } = await dev(folder);
  assert.deepEqual(await get(url), { status: 200, body: "Hello Hono!" });
  assert.deepEqual(await (await fetch(`${url}/api/greet/Ann?loud=yes`, { headers: { origin: "https://app.example" } })).json(), { hello: "Ann", from: "a project", loud: true });
  const options = await fetch(`${url}/api/notes`, { method: "OPTIONS", headers: { origin: "https://app.example", "access-control-request-method": "POST" } });
  assert.deepEqual([options.status, options.headers.get("access-control-allow-origin")], [204, "https://app.example"]);
  const made = await fetch(`${url}/api/notes`, { method: "POST", body: JSON.stringify({ a: 1 }), headers: { "content-type": "application/json" } });
  assert.deepEqual([made.status, await made.json()], [201, { kept: { a: 1 } }]);
  const form = new FormData();
  form.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  form.append("note", "n");
  assert.deepEqual(await (await fetch(`${url}/upload`, { method: "POST", body: form })).json(), { name: "a.txt", type: "text/plain", text: "content", note: "n" });
  assert.equal(await (await fetch(`${url}/count`)).text(), "1\n2\n3\n");
  const large = "x".repeat(3_000_000);
  assert.equal(await (await fetch(`${url}/echo`, { method: "POST", body: large })).text(), large);
  assert.deepEqual((await fetch(`${url}/visit`)).headers.getSetCookie(), ["visits=1; Path=/; HttpOnly", "seen=yes; Path=/"]);
  assert.deepEqual(await get(`${url}/nothing`), { status: 404, body: '{"missing":"/nothing"}' });
  assert.deepEqual(await get(`${url}/broken`), { status: 500, body: "failed: a bug" });
  assert.equal((await get(`${url}/teapot`)).status, 418);
  assert.equal((await get(`${url}/members/me`)).status, 401);
  const chat = await open(`${url}/chat/Ann`);
  chat.socket.send("hello");
  assert.deepEqual(await chat.until(1), ["Ann: hello"]);
  chat.socket.close(4000, "enough");
  assert.deepEqual(await chat.closed, [4000, "", true]);
});

// wrk, asking as fast as it is answered until it is told to stop; then its summary. Undefined where it is not installed.
function askWithWrk(url) {
  if (spawnSync("wrk", ["--version"]).error) return undefined;
  const wrk = spawn("wrk", ["-t", "1", "-c", "8", "-d", "300s", "--timeout", "30s", url], { stdio: ["ignore", "pipe", "inherit"] });
  running.push(wrk);
  const summary = text(wrk.stdout);
  return () => {
    wrk.kill("SIGINT");
    return summary;
  };
}

test("no request fails while the code changes a hundred times", async (context) => {
  const { folder, write } = project(answering("0"));
  const server = await dev(folder, "--quiet");
  const stopWrk = askWithWrk(server.url);
  if (stopWrk === undefined) context.diagnostic("wrk is not installed: only Node.js asks");
  const failures = [];
  const seen = new Set();
  let done = false;
  const asking = Array.from({ length: 4 }, async () => {
    while (!done) {
      try {
        const { status, body } = await get(server.url);
        if (status !== 200) failures.push(`${status} ${body}`);
        seen.add(body);
      } catch (error) {
        failures.push(error.message);
      }
    }
  });
  for (let i = 1; i <= 100; i++) {
    write(answering(`${i}`));
    await later(i % 10 === 0 ? 200 : 5);   // by bursts, and then long enough for a reload
  }
  for (let i = 0; i < 500 && !seen.has("100"); i++) await later(10);
  done = true;
  await Promise.all(asking);
  assert.deepEqual(failures.slice(0, 5), []);
  if (stopWrk !== undefined) {
    const summary = await stopWrk();
    const [, requests] = /(\d+) requests in/.exec(summary) ?? assert.fail(summary);
    assert.ok(Number(requests) > 100, summary);
    assert.doesNotMatch(summary, /Socket errors|Non-2xx/);
  }
  assert.ok(seen.has("100"));
  assert.ok(seen.size > 2, `only ${[...seen]} were seen`);
});

const UNUSABLE = [
  ["export default { fetch() { return ??? } };", /^not reloaded: .*index\.ts:1:\d+/m],
  ["", /^not reloaded: 'written' cannot serve: .*Worker has no default entrypoint\. Requests go to export default/m],
  ["export default { answer: 42 };", /^not reloaded: 'written' cannot serve: .* does not export a fetch\(\) function/m],
  ["type Name = string; let a: Name; throw new RangeError('at once'); export default {};", /^not reloaded: 'written' cannot serve: [^]*RangeError: at once\n +at index\.ts:1:40$/m],
  ["for (;;); export default {};", /^not reloaded: 'written' cannot serve: .* CPU time .* \(exceededCpu\)$/m],
];

test("code that cannot serve is told, and the code before it goes on", async () => {
  const { folder, write } = project(answering("good"));
  const server = await dev(folder);
  assert.equal((await get(server.url)).body, "good");
  for (const [source, pattern] of UNUSABLE) {
    server.words = "";
    write(source);
    await server.says(pattern);
    assert.deepEqual(await get(server.url), { status: 200, body: "good" });
  }
  write(answering("better"));
  await server.says(/^reloaded$/m);
  assert.equal((await get(server.url)).body, "better");
});

test("what the code logs and throws stands in the terminal, not in the answer", async () => {
  const { folder } = project(`export default { fetch(request) { console.log("asked for", new URL(request.url).pathname); throw new TypeError("the secret"); } };`);
  const server = await dev(folder);
  const { status, body } = await get(`${server.url}/x?y=1`);
  assert.equal(status, 500);
  assert.doesNotMatch(body, /secret/);
  await server.says(/^written: asked for \/x$/m);
  await server.says(/^TypeError: the secret\n {4}at .*index\.ts:1:/m);
  await server.says(/^GET \/x\?y=1 threw \(\d+ ms\)$/m);
});

test("stacks name the places of the source as it was when its worker was made, in their order among other lines", async () => {
  const throwing = (before) => `export default { fetch(request: Request): Response { ${before}const n: number = 1; console.log("first"); console.error(new Error("second")); console.log("third"); throw new TypeError("fourth"); } };`;
  const { folder, write } = project(throwing(""));
  const server = await dev(folder);
  for (const before of ["", "let a: Map<string, unknown> | undefined; "]) {
    if (before !== "") {
      server.words = "";
      write(throwing(before));
      await server.says(/^reloaded$/m);
    }
    await get(server.url);
    await server.says(/threw/);
    const at = (words) => throwing(before).indexOf(words) + 1;
    const order = new RegExp(`written: first\n[^]*Error: second\n    at Object.fetch \\(index.ts:1:${at("new Error")}\\)[^]*\nwritten: third\nTypeError: fourth\n    at Object.fetch \\(index.ts:1:${at("new TypeError")}\\)[^]*\nGET / threw`);
    assert.match(server.words, order);
  }
});

test("a stack that an attacker wrote is shown as it is, but for places of the project's modules", async () => {
  const { folder } = project(`export default { fetch(): Response {
    const error: Error = new Error("x"); error.stack = "Error: x\\n    at f (index.ts:1:1)\\nGET /forged 200 (1 ms)\\n    at f (other.ts:1:1)\\n" + "    at f (index.ts:1:8)\\n".repeat(2700); console.log(error.stack); throw error; } };`);
  const server = await dev(folder);
  assert.equal((await get(server.url)).status, 500);
  await server.says(/^GET \/ threw/m);
  assert.match(server.words, /Error: x\n    at f \(index\.ts:1:1\)\nGET \/forged 200 \(1 ms\)\n    at f \(other\.ts:1:1\)\n    at f \(index\.ts:1:8\)\n/);
  assert.equal((await get(server.url)).status, 500);
});

test("a project that is not there or cannot serve, and an address that cannot be had, are told before anything starts", async () => {
  for (const [words, pattern] of [
    [["dev", "/nowhere"], /nowhere/],
    [["dev", project("export const answer = 42;").folder], /'written' cannot serve: .*Worker has no default entrypoint\. Requests go to export default/],
    [["dev", path.join(ROOT, "examples/agent-sandbox"), "--listen", "127.0.0.1"], /HOST:PORT/],
  ]) {
    const child = spawn(process.env.GLOVEBOX_COMMAND, words, { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text) => { errors += text; });
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.ok(code > 0);
    assert.match(errors, pattern);
  }
});

const CHAT = (greeting) => `
  import { abortIsolate } from "cloudflare:workers";
  const commands: Record<string, (server: WebSocket) => void> = {
    close: (server) => server.close(4001, "as asked"),
    loop: () => { for (;;); },
    abort: () => abortIsolate(),
  };
  export default { fetch(request: Request): Response {
    if (request.headers.get("upgrade") !== "websocket") return new Response("no WebSocket");
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.send(${JSON.stringify(greeting)});
    server.addEventListener("message", ({ data }) => commands[data as string] ? commands[data as string](server) : server.send(data));
    server.addEventListener("close", ({ code, reason, wasClean }) => console.log("heard", code, reason, wasClean));
    return new Response(null, { status: 101, webSocket: client });
  } };`;

test("WebSockets carry text and bytes, in order and of any size, and close from either end", async () => {
  const server = await dev(project(CHAT("hi")).folder);
  assert.equal((await get(server.url)).body, "no WebSocket");
  const { socket, until, closed } = await open(server.url);
  for (let i = 0; i < 1000; i++) socket.send(String(i));
  assert.deepEqual(await until(1001), ["hi", ...Array.from({ length: 1000 }, (_, i) => String(i))]);
  const bytes = new Uint8Array(20 << 20).map((_, i) => i * 7);
  socket.send(bytes);
  socket.send("\u{1f600}".repeat(100_000));
  const heard = await until(1003);
  assert.ok(Buffer.from(heard[1001]).equals(Buffer.from(bytes)));
  assert.equal(heard[1002], "\u{1f600}".repeat(100_000));
  socket.send("close");
  assert.deepEqual(await closed, [4001, "as asked", true]);
  await server.says(/^written: heard 4001 .*true$/m);
  const other = await open(server.url);
  other.socket.close(3000, "my turn");
  assert.deepEqual(await other.closed, [3000, "", true]);
  await server.says(/^written: heard 3000 my turn true$/m);
  await server.says(/^GET \/ 101 \(\d+ ms\)$/m);
});

test("a worker that loops or ends loses its WebSockets, and the next ones are served", async () => {
  const server = await dev(project(CHAT("hi"), { limits: { cpu_ms: 100 } }).folder);
  for (const command of ["loop", "abort"]) {
    const { socket, until, closed } = await open(server.url);
    await until(1);
    socket.send(command);
    assert.deepEqual((await closed).slice(0, 1), [1006]);
  }
});

test("an open WebSocket stays with the code that it was opened with, and hears when the server ends", async () => {
  const { folder, write } = project(CHAT("before"));
  const server = await dev(folder);
  const before = await open(server.url);
  write(CHAT("after"));
  await server.says(/^reloaded$/m);
  const after = await open(server.url);
  assert.deepEqual(await after.until(1), ["after"]);
  before.socket.send("still there");
  assert.deepEqual(await before.until(2), ["before", "still there"]);
  server.child.kill("SIGTERM");
  for (const { closed } of [before, after]) assert.deepEqual(await closed, [1001, "The server is going away.", true]);
  assert.equal(await server.ended, 0);
});
