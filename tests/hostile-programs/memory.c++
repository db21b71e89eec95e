#include "tests/hostile-programs/program.h"

namespace glovebox::test {
namespace {

// (module (memory 1) (table 1 funcref)
//   (func (export "spin") (loop (br 0)))
//   (func (export "grow") (loop (drop (memory.grow (i32.const 16))) (br 0)))
//   (func (export "growTable") (loop (drop (table.grow 0 (ref.null func) (i32.const 65536))) (br 0))))
// WebAssembly is compiled while modules are evaluated, and at no other time.
std::string wasm(const std::string& body) {
  return R"(const module = new WebAssembly.Module(new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0,
      1, 4, 1, 96, 0, 0,
      3, 4, 3, 0, 0, 0,
      4, 4, 1, 112, 0, 1,
      5, 3, 1, 0, 1,
      7, 27, 3, 4, 115, 112, 105, 110, 0, 0, 4, 103, 114, 111, 119, 0, 1, 9, 103, 114, 111, 119, 84, 97, 98, 108, 101, 0, 2,
      10, 40, 3,
      7, 0, 3, 64, 12, 0, 11, 11,
      12, 0, 3, 64, 65, 16, 64, 0, 26, 12, 0, 11, 11,
      17, 0, 3, 64, 208, 112, 65, 128, 128, 4, 252, 15, 0, 26, 12, 0, 11, 11,
    ]));
    const wasm = () => new WebAssembly.Instance(module).exports;
)" + moduleWith(body);
}

}  // namespace

