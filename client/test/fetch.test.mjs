// Requests and responses: fetch() on entrypoints, from Node and between workers; where a worker's own fetch() goes; and what of
// HTTP travels in calls.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { WorkerEntrypoint, connect, entrypoint } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(text, options = {}) {
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options });
}
// The default entrypoint of a worker with this fetch handler.
const handler = (text, options) => load(`export default { async fetch(request, env, ctx) { ${text} } }`, options).getEntrypoint();

const BLOCKED = "This worker is not permitted to access the internet via global functions like fetch(). It must use capabilities " +
  "(such as bindings in 'env') to talk to the outside world.";

// -- From Node ------------------------------------------------------------------------------------------------------------------

test("a handler sees the request as it was made, and its response comes back", async () => {
  const echo = handler(`
    const { method, url, redirect } = request;
    return new Response(JSON.stringify({ method, url, redirect, a: request.headers.get("a"), body: await request.text(), env: env.name, ctx: typeof ctx.waitUntil }),
      { status: 201, statusText: "Made", headers: [["X-B", "c"], ["set-cookie", "d=1"], ["set-cookie", "e=2"]] });`, { env: { name: "n" } });
  const response = await echo.fetch("http://host/path?q=1", { method: "PUT", headers: { A: "1" }, body: "äö" });
  assert.ok(response instanceof Response);
  assert.deepEqual([response.status, response.statusText, response.url, response.redirected], [201, "Made", "http://host/path?q=1", false]);
  assert.deepEqual([response.headers.get("x-b"), response.headers.getSetCookie()], ["c", ["d=1", "e=2"]]);
  assert.deepEqual(await response.json(), { method: "PUT", url: "http://host/path?q=1", redirect: "manual", a: "1", body: "äö", env: "n", ctx: "function" });
  assert.equal((await (await echo.fetch(new URL("http://u/"))).json()).url, "http://u/");
  assert.equal((await (await echo.fetch(new Request("http://r/", { method: "POST", body: "b" }))).json()).body, "b");
  assert.equal((await (await echo.fetch(new Request("http://r/", { method: "POST", body: "b" }), { body: "other" })).json()).body, "other");
  assert.equal((await failure(echo.fetch("/relative"))).name, "TypeError");
});

test("classes, instances with a fetch of their own, and instances of a class with one are handlers", async () => {
  const worker = load(`
    import { WorkerEntrypoint } from "cloudflare:workers";
    export class Service extends WorkerEntrypoint {
      async fetch(request) { return new Response(this.ctx.props.name + this.env.x + arguments.length + new URL(request.url).pathname); }
    }
    export class Own extends WorkerEntrypoint { fetch = () => new Response("own"); }
    class App { fetch = (request, env, ctx) => new Response("app " + env.x + this.#me()); #me() { return "me"; } }
    class Plain { fetch(request, env) { return new Response("plain " + env.x + this.me()); } me() { return "me"; } }
    export default new App();
    export const plain = new Plain();
    export const none = { other() {} };`, { env: { x: 1 } });
  const text = async (name, options) => (await worker.getEntrypoint(name, options).fetch("http://a/b")).text();
  assert.equal(await text("Service", { props: { name: "p" } }), "p11/b");
  assert.equal(await text("Own"), "own");
  assert.equal(await text("default"), "app 1me");
  assert.equal(await text("plain"), "plain 1me");
  assert.equal((await failure(text("none"))).message, "Handler does not export a fetch() function.");
});

test("what is no response is told clearly, and what a handler throws is thrown", async () => {
  for (const [returned, got] of [["", "undefined"], ["return null;", "null"], ["return 'text';", "a string"], ["return {};", "an object"], ["return Promise.resolve(1)", "a number"]]) {
    const error = await failure(handler(returned).fetch("http://a/"));
    assert.deepEqual([error.name, error.message], ["TypeError", `The fetch() handler must return a Response, or a promise of one; it returned ${got}.`]);
  }
  const error = await failure(handler(`throw new RangeError("mine")`).fetch("http://a/"));
  assert.deepEqual([error.name, error.message, error.remote], ["RangeError", "mine", true]);
  assert.match((await failure(handler("return Response.error()").fetch("http://a/"))).message, /cannot be sent/);
  const used = handler("const r = new Response('x'); await r.text(); return r;");
  assert.match((await failure(used.fetch("http://a/"))).message, /already been used/);
});

