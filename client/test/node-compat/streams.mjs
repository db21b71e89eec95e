import { Readable, Writable, Transform, Duplex, PassThrough, pipeline, finished, compose, addAbortSignal } from "node:stream";
import { pipeline as pipelinePromise, finished as finishedPromise } from "node:stream/promises";
import { text, json, buffer, arrayBuffer } from "node:stream/consumers";
import { ReadableStream as WebReadable } from "node:stream/web";

const collect = async (stream) => { const all = []; for await (const chunk of stream) all.push(chunk); return all; };
const upper = () => new Transform({ transform(chunk, _, done) { done(null, chunk.toString().toUpperCase()); } });

export const cases = {
  "a readable": () => collect(new Readable({ read() { this.push("a"); this.push(Buffer.from("b")); this.push(null); } })),
  "of objects": () => collect(Readable.from([{ a: 1 }, 2, "x"])),
  "events in order": () => new Promise((resolve) => { const seen = [], r = Readable.from(["a", "b"]); for (const name of ["data", "end", "close", "pause", "resume"]) r.on(name, (x) => { seen.push([name, x]); if (name === "close") resolve(seen); }); }),
  "back pressure": async () => { const seen = []; let hold; const w = new Writable({ highWaterMark: 3, write(chunk, _, done) { seen.push(chunk.toString()); hold = done; } }); const went = [w.write("ab"), w.write("cd"), w.writableLength, w.writableNeedDrain]; const drained = new Promise((r) => w.on("drain", () => r("drain"))); hold(); await null; await new Promise((r) => setTimeout(r, 1)); hold(); return [went, await drained, seen]; },
  "pipeline": async () => { const seen = []; await pipelinePromise(Readable.from(["a", "b"]), upper(), new Writable({ write(c, _, d) { seen.push(c.toString()); d(); } })); return seen; },
  "pipeline of generators": () => new Promise((resolve) => { const seen = []; pipeline(["a", "b"], async function* (source) { for await (const x of source) yield x + x; }, async (source) => { for await (const x of source) seen.push(x); return seen.length; }, (error, value) => resolve([error, value, seen])); }),
  "pipeline that fails": () => pipelinePromise(Readable.from(["a"]), new Transform({ transform(c, e, d) { d(new Error("broken")); } }), new PassThrough()),
  "finished early": () => { const r = new Readable({ read() {} }); queueMicrotask(() => r.destroy()); return finishedPromise(r); },
  "destroyed with an error": () => new Promise((resolve) => { const seen = [], r = new Readable({ read() {}, destroy(e, d) { seen.push("destroy"); d(e); } }); r.on("error", (e) => seen.push(e.message)); r.on("close", () => resolve(seen)); r.destroy(new Error("x")); }),
  "written after the end": () => new Promise((resolve) => { const w = new Writable({ write(c, e, d) { d(); } }); w.on("error", (e) => resolve([e.code, e.message])); w.end(); w.write("x"); }),
  "a wrong chunk": () => new Writable({ write() {} }).write(5),
  "no read()": () => new Promise((resolve) => { const r = new Readable(); r.on("error", (e) => resolve([e.code, e.message])); r.read(); }),
  "consumers": async () => [await text(Readable.from(["é", "x"])), await json(Readable.from(['{"a"', ":1}"])), await buffer(Readable.from([Buffer.from("q")])), (await arrayBuffer(Readable.from([Buffer.from("q")]))).byteLength, await text(new Response("web").body)],
  "operators": async () => [await Readable.from([1, 2, 3, 4]).filter((x) => x % 2 === 0).map(async (x) => x * 10).toArray(), await Readable.from([1, 2, 3]).reduce((a, b) => a + b, 0), await Readable.from([1, 2, 3]).take(2).toArray(), await Readable.from([1, 2]).flatMap((x) => [x, x]).toArray(), await Readable.from([1, 2]).some((x) => x > 1)],
  "encodings": () => collect(Readable.from([Buffer.from("€").subarray(0, 1), Buffer.from("€").subarray(1)], { objectMode: false }).setEncoding("utf8")),
  "duplex": async () => { const d = Duplex.from(async function* (source) { for await (const x of source) yield String(x).toUpperCase(); }); d.end("abc"); return collect(d); },
  "composed": () => collect(compose(Readable.from(["a"]), upper())),
  "corked": () => new Promise((resolve) => { const w = new Writable({ writev(chunks, d) { resolve(chunks.map((c) => c.chunk.toString())); d(); } }); w.cork(); w.write("a"); w.write("b"); w.uncork(); }),
  "aborted": async () => { const c = new AbortController(), r = addAbortSignal(c.signal, new Readable({ read() {} })); queueMicrotask(() => c.abort()); return collect(r); },
  "to the web": async () => { const all = []; const reader = Readable.toWeb(Readable.from(["a", "b"], { objectMode: false })).getReader(); for (;;) { const { done, value } = await reader.read(); if (done) return all; all.push(Buffer.from(value).toString()); } },
  "from the web": () => collect(Readable.fromWeb(new WebReadable({ start(c) { c.enqueue("a"); c.enqueue("b"); c.close(); } }))),
  "a writable to the web": async () => { const seen = []; const w = Writable.toWeb(new Writable({ write(c, _, d) { seen.push(c.toString()); d(); } })).getWriter(); await w.write("x"); await w.close(); return seen; },
  "a writable from the web": async () => { const seen = []; const w = Writable.fromWeb(new WritableStream({ write(c) { seen.push(String(c)); } })); w.write("q"); w.end(); await finishedPromise(w); return seen; },
  "unshift and read": () => { const r = new Readable({ read() {} }); r.push("abcdef"); r.unshift("xy"); return [r.read(3), r.read(1), r.readableLength, r.read(100), r.read()]; },
  "constructed late": () => new Promise((resolve) => { const seen = []; const w = new Writable({ construct(d) { setTimeout(d, 2); }, write(c, _, d) { seen.push(c.toString()); d(); } }); w.end("x", () => resolve(seen)); }),
};
