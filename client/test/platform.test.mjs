// Globals of the platform that the Web Platform Tests do not reach, or not in a worker: caches, EventSource, scheduler, message channels.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect, entrypoint, run } from "glovebox";
import { failure } from "./failure.mjs";

const glovebox = await connect({ console: "ignore" });
after(() => glovebox.close());

function load(body, options = {}) {
  const text = `export default { async run(arg, env) { ${body} } };`;
  return glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, ...options }).getEntrypoint();
}

test("a cache answers with what was put in, until it is deleted or has expired", async () => {
  assert.deepEqual(await load(`
    const cache = caches.default, url = "https://a.example/x";
    const seen = [await cache.match(url)];
    await cache.put(url, new Response("body", { status: 201, headers: { "x-y": "z" } }));
    for (let i = 0; i < 2; i++) {
      const hit = await cache.match(new Request(url + "#part"));
      seen.push(await hit.text(), hit.status, hit.headers.get("x-y"), hit.headers.get("cf-cache-status"));
    }
    seen.push(await cache.match(new Request(url, { method: "POST" })), (await cache.match(new Request(url, { method: "POST" }), { ignoreMethod: true })) !== undefined);
    seen.push(await (await caches.open("other")).match(url), (await caches.open("other")) === (await caches.open("other")));
    seen.push(await cache.delete(url), await cache.delete(url), await cache.match(url));
    await cache.put(url, new Response("old", { headers: { expires: "Thu, 01 Jan 1970 00:00:00 GMT" } }));
    await cache.put(url + 1, new Response("private", { headers: { "cache-control": "no-store" } }));
    await cache.put(url + 2, new Response("cookie", { headers: { "set-cookie": "a=b" } }));
    for (const end of ["", 1, 2]) seen.push(await cache.match(url + end));
    return seen;`).run(null),
  [undefined, "body", 201, "z", "HIT", "body", 201, "z", "HIT", undefined, true, undefined, true, true, false, undefined, undefined, undefined, undefined]);
});

test("a cache tells responses apart by what they vary by", async () => {
  assert.deepEqual(await load(`
    const cache = caches.default, asking = (language) => new Request("https://a.example/", { headers: { "accept-language": language } });
    for (const language of ["de", "en"]) await cache.put(asking(language), new Response(language, { headers: { vary: "Accept-Language" } }));
    const text = async (language) => (await cache.match(asking(language)))?.text();
    return [await text("de"), await text("en"), await text("fr")];`).run(null), ["de", "en", undefined]);
});

test("a cache refuses what it must not keep, and forgets what was used least recently when it is full", async () => {
  const refused = async (expression) => (await failure(load(`await caches.default.put(${expression});`).run(null))).message;
  assert.match(await refused(`new Request("https://a/", { method: "PUT" }), new Response()`), /non-GET/);
  assert.match(await refused(`"https://a/", new Response(null, { status: 206 })`), /206/);
  assert.match(await refused(`"https://a/", new Response("", { headers: { vary: "*" } })`), /Vary/);
  assert.match(await refused(`"https://a/", new Response(new Uint8Array(17 * 1024 * 1024))`), /larger than what a worker can cache/);
  assert.deepEqual(await load(`
    const put = (name) => caches.default.put("https://a/" + name, new Response(new Uint8Array(6 * 1024 * 1024)));
    await put("first"); await put("second");
    await caches.default.match("https://a/first");
    await put("third");
    const kept = [];
    for (const name of ["first", "second", "third"]) kept.push((await caches.default.match("https://a/" + name)) !== undefined);
    return kept;`).run(null), [true, false, true]);
});