test("bodies stream in both directions", async () => {
  const upper = handler(`
    const letters = new TransformStream({ transform(chunk, controller) { controller.enqueue(chunk.map((byte) => byte - 32)); } });
    return new Response(request.body.pipeThrough(letters));`);
  let send;
  const body = new ReadableStream({ start(controller) { send = controller; } });
  const response = await upper.fetch("http://a/", { method: "POST", body });
  const reader = response.body.getReader();
  const encoder = new TextEncoder(), decoder = new TextDecoder();
  for (const text of ["one", "two"]) {
    send.enqueue(encoder.encode(text));
    // The answer to one chunk is there before the next is sent.
    assert.equal(decoder.decode((await reader.read()).value), text.toUpperCase());
  }
  send.close();
  assert.equal((await reader.read()).done, true);

  const large = handler(`return new Response("x".repeat(3_000_000))`);
  assert.equal((await (await large.fetch("http://a/")).text()).length, 3_000_000);
  const count = handler(`return new Response(String((await request.arrayBuffer()).byteLength))`);
  assert.equal(await (await count.fetch("http://a/", { method: "POST", body: "y".repeat(3_000_000) })).text(), "3000000");
});

test("a body's failure is told to who reads it", async () => {
  const failing = handler(`return new Response(new ReadableStream({ pull(c) { c.error(new RangeError("broke")); } }))`);
  assert.equal((await failure((await failing.fetch("http://a/")).text())).message, "broke");
  const reading = handler(`try { await request.text(); } catch (error) { return new Response(error.message); }`);
  const body = new ReadableStream({ pull(controller) { controller.error(new Error("gone")); } });
  assert.equal(await (await reading.fetch("http://a/", { method: "POST", body })).text(), "gone");
});

test("forms and files arrive", async () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("f", new File(["content"], "f.txt", { type: "text/x" }));
  const reading = handler(`
    const form = await request.formData();
    const file = form.get("f");
    return Response.json([form.get("a"), file.name, file.type, await file.text()]);`);
  assert.deepEqual(await (await reading.fetch("http://a/", { method: "POST", body: form })).json(), ["1", "f.txt", "text/x", "content"]);
  const answering = handler(`const form = new FormData(); form.append("x", new Blob(["y"]), "z"); return new Response(form);`);
  assert.equal((await (await answering.fetch("http://a/")).formData()).get("x").name, "z");
});

test("redirects are followed to the same entrypoint, as the request says", async () => {
  const site = handler(`
    const url = new URL(request.url);
    if (url.pathname === "/loop") return Response.redirect("http://a/loop");
    if (url.pathname === "/away") return new Response(null, { status: 302, headers: { location: "ftp://a/" } });
    const status = Number(url.pathname.slice(1));
    if (status > 0) return new Response("body", { status, headers: { location: url.searchParams.get("to") ?? "/end?x#y" } });
    return Response.json([request.method, request.url, await request.text(), request.headers.get("content-type"), request.headers.get("authorization")]);`);
  const post = (status, options = {}) => site.fetch(`http://a/${status}`, { method: "POST", body: "b", ...options });
  const seen = async (response) => (await response).json();
  for (const status of [301, 302, 303]) assert.deepEqual(await seen(post(status)), ["GET", "http://a/end?x#y", "", null, null]);
  for (const status of [307, 308]) assert.deepEqual(await seen(post(status)), ["POST", "http://a/end?x#y", "b", "text/plain;charset=UTF-8", null]);
  const followed = await site.fetch("http://a/302");
  assert.deepEqual([followed.url, followed.redirected], ["http://a/end?x", true]);
  assert.deepEqual([(await site.fetch("http://a/302", { redirect: "manual" })).status, await (await site.fetch("http://a/307", { redirect: "manual" })).text()], [302, "body"]);
  assert.match((await failure(site.fetch("http://a/302", { redirect: "error" }))).message, /was redirected to/);
  assert.match((await failure(site.fetch("http://a/loop"))).message, /more than 20 times/);
  assert.match((await failure(site.fetch("http://a/away"))).message, /no URL of http or https/);
  const body = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([97])); c.close(); } });
  assert.match((await failure(post(307, { body }))).message, /cannot be sent twice/);
  const headers = { authorization: "secret" };
  assert.equal((await seen(site.fetch("http://a/302", { headers })))[4], "secret");
  assert.equal((await seen(site.fetch("http://a/302?to=http://b/", { headers })))[4], null);
});

