import { equal, logged, ok, run, same, test, throws } from "./harness.js";
import { rejects } from "./rejects.js";

const bytes = (...values) => new Uint8Array(values);
const later = () => new Promise((resolve) => setTimeout(resolve, 0));

// What the promise is rejected with, whatever it is.
const reasonOf = (promise) => promise.then(() => { throw new Error("it was fulfilled"); }, (reason) => reason);

async function collect(readable) {
  const chunks = [];
  for await (const chunk of readable) chunks.push(chunk);
  return chunks;
}

// Counts from 1 as it is asked; ends after `last`.
function counter(last = Infinity, strategy = undefined) {
  const source = { pulls: 0, cancelled: [] };
  source.stream = new ReadableStream({
    pull(controller) {
      source.pulls++;
      controller.enqueue(source.pulls);
      if (source.pulls === last) controller.close();
    },
    cancel(reason) { source.cancelled.push(reason); },
  }, strategy);
  return source;
}

function recorder(strategy = undefined) {
  const sink = { seen: [] };
  sink.stream = new WritableStream({
    write(chunk) { sink.seen.push(chunk); },
    close() { sink.seen.push("closed"); },
    abort(reason) { sink.seen.push("aborted", reason); },
  }, strategy);
  return sink;
}

const INTERFACES = [
  "ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController", "ReadableByteStreamController", "WritableStream", "WritableStreamDefaultWriter",
  "WritableStreamDefaultController", "TransformStream", "TransformStreamDefaultController", "ByteLengthQueuingStrategy",
  "CountQueuingStrategy", "TextEncoderStream", "TextDecoderStream", "IdentityTransformStream", "FixedLengthStream",
];

// First: the package looks some of them up when it needs them for the first time.
test("Streams outlive replaced globals", async () => {
  const names = ["Promise", "queueMicrotask", "structuredClone", "TextDecoder", "DOMException"];
  const saved = names.map((name) => globalThis[name]);
  const { decode } = TextDecoder.prototype;
  const { enqueue } = TransformStreamDefaultController.prototype;
  let got;
  try {
    for (const name of names) globalThis[name] = () => { throw new Error(`${name} was used`); };
    saved[3].prototype.decode = TransformStreamDefaultController.prototype.enqueue = () => { throw new Error("a method was used"); };
    const source = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(bytes(97)); controller.close(); } });
    got = await collect(source.pipeThrough(new IdentityTransformStream()).pipeThrough(new TextDecoderStream()));
  } finally {
    names.forEach((name, i) => { globalThis[name] = saved[i]; });
    TextDecoder.prototype.decode = decode;
    TransformStreamDefaultController.prototype.enqueue = enqueue;
  }
  same(got, ["a"]);
});

test("The interfaces look like those of the platform", () => {
  for (const name of INTERFACES) {
    const { value, ...attributes } = Object.getOwnPropertyDescriptor(globalThis, name);
    same(attributes, { writable: true, enumerable: false, configurable: true }, name);
    equal(value.name, name);
    equal(value.prototype.constructor, value);
    same(Object.getOwnPropertyDescriptor(value.prototype, Symbol.toStringTag),
      { value: name, writable: false, enumerable: false, configurable: true }, name);
    for (const key of Object.getOwnPropertyNames(value.prototype)) {
      ok(!key.startsWith("_"), `${name}.prototype.${key}`);
      equal(Object.getOwnPropertyDescriptor(value.prototype, key).enumerable, key !== "constructor", `${name}.prototype.${key}:`);
    }
  }
  equal(Object.prototype.toString.call(new ReadableStream()), "[object ReadableStream]");
  equal(String(new FixedLengthStream(1)), "[object FixedLengthStream]");
  same([ReadableStream.length, ReadableStream.prototype.pipeTo.length, ReadableStream.prototype.pipeTo.name], [0, 1, "pipeTo"]);
  throws(() => new ReadableStreamDefaultController(), "TypeError");
  throws(() => ReadableStream(), "TypeError");
  throws(() => ReadableStream.prototype.getReader.call({}), "TypeError");
  throws(() => Object.getOwnPropertyDescriptor(TextDecoderStream.prototype, "readable").get.call({}), "TypeError");
});

