import assert from "node:assert";
import strict from "node:assert/strict";
import EventEmitter, { once, on, errorMonitor, captureRejectionSymbol, setMaxListeners, getEventListeners } from "node:events";
import path, { posix, win32 } from "node:path";
import querystring from "node:querystring";
import { StringDecoder } from "node:string_decoder";
import url, { fileURLToPath, pathToFileURL, urlToHttpOptions } from "node:url";
import punycode from "node:punycode";
import diagnostics from "node:diagnostics_channel";
import barePath from "path";

const failure = (run) => { try { run(); return "nothing"; } catch (e) { return [e.name, e.code, e.message, e.operator, e.generatedMessage]; } };

export const cases = {
  "assert equal": () => [failure(() => assert.equal(1, 2)), failure(() => assert.strictEqual("a\nb", "a\nc")), failure(() => assert.notStrictEqual(1, 1)), failure(() => assert.equal(1, "1"))],
  "assert deep": () => [failure(() => assert.deepEqual({ a: 1 }, { a: "1" })), failure(() => assert.deepStrictEqual([1, 2, [3]], [1, 2, [4]])), failure(() => assert.deepStrictEqual(new Set([{ a: 1 }]), new Set([{ a: 2 }]))), failure(() => strict.deepEqual(new Map([[1, 2]]), new Map([[1, 2]]))), failure(() => assert.partialDeepStrictEqual({ a: 1, b: 2 }, { a: 1 }))],
  "assert throws": () => [failure(() => assert.throws(() => {})), failure(() => assert.throws(() => { throw new TypeError("x"); }, RangeError)), failure(() => assert.throws(() => { throw new TypeError("x"); }, { message: "y" })), failure(() => assert.doesNotThrow(() => { throw new Error("z"); }))],
  "assert rejects": () => assert.rejects(Promise.reject(new Error("q")), /q/).then(() => "as expected"),
  "assert others": () => [failure(() => assert.fail("no")), failure(() => assert.match("abc", /x/)), failure(() => assert.ifError(new Error("e"))), failure(() => assert(0, "zero"))],
  "events order": () => { const e = new EventEmitter(), seen = []; e.on("a", (x) => seen.push(x)); e.once("a", () => seen.push("once")); e.prependListener("a", () => seen.push("first")); e.emit("a", 1); e.emit("a", 2); return [seen, e.listenerCount("a"), e.eventNames(), e.emit("none")]; },
  "events without a listener for error": () => new EventEmitter().emit("error", new Error("boom")),
  "events with a value for error": () => new EventEmitter().emit("error", { a: 1 }),
  "events monitor": () => { const e = new EventEmitter(), seen = []; e.on(errorMonitor, () => seen.push("m")); e.on("error", () => seen.push("e")); e.emit("error", new Error()); return seen; },
  "events once": async () => { const e = new EventEmitter(); queueMicrotask(() => e.emit("x", 1, 2)); return once(e, "x"); },
  "events once of a target": async () => { const t = new EventTarget(); queueMicrotask(() => t.dispatchEvent(new Event("x"))); return (await once(t, "x"))[0].type; },
  "events once aborted": () => once(new EventEmitter(), "x", { signal: AbortSignal.abort() }),
  "events on": async () => { const e = new EventEmitter(), seen = []; queueMicrotask(() => { e.emit("x", 1); e.emit("x", 2); e.emit("end"); }); for await (const [v] of on(e, "x", { close: ["end"] })) seen.push(v); return seen; },
  "events rejections": () => new Promise((resolve) => { const e = new EventEmitter({ captureRejections: true }); e.on("error", (error) => resolve(error.message)); e.on("x", async () => { throw new Error("caught"); }); e.emit("x"); }),
  "events limits": () => { const e = new EventEmitter(); setMaxListeners(3, e); return [e.getMaxListeners(), EventEmitter.defaultMaxListeners, getEventListeners(e, "x"), failure(() => e.setMaxListeners(-1)), failure(() => e.on("x", 1))]; },
  "path": () => [posix, win32].map((p) => ["a/../b", "/a/b/../c/./d", "", ".", "C:\\a\\..\\b", "\\\\s\\h\\x", "a.b.c", ".x", "/a/b/"].map((x) => [p.normalize(x), p.dirname(x), p.basename(x), p.extname(x), p.isAbsolute(x), p.parse(x)])),
  "path together": () => [path.join("a", "..", "/b"), posix.resolve("/a", "b", "../c"), win32.resolve("C:\\a", "..\\b"), posix.relative("/a/b/c", "/a/d"), win32.relative("C:\\a", "C:\\b"), path.format({ dir: "/x", base: "y" }), path.sep, path === barePath],
  "path of a number": () => path.join(5),
  "querystring": () => [querystring.parse("a=1&b=2&a=3&c&=d&e=%20%zz+"), querystring.stringify({ a: [1, "x y"], b: "é", c: undefined, d: 5n }), querystring.escape("a b&é"), querystring.unescape("%41+%"), querystring.parse("a:1;b:2", ";", ":")],
  "string decoder": () => ["utf8", "utf16le", "base64", "base64url", "hex", "latin1", "ascii"].map((encoding) => {
    const all = [];
    for (const size of [1, 2, 3, 5]) {
      const bytes = Buffer.from("a€😀\xff漢é\ud83d", "utf8");
      const odd = Buffer.concat([bytes, Buffer.from([0xf0, 0x9f, 0x98, 0xe2, 0x82, 0x41, 0xc3, 0xff, 0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8])]);
      const decoder = new StringDecoder(encoding);
      const parts = [];
      for (let i = 0; i < odd.length; i += size) parts.push(decoder.write(odd.subarray(i, i + size)), decoder.lastNeed, decoder.lastTotal);
      all.push(parts, decoder.end(), decoder.end());
    }
    return all;
  }),
  "string decoder of an unknown encoding": () => new StringDecoder("nope"),
  "url legacy": () => ["http://u:p@h.com:8080/p/a/t/h?query=string#hash", "//a/b", "mailto:a@b", "/x?y", "javascript:alert(1)", "http://ex ample.com/a b", "HTTP://É.com/"].map((x) => url.parse(x)),
  "url legacy, parsed query": () => [url.parse("/a?b=1&b=2", true).query, url.format({ protocol: "http", host: "h", pathname: "/p", query: { a: 1 } }), url.resolve("/one/two/three", "four"), url.resolve("http://example.com/", "/one")],
  "url of files": () => [fileURLToPath("file:///a%20b/c"), pathToFileURL("/a b#c?d").href, pathToFileURL("/x/").href, failure(() => fileURLToPath("http://a")), failure(() => fileURLToPath("file://host/a")), failure(() => fileURLToPath("file:///a%2fb"))],
  "url others": () => [{ ...urlToHttpOptions(new URL("https://a:b@x.test:81/p?q#h")) }, url.domainToASCII("español.com"), url.domainToUnicode("xn--espaol-zwa.com"), url.domainToASCII("xn--iñvalid.com"), ["http://xn--espaol-zwa.com/x", "http://u:p@xn--espaol-zwa.com:8/xn--espaol-zwa.com?a", "mailto:a@b"].map((x) => url.format(new URL(x), { unicode: true })), url.format(new URL("http://a:b@c/d?e#f"), { fragment: false, auth: false }), url.URL === URL],
  "punycode": () => [punycode.encode("mañana"), punycode.decode("maana-pta"), punycode.toASCII("mañana.com"), punycode.toUnicode("xn--maana-pta.com"), punycode.ucs2.decode("😀")],
  "diagnostics": () => { const c = diagnostics.channel("glovebox:test"), seen = []; const f = (m, n) => seen.push(m, n); c.subscribe(f); c.publish({ a: 1 }); c.unsubscribe(f); c.publish({ a: 2 }); return [seen, c.hasSubscribers, diagnostics.channel("glovebox:test") === c]; },
  "diagnostics tracing": async () => { const c = diagnostics.tracingChannel("glovebox:trace"), seen = []; c.subscribe({ start: () => seen.push("start"), end: () => seen.push("end"), asyncStart: () => seen.push("asyncStart"), asyncEnd: () => seen.push("asyncEnd"), error: () => seen.push("error") }); await c.tracePromise(async () => 5); c.traceSync(() => 1); return seen; },
};
