import { equal, ok, run, test, throws } from "./harness.js";
import { rejects } from "./rejects.js";

const FORMATS = ["gzip", "deflate", "deflate-raw", "brotli"];
const text = "The quick brown fox jumps over the lazy dog. ".repeat(40);
const hex = (bytes) => bytes.toHex();
const unhex = (digits) => Uint8Array.fromHex(digits);

async function collect(readable) {
  const chunks = [];
  for await (const chunk of readable) {
    ok(chunk instanceof Uint8Array);
    chunks.push(chunk);
  }
  return new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
}

function through(stream, ...chunks) {
  const writer = stream.writable.getWriter();
  const writes = chunks.map((chunk) => writer.write(chunk));
  writes.push(writer.close());
  const result = collect(stream.readable);
  for (const promise of [...writes, writer.closed, result]) promise.catch(() => {});
  return { result, writes, writer };
}

const compress = (format, ...chunks) => through(new CompressionStream(format), ...chunks).result;
const decompress = (format, ...chunks) => through(new DecompressionStream(format), ...chunks).result;

test("What is compressed comes back, in each format", async () => {
  for (const format of FORMATS) {
    const packed = await compress(format, new TextEncoder().encode(text));
    ok(packed.length < 120, `${format}: ${packed.length} bytes`);
    equal(new TextDecoder().decode(await decompress(format, packed)), text);
  }
});

// Made by zlib and brotli elsewhere.
const KNOWN = {
  "gzip": "1f8b0800000000000003cb48cdc9c95728cf2fca49010085114a0d0b000000",
  "deflate": "789ccb48cdc9c95728cf2fca4901001a0b045d",
  "deflate-raw": "cb48cdc9c95728cf2fca490100",
  "brotli": "0b058068656c6c6f20776f726c6403",
};

test("Known answers are read", async () => {
  for (const format of FORMATS) {
    equal(new TextDecoder().decode(await decompress(format, unhex(KNOWN[format]))), "hello world");
  }
});

test("A compressed stream has the format's own header and trailer", async () => {
  const input = new TextEncoder().encode("hello world");
  equal(hex(await compress("deflate-raw", input)), KNOWN["deflate-raw"]);
  equal(hex(await compress("deflate", input)), KNOWN.deflate);
  const gzip = hex(await compress("gzip", input));
  equal(gzip.slice(0, 18), "1f8b08000000000000");
  equal(gzip.slice(20), KNOWN.gzip.slice(20));
});

test("Bytes may come one by one, and in every kind of view", async () => {
  for (const format of FORMATS) {
    const packed = unhex(KNOWN[format]);
    const single = [...packed].map((byte) => new Uint8Array([byte]));
    equal(new TextDecoder().decode(await decompress(format, ...single)), "hello world");
  }
  const views = [new Uint8Array([104]).buffer, new DataView(new Uint8Array([0, 105, 0]).buffer, 1, 1), new Uint16Array([0x2020]), new Float64Array(0)];
  equal(new TextDecoder().decode(await decompress("gzip", await compress("gzip", ...views))), "hi  ");
});

test("No input at all makes a valid empty stream", async () => {
  for (const format of FORMATS) {
    const packed = await compress(format);
    ok(packed.length > 0);
    equal((await decompress(format, packed)).length, 0);
    equal((await decompress(format, await compress(format, new Uint8Array(0)))).length, 0);
    await rejects(decompress(format), "TypeError", "The compressed data ends too early.");
  }
});

test("Data that does not compress comes back whole", async () => {
  const noise = new Uint8Array(300_000);
  for (let at = 0; at < noise.length; at += 60_000) crypto.getRandomValues(noise.subarray(at, at + 60_000));
  const packed = await compress("gzip", noise);
  ok(packed.length > noise.length);
  equal(hex(await decompress("gzip", packed)), hex(noise));
});

test("Corrupt data is a TypeError on both sides", async () => {
  await rejects(decompress("brotli", new Uint8Array([0x11, 0, 0])), "TypeError", "The compressed data is not valid.");
  for (const format of FORMATS) {
    if (format === "brotli") continue;   // it has no sum that would tell
    const packed = unhex(KNOWN[format]);
    for (const at of format === "deflate-raw" ? [0] : [0, 1, packed.length - 1, packed.length - 3]) {
      const broken = packed.slice();
      broken[at] ^= 0x06;
      const { result, writes } = through(new DecompressionStream(format), broken);
      await rejects(result, "TypeError", "The compressed data is not valid.");
      await rejects(writes[0], "TypeError");
      await rejects(writes[1], "TypeError");
    }
  }
});

test("An early end is a TypeError, wherever it is", async () => {
  for (const format of FORMATS) {
    const packed = unhex(KNOWN[format]);
    for (let length = 0; length < packed.length; length++) {
      const { result, writes } = through(new DecompressionStream(format), packed.slice(0, length));
      await rejects(result, "TypeError", "The compressed data ends too early.");
      await rejects(writes[1], "TypeError");
    }
  }
});

test("Bytes after the end are a TypeError, in the same chunk and in a later one", async () => {
  for (const format of FORMATS) {
    const packed = unhex(KNOWN[format]);
    await rejects(decompress(format, new Uint8Array([...packed, 0])), "TypeError", "There are bytes after the end of the compressed data.");
    await rejects(decompress(format, packed, new Uint8Array(1)), "TypeError", "There are bytes after the end of the compressed data.");
    await rejects(decompress(format, new Uint8Array([...packed, ...packed])), "TypeError");
    equal((await decompress(format, packed, new Uint8Array(0))).length, 11);
  }
});

