// --admin: what `glovebox serve` and `glovebox dev` tell those who run them.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";

import { later, startCommand as start, temporaryFolder } from "./command-world.mjs";

const folder = () => temporaryFolder("admin");

function project(source, config = {}) {
  const made = folder();
  writeFileSync(path.join(made, "wrangler.jsonc"), JSON.stringify({ name: "watched", main: "index.js", compatibility_date: "2026-04-15", ...config }));
  writeFileSync(path.join(made, "index.js"), source);
  return made;
}

const ADMIN = ["--admin", "127.0.0.1:0"];
const serve = (made, ...flags) => start(["serve", "--config", made, "--listen", "127.0.0.1:0", ...ADMIN, ...flags], /^Ready on/m);

const get = async (url) => {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
};

// Each series by its name with labels.
async function metrics(server) {
  const response = await fetch(`${server.admin}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  return new Map((await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

const WORKER = `export default { async fetch(request, env) {
  const { pathname } = new URL(request.url);
  if (pathname === "/throw") throw new Error("a bug");
  if (pathname === "/loop") for (;;);
  if (pathname === "/agent") {
    const agent = env.LOADER.get("agent \\"}\\n" + Math.random(), () => ({ compatibilityDate: "2026-03-01", mainModule: "a.js", modules: { "a.js":
      "export default { async ask(tool) { return await tool('x'.repeat(10_000)); } }" } }));
    return new Response(await agent.getEntrypoint().ask((text) => text.length));
  }
  return new Response("", { status: pathname === "/" ? 200 : 404 });
} };`;

test("the metrics are what happened, and no text of a worker's is in their names", async () => {
  const server = await serve(project(WORKER, { worker_loaders: [{ binding: "LOADER" }], limits: { cpu_ms: 300 } }));
  const before = await metrics(server);
  for (const [name, times] of [["/", 5], ["/nothing", 2], ["/throw", 1], ["/agent", 3], ["/loop", 1], ["/", 1]]) {
    for (let i = 0; i < times; i++) await get(server.url + name);
  }
  // Requests, calls on agents, the agents' calls back, and a question about the stack that was thrown, which is asked after the answer.
  const CALLS = 6 + 2 + 3 + 3 + 3 + 1;
  let now = await metrics(server);
  const grown = (name) => now.get(name) - before.get(name);
  for (let i = 0; i < 500 && grown('glovebox_calls_total{outcome="ok"}') < CALLS; i++) {
    await later(10);
    now = await metrics(server);
  }
  assert.equal(grown('glovebox_requests_total{status="2xx"}'), 9);
  assert.equal(grown('glovebox_requests_total{status="4xx"}'), 2);
  assert.equal(grown('glovebox_requests_total{status="none"}'), 2);
  assert.equal(grown("glovebox_request_duration_seconds_count"), 13);
  assert.ok(grown("glovebox_request_duration_seconds_sum") >= 0.3);
  assert.equal(now.get("glovebox_requests_in_flight"), 0);
  assert.equal(grown("glovebox_project_restarts_total"), 1);
  assert.equal(grown('glovebox_calls_total{outcome="exceededCpu"}'), 1);
  assert.equal(grown('glovebox_calls_total{outcome="exception"}'), 1);
  assert.equal(grown('glovebox_calls_total{outcome="ok"}'), CALLS);
  // The project's anew, agents, and the worker that was asked about the stack.
  assert.equal(grown("glovebox_loads_total"), 1 + 3 + 1);
  assert.equal(grown("glovebox_load_duration_seconds_count"), 1 + 3 + 1);
  assert.equal(grown('glovebox_capability_calls_total{kind="stub"}'), 3);
  assert.ok(grown('glovebox_capability_bytes_total{kind="stub",direction="out"}') >= 30_000);
  assert.ok(grown('glovebox_worker_cpu_seconds_total') >= 0.3);
  assert.ok(now.get("glovebox_worker_memory_bytes") > 100_000);
  assert.ok(now.get("glovebox_workers") >= 1);
  assert.equal(now.get("glovebox_zygote_ready"), 1);
  assert.ok(now.get("glovebox_zygote_starts_total") >= 1);
  assert.deepEqual([...now.keys()], [...before.keys()]);
});

test("it is healthy, and ready until it drains", async () => {
  const server = await serve(project("export default { async fetch(request) { return new Response(await request.text()); } };"));
  assert.deepEqual(await get(`${server.admin}/healthz`), { status: 200, body: "ok\n" });
  assert.deepEqual(await get(`${server.admin}/readyz?verbose`), { status: 200, body: "ready\n" });
  const slow = http.request(server.url, { method: "POST" });
  const answered = new Promise((resolve, reject) => slow.once("response", (response) => resolve(response.resume().statusCode)).once("error", reject));
  slow.write("half");
  for (let i = 0; i < 500 && (await metrics(server)).get("glovebox_requests_in_flight") === 0; i++) await later(10);
  server.child.kill("SIGTERM");
  let ready;
  for (let i = 0; i < 500 && (ready = await get(`${server.admin}/readyz`)).status === 200; i++) await later(10);
  assert.deepEqual(ready, { status: 503, body: "not ready: draining\n" });
  assert.equal((await get(`${server.admin}/healthz`)).status, 200);
  slow.end();
  assert.equal(await answered, 200);
  assert.equal(await server.ended, 0);
});

test("a worker that does not answer is not ready, and is when it is there again", async () => {
  const server = await serve(project(`export default { async fetch(request) {
    if (request.url.endsWith("/block")) for (const until = Date.now() + 8_000; Date.now() < until;);
    return new Response("");
  } };`));
  const blocked = get(`${server.url}/block`);
  for (let i = 0; i < 500 && (await metrics(server)).get("glovebox_requests_in_flight") === 0; i++) await later(10);
  assert.deepEqual(await get(`${server.admin}/readyz`), { status: 503, body: "not ready: the worker does not answer\n" });
  assert.equal((await get(`${server.admin}/healthz`)).status, 200);
  assert.equal((await blocked).status, 200);
  assert.equal((await get(`${server.admin}/readyz`)).status, 200);
});

test("nothing else is there, and a page in a browser cannot read it by a name of its own", async () => {
  const { admin } = await start(["dev", project("export default { fetch: () => new Response('') };"), "--listen", "127.0.0.1:0", ...ADMIN], /^Ready on/m);
  assert.equal((await get(`${admin}/nothing`)).status, 404);
  assert.equal((await fetch(`${admin}/metrics`, { method: "POST" })).status, 405);
  const named = (host) => new Promise((resolve, reject) => {
    http.get(`${admin}/metrics`, { headers: { host } }, (response) => resolve(response.resume().statusCode)).once("error", reject);
  });
  assert.equal(await named("localhost:9"), 200);
  assert.equal(await named("rebound.example"), 404);
});

test("a daemon has it, too, without requests", async () => {
  const socket = path.join(folder(), "socket");
  const server = await start(["serve", "--socket", socket, ...ADMIN], /^Admin on/m);
  assert.deepEqual(await get(`${server.admin}/readyz`), { status: 200, body: "ready\n" });
  const values = await metrics(server);
  assert.equal(values.get("glovebox_loads_total"), 0);
  assert.ok(![...values.keys()].some((name) => name.startsWith("glovebox_requests")));
  server.child.kill("SIGTERM");
  assert.equal(await server.ended, 0);
});

test("an address that others could reach is refused", async () => {
  for (const address of ["0.0.0.0:0", "[::]:0", "10.0.0.1:9090"]) {
    const server = await start(["serve", "--socket", path.join(folder(), "socket"), "--admin", address], /\n/);
    assert.equal(await server.ended, 64);
    assert.equal(server.output, "");
    assert.match(server.words, /^glovebox: --admin: got '.*', expected an address of this machine alone, such as 127\.0\.0\.1:9090/);
  }
});
