import zlib from "node:zlib";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { promisify } from "node:util";

const failure = (run) => { try { run(); return "nothing"; } catch (e) { return [e.name, e.code, e.message, e.errno]; } };
const TEXT = Buffer.from(Array.from({ length: 3000 }, (_, i) => `line ${i * i % 977} of ${i % 13}`).join("\n"));
const hex = (bytes) => `${bytes.length}:${zlib.crc32(bytes)}`;
const collect = async (stream) => Buffer.concat(await stream.toArray());

export const cases = {
  "there, the same bytes": () => ["gzipSync", "deflateSync", "deflateRawSync"].map((name) => [hex(zlib[name](TEXT)), hex(zlib[name](TEXT, { level: 1 })), hex(zlib[name](TEXT, { level: 9, memLevel: 9, windowBits: 12, strategy: 1 })), hex(zlib[name](""))]),
  "and back": () => [["gzipSync", "gunzipSync"], ["deflateSync", "inflateSync"], ["deflateRawSync", "inflateRawSync"], ["gzipSync", "unzipSync"], ["deflateSync", "unzipSync"]].map(([to, from]) => zlib[from](zlib[to](TEXT)).equals(TEXT)),
  "small chunks": () => [hex(zlib.gzipSync(TEXT, { chunkSize: 64 })), zlib.gunzipSync(zlib.gzipSync(TEXT), { chunkSize: 100 }).equals(TEXT)],
  "chunks larger than a step": () => zlib.inflateSync(zlib.deflateSync(Buffer.alloc(3_000_000, "ab")), { chunkSize: 4 << 20 }).length,
  "dictionaries": () => { const dictionary = Buffer.from("line of 12"); const d = zlib.deflateSync(TEXT, { dictionary }); return [hex(d), zlib.inflateSync(d, { dictionary }).equals(TEXT), failure(() => zlib.inflateSync(d)), failure(() => zlib.inflateSync(d, { dictionary: Buffer.from("x") })), zlib.inflateRawSync(zlib.deflateRawSync(TEXT, { dictionary }), { dictionary }).equals(TEXT)]; },
  "broken": () => [failure(() => zlib.gunzipSync(Buffer.from("hello world"))), failure(() => zlib.inflateSync(zlib.deflateSync(TEXT).subarray(0, 200))), failure(() => zlib.inflateRawSync(Buffer.from([7, 1, 2]))), failure(() => zlib.inflateSync("x")), failure(() => zlib.gunzipSync(5)), failure(() => zlib.gzipSync(TEXT, { level: 99 }))],
  "cut, but wanted so": () => zlib.inflateSync(zlib.deflateSync(TEXT).subarray(0, 2000), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).length,
  "members and what follows": () => [zlib.gunzipSync(Buffer.concat([zlib.gzipSync("a"), zlib.gzipSync("b")])).toString(), zlib.gunzipSync(Buffer.concat([zlib.gzipSync("a"), Buffer.alloc(5)])).toString(), failure(() => zlib.gunzipSync(Buffer.concat([zlib.gzipSync("a"), Buffer.from("x")]))), zlib.inflateSync(Buffer.concat([zlib.deflateSync("a"), Buffer.from("x")])).toString()],
  "callbacks": async () => [hex(await promisify(zlib.gzip)(TEXT)), (await promisify(zlib.gunzip)(zlib.gzipSync(TEXT))).equals(TEXT), await promisify(zlib.inflate)(Buffer.from("bad!")).catch((e) => [e.code, e.errno, e.message])],
  "streams": async () => { const gzip = zlib.createGzip(), out = collect(gzip); for (let i = 0; i < TEXT.length; i += 777) gzip.write(TEXT.subarray(i, i + 777)); gzip.end(); const bytes = await out; return [hex(bytes), (await collect(Readable.from([bytes]).pipe(zlib.createGunzip()))).equals(TEXT), gzip.bytesWritten]; },
  "a broken stream": () => pipeline(Readable.from([Buffer.from("not gzip at all")]), zlib.createGunzip(), async (s) => { for await (const _ of s); }),
  "flushes": () => new Promise((resolve) => { const d = zlib.createDeflate(), seen = []; d.on("data", (x) => seen.push(x.toString("hex"))); d.write("abc"); d.flush(() => { seen.push("flushed"); d.params(9, 0, () => { d.end("def", () => setTimeout(() => resolve(seen), 5)); }); }); }),
  "reset": () => { const d = zlib.createDeflate(); d.reset(); d.close(); return failure(() => d.reset())[1]; },
  "a bound on what comes out": () => failure(() => zlib.gunzipSync(zlib.gzipSync(Buffer.alloc(100_000)), { maxOutputLength: 1000 })),
  "checksums": () => [zlib.crc32("hello"), zlib.crc32(Buffer.from("lo"), zlib.crc32("hel"))],
  "constants": () => [Object.keys(zlib.constants).length, zlib.codes.Z_DATA_ERROR],
};
