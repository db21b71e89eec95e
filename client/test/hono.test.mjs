// examples/hono: what a web framework makes of the runtime's requests and responses.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "esbuild";
import { connect } from "glovebox";
import { sign } from "hono/jwt";

const EXAMPLE = fileURLToPath(new URL("../../examples/hono", import.meta.url));
const { outputFiles: [bundle] } = await build({
  entryPoints: [path.join(EXAMPLE, "app.js")], bundle: true, format: "esm", target: "es2023", conditions: ["workerd", "worker", "browser"], write: false,
});
const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());
const app = glovebox.loader.load({
  compatibilityDate: "2026-03-01", mainModule: "app.js", modules: { "app.js": bundle.text }, env: { NAME: "test", SECRET: "a secret of the test" }, globalOutbound: null,
}).getEntrypoint();
const get = (where, init) => app.fetch(`http://app${where}`, init);

test("the example prints what its routes answer", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(EXAMPLE, "main.mjs")], { timeout: 60_000 });
  assert.deepEqual(stdout.trimEnd().split("\n"), ['200 "Hello Hono!"', '200 "{\\"hello\\":\\"Ann\\",\\"from\\":\\"the sandbox\\",\\"loud\\":true}"',
    '200 "1\\n2\\n3\\n"', '404 "{\\"missing\\":\\"/nothing\\"}"']);
});

test("text and JSON routes answer, with parameters and env", async () => {
  const text = await get("/");
  assert.deepEqual([text.status, text.headers.get("content-type"), await text.text()], [200, "text/plain;charset=UTF-8", "Hello Hono!"]);
  const json = await get("/api/greet/Ann%20B");
  assert.deepEqual([json.headers.get("content-type"), await json.json()], ["application/json", { hello: "Ann B", from: "test", loud: false }]);
  assert.equal((await get("/", { method: "HEAD" })).body, null);
});

test("bodies of requests are read as JSON, forms and files", async () => {
  const made = await get("/api/notes", { method: "POST", body: JSON.stringify({ a: [1] }), headers: { "content-type": "application/json" } });
  assert.deepEqual([made.status, await made.json()], [201, { kept: { a: [1] } }]);
  assert.deepEqual(await (await get("/form", { method: "POST", body: new URLSearchParams({ a: "1 2", b: "ä" }) })).json(), { a: "1 2", b: "ä" });
  const form = new FormData();
  form.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  form.append("note", "n");
  assert.deepEqual(await (await get("/upload", { method: "POST", body: form })).json(), { name: "a.txt", type: "text/plain", text: "content", note: "n" });
});

test("responses are streamed", async () => {
  assert.equal(await (await get("/count")).text(), "1\n2\n3\n");
  const body = "x".repeat(500_000);
  assert.equal(await (await get("/echo", { method: "POST", body })).text(), body);
});

test("a WebSocket is answered", async () => {
  const { status, webSocket } = await get("/chat/Ann", { headers: { upgrade: "websocket" } });
  assert.equal(status, 101);
  const heard = [];
  const closed = new Promise((resolve) => webSocket.addEventListener("close", ({ code }) => resolve(code)));
  const all = new Promise((resolve) => webSocket.addEventListener("message", ({ data }) => { if (heard.push(data) === 2) resolve(); }));
  webSocket.accept();
  webSocket.send("hello");
  webSocket.send("you");
  await all;
  webSocket.close(4000, "enough");
  assert.deepEqual([heard, await closed], [["Ann: hello", "Ann: you"], 4000]);
  assert.equal((await get("/chat/Ann")).status, 404);   // without an upgrade it is no route
});

test("cookies are read, set and deleted", async () => {
  const first = await get("/visit");
  assert.equal(await first.text(), "visit 1");
  assert.deepEqual(first.headers.getSetCookie(), ["visits=1; Path=/; HttpOnly", "seen=yes; Path=/"]);
  assert.equal(await (await get("/visit", { headers: { cookie: "visits=6; other=x" } })).text(), "visit 7");
  const forgotten = await get("/forget", { redirect: "manual" });
  assert.deepEqual([forgotten.status, forgotten.headers.get("location")], [302, "/"]);
  assert.match(forgotten.headers.getSetCookie()[0], /^visits=; Max-Age=0/);
  assert.equal(await (await get("/forget")).text(), "Hello Hono!");
});

test("what is missing, refused or broken is answered by the app", async () => {
  const missing = await get("/nowhere");
  assert.deepEqual([missing.status, await missing.json()], [404, { missing: "/nowhere" }]);
  const teapot = await get("/teapot");
  assert.deepEqual([teapot.status, await teapot.text()], [418, "short and stout"]);
  const broken = await get("/broken");
  assert.deepEqual([broken.status, await broken.text()], [500, "failed: a bug"]);
});

test("cors answers preflights and marks responses", async () => {
  const origin = "https://app.example";
  const preflight = await get("/api/notes", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
  assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin"), preflight.headers.get("access-control-allow-methods")],
    [204, origin, "GET,POST"]);
  assert.equal((await get("/api/greet/x", { headers: { origin } })).headers.get("access-control-allow-credentials"), "true");
});

test("a token lets in who has it, and nobody else", async () => {
  const authorization = async (secret) => ({ headers: { authorization: `Bearer ${await sign({ sub: "ann" }, secret, "HS256")}` } });
  const good = await get("/members/me", await authorization("a secret of the test"));
  assert.deepEqual([good.status, await good.json()], [200, { you: "ann" }]);
  for (const init of [undefined, await authorization("another"), { headers: { authorization: "Bearer a.b.c" } }]) {
    assert.equal((await get("/members/me", init)).status, 401);
  }
});