test("Streams are shown without their insides", async () => {
  const stream = new ReadableStream();
  equal(hooks.inspect(stream), "ReadableStream { locked: false, state: 'readable' }");
  equal(hooks.inspect(stream.getReader()), "ReadableStreamDefaultReader {}");
  const writable = new WritableStream();
  await writable.close();
  equal(hooks.inspect(writable), "WritableStream { locked: false, state: 'closed' }");
  ok(hooks.inspect(new TransformStream()).includes("readable: ReadableStream {"));
});

test("structuredClone refuses streams and what belongs to them", () => {
  let controller;
  const stream = new ReadableStream({ start(given) { controller = given; } });
  for (const value of [stream, controller, new WritableStream(), new TransformStream(), new TextEncoderStream(),
    new IdentityTransformStream(), new ReadableStream().getReader(), new ReadableStream().values(),
    new CountQueuingStrategy({ highWaterMark: 1 })]) {
    throws(() => structuredClone({ value }), "DataCloneError");
  }
});

test("A reader gets what the source enqueues, then the end", async () => {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue("a");
      controller.enqueue("b");
      controller.close();
    },
  });
  const reader = stream.getReader();
  equal(stream.locked, true);
  throws(() => stream.getReader(), "TypeError");
  same(await reader.read(), { value: "a", done: false });
  same(await reader.read(), { value: "b", done: false });
  same(await reader.read(), { value: undefined, done: true });
  equal(await reader.closed, undefined);
  reader.releaseLock();
  equal(stream.locked, false);
  await rejects(reader.read(), "TypeError");
});

test("A source is pulled only while there is room", async () => {
  const source = counter(Infinity, { highWaterMark: 2 });
  await later();
  equal(source.pulls, 2);
  const reader = source.stream.getReader();
  await reader.read();
  await later();
  equal(source.pulls, 3);
  const lazy = counter(Infinity, { highWaterMark: 0 });
  await later();
  equal(lazy.pulls, 0);
  equal((await lazy.stream.getReader().read()).value, 1);
});

test("Room is counted by the strategy", async () => {
  const strategy = new ByteLengthQueuingStrategy({ highWaterMark: 5 });
  equal(strategy.size(bytes(1, 2, 3)), 3);
  equal(new CountQueuingStrategy({ highWaterMark: 1 }).size("anything"), 1);
  let controller;
  new ReadableStream({ start(given) { controller = given; } }, strategy);
  equal(controller.desiredSize, 5);
  controller.enqueue(bytes(1, 2, 3));
  equal(controller.desiredSize, 2);
  controller.enqueue(bytes(1, 2, 3));
  equal(controller.desiredSize, -1);
  throws(() => new ReadableStream({}, { highWaterMark: -1 }), "RangeError");
});

test("cancel() reaches the source, and a source's error the reader", async () => {
  const source = counter();
  await source.stream.cancel("enough");
  same(source.cancelled, ["enough"]);
  same(await source.stream.getReader().read(), { value: undefined, done: true });
  const failing = new ReadableStream({ pull() { throw new RangeError("no more"); } });
  const reader = failing.getReader();
  await rejects(reader.read(), "RangeError", "no more");
  await rejects(reader.closed, "RangeError", "no more");
  await rejects(failing.cancel(), "TypeError");   // locked
});

test("An iteration takes all chunks, and leaving it cancels the source", async () => {
  same(await collect(counter(3).stream), [1, 2, 3]);
  const left = counter();
  for await (const chunk of left.stream) if (chunk === 2) break;
  equal(left.cancelled.length, 1);
  equal(left.stream.locked, false);
  const kept = counter();
  for await (const chunk of kept.stream.values({ preventCancel: true })) if (chunk === 2) break;
  equal(kept.cancelled.length, 0);
  equal((await kept.stream.getReader().read()).value, 3);
  const failing = new ReadableStream({ start(controller) { controller.error(new RangeError("broken")); } });
  await rejects(collect(failing), "RangeError", "broken");
  const iterator = new ReadableStream().values();
  const parent = Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}.prototype));
  equal(Object.getPrototypeOf(Object.getPrototypeOf(iterator)), parent);
  equal(iterator[Symbol.asyncIterator](), iterator);
  equal(String(iterator), "[object ReadableStream AsyncIterator]");
});