test("a signal ends the wait for the response, and its body", async () => {
  const slow = handler(`
    if (request.url.endsWith("wait")) await new Promise((resolve) => setTimeout(resolve, 60_000));
    return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array([120])); return new Promise((resolve) => setTimeout(resolve, 60_000)); } }, { highWaterMark: 0 }));`);
  const gone = new AbortController();
  gone.abort(new Error("before"));
  assert.equal((await failure(slow.fetch("http://a/", { signal: gone.signal }))).message, "before");
  const first = new AbortController();
  const waiting = slow.fetch("http://a/wait", { signal: first.signal });
  first.abort(new Error("while waiting"));
  assert.equal((await failure(waiting)).message, "while waiting");
  const second = new AbortController();
  const response = await slow.fetch("http://a/", { signal: second.signal });
  const reader = response.body.getReader();
  assert.equal((await reader.read()).value.length, 1);
  const reading = reader.read();
  // Whatever of the request nobody holds any more.
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  second.abort(new Error("while reading"));
  assert.equal((await failure(reading)).message, "while reading");
});

test("requests and responses are arguments and results like others", async () => {
  const worker = load(`
    import { WorkerEntrypoint } from "cloudflare:workers";
    export default class extends WorkerEntrypoint {
      async look(request, headers) { return { method: request.method, text: await request.text(), header: headers.get("a"), redirect: request.redirect }; }
      answer() { return { response: new Response("body", { status: 202 }), headers: new Headers({ b: "c" }), file: new File(["x"], "n") }; }
    }`).getEntrypoint();
  const request = new Request("http://a/", { method: "POST", body: "text", redirect: "error" });
  assert.deepEqual(await worker.look(request, new Headers({ a: "1" })), { method: "POST", text: "text", header: "1", redirect: "error" });
  const { response, headers, file } = await worker.answer();
  assert.deepEqual([response.status, await response.text(), headers.get("b"), file.name, await file.text()], [202, "body", "c", "n", "x"]);
});

test("an entrypoint in Node answers requests of workers", async () => {
  class Service extends WorkerEntrypoint {
    async fetch(request) { return new Response(`${this.ctx.props.who} ${request.method} ${await request.text()}`, { status: 203 }); }
  }
  const agent = handler(`
    const one = await env.SERVICE.fetch("http://x/", { method: "POST", body: "b" });
    const two = await env.PLAIN.fetch(request);
    const none = await env.NONE.fetch("http://x/").catch((error) => error.message);
    const wrong = await env.WRONG.fetch("http://x/").catch((error) => error.message);
    return Response.json([one.status, await one.text(), one.url, await two.text(), none, wrong]);`, {
    env: { SERVICE: entrypoint(Service, { props: { who: "node" } }), PLAIN: entrypoint({ fetch: (request, env) => new Response(env.y + request.url), }, { env: { y: 5 } }),
           NONE: entrypoint({}), WRONG: entrypoint({ fetch: () => 1 }) },
  });
  assert.deepEqual(await (await agent.fetch("http://me/")).json(), [203, "node POST b", "http://x/", "5http://me/", "Handler does not export a fetch() function.",
    "The fetch() handler must return a Response, or a promise of one; it returned a number."]);
});

// -- fetch() in a worker ---------------------------------------------------------------------------------------------------------

const FETCHING = `export default { async go(url) { try { const r = await fetch(url); return [r.status, await r.text(), r.url]; } catch (error) { return error.message; } } }`;

test("without an outbound fetch() is refused, but for data: URLs", async () => {
  for (const globalOutbound of [undefined, null]) {
    const worker = load(FETCHING, { globalOutbound }).getEntrypoint();
    assert.equal(await worker.go("http://example.com/"), BLOCKED);
    assert.deepEqual(await worker.go("data:,a%20b"), [200, "a b", "data:,a%20b"]);
    assert.deepEqual((await worker.go("data:text/plain;base64,YcOk#x")).slice(0, 2), [200, "aä"]);
    assert.match(await worker.go("data:text"), /not valid/);
    assert.match(await worker.go("/x"), /Invalid URL/);
  }
  const top = load(`await fetch("data:,x"); export default { x() {} }`).getEntrypoint();
  assert.match((await failure(top.x(1))).message, /Disallowed operation called within global scope/);
});

test("what is no entrypoint is refused as an outbound", () => {
  for (const globalOutbound of [1, {}, () => new Response(), "http://a/"]) {
    assert.throws(() => load(FETCHING, { globalOutbound }), { name: "TypeError",
      message: "Incorrect type for the 'globalOutbound' field on 'WorkerCode': the provided value is not of type 'Fetcher'." });
  }
});