HostilePrograms memory() {
  return {
      exhausts("Heap", "const keep = []; for (;;) keep.push(new Array(1000).fill({}))"),
      exhausts("HeapThatCatches", "const keep = []; for (;;) try { for (;;) keep.push(new Array(1000).fill({})) } catch {}"),
      exhausts("HeapInFinally", "const keep = []; const f = () => { try { for (;;) keep.push({}) } finally { f() } }; f()"),
      exhaustsAtStart("HeapAtTopLevel", "const keep = []; for (;;) keep.push(new Array(1000).fill({}))"),
      exhausts("Texts", "const keep = []; for (let i = 0;; i++) keep.push((i + 'x').repeat(1e6).split(''))"),
      exhausts("OneLongText", "const keep = []; for (let i = 0;; i++) keep.push(('x'.repeat(1e6) + i).replaceAll('x', 'yy'))"),
      exhausts("JoinedText", "const keep = []; for (;;) keep.push(new Array(1e5).fill('0123456789').join())"),
      exhausts("SplitText", "return 'x'.repeat(2e7).split('').length"),
      exhausts("Numbers", "const keep = []; for (let i = 0;; i++) keep.push(i + 0.5)"),
      exhausts("BigInts", "const keep = []; for (let i = 0n;; i++) keep.push((1n << 100000n) + i)"),
      exhausts("Symbols", "const keep = []; for (;;) keep.push(Symbol('a symbol of mine'))"),
      exhausts("SymbolsOfTheRegistry", "for (let i = 0;; i++) Symbol.for('symbol ' + i)"),
      exhausts("Properties", "const o = {}; for (let i = 0;; i++) o['name' + i] = i"),
      exhausts("Maps", "const map = new Map(); for (let i = 0;; i++) map.set(i, {})"),
      exhausts("Sets", "const set = new Set(); for (let i = 0;; i++) set.add('member ' + i)"),
      exhausts("WeakMaps", "const keep = [], map = new WeakMap(); for (;;) { const key = {}; keep.push(key); map.set(key, new Array(100)) }"),
      exhausts("Closures", "let f = () => {}; for (;;) { const g = f; f = () => g }"),
      exhausts("Generators", "const keep = []; for (;;) { const g = (function* () { yield keep })(); g.next(); keep.push(g) }"),
      exhausts("RegExps", "const keep = []; for (let i = 0;; i++) { const r = new RegExp('a{1,100}' + i); r.test('a'); keep.push(r) }"),
      exhausts("Dates", "const keep = []; for (;;) keep.push(new Date())"),
      exhausts("Promises", "const keep = []; for (;;) keep.push(new Promise(() => {}))"),
      exhausts("PromiseAllOfMany", "return Promise.all(Array.from({ length: 1e7 }, () => Promise.resolve()))"),
      exhausts("RecursiveAsyncFunction", "const f = async () => { await null; await f() }; await f()"),
      exhausts("MicrotasksThatDouble", "const f = () => { queueMicrotask(f); queueMicrotask(f) }; f(); await new Promise(() => {})"),
      exhausts("QueueOfAStream", "new ReadableStream({ start(c) { for (;;) c.enqueue(new Array(100)) } })"),
      exhausts("CompressionStreams", "const keep = []; for (;;) keep.push(new CompressionStream('gzip'))"),
      exhausts("DecompressedIntoMemory", R"(const keep = [];
          const zip = new CompressionStream('gzip'), writer = zip.writable.getWriter();
          (async () => { for (let i = 0; i < 50; i++) await writer.write(new Uint8Array(1e6)); await writer.close() })();
          for await (const chunk of zip.readable.pipeThrough(new DecompressionStream('gzip'))) keep.push(chunk))"),
      exhausts("Keys", R"(const keep = [];
          for (;;) keep.push(await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign'])))"),
      comesTo("KeysThatAreDropped", R"(for (let i = 0; i < 5000; i++) await crypto.subtle.generateKey('Ed25519', true, ['sign']);
          return 'ok')", "value \"ok\""),
      exhausts("SecretKeys", R"(const keep = [];
          for (;;) keep.push(await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-512', length: 1 << 20 }, true, ['sign'])))"),
      exhausts("SpreadWithoutAnEnd", "return [...{ *[Symbol.iterator]() { for (;;) yield {} } }]"),
      exhausts("ArrayFromALength", "return Array.from({ length: 1e9 }, () => ({}))"),
      exhausts("ArrayFilledAtOnce", "return new Array(1e8).fill(0)"),
      exhausts("ArrayThatDoubles", "let a = [1]; for (;;) a = a.concat(a)"),
      exhausts("ArrayThatIsFlattened", "let a = [1]; for (let i = 0; i < 30; i++) a = [a, a]; return a.flat(Infinity)"),
      exhausts("ArraySpread", "let a = new Array(1000).fill(1); for (;;) a = [...a, ...a]"),
      exhausts("ClonesThatDouble", "const keep = [new Array(10000).fill('x')]; for (;;) keep.push(structuredClone(keep))"),
      exhausts("JsonThatIsParsed", "return JSON.parse('[' + '{\"a\":1},'.repeat(2e6) + '0]').length"),
      exhausts("JsonThatIsWritten", "const keep = []; for (;;) keep.push(JSON.stringify(new Array(1e5).fill(keep.length)).split(','))"),
      exhausts("ArrayBuffers", "const keep = []; for (;;) keep.push(new Uint8Array(1 << 20).fill(1))"),
      exhausts("OneHugeTypedArray", "return new Float64Array(1e9).length"),
      exhausts("ResizableArrayBuffer", "const b = new ArrayBuffer(1, { maxByteLength: 1 << 30 }); for (;;) { b.resize(b.byteLength + (1 << 20)); new Uint8Array(b).fill(1) }"),
      exhausts("SharedArrayBuffers", "const keep = []; for (;;) keep.push(new SharedArrayBuffer(1 << 20))"),
      exhausts("GrowableSharedArrayBuffer", "const b = new SharedArrayBuffer(1, { maxByteLength: 1 << 30 }); for (;;) { b.grow(b.byteLength + (1 << 20)); new Uint8Array(b).fill(1) }"),
      exhausts("ArrayBuffersTransferred", "let b = new ArrayBuffer(1 << 20); for (;;) b = b.transfer(b.byteLength * 2)"),
      exhausts("EncodedText", "const keep = []; for (;;) keep.push(new TextEncoder().encode('\\u20ac'.repeat(1e6)))"),
      exhausts("DecodedText", "const keep = []; for (;;) keep.push(new TextDecoder('latin1').decode(new Uint8Array(1e6).fill(200)))"),
      exhausts("Base64", "const keep = []; for (;;) keep.push(btoa('x'.repeat(1e6)))"),
      exhausts("Urls", "const keep = []; for (let i = 0;; i++) keep.push(new URL('http://host/' + 'x'.repeat(1e5) + i))"),
      exhausts("DateFormats", "const keep = []; for (;;) keep.push(new Intl.DateTimeFormat('de'))"),
      exhausts("NumberFormats", "const keep = []; for (;;) { const f = new Intl.NumberFormat('de'); f.format(1); keep.push(f) }"),
      exhausts("Collators", "const keep = []; for (;;) keep.push(new Intl.Collator('de'))"),
      exhausts("Segmenters", "const keep = []; for (;;) keep.push(new Intl.Segmenter('th', { granularity: 'word' }).segment('x'.repeat(1e5))[Symbol.iterator]())"),
      exhausts("WasmMemoryFromOutside", "const m = new WebAssembly.Memory({ initial: 1 }); for (;;) m.grow(64)"),
      exhausts("WasmMemories", "const keep = []; for (;;) keep.push(new WebAssembly.Memory({ initial: 16 }))"),
      exhausts("WasmTables", "const keep = []; for (;;) keep.push(new WebAssembly.Table({ element: 'anyfunc', initial: 1e6 }))"),
      exhaustsAtStart("WasmInstances", wasm("const keep = []; for (;;) keep.push(wasm())")),
      exhaustsAtStart("WasmTableFromInside", wasm("wasm().growTable()")),
      // A refusal is an answer inside WebAssembly (-1), so who goes on asking runs into the next limit.
      burnsAtStart("WasmMemoryFromInside", wasm("wasm().grow()")),
      burnsAtStart("WasmLoop", wasm("wasm().spin()")),
      comesTo("ArrayBufferThatIsCaught", "try { new ArrayBuffer(2 ** 36) } catch (e) { return e.name }", "value \"RangeError\""),
      comesTo("ArrayLengthTooLarge", "return new Array(2 ** 32)", "thrown RangeError", "Invalid array length"),
  };
}

}  // namespace glovebox::test