test("ReadableStream.from takes iterables of both kinds", async () => {
  same(await collect(ReadableStream.from(["a", Promise.resolve("b")])), ["a", "b"]);
  let ended = false;
  const stream = ReadableStream.from((async function* () {
    try {
      yield 1;
      yield 2;
    } finally {
      ended = true;
    }
  })());
  const reader = stream.getReader();
  equal((await reader.read()).value, 1);
  await reader.cancel();
  ok(ended);
  throws(() => ReadableStream.from(1), "TypeError");
});

test("Both branches of tee() get every chunk; the source is cancelled when both are", async () => {
  const [first, second] = counter(3).stream.tee();
  same(await Promise.all([collect(first), collect(second)]), [[1, 2, 3], [1, 2, 3]]);
  const source = counter();
  const [left, right] = source.stream.tee();
  const cancelled = left.cancel("l");
  await later();
  equal(source.cancelled.length, 0);
  await Promise.all([cancelled, right.cancel("r")]);
  same(source.cancelled, [["l", "r"]]);
  const broken = new ReadableStream({ start(controller) { controller.error("bad"); } }).tee();
  equal(await reasonOf(broken[0].getReader().read()), "bad");
  equal(await reasonOf(broken[1].getReader().read()), "bad");
});

test("A byte stream hands out bytes and takes the buffer of what it is given", async () => {
  const chunk = bytes(1, 2, 3);
  const stream = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(chunk); controller.close(); } });
  equal(chunk.byteLength, 0);
  same(await collect(stream), [bytes(1, 2, 3)]);
  throws(() => new ReadableStream({ type: "bytes", start(controller) { controller.enqueue("text"); } }), "TypeError");
  throws(() => new ReadableStream({ type: "text" }), "TypeError");
  throws(() => new ReadableStream().getReader({ mode: "byob" }), "TypeError");
});

test("A BYOB reader's buffer is filled in place", async () => {
  let next = 1;
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const request = controller.byobRequest;
      if (next > 5) {
        controller.close();
        request.respond(0);
        return;
      }
      request.view[0] = next++;
      request.view[1] = next++;
      request.respond(2);
    },
  });
  const reader = stream.getReader({ mode: "byob" });
  const given = new Uint8Array(8).subarray(2, 6);
  const { value, done } = await reader.read(given);
  equal(given.buffer.detached, true);
  equal(done, false);
  same([value.byteOffset, value.buffer.byteLength], [2, 8]);
  same(value, bytes(1, 2));
  const exact = await reader.read(new Uint8Array(4), { min: 4 });
  same(exact.value, bytes(3, 4, 5, 6));
  const end = await reader.read(new Uint16Array(1));
  same([end.done, end.value.length, end.value.constructor.name], [true, 0, "Uint16Array"]);
  await rejects(reader.read(new Uint8Array(0)), "TypeError");
  await rejects(reader.read("text"), "TypeError");
});

test("Queued bytes are cut to the buffer, and autoAllocateChunkSize brings one", async () => {
  const stream = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(bytes(1, 2, 3)); } });
  const reader = stream.getReader({ mode: "byob" });
  same((await reader.read(new Uint8Array(2))).value, bytes(1, 2));
  same((await reader.read(new Uint8Array(2))).value, bytes(3));
  const pending = reader.read(new Uint8Array(2));
  reader.releaseLock();
  await rejects(pending, "TypeError");
  const allocating = new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: 16,
    pull(controller) {
      equal(controller.byobRequest.view.byteLength, 16);
      controller.byobRequest.respondWithNewView(new Uint8Array(controller.byobRequest.view.buffer, 0, 1));
    },
  });
  same((await allocating.getReader().read()).value, bytes(0));
});

test("The branches of a byte stream's tee() share no memory", async () => {
  const source = new ReadableStream({ type: "bytes", start(controller) { controller.enqueue(bytes(1, 2)); controller.close(); } });
  const [first, second] = source.tee();
  const one = (await first.getReader({ mode: "byob" }).read(new Uint8Array(2))).value;
  one[0] = 9;
  same(await collect(second), [bytes(1, 2)]);
});

