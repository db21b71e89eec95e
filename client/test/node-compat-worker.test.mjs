// What of Node.js's modules is a worker's own affair: who gets them, what they may not do, and that nothing of it breaks the rest.

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { connect } from "glovebox";

const supervisor = await connect({ console: "ignore" });
const { loader } = supervisor;
after(() => supervisor.close());

const load = (text, options = {}) => {
  const { modules, date = "2026-03-01", flags = ["nodejs_compat"], ...rest } = options;
  return loader.load({ compatibilityDate: date, compatibilityFlags: flags, mainModule: "m.js", modules: { "m.js": text, ...modules }, ...rest }).getEntrypoint();
};
const body = (code, imports = "") => `${imports}\nexport default { async run(input) { ${code} } };`;

test("without the flag there is no such module, and no global", async () => {
  await assert.rejects(async () => await load(`import "node:buffer"; export default { run() {} };`, { flags: [] }).run(null),
    { message: 'Failed to start Worker:\nUncaught Error: No such module "node:buffer".\n  imported from "m.js"' });
  const seen = await load(body("return ['Buffer', 'process', 'global', 'setImmediate', 'clearImmediate'].map((name) => name in globalThis);"), { flags: [] }).run(null);
  assert.deepEqual(seen, [false, false, false, false, false]);
  await assert.rejects(async () => await load(body("await import('node:fs');"), { flags: [] }).run(null), /No such module "node:fs"/);
});

test("from 2026-08-04 on it is there without a flag, unless a flag says no", async () => {
  const text = body("return typeof Buffer;");
  assert.equal(await load(text, { flags: [], date: "2026-08-03" }).run(null), "undefined");
  assert.equal(await load(text, { flags: [], date: "2026-08-04" }).run(null), "function");
  assert.equal(await load(text, { flags: ["no_nodejs_compat"], date: "2026-08-04" }).run(null), "undefined");
});

test("process.env holds env's plain values, by date and flags", async () => {
  const text = body("return { ...process.env };"), env = { S: "s", N: 5, O: { a: 1 } };
  const all = { S: "s", N: "5", O: '{"a":1}' };
  assert.deepEqual(await load(text, { env }).run(null), all);
  assert.deepEqual(await load(text, { env, date: "2025-03-31" }).run(null), {});
  assert.deepEqual(await load(text, { env, date: "2025-03-31", flags: ["nodejs_compat", "nodejs_compat_populate_process_env"] }).run(null), all);
  assert.deepEqual(await load(text, { env, flags: ["nodejs_compat", "nodejs_compat_do_not_populate_process_env"] }).run(null), {});
});

test("timers are numbers or Node.js's objects, by date and flags", async () => {
  const text = body("const t = setTimeout(() => {}, 1); clearTimeout(t); return typeof t;");
  assert.equal(await load(text, { date: "2026-02-09" }).run(null), "number");
  assert.equal(await load(text).run(null), "object");
  assert.equal(await load(text, { flags: ["nodejs_compat", "no_nodejs_global_timers"] }).run(null), "number");
});

test("a module of the worker's own goes before one of Node.js's", async () => {
  const entrypoint = load(body("return [own, typeof real.join, typeof bare.join];", "import own from 'os'; import real from 'node:path'; import bare from 'path';"), { modules: { os: { js: "export default 'mine'" } } });
  assert.deepEqual(await entrypoint.run(null), ["mine", "function", "function"]);
});

test("a CommonJS module requires them too, and createRequire() does", async () => {
  const entrypoint = load(body("return [cjs.join, createRequire('/x')('node:util').format('%s', 1), isBuiltin('fs'), isBuiltin('nope')];", "import cjs from './c.cjs'; import { createRequire, isBuiltin } from 'node:module';"),
    { modules: { "c.cjs": { cjs: "const path = require('path'); const { EventEmitter } = require('node:events'); exports.join = path.join('a', 'b') + typeof EventEmitter;" } } });
  assert.deepEqual(await entrypoint.run(null), ["a/bfunction", "1", true, false]);
});

test("what reaches for the machine can be imported and says what it cannot do", async () => {
  const names = ["fs", "fs/promises", "net", "http", "https", "http2", "child_process", "worker_threads", "dns", "tls", "vm", "v8", "cluster", "dgram", "readline", "repl", "inspector", "domain", "wasi", "trace_events"];
  const text = body(`const all = [];
    for (const name of ${JSON.stringify(names)}) { const module = await import("node:" + name); const f = Object.values(module.default).find((x) => typeof x === "function" && x.name !== "isIP"); try { f(); all.push(name + " did something"); } catch (e) { all.push(e.code); } }
    try { fs.readFileSync("/etc/passwd"); } catch (e) { all.push(e.message); }
    return all;`, "import fs from 'node:fs';");
  const all = await load(text).run(null);
  assert.equal(all.pop(), "The fs.readFileSync method is not implemented: a worker has no file system");
  assert.deepEqual(all, names.map(() => "ERR_METHOD_NOT_IMPLEMENTED"));
});