test("A zlib stream that wants a dictionary is refused", async () => {
  await rejects(decompress("deflate", unhex("78bb0000000103000000000001")), "TypeError", "The compressed data is not valid.");
});

test("Chunks that are no bytes are a TypeError on both sides", async () => {
  for (const chunk of [undefined, null, 3, "text", {}, [1], new SharedArrayBuffer(1), new Uint8Array(new SharedArrayBuffer(1)), new DataView(new SharedArrayBuffer(1))]) {
    for (const Stream of [CompressionStream, DecompressionStream]) {
      const { result, writes } = through(new Stream("gzip"), chunk);
      await rejects(writes[0], "TypeError", "A chunk of a compression stream must be an ArrayBuffer or a view of one.");
      await rejects(result, "TypeError");
    }
  }
});

test("Formats are those of the standard", () => {
  for (const Stream of [CompressionStream, DecompressionStream]) {
    throws(() => new Stream("GZIP"), "TypeError", `Failed to construct '${Stream.name}': "GZIP" is none of "gzip", "deflate", "deflate-raw" and "brotli".`);
    throws(() => new Stream(), "TypeError");
    throws(() => new Stream({ toString() { throw new RangeError("mine"); } }), "RangeError", "mine");
    throws(() => Stream("gzip"), "TypeError");
    throws(() => Stream.prototype.readable, "TypeError");
    equal(Stream.length, 1);
    equal(Object.prototype.toString.call(new Stream("gzip")), `[object ${Stream.name}]`);
  }
});

test("A chunk that is changed or detached after write() is compressed as it was", async () => {
  const chunk = new TextEncoder().encode("hello world");
  const stream = new CompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const result = collect(stream.readable);
  await 0;   // the stream has started: write() takes the chunk
  void writer.write(chunk);
  chunk.fill(0);
  chunk.buffer.transfer();
  void writer.close();
  equal(hex(await result), KNOWN["deflate-raw"]);
});

test("A write is done once its output has been read", async () => {
  const stream = new DecompressionStream("gzip");
  const reader = stream.readable.getReader();
  const read = reader.read();
  const writer = stream.writable.getWriter();
  await writer.write(unhex(KNOWN.gzip));
  equal(new TextDecoder().decode((await read).value), "hello world");
  await writer.close();
  equal((await reader.read()).done, true);
});

test("What nobody reads is not made: a bomb waits", async () => {
  const bomb = await compress("gzip", ...Array.from({ length: 64 }, () => new Uint8Array(1 << 20)));
  ok(bomb.length < 80_000, `${bomb.length} bytes`);
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  let written = false;
  const write = writer.write(bomb).then(() => { written = true; });
  const reader = stream.readable.getReader();
  let total = 0;
  for (let i = 0; i < 3; i++) {
    const { value } = await reader.read();
    ok(value.length <= 65_536, `a chunk of ${value.length} bytes`);
    total += value.length;
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  ok(!written);
  void writer.close();
  for (let next = await reader.read(); !next.done; next = await reader.read()) total += next.value.length;
  await write;
  equal(total, 64 << 20);
});

test("A reader may bring its own buffer", async () => {
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  void writer.write(unhex(KNOWN.deflate));
  void writer.close();
  const reader = stream.readable.getReader({ mode: "byob" });
  equal(new TextDecoder().decode((await reader.read(new Uint8Array(5))).value), "hello");
  equal(new TextDecoder().decode((await reader.read(new Uint8Array(50))).value), " world");
  const last = await reader.read(new Uint8Array(5));
  equal(last.done, true);
});

test("cancel() ends the writer, abort() the reader, with their reasons", async () => {
  for (const Stream of [CompressionStream, DecompressionStream]) {
    const cancelled = new Stream("gzip");
    const write = cancelled.writable.getWriter().write(unhex(KNOWN.gzip));
    await cancelled.readable.cancel(new RangeError("enough"));
    await rejects(write, "RangeError", "enough");
    const aborted = new Stream("gzip");
    const writer = aborted.writable.getWriter();
    const stuck = writer.write(unhex(KNOWN.gzip));
    stuck.catch(() => {});
    const read = collect(aborted.readable.pipeThrough(new TransformStream()));
    await writer.abort(new RangeError("stop"));
    await rejects(read, "RangeError", "stop");
  }
});

test("Patched prototypes change nothing", async () => {
  const { then } = Promise.prototype;
  const { subarray, set } = Uint8Array.prototype;
  const { enqueue } = ReadableByteStreamController.prototype;
  let result;
  try {
    Uint8Array.prototype.subarray = Uint8Array.prototype.set = ReadableByteStreamController.prototype.enqueue = () => { throw new Error("patched"); };
    result = await compress("deflate-raw", new TextEncoder().encode("hello world"));
  } finally {
    Object.assign(Uint8Array.prototype, { subarray, set });
    ReadableByteStreamController.prototype.enqueue = enqueue;
    Promise.prototype.then = then;
  }
  equal(hex(result), KNOWN["deflate-raw"]);
});

run();