test("fetch() goes to the outbound with its URL and all it has", async () => {
  class Gateway extends WorkerEntrypoint {
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/moved") return Response.redirect("http://elsewhere/", 307);
      return new Response(`${this.ctx.props.tenant} ${request.method} ${url.host} ${await request.text()}`);
    }
  }
  const globalOutbound = entrypoint(Gateway, { props: { tenant: "t1" } });
  const worker = load(`export default { async go(body, env) {
      const r = await fetch("https://api.example/x", { method: "POST", body });
      const moved = await fetch("http://a/moved", { method: "POST", body });
      const manual = await fetch("http://a/moved", { redirect: "manual" });
      return [await r.text(), Object.keys(env).length, await moved.text(), moved.url, moved.redirected, manual.status];
    } }`, { globalOutbound }).getEntrypoint();
  assert.deepEqual(await worker.go("b"), ["t1 POST api.example b", 0, "t1 POST elsewhere b", "http://elsewhere/", true, 307]);
  const named = glovebox.loader.get("with an outbound", () => ({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": FETCHING }, globalOutbound,
    env: { other: 1 } })).getEntrypoint();
  assert.deepEqual(await named.go("http://h/"), [200, "t1 GET h ", "http://h/"]);
});

test("an outbound may be another worker, and sees no more than the requests", async () => {
  const gateway = load(`import { WorkerEntrypoint } from "cloudflare:workers";
    export class Gateway extends WorkerEntrypoint { fetch(request) {
      const headers = new Headers(request.headers);
      headers.set("authorization", "secret");
      return this.env.UPSTREAM.fetch(new Request(request, { headers }));
    } }`, { env: { UPSTREAM: entrypoint({ fetch: (request) => new Response(request.headers.get("authorization") + request.url) }) } });
  const worker = load(FETCHING, { globalOutbound: gateway.getEntrypoint("Gateway") }).getEntrypoint();
  assert.deepEqual(await worker.go("http://up/"), [200, "secrethttp://up/", "http://up/"]);
});

test("what a worker loads has its outbound unless it says otherwise", async () => {
  const parent = load(`
    import { WorkerEntrypoint } from "cloudflare:workers";
    export class Own extends WorkerEntrypoint { fetch(request) { return new Response("own " + request.url); } }
    export default { async go(text, env, ctx) {
      const code = { compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text } };
      const child = (options) => env.LOADER.load({ ...code, ...options }).getEntrypoint().go("http://u/");
      const same = env.LOADER.get("n", async () => code).getEntrypoint().go("http://u/");
      return Promise.all([child({}), child({ globalOutbound: null }), child({ globalOutbound: ctx.exports.Own }), child({ globalOutbound: ctx.exports.Own({ props: {} }) }), child({ globalOutbound: env.OTHER }), same]);
    } }`, { env: { LOADER: glovebox.loader, OTHER: entrypoint({ fetch: () => new Response("other") }) }, globalOutbound: entrypoint({ fetch: () => new Response("parent's") }) });
  const text = async (result) => typeof result === "string" ? result : result[1];
  const results = await Promise.all((await parent.getEntrypoint().go(FETCHING)).map(text));
  assert.deepEqual(results, ["parent's", BLOCKED, "own http://u/", "own http://u/", "other", "parent's"]);
});

test("each fetch() is one of a call's subrequests", async () => {
  const globalOutbound = entrypoint({ fetch: () => new Response("x") });
  const worker = load(`export default { async go(n) { for (let i = 0; i < n; i++) await fetch("http://a/"); return n; } }`, { globalOutbound, limits: { subRequests: 3 } });
  assert.equal(await worker.getEntrypoint().go(3), 3);
  assert.match((await failure(worker.getEntrypoint().go(4))).message, /subrequests/i);
});

test("fetch() in a worker obeys its signal", async () => {
  const globalOutbound = entrypoint({ fetch: () => new Promise(() => {}) });
  const worker = load(`export default { async go(_) {
    const controller = new AbortController();
    const waiting = fetch("http://a/", { signal: controller.signal });
    controller.abort(new Error("enough"));
    return [await waiting.catch((error) => error.message), await fetch("http://a/", { signal: AbortSignal.timeout(1) }).catch((error) => error.name)];
  } }`, { globalOutbound });
  assert.deepEqual(await worker.getEntrypoint().go(0), ["enough", "TimeoutError"]);
});