test("process.exit() ends the call and not the worker", async () => {
  const entrypoint = load(`import { WorkerEntrypoint } from "cloudflare:workers"; let n = 0; export default class extends WorkerEntrypoint { count() { return ++n; } leave() { process.exit(3); } }`);
  assert.equal(await entrypoint.count(), 1);
  await assert.rejects(async () => await entrypoint.leave(), /process\.exit\(3\) was called/);
  assert.equal(await entrypoint.count(), 2);
});

test("randomness is refused while modules are evaluated", async () => {
  await assert.rejects(async () => await load(body("", "import { randomBytes } from 'node:crypto'; randomBytes(4);")).run(null), /Disallowed operation called within global scope/);
});

test("AsyncLocalStorage keeps two calls at once apart, and lives across RPC", async () => {
  const text = `import { AsyncLocalStorage } from "node:async_hooks"; import { WorkerEntrypoint } from "cloudflare:workers";
    const als = new AsyncLocalStorage();
    export default class extends WorkerEntrypoint {
      run(name, tool) { return als.run(name, async () => { const seen = [als.getStore()]; seen.push(await tool(name), als.getStore()); await new Promise((r) => setTimeout(r, 1)); seen.push(als.getStore()); return seen; }); }
      async callback(tool) { return als.run("outer", async () => [await tool(() => String(als.getStore())), await tool(AsyncLocalStorage.bind(() => als.getStore())), als.getStore()]); }
    }`;
  const entrypoint = load(text);
  const tool = async (name) => { await new Promise((resolve) => setTimeout(resolve, name === "a" ? 5 : 1)); return `tool ${name}`; };
  assert.deepEqual(await Promise.all([entrypoint.run("a", tool), entrypoint.run("b", tool)]), [["a", "tool a", "a", "a"], ["b", "tool b", "b", "b"]]);
  // A callback is called from outside, with what it was bound to or nothing.
  assert.deepEqual(await entrypoint.callback(async (f) => f()), ["undefined", "outer", "outer"]);
});

test("a timer that was set within a storage belongs to its call", async () => {
  const text = `import { AsyncLocalStorage } from "node:async_hooks"; import { WorkerEntrypoint } from "cloudflare:workers";
    const als = new AsyncLocalStorage(); let late = 0;
    export default class extends WorkerEntrypoint { go() { als.run(1, () => setTimeout(() => { late++; }, 20)); } late() { return late; } wait() { return new Promise((r) => setTimeout(r, 60)); } }`;
  const entrypoint = load(text);
  await entrypoint.go();
  await entrypoint.wait();
  assert.equal(await entrypoint.late(), 0);
});

const endsWith = async (promise, code) => assert.equal(await promise.then(() => "came back", (error) => error.code ?? error.message), code);

test("too much memory for buffers ends as that limit", async () => {
  await endsWith(load(body("return Buffer.alloc(2 ** 33).length;")).run(null), "exceededMemory");
  await endsWith(load(body("const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 'x'));")).run(null), "exceededMemory");
});

test("a bomb of zlib's ends as the limit of memory, or where its reader said", async () => {
  const bomb = "let b = Buffer.alloc(1 << 20); b = zlib.gzipSync(b); const parts = []; for (let i = 0; i < 1000; i++) parts.push(b); const all = Buffer.concat(parts);";
  await endsWith(load(body(`${bomb} return zlib.gunzipSync(all).length;`, "import zlib from 'node:zlib';")).run(null), "exceededMemory");
  assert.equal(await load(body(`${bomb} try { zlib.gunzipSync(all, { maxOutputLength: 5e6 }); } catch (e) { return e.code; }`, "import zlib from 'node:zlib';")).run(null), "ERR_BUFFER_TOO_LARGE");
});

test("a bomb of brotli's ends as the limit of memory, or where its reader said", async () => {
  const streamed = "const to = zlib.createBrotliCompress(), packed = to.toArray(); const zeros = Buffer.alloc(1 << 20); for (let i = 0; i < 1000; i++) if (!to.write(zeros)) await new Promise((done) => to.once('drain', done)); to.end(); const all = Buffer.concat(await packed);";
  const imports = "import zlib from 'node:zlib';";
  await endsWith(load(body(`${streamed} return zlib.brotliDecompressSync(all).length;`, imports)).run(null), "exceededMemory");
  assert.equal(await load(body(`${streamed} try { zlib.brotliDecompressSync(all, { maxOutputLength: 5e6 }); } catch (e) { return e.code; }`, imports)).run(null), "ERR_BUFFER_TOO_LARGE");
});