test("A writer is not ready while the sink is behind", async () => {
  const release = [];
  const seen = [];
  const stream = new WritableStream({
    write(chunk) {
      seen.push(chunk);
      return new Promise((resolve) => release.push(resolve));
    },
  }, { highWaterMark: 2 });
  const writer = stream.getWriter();
  equal(writer.desiredSize, 2);
  const first = writer.write("a");
  const second = writer.write("b");
  equal(writer.desiredSize, 0);
  let ready = false;
  writer.ready.then(() => { ready = true; });
  await later();
  same([seen, ready], [["a"], false]);
  release[0]();
  await first;
  await later();
  same([seen, ready, writer.desiredSize], [["a", "b"], true, 1]);
  release[1]();
  await second;
  await writer.close();
  await rejects(writer.write("c"), "TypeError");
});

test("abort() drops what waits, tells the sink, and aborts the controller's signal", async () => {
  let signal;
  const seen = [];
  const stream = new WritableStream({
    start(controller) { signal = controller.signal; },
    write(chunk) {
      seen.push(chunk);
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
    abort(reason) { seen.push(reason); },
  });
  const writer = stream.getWriter();
  const first = writer.write("first");
  const second = writer.write("second");
  await later();
  ok(signal instanceof AbortSignal);
  const reason = new RangeError("stop");
  const aborted = writer.abort(reason);
  equal(signal.reason, reason);
  await first;
  equal(await reasonOf(second), reason);
  await aborted;
  same(seen, ["first", reason]);
  equal(await reasonOf(writer.closed), reason);
});

test("A sink's error reaches the writer", async () => {
  const stream = new WritableStream({ write() { throw new RangeError("full"); } });
  const writer = stream.getWriter();
  await rejects(writer.write(1), "RangeError", "full");
  await rejects(writer.closed, "RangeError", "full");
  await rejects(writer.write(2), "RangeError", "full");
});

test("pipeTo moves everything and closes the destination, or not", async () => {
  const sink = recorder();
  await counter(3).stream.pipeTo(sink.stream);
  same(sink.seen, [1, 2, 3, "closed"]);
  const open = recorder();
  await counter(1).stream.pipeTo(open.stream, { preventClose: true });
  equal(open.stream.locked, false);
  await counter(1).stream.pipeTo(open.stream);
  same(open.seen, [1, 1, "closed"]);
  await rejects(counter().stream.pipeTo({}), "TypeError");
});

test("pipeTo reads no more than the destination takes", async () => {
  const source = counter(Infinity, { highWaterMark: 0 });
  let release;
  const sink = new WritableStream({ write() { return new Promise((resolve) => { release = resolve; }); } });
  source.stream.pipeTo(sink).catch(() => {});
  await later();
  equal(source.pulls, 1);
  release();
  await later();
  equal(source.pulls, 2);
});

test("pipeTo carries errors both ways, unless told not to", async () => {
  const failing = () => new ReadableStream({ pull() { throw new RangeError("source"); } });
  const sink = recorder();
  await rejects(failing().pipeTo(sink.stream), "RangeError", "source");
  equal(sink.seen[0], "aborted");
  equal(sink.seen[1].message, "source");
  const spared = recorder();
  await rejects(failing().pipeTo(spared.stream, { preventAbort: true }), "RangeError", "source");
  same(spared.seen, []);
  const source = counter();
  await rejects(source.stream.pipeTo(new WritableStream({ write() { throw new RangeError("sink"); } })), "RangeError", "sink");
  equal(source.cancelled[0].message, "sink");
});

test("A signal stops pipeTo on both sides", async () => {
  const controller = new AbortController();
  const source = new ReadableStream({ cancel(reason) { source.reason = reason; } });
  const sink = recorder();
  const piped = source.pipeTo(sink.stream, { signal: controller.signal });
  await later();
  controller.abort();
  const reason = await reasonOf(piped);
  ok(reason instanceof DOMException);
  equal(reason.name, "AbortError");
  equal(source.reason, reason);
  equal(sink.seen[1], reason);
  equal(await reasonOf(counter().stream.pipeTo(new WritableStream(), { signal: AbortSignal.abort("before") })), "before");
  await rejects(counter().stream.pipeTo(new WritableStream(), { signal: {} }), "TypeError");
});

test("A transform changes, adds and ends", async () => {
  const twice = () => new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      controller.enqueue(-chunk);
    },
    flush(controller) { controller.enqueue("end"); },
  });
  same(await collect(counter(2).stream.pipeThrough(twice())), [1, -1, 2, -2, "end"]);
  same(await collect(counter(2).stream.pipeThrough(new TransformStream())), [1, 2]);
  const source = counter();
  const short = source.stream.pipeThrough(new TransformStream({ transform(chunk, controller) { controller.terminate(); } }));
  same(await collect(short), []);
  await later();
  equal(source.cancelled.length, 1);
});