test("an EventSource reads events over a worker's own fetch, and asks again from where it was", async () => {
  const asked = [];
  const outbound = entrypoint({
    fetch(request) {
      asked.push([request.headers.get("accept"), request.headers.get("last-event-id")]);
      if (asked.length === 3) return new Response(null, { status: 204 });
      const parts = asked.length === 1 ? ["retry: 1\r", "\n: comment\nid: 7\ndata: a\nda", "ta: b\n\nevent: named\ndata:c\n\ndata: cut off"] : ["data: second\n\n"];
      return new Response(new ReadableStream({
        start(controller) {
          for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
          controller.close();
        },
      }), { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    },
  });
  const seen = await load(`
    const seen = [];
    const source = new EventSource("https://a.example/events");
    return new Promise((resolve) => {
      source.onmessage = ({ data, lastEventId }) => seen.push([data, lastEventId]);
      source.addEventListener("named", ({ data }) => seen.push(["named", data]));
      source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve(seen); };
    });`, { globalOutbound: outbound }).run(null);
  assert.deepEqual(seen, [["a\nb", "7"], ["named", "c"], ["second", "7"]]);
  assert.deepEqual(asked, [["text/event-stream", null], ["text/event-stream", "7"], ["text/event-stream", "7"]]);
});

test("EventSource.from() reads a stream, and close() ends it", async () => {
  assert.deepEqual(await load(`
    const stream = new Response("data: 1\\n\\ndata: 2\\n\\n").body;
    const source = EventSource.from(stream), seen = [];
    return new Promise((resolve) => {
      source.onmessage = ({ data }) => { seen.push(data); source.close(); setTimeout(() => resolve([...seen, source.readyState]), 1); };
    });`).run(null), ["1", 2]);
});

test("scheduler.wait() waits, and is given up by its signal", async () => {
  assert.deepEqual(await load(`
    await scheduler.wait(1);
    const controller = new AbortController();
    const waiting = scheduler.wait(1e8, { signal: controller.signal }).catch((error) => error.name);
    controller.abort();
    return [await waiting, await scheduler.wait(1, { signal: AbortSignal.abort(new RangeError("r")) }).catch((error) => error.message)];`).run(null), ["AbortError", "r"]);
});

test("message ports carry clones, in order, from when somebody listens", async () => {
  assert.deepEqual(await load(`
    const { port1, port2 } = new MessageChannel(), seen = [];
    const sent = { list: [1] }, buffer = new ArrayBuffer(4);
    port1.postMessage(sent);
    port1.postMessage(buffer, [buffer]);
    sent.list.push(2);
    await new Promise((resolve) => setTimeout(resolve, 1));
    return new Promise((resolve, reject) => {
      port2.onmessage = ({ data }) => {
        seen.push(data instanceof ArrayBuffer ? data.byteLength : data);
        if (seen.length === 2) {
          try { port1.postMessage(() => {}); } catch (error) { seen.push(error.name); }
          resolve([...seen, buffer.byteLength]);
        }
      };
    });`).run(null), [{ list: [1] }, 4, "DataCloneError", 0]);
});

test("patterns of URLs know sets of sets, and names and hosts as the standard has them", async () => {
  assert.deepEqual(await load(`
    const group = (pathname, input) => new URLPattern({ pathname }).exec({ pathname: input })?.pathname.groups ?? null;
    return [group("/([[a-z]--a])", "/z"), group("/([[a-z]--a])", "/a"), group("/:\u{20000}x", "/foo"),
      new URLPattern({ hostname: "exa\\nmple.com/path" }).hostname, new URLPattern({ pathname: "/A" }, { ignoreCase: true }).test({ pathname: "/a" })];`).run(null),
  [{ 0: "z" }, null, { "\u{20000}x": "foo" }, "example.com", true]);
});

test("observers of performance hear of marks and measures, also of what is marked last", async () => {
  const body = `
    const observer = new PerformanceObserver((list, self, { droppedEntriesCount }) => {
      env.tell(list.getEntries().map(({ name, entryType }) => entryType + " " + name).join(), self === observer, droppedEntriesCount ?? null);
    });
    performance.mark("before");
    observer.observe({ type: "mark", buffered: true });
    observer.observe({ type: "measure" });
    await null;
    performance.measure("m", "before");
    performance.mark("last");`;
  const heard = [];
  await load(body, { env: { tell: (...told) => { heard.push(told); } } }).run(null);
  // The tool is told in a call of its own, which nobody waits for.
  while (heard.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, [["mark before", true, 0], ["measure m,mark last", true, null]]);
});

test("listeners hear of rejections that nobody handles, and may keep them from the log and the account", async () => {
  const text = `
    const seen = [];
    addEventListener("unhandledrejection", (event) => {
      seen.push([event.type, event.reason.message, event instanceof PromiseRejectionEvent, event.cancelable]);
      if (event.reason.message === "kept") event.preventDefault();
      if (event.reason.message === "later") event.promise.catch(() => seen.push("caught"));
    });
    addEventListener("rejectionhandled", ({ type, reason, cancelable }) => seen.push([type, reason.message, cancelable]));
    Promise.reject(new Error("kept"));   // of the top level
    export default {
      async run() {
        for (const word of ["kept", "logged", "later"]) {
          Promise.reject(new Error(word));
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        const handled = Promise.reject(new Error("handled"));
        await null;
        handled.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 0));
        return seen;
      },
      async endless() {
        addEventListener("unhandledrejection", () => { Promise.reject(new Error("again")); });
        Promise.reject(new Error("again"));
        await new Promise((resolve) => setTimeout(resolve, 1e6));
      },
    };`;
  const worker = (limits) => glovebox.loader.load({ compatibilityDate: "2026-03-01", mainModule: "m.js", modules: { "m.js": text }, limits }).getEntrypoint();
  const { value, account, error } = await run(worker().run, null);
  assert.equal(error, undefined);
  const unhandled = (message) => ["unhandledrejection", message, true, true];
  assert.deepEqual(value, [unhandled("kept"), unhandled("kept"), unhandled("logged"), unhandled("later"), "caught", ["rejectionhandled", "later", false]]);
  assert.deepEqual(account.exceptions.map(({ message }) => message), ["logged"]);
  assert.equal((await failure(worker({ cpuMs: 100 }).endless(null))).code, "exceededCpu");
});

test("a key can be cloned in its worker, and does not leave it", async () => {
  const worker = load(`
    const { publicKey, privateKey } = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    const secret = await crypto.subtle.importKey("raw", new Uint8Array(16).fill(7), "AES-CBC", true, ["encrypt"]);
    const sly = { get a() { return structuredClone([publicKey])[0]; }, secret, again: secret };
    const clones = structuredClone({ list: [privateKey, sly] });
    const [key, { a, secret: copy, again }] = clones.list;
    const signature = await crypto.subtle.sign("Ed25519", key, new Uint8Array(3));
    let exported;
    try { await crypto.subtle.exportKey("pkcs8", key); } catch (error) { exported = error.name; }
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(copy);
    const { data } = await new Promise((resolve) => { port2.onmessage = resolve; });
    if (arg === "leave") return copy;
    return [await crypto.subtle.verify("Ed25519", a, signature, new Uint8Array(3)), exported, copy === secret, again === copy, data instanceof CryptoKey,
      new Uint8Array(await crypto.subtle.exportKey("raw", data))[15], copy.usages];`);
  assert.deepEqual(await worker.run(null), [true, "InvalidAccessError", false, true, true, 7, ["encrypt"]]);
  assert.match((await failure(worker.run("leave"))).message, /type "CryptoKey"\. This type does not support/);
});

test("a worker can have several WebAssembly memories, and one that is too large is a RangeError", async () => {
  assert.deepEqual(await load(`
    const memories = [];
    for (let i = 0; i < 5; i++) memories.push(new WebAssembly.Memory({ initial: 1 }));
    let refused;
    try { new WebAssembly.Memory({ initial: 65536 }); } catch (error) { refused = error.name; }
    return [memories.length, memories[4].grow(1), refused];`).run(null), [5, 1, "RangeError"]);
});