test("streams of brotli's that are held count as memory", async () => {
  await endsWith(load(body("const held = []; for (;;) { const to = zlib.createBrotliCompress(); held.push(to); to._handle.writeSync(1, Buffer.alloc(1 << 16, 'x'), 0, 1 << 16, Buffer.alloc(100), 0, 100); }", "import zlib from 'node:zlib';")).run(null), "exceededMemory");
});

test("and so do those of CompressionStream's", async () => {
  await endsWith(load(body("const held = []; for (;;) { const { readable, writable } = new CompressionStream('brotli'); held.push(readable, writable); void writable.getWriter().write(new Uint8Array(200_000)); void readable.getReader().read(); await new Promise((done) => setTimeout(done)); }")).run(null), "exceededMemory");
});

test("brotli has no large windows and no dictionaries", async () => {
  const text = body("const all = []; for (const f of [() => zlib.brotliCompressSync('a', { params: { [zlib.constants.BROTLI_PARAM_LARGE_WINDOW]: true } }), () => zlib.brotliDecompressSync('a', { params: { [zlib.constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: true } }), () => zlib.brotliCompressSync('a', { dictionary: Buffer.from('a') })]) try { f(); all.push('did'); } catch (e) { all.push(e.message); } return all;", "import zlib from 'node:zlib';");
  const large = "Brotli has no large windows in a worker, only those of RFC 7932: leave out LARGE_WINDOW.";
  assert.deepEqual(await load(text).run(null), [large, large, "Brotli has no dictionaries in a worker: leave out options.dictionary, here and where the bytes come from."]);
});

test("ciphers that are held count as memory, and odd arguments of what they are made of break nothing", async () => {
  const imports = "import { createCipheriv } from 'node:crypto';";
  await endsWith(load(body("const held = []; for (;;) held.push(createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)));", imports)).run(null), "exceededMemory");
  const text = `const c = createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)), Base = c[Object.getOwnPropertySymbols(c)[0]].constructor;
    const odd = [undefined, null, 5, "12", 12.5, {}, { byteLength: 16 }, { byteLength: 32 }, [], Buffer.alloc(16), new Uint8Array(1 << 20), Symbol.iterator];
    let made = 0, threw = 0;
    for (const name of ["aes-128-gcm", "aes-256-cbc"]) for (const encrypt of [true, false]) for (const key of odd) for (const iv of odd) for (const tag of odd) {
      let base; try { base = new Base(encrypt, name, key, iv, tag); made++; } catch { threw++; continue; }
      for (const method of ["setAAD", "setAuthTag", "setAutoPadding", "update", "getAuthTag", "final", "final", "update", "getAuthTag"]) for (const argument of odd) try { base[method](argument); } catch { threw++; }
    }
    return [Base.name, made > 0, threw > 0];`;
  assert.deepEqual(await load(body(text, imports)).run(null), ["CipherBase", true, true]);
});

test("a handle of node:zlib's that was not opened, or is used oddly, breaks nothing", async () => {
  const text = `const odd = [undefined, null, -1, 2, 77, 1.5, {}, "x", Buffer.alloc(100), new Uint32Array(40), () => {}];
    let threw = 0;
    for (const { _handle } of [zlib.createGzip(), zlib.createGunzip(), zlib.createBrotliCompress(), zlib.createBrotliDecompress()]) for (const argument of odd) {
      for (const handle of [new _handle.constructor(1), _handle]) for (const method of ["reset", "params", "writeSync", "close", "reset", "writeSync"]) {
        try { handle[method](argument, argument, argument, argument, Buffer.alloc(10), argument, argument); } catch { threw++; }
        try { handle[method](2, Buffer.alloc(1000), 0, 1000, Buffer.alloc(10), 0, 10); } catch { threw++; }
      }
    }
    return threw > 100;`;
  assert.equal(await load(body(text, "import zlib from 'node:zlib';")).run(null), true);
});

test("an endless chain of ticks ends as the limit of CPU time, and the worker goes on", async () => {
  const entrypoint = loader.load({ compatibilityDate: "2026-03-01", compatibilityFlags: ["nodejs_compat"], mainModule: "m.js", limits: { cpuMs: 50 }, modules: { "m.js": body("if (input) { const again = () => process.nextTick(again); again(); await new Promise(() => {}); } return 'fine';") } }).getEntrypoint();
  await endsWith(entrypoint.run(true), "exceededCpu");
  assert.equal(await entrypoint.run(false), "fine");
});