test("A transform's error reaches both of its sides", async () => {
  const transform = new TransformStream({ transform() { throw new RangeError("inside"); } });
  const writer = transform.writable.getWriter();
  const reader = transform.readable.getReader();
  const read = reader.read();
  await rejects(writer.write(1), "RangeError", "inside");
  await rejects(read, "RangeError", "inside");
  const cancelled = new TransformStream();
  await cancelled.readable.cancel("unwanted");
  equal(await reasonOf(cancelled.writable.getWriter().write(1)), "unwanted");
});

test("A transform nobody reads holds its writer back", async () => {
  const transform = new TransformStream();
  const writer = transform.writable.getWriter();
  let written = false;
  writer.write(1).then(() => { written = true; });
  await later();
  equal(written, false);
  equal((await transform.readable.getReader().read()).value, 1);
  await later();
  equal(written, true);
});

test("Errors that were handled are not reported as unhandled", async () => {
  logged();
  await reasonOf(new ReadableStream({ pull() { throw new Error("seen"); } }).pipeThrough(new TransformStream()).getReader().read());
  await reasonOf(new WritableStream({ write() { throw new Error("seen"); } }).getWriter().write(1));
  await later();
  same(logged(), []);
});

test("TextEncoderStream joins what was cut inside a character", async () => {
  const encode = async (...chunks) => (await collect(ReadableStream.from(chunks).pipeThrough(new TextEncoderStream()))).map((chunk) => [...chunk]);
  same(await encode("a", "", "ä"), [[97], [0xc3, 0xa4]]);
  same(await encode("x\ud83d", "\ude00y"), [[120], [0xf0, 0x9f, 0x98, 0x80, 121]]);
  same(await encode("\ud83d", "", "\ude00"), [[0xf0, 0x9f, 0x98, 0x80]]);
  same(await encode("\ud83d", "a"), [[0xef, 0xbf, 0xbd, 97]]);
  same(await encode("\ud83d"), [[0xef, 0xbf, 0xbd]]);
  same(await encode("\ude00"), [[0xef, 0xbf, 0xbd]]);
  same(await encode(12, undefined), [[49, 50], [...new TextEncoder().encode("undefined")]]);
  equal(new TextEncoderStream().encoding, "utf-8");
  const stream = new TextEncoderStream();
  stream.readable.getReader().read().catch(() => {});
  await rejects(stream.writable.getWriter().write(Symbol()), "TypeError");
});

test("TextDecoderStream decodes across any cut", async () => {
  const text = "\ufeffaä€😀z";
  const all = new TextEncoder().encode(text);
  for (let size = 1; size <= all.length; size++) {
    const chunks = [];
    for (let at = 0; at < all.length; at += size) chunks.push(all.subarray(at, at + size));
    const got = await collect(ReadableStream.from(chunks).pipeThrough(new TextDecoderStream()));
    equal(got.join(""), "aä€😀z");
    ok(!got.includes(""), "an empty chunk");
  }
  const decode = async (chunks, ...options) => (await collect(ReadableStream.from(chunks).pipeThrough(new TextDecoderStream(...options)))).join("");
  equal(await decode([bytes(0xe2, 0x82)]), "\ufffd");
  equal(await decode([bytes(0x3d), bytes(0xd8, 0), bytes(0xde)], "utf-16le"), "😀");
  equal(await decode([new Uint16Array([0x6161]), bytes(98).buffer]), "aab");
  await rejects(decode([bytes(0xe2, 0x82)], "utf-8", { fatal: true }), "TypeError");
  await rejects(decode([bytes(0xff)], "utf-8", { fatal: true }), "TypeError");
  for (const chunk of ["text", undefined, null, {}]) await rejects(decode([chunk]), "TypeError");
  const stream = new TextDecoderStream("latin1", { fatal: true, ignoreBOM: true });
  same([stream.encoding, stream.fatal, stream.ignoreBOM], ["windows-1252", true, true]);
  throws(() => new TextDecoderStream("nonsense"), "RangeError");
});

