import util, { format, inspect, promisify, callbackify, inherits, isDeepStrictEqual, types, TextEncoder as Encoder, parseArgs, styleText, stripVTControlCharacters, toUSVString, deprecate, debuglog, MIMEType, getSystemErrorName } from "node:util";
import { isProxy } from "node:util/types";

class Point { #hidden = 1; constructor() { this.x = 1; } get y() { return 2; } [inspect.custom](depth, options) { return `Point<${typeof options.stylize}>`; } }
class Plain { a = 1; static s = 2; }

export const cases = {
  "inspect values": () => [inspect([1, , 3, -0, NaN, 10n, "a'b", Symbol("s"), null, undefined, true]), inspect({ a: { b: { c: { d: 1 } } } }), inspect("it's")],
  "inspect objects": () => inspect([new Plain(), Plain, new Point(), Object.create(null), Object.create({ constructor: undefined }), new (class extends Map {})([[1, { a: 2 }]]), new Set(["a"]), [1, 2, 3].values(), new Map([[1, 2]]).entries()], { depth: 4 }),
  "inspect circles": () => { const a = { name: "a" }; a.self = a; a.list = [a]; return inspect(a); },
  "inspect errors": () => { const e = new TypeError("bad", { cause: "why" }); e.stack = "TypeError: bad\n    at there"; e.code = "X"; return inspect(e); },
  "inspect functions": () => inspect([() => {}, async function f() {}, function* g() {}, class A extends Plain {}, Object.assign(function h() {}, { p: 1 })]),
  "inspect promises": () => inspect([Promise.resolve(4), new Promise(() => {}), new Proxy({ a: 1 }, {}), new WeakMap(), Object(1), Object("x"), Object(Symbol("y")), new Date(0), /a/g]),
  "inspect with options": () => [inspect({ a: 1, b: [1, 2, 3, 4] }, { compact: false, maxArrayLength: 2 }), inspect("x".repeat(50), { maxStringLength: 10 }), inspect({ b: 1, a: 2 }, { sorted: true }), inspect(new Proxy({ a: 1 }, {}), { showProxy: true }), inspect({ get a() { return 5; }, set b(v) {} }, { getters: true }), inspect({ a: "x" }, { colors: true })],
  "inspect long lists": () => inspect(Array.from({ length: 120 }, (_, i) => i)),
  "inspect typed arrays": () => inspect([new Uint8Array(3), new Float64Array([1.5]), new ArrayBuffer(4), new DataView(new ArrayBuffer(2))]),
  "inspect hidden": () => inspect(Object.defineProperty({}, "h", { value: 1 }), { showHidden: true }),
  "format": () => [format("%s %d %i %f %j %o %O %c %%", "a", "42", 3.7, "1.5", { a: 1 }, [1], { b: 2 }, "css"), format("%s", Symbol("x"), -0, 5n, null), format(1, "a", {}), format("%s", { toString() { return "own"; } })],
  "promisify": async () => [await promisify((x, cb) => cb(null, x + 1))(1), await promisify(setTimeout)(1, "v")],
  "promisify that fails": () => promisify((cb) => cb(Object.assign(new Error("no"), { code: "E" })))(),
  "promisify of what is none": () => promisify(5),
  "callbackify": () => new Promise((resolve) => callbackify(async (x) => x * 2)(4, (error, value) => resolve([error, value]))),
  "inherits": () => { function A() {} function B() {} inherits(A, B); return [new A() instanceof B, A.super_ === B]; },
  "isDeepStrictEqual": () => [isDeepStrictEqual({ a: [1, new Map([[1, new Set([2])]])] }, { a: [1, new Map([[1, new Set([2])]])] }), isDeepStrictEqual([1], ["1"]), isDeepStrictEqual(new Date(1), new Date(2)), isDeepStrictEqual(NaN, NaN), isDeepStrictEqual(0, -0), isDeepStrictEqual(Object(1), Object(1))],
  "types": () => ["isDate", "isRegExp", "isMap", "isSet", "isPromise", "isProxy", "isTypedArray", "isUint8Array", "isGeneratorFunction", "isAsyncFunction", "isNativeError", "isBoxedPrimitive", "isAnyArrayBuffer", "isArgumentsObject", "isModuleNamespaceObject", "isExternal", "isSymbolObject", "isWeakMap", "isMapIterator"].map((name) => [name, [new Date(), /a/, new Map(), new Set(), Promise.resolve(), new Proxy({}, {}), new Uint8Array(), function* () {}, async () => {}, new Error(), Object(1), new ArrayBuffer(1), (function () { return arguments; })(), Object(Symbol()), new WeakMap(), new Map().keys(), 5, null].map((value) => types[name](value) ? 1 : 0).join("")]),
  "types again": () => [isProxy(new Proxy({}, {})), util.types === types],
  "TextEncoder": () => [new Encoder().encode("é"), util.TextDecoder === globalThis.TextDecoder],
  "parseArgs": () => parseArgs({ args: ["-f", "--bar=b", "pos"], options: { f: { type: "boolean", short: "f" }, bar: { type: "string" } }, allowPositionals: true }),
  "parseArgs that fails": () => parseArgs({ args: ["--no"], options: {} }),
  "styles": () => [stripVTControlCharacters("\u001b[31mx\u001b[0m"), styleText("red", "x", { validateStream: false })],
  "small ones": () => [toUSVString("a\ud800"), typeof deprecate(() => 1, "old", "DEP0"), debuglog("x").enabled, new MIMEType("text/html; charset=utf-8").params.get("charset"), util.aborted.name],
  "names": () => Object.keys(util).filter((name) => name !== "setTraceSigInt").sort().join(),
  "a wrong argument": () => util.inherits(1, 2),
  "inspect spoiled": () => { const { join } = Array.prototype; Array.prototype.join = () => "spoiled"; try { return inspect({ a: [1, 2], b: new Map([["k", 1]]) }); } finally { Array.prototype.join = join; } },
};