test("derivations that take too long are refused", async () => {
  const text = body("const all = []; for (const f of [() => c.pbkdf2Sync('a', 'b', 1e9, 32, 'sha512'), () => c.scryptSync('a', 'b', 32, { N: 2 ** 24, maxmem: 2 ** 40 })]) try { f(); all.push('did'); } catch (e) { all.push(e.message); } return all;", "import c from 'node:crypto';");
  assert.deepEqual(await load(text).run(null), ["Pbkdf2 failed: iteration counts above 100000 are not supported (requested 1000000000).", "Scrypt failed: N * r * p above 1048576 is not supported (requested 134217728)."]);
});

test("natives that user code reaches check what they are given", async () => {
  const text = body(`const P = Buffer.prototype, odd = [undefined, null, 5, -1, 2 ** 53, NaN, "x", {}, [], Symbol("s"), 10n, new Proxy({}, {}), new Uint8Array(0), new ArrayBuffer(8), { valueOf() { return 1; } }, new Uint8Array(new ArrayBuffer(8).transfer ? new ArrayBuffer(8) : 8)];
    const detached = new Uint8Array(16); detached.buffer.transfer(); odd.push(detached, new DataView(new ArrayBuffer(4)), new Uint8Array(new SharedArrayBuffer(8)));
    let calls = 0, state = 7; const pick = () => odd[(state = (state * 1103515245 + 12345) % 2147483648) % odd.length];
    const names = Object.getOwnPropertyNames(P).filter((name) => typeof Object.getOwnPropertyDescriptor(P, name).value === "function");
    for (let round = 0; round < 60; round++) for (const name of names) { calls++; try { P[name].call(pick(), pick(), pick(), pick(), pick(), pick()); } catch {} }
    for (let round = 0; round < 60; round++) for (const name of ["compare", "concat", "from", "byteLength", "copyBytesFrom", "isEncoding"]) { calls++; try { Buffer[name](pick(), pick(), pick()); } catch {} }
    return calls > 3000;`);
  assert.equal(await load(text).run(null), true);
});

test("spoiled prototypes harm only who spoils them: the library and the runtime go on", async () => {
  const text = body(`for (const of of [Array.prototype, Map.prototype, Set.prototype, String.prototype, Promise.prototype, Function.prototype, Uint8Array.prototype, Object.getPrototypeOf(Uint8Array.prototype), RegExp.prototype])
      for (const name of Object.getOwnPropertyNames(of)) { if (name === "constructor") continue; const { value, configurable } = Object.getOwnPropertyDescriptor(of, name); if (typeof value === "function" && configurable) Object.defineProperty(of, name, { value() { throw new Error("spoiled " + name); }, configurable: true }); }
    const als = new AsyncLocalStorage();
    return { a: path.posix.normalize("/a/../b"), b: Buffer.from("hi", "utf8").toString("hex"), c: util.format("%d", 5), d: als.run(4, () => als.getStore())};`,
    "import { AsyncLocalStorage } from 'node:async_hooks'; import path from 'node:path'; import util from 'node:util';");
  const entrypoint = load(text);
  assert.deepEqual(await entrypoint.run(null), { a: "/b", b: "6869", c: "5", d: 4 });
});

test("nothing of the runtime's can be had through the modules", async () => {
  const text = body(`const found = []; const seen = new Set();
    const look = (value, path) => {
      if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value) || path.length > 6) return;
      seen.add(value);
      for (const key of Reflect.ownKeys(value)) {
        if (/^(internalBinding|primordials|native|nodeLibrary|hooks|requireInternal|setContinuation|privateSymbol)$/.test(String(key))) found.push([...path, key].join("."));
        const descriptor = Object.getOwnPropertyDescriptor(value, key);
        look(descriptor.value, [...path, String(key)]); look(descriptor.get, [...path, String(key)]);
      }
      look(Object.getPrototypeOf(value), [...path, "__proto__"]);
    };
    for (const name of builtinModules) look((await import("node:" + name)).default, [name]);
    look(globalThis, []);
    return [found, seen.size > 1000];`, "import { builtinModules } from 'node:module';");
  assert.deepEqual(await load(text).run(null), [[], true]);
});

test("process.stdout is the console's lines", async () => {
  const lines = [];
  const other = await connect({ console: (line) => lines.push(line.text ?? line.message ?? line) });
  after(() => other.close());
  await other.loader.load({ compatibilityDate: "2026-03-01", compatibilityFlags: ["nodejs_compat"], mainModule: "m.js", modules: { "m.js": body("process.stdout.write('half '); process.stdout.write('line\\nrest'); console.log('end');") } }).getEntrypoint().run(null);
  for (let i = 0; i < 500 && !lines.some((line) => String(line).includes("end")); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(lines.some((line) => String(line).includes("half line")), JSON.stringify(lines));
});