test("IdentityTransformStream ends a write when its bytes have been read", async () => {
  const stream = new IdentityTransformStream();
  ok(stream instanceof TransformStream);
  const writer = stream.writable.getWriter();
  const given = bytes(1, 2, 3);
  let written = false;
  const write = writer.write(given).then(() => { written = true; });
  const reader = stream.readable.getReader({ mode: "byob" });
  same((await reader.read(new Uint8Array(2))).value, bytes(1, 2));
  await later();
  equal(written, false);
  same((await reader.read(new Uint8Array(2))).value, bytes(3));
  await write;
  same(given, bytes(1, 2, 3));
  const waiting = reader.read(new Uint8Array(4), { min: 3 });
  await writer.write(bytes());
  await writer.write(bytes(4).buffer);
  await writer.write(new Uint16Array([5]));
  same((await waiting).value, bytes(4, 5, 0));
  const end = reader.read(new Uint8Array(1));
  await writer.close();
  equal((await end).done, true);
});

test("IdentityTransformStream works in a chain", async () => {
  const text = await collect(ReadableStream.from(["a€", "b"]).pipeThrough(new TextEncoderStream())
    .pipeThrough(new IdentityTransformStream()).pipeThrough(new TextDecoderStream()));
  equal(text.join(""), "a€b");
});

test("IdentityTransformStream takes bytes only, and fails on both sides", async () => {
  for (const chunk of ["text", 1, {}, undefined]) {
    const { readable, writable } = new IdentityTransformStream();
    const read = reasonOf(readable.getReader().read());
    await rejects(writable.getWriter().write(chunk), "TypeError", /byte stream/);
    equal((await read).name, "TypeError");
  }
  const aborted = new IdentityTransformStream();
  const writer = aborted.writable.getWriter();
  const write = reasonOf(writer.write(bytes(1)));
  await later();
  await writer.abort("stop");
  equal(await write, "stop");
  equal(await reasonOf(aborted.readable.getReader().read()), "stop");
  const cancelled = new IdentityTransformStream();
  const lost = reasonOf(cancelled.writable.getWriter().write(bytes(1)));
  await later();
  await cancelled.readable.cancel("unwanted");
  equal(await lost, "unwanted");
});

test("IdentityTransformStream's highWaterMark counts bytes", async () => {
  const { readable, writable } = new IdentityTransformStream({ highWaterMark: 10 });
  const writer = writable.getWriter();
  equal(writer.desiredSize, 10);
  const given = bytes(1, 2, 3);
  writer.write(given);
  equal(writer.desiredSize, 7);
  same((await readable.getReader().read()).value, given);
  equal(given.buffer.detached, false);
});

test("FixedLengthStream takes as many bytes as it was told, no more and no less", async () => {
  const pass = async (length, ...chunks) => {
    const { readable, writable } = new FixedLengthStream(length);
    const [got] = await Promise.all([collect(readable), ReadableStream.from(chunks).pipeTo(writable)]);
    return got;
  };
  same(await pass(3, bytes(1), bytes(2, 3)), [bytes(1), bytes(2, 3)]);
  same(await pass(2n, bytes(1, 2)), [bytes(1, 2)]);
  same(await pass(0), []);
  await rejects(pass(2, bytes(1), bytes(2, 3)), "TypeError", "Attempt to write too many bytes through a FixedLengthStream.");
  await rejects(pass(2, bytes(1)), "TypeError", "FixedLengthStream did not see all expected bytes before close().");
  throws(() => new FixedLengthStream(), "TypeError");
  throws(() => new FixedLengthStream(-1), "TypeError");
  throws(() => new FixedLengthStream(2n ** 64n), "TypeError");
  ok(new FixedLengthStream(1) instanceof IdentityTransformStream);
});

run();
