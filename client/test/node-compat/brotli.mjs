import zlib from "node:zlib";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { promisify } from "node:util";

const { BROTLI_PARAM_QUALITY: QUALITY, BROTLI_PARAM_LGWIN: WINDOW, BROTLI_PARAM_LGBLOCK: BLOCK, BROTLI_PARAM_MODE: MODE, BROTLI_PARAM_SIZE_HINT: HINT,
        BROTLI_PARAM_NPOSTFIX: POSTFIX, BROTLI_PARAM_NDIRECT: DIRECT, BROTLI_OPERATION_FLUSH: FLUSH, BROTLI_MODE_TEXT: TEXT_MODE, BROTLI_MODE_FONT: FONT_MODE } = zlib.constants;
const failure = (run) => { try { run(); return "nothing"; } catch (e) { return [e.name, e.code, e.message, e.errno]; } };
const TEXT = Buffer.from(Array.from({ length: 3000 }, (_, i) => `line ${i * i % 977} of ${i % 13}`).join("\n"));
const NOISE = Buffer.from(Uint32Array.from({ length: 400_000 }, (_, i) => Math.imul(i ^ (i >>> 7), 2654435761)).buffer);
const hex = (bytes) => `${bytes.length}:${zlib.crc32(bytes)}`;
const collect = async (stream) => Buffer.concat(await stream.toArray());
// What a worker has as well: see DESIGN.
const params = (quality, more) => ({ params: { [QUALITY]: quality, [WINDOW]: 18, ...more } });
const there = (bytes, options = params(5)) => zlib.brotliCompressSync(bytes, options);
const back = zlib.brotliDecompressSync;
const inPieces = (bytes, size) => Readable.from((function* () { for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size); })());

export const cases = {
  "there, the same bytes": () => [0, 1, 2, 3, 4, 5].map((quality) => [hex(there(TEXT, params(quality))), hex(there("", params(quality)))]),
  "long input, the same bytes": () => [2, 3, 4, 5].map((quality) => hex(there(NOISE, params(quality)))),
  "parameters, the same bytes": () => [{ [MODE]: TEXT_MODE }, { [MODE]: FONT_MODE }, { [WINDOW]: 10 }, { [WINDOW]: 16, [BLOCK]: 16 }, { [HINT]: TEXT.length }, { [HINT]: 0 }, { [POSTFIX]: 1, [DIRECT]: 2 }].map((more) => hex(there(TEXT, params(5, more)))),
  "and back": () => [0, 1, 5, 9, 11, 99].map((quality) => back(there(TEXT, params(quality))).equals(TEXT)),
  "whatever Node.js makes by default": () => [back(zlib.brotliCompressSync(TEXT)).equals(TEXT), back(zlib.brotliCompressSync(NOISE, params(4, { [WINDOW]: 24, [BLOCK]: 24 }))).equals(NOISE), back(zlib.brotliCompressSync("")).length],
  "small chunks and large ones": () => [hex(there(TEXT, { ...params(5), chunkSize: 64 })), back(there(TEXT), { chunkSize: 100 }).equals(TEXT), back(there(NOISE), { chunkSize: 4 << 20 }).equals(NOISE), hex(there(NOISE, { ...params(5), chunkSize: 4 << 20 }))],
  "broken": () => [failure(() => back(Buffer.from("hello world"))), failure(() => back(TEXT)), failure(() => back(Buffer.alloc(20, 255))), failure(() => back(there(TEXT).fill(0x55, 200, 300))), failure(() => back(5)), failure(() => back(""))],
  "cut": () => { const all = there(TEXT); return [1, 2, 10, 200, all.length - 1].map((size) => failure(() => back(all.subarray(0, size)))); },
  "cut, but wanted so": () => back(there(TEXT).subarray(0, 1000), { finishFlush: FLUSH }).length,
  "what follows": () => [back(Buffer.concat([there("a"), Buffer.from("x")])).toString(), failure(() => back(Buffer.concat([there("a"), there("b")]), { rejectGarbageAfterEnd: true }))],
  "odd options": () => [{ params: { nope: 1 } }, { params: { 77: 1 } }, { params: { [QUALITY]: "5" } }, { params: { [POSTFIX]: 9 } }, { params: { [MODE]: 77 } }, { params: { [WINDOW]: true } }, { flush: 7 }, { chunkSize: 3 }, { maxOutputLength: 0 }, { dictionary: 5 }].map((options) => failure(() => there("a", options))),
  "a decoder's options": () => [back(there(TEXT), { params: { [zlib.constants.BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION]: true } }).equals(TEXT), failure(() => back(there(TEXT), { params: { 5: 1 } }))],
  "a bound on what comes out": () => failure(() => back(there(Buffer.alloc(100_000)), { maxOutputLength: 1000 })),
  "callbacks": async () => [hex(await promisify(zlib.brotliCompress)(TEXT, params(5))), (await promisify(zlib.brotliDecompress)(there(TEXT))).equals(TEXT), await promisify(zlib.brotliDecompress)(Buffer.from("bad!")).catch((e) => [e.code, e.errno, e.message])],
  "streams": async () => { const results = []; for (const size of [1, 7, 777, 65_537]) { const packed = await collect(inPieces(TEXT, size).pipe(zlib.createBrotliCompress(params(5)))); results.push(hex(packed), (await collect(inPieces(packed, size).pipe(zlib.createBrotliDecompress()))).equals(TEXT)); } return results; },
  "long streams": async () => { const to = zlib.createBrotliCompress(params(5)), packed = await collect(inPieces(NOISE, 100_003).pipe(to)); return [hex(packed), to.bytesWritten, (await collect(inPieces(packed, 300_007).pipe(zlib.createBrotliDecompress()))).equals(NOISE)]; },
  "a broken stream": () => pipeline(inPieces(Buffer.from("not brotli at all"), 3), zlib.createBrotliDecompress(), async (s) => { for await (const _ of s); }),
  "a cut stream": () => pipeline(inPieces(there(TEXT).subarray(0, 500), 7), zlib.createBrotliDecompress(), async (s) => { for await (const _ of s); }),
  "flushes": () => new Promise((resolve) => { const b = zlib.createBrotliCompress(params(5)), seen = []; b.on("data", (x) => seen.push(x.toString("hex"))); b.write("abc"); b.flush(() => { seen.push("flushed"); b.flush(() => { seen.push("again"); b.end("def", () => setTimeout(() => resolve(seen), 5)); }); }); }),
  "what was flushed can be read": () => new Promise((resolve) => { const b = zlib.createBrotliCompress(params(5)), from = zlib.createBrotliDecompress(); b.pipe(from); from.on("data", (x) => resolve(x.toString())); b.write("abc"); b.flush(); }),
  "reset": () => { const b = zlib.createBrotliCompress(); b.reset(); b.close(); return failure(() => b.reset())[1]; },
  "classes": () => [zlib.createBrotliCompress() instanceof zlib.BrotliCompress, new zlib.BrotliDecompress() instanceof zlib.BrotliDecompress, zlib.BrotliCompress.name],
};
