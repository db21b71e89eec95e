// What arrives at another process: worker/engine/value-v8-*.c++ there and back.
import { equal, ok, run, same, test, throws } from "./harness.js";

test("Primitives arrive as they were", () => {
  for (const value of [undefined, null, true, false, 0, -0, 1, -1.5, NaN, Infinity, -Infinity, 2 ** 53, 5e-324, "", "a", "ä€😀", "\0x",
    "\ud800", "a\udc00b", "\udc00\ud800", 0n, -1n, 123456789012345678901234567890n, -(2n ** 64n), 2n ** 63n]) {
    equal(rpcClone(value), value);
    equal(rpcClone({ value }).value, value);
  }
});

test("A long text keeps every character", () => {
  const text = "x😀é".repeat(50_000);
  equal(rpcClone(text), text);
});

test("Boxed primitives stay boxed", () => {
  for (const value of [new Number(-0), new String("a\ud800"), new Boolean(false), Object(5n)]) {
    const clone = rpcClone(value);
    ok(clone !== value && typeof clone === "object");
    equal(clone.valueOf(), value.valueOf());
    equal(Object.getPrototypeOf(clone), Object.getPrototypeOf(value));
  }
});

test("Dates and regular expressions keep their value", () => {
  equal(rpcClone(new Date(1e12)).getTime(), 1e12);
  equal(rpcClone(new Date(NaN)).getTime(), NaN);
  for (const pattern of [/a/, /a\/b/dgimsuy, /[\p{L}--a]/v, new RegExp("")]) {
    const clone = rpcClone(pattern);
    equal(clone.source, pattern.source);
    equal(clone.flags, pattern.flags);
    equal(clone.lastIndex, 0);
  }
});

test("Plain objects keep the order of their properties", () => {
  same(rpcClone({ b: 1, a: { c: [] }, 2: "two", 1: "one", "": 0 }), { b: 1, a: { c: [] }, 2: "two", 1: "one", "": 0 });
});

test("Symbols and hidden properties stay behind", () => {
  const value = { a: 1, [Symbol("s")]: 2 };
  Object.defineProperty(value, "hidden", { value: 3 });
  same(Reflect.ownKeys(rpcClone(value)), ["a"]);
});

test("A getter runs once and its value arrives", () => {
  let runs = 0;
  const clone = rpcClone({ get a() { return ++runs; } });
  equal(runs, 1);
  same(Object.getOwnPropertyDescriptor(clone, "a"), { value: 1, writable: true, enumerable: true, configurable: true });
});

test("What a getter deletes does not arrive, and what it throws is thrown", () => {
  const value = { get a() { delete value.b; return 1; }, b: 2 };
  same(rpcClone(value), { a: 1 });
  throws(() => rpcClone({ get a() { throw new RangeError("mine"); } }), "RangeError", "mine");
});

test("__proto__ arrives as an own property and pollutes nothing", () => {
  const clone = rpcClone(JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}'));
  equal(Object.getPrototypeOf(clone), Object.prototype);
  same(Object.keys(clone), ["__proto__", "constructor"]);
  equal(clone.__proto__.polluted, 1);
  equal({}.polluted, undefined);
});

test("Arrays keep holes, lengths and extra properties", () => {
  const value = [1, , "c", , ];
  value.extra = true;
  const clone = rpcClone(value);
  equal(clone.length, 4);
  same(Object.keys(clone), ["0", "2", "extra"]);
  ok(!(1 in clone));
  equal(rpcClone([]).length, 0);
  equal(rpcClone(new Array(7)).length, 7);
  same(rpcClone([undefined]), [undefined]);
});

test("A sparse array stays small", () => {
  const value = [];
  value[4294967294] = "last";
  value[5] = "five";
  const clone = rpcClone(value, 1000);
  equal(clone.length, 4294967295);
  equal(clone[4294967294], "last");
  equal(clone[5], "five");
  same(Object.keys(clone), ["5", "4294967294"]);
});

test("Arrays of numbers keep every bit", () => {
  const value = [0, -0, NaN, 1e308, -1.5, 2 ** 32];
  const clone = rpcClone(value);
  value.forEach((number, index) => equal(clone[index], number));
  same(rpcClone([1, 2, "x", 4]), [1, 2, "x", 4]);
  equal(rpcClone(Array.from({ length: 100_000 }, (_, i) => i)).length, 100_000);
});

test("Maps and sets keep their order and any kind of key", () => {
  const key = { k: 1 };
  const map = rpcClone(new Map([[key, 1], [NaN, key], ["s", new Set([key, -0, "x"])]]));
  const keys = [...map.keys()];
  same(keys, [{ k: 1 }, NaN, "s"]);
  equal(map.get(NaN), keys[0]);
  ok(map.get("s").has(keys[0]));
});

test("Cycles and shared references arrive as such", () => {
  const shared = [1, "x"];
  const value = { a: shared, b: shared, map: new Map() };
  value.self = value;
  value.map.set(value, value);
  const clone = rpcClone(value);
  equal(clone.self, clone);
  equal(clone.a, clone.b);
  equal(clone.map.get(clone), clone);
  const error = new Error("loop");
  error.cause = error;
  const errorClone = rpcClone(error);
  equal(errorClone.cause, errorClone);
});

test("Buffers arrive with their bytes, resizable ones resizable", () => {
  const bytes = new Uint8Array([1, 2, 255]);
  same(rpcClone(bytes.buffer), bytes.buffer);
  equal(rpcClone(new ArrayBuffer(0)).byteLength, 0);
  const resizable = new ArrayBuffer(4, { maxByteLength: 16 });
  new Uint8Array(resizable).set([9, 8, 7, 6]);
  const clone = rpcClone(resizable);
  equal(clone.resizable, true);
  equal(clone.maxByteLength, 16);
  same(new Uint8Array(clone), new Uint8Array([9, 8, 7, 6]));
});

test("Every kind of view arrives on its buffer", () => {
  const kinds = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array, Float32Array,
    Float64Array, BigInt64Array, BigUint64Array, DataView];
  const buffer = new ArrayBuffer(32);
  const clone = rpcClone({ buffer, views: kinds.map((Kind) => new Kind(buffer, 8, 2)) });
  clone.views.forEach((view, index) => {
    equal(Object.getPrototypeOf(view), kinds[index].prototype);
    equal(view.buffer, clone.buffer);
    equal(view.byteOffset, 8);
    equal(view.length ?? view.byteLength, 2);
  });
});

test("A view that follows its buffer does so at the receiver", () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
  const [tracking, fixed, half, data] = rpcClone([new Uint8Array(buffer, 2), new Uint8Array(buffer, 2, 4), new Float16Array(buffer), new DataView(buffer, 4)]);
  tracking.buffer.resize(12);
  equal(tracking.length, 10);
  equal(fixed.length, 4);
  equal(half.length, 6);
  equal(data.byteLength, 8);
  buffer.resize(16);
  const outside = new Uint8Array(buffer, 12, 4);
  buffer.resize(8);
  throws(() => rpcClone(outside), "DataCloneError");
});

test("Errors keep constructor, name, message, stack, cause and properties", () => {
  for (const Kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
    const error = new Kind("boom", { cause: { why: 1 } });
    error.code = "E_CODE";
    const clone = rpcClone(error);
    equal(Object.getPrototypeOf(clone), Kind.prototype);
    equal(clone.name, Kind.name);
    equal(clone.message, "boom");
    equal(clone.stack, error.stack);
    same(clone.cause, { why: 1 });
    equal(clone.code, "E_CODE");
    same(Object.keys(clone), ["code"]);
    same(Object.getOwnPropertyNames(clone).sort(), ["cause", "code", "message", "stack"]);
  }
});

test("AggregateError and SuppressedError keep what they hold", () => {
  const aggregate = rpcClone(new AggregateError([new TypeError("a"), 2], "both"));
  ok(aggregate instanceof AggregateError);
  equal(aggregate.errors[0].message, "a");
  equal(aggregate.errors[1], 2);
  const suppressed = rpcClone(new SuppressedError(new Error("new"), "old", "text"));
  ok(suppressed instanceof SuppressedError);
  equal(suppressed.error.message, "new");
  equal(suppressed.suppressed, "old");
  same(Object.keys(suppressed), []);
});

test("A class of one's own arrives as Error with its name", () => {
  class MyError extends Error { name = "MyError"; detail = 5; }
  const clone = rpcClone(new MyError("m"));
  equal(Object.getPrototypeOf(clone), Error.prototype);
  equal(clone.name, "MyError");
  equal(clone.detail, 5);
  class Quiet extends TypeError {}
  equal(Object.getPrototypeOf(rpcClone(new Quiet("q"))), TypeError.prototype);
});

test("An error without a message gets none", () => {
  ok(!Object.hasOwn(rpcClone(new Error()), "message"));
  ok(!Object.hasOwn(rpcClone(new Error()), "cause"));
});

test("A DOMException arrives as one", () => {
  const clone = rpcClone(new DOMException("m", "AbortError"));
  ok(clone instanceof DOMException);
  equal(clone.name, "AbortError");
  equal(clone.message, "m");
  equal(clone.code, 20);
});

test("Class instances and objects without prototype are refused by name", () => {
  class Foo { x = 1; }
  const text = (name) => `Could not serialize object of type "${name}". This type does not support serialization.`;
  throws(() => rpcClone(new Foo()), "DataCloneError", text("Foo"));
  throws(() => rpcClone({ deep: [new Foo()] }), "DataCloneError", text("Foo"));
  throws(() => rpcClone(Object.create(null)), "DataCloneError", text("Object"));
  throws(() => rpcClone(new URL("http://a/")), "DataCloneError", text("URL"));
  throws(() => rpcClone(new Event("x")), "DataCloneError", text("Event"));
  throws(() => rpcClone(new TextEncoder()), "DataCloneError", text("TextEncoder"));
});

test("What no clone can hold is refused in V8's words", () => {
  const cases = [[() => 1, "() => 1"], [Symbol("s"), "Symbol(s)"], [Promise.resolve(), "#<Promise>"], [new Proxy({}, {}), "#<Object>"],
    [new WeakMap(), "#<WeakMap>"], [new WeakSet(), "#<WeakSet>"], [new SharedArrayBuffer(1), "#<SharedArrayBuffer>"]];
  for (const [value, name] of cases) {
    const error = throws(() => rpcClone([value]), "DataCloneError", `${name} could not be cloned.`);
    ok(error instanceof DOMException);
    equal(error.code, 25);
  }
  throws(() => rpcClone(new Proxy([], { get() { throw new Error("trap"); } })), "DataCloneError", "[object Array] could not be cloned.");
  throws(() => rpcClone(Object.setPrototypeOf(new WeakMap(), Object.prototype)), "DataCloneError");
});

test("A detached buffer is refused", () => {
  const buffer = new ArrayBuffer(8);
  const view = new Uint8Array(buffer);
  buffer.transfer();
  throws(() => rpcClone(buffer), "DataCloneError");
  throws(() => rpcClone(view), "DataCloneError");
});

test("A hundred thousand levels cost no stack", () => {
  let value = 0;
  for (let i = 0; i < 100_000; i++) value = { v: value };
  let clone = rpcClone(value);
  let depth = 0;
  for (; typeof clone === "object"; clone = clone.v) depth++;
  equal(depth, 100_000);
  let list = [];
  for (let i = 0; i < 100_000; i++) list = [list, "x"];
  equal(rpcClone(list)[1], "x");
});

test("A value over the limit is refused with its size", () => {
  const limit = 1 << 20;
  equal(rpcClone(new ArrayBuffer(limit - 1000), limit).byteLength, limit - 1000);
  throws(() => rpcClone(new ArrayBuffer(2 * limit), limit), "Error",
    /^Serialized RPC arguments or return values are limited to 1MiB, but the size of this value was: 20972\d\d bytes\.$/);
  throws(() => rpcClone("x".repeat(limit), limit), "Error", /limited to 1MiB/);
  throws(() => rpcClone(Array.from({ length: limit / 4 }, (_, i) => i), limit), "Error", /limited to 1MiB/);
  throws(() => rpcClone(Array.from({ length: limit / 16 }, () => ({})), limit), "Error", /limited to 1MiB/);
});

test("Patched prototypes and setters are not noticed", () => {
  let caught = "";
  const savedMap = new Map([[1, 2]]);
  const trap = { set() { caught += "set "; }, get() { caught += "get "; return 5; }, configurable: true };
  for (const name of ["a", "0", "cause", "message", "stack", "name"]) Object.defineProperty(Object.prototype, name, trap);
  const { push } = Array.prototype;
  Array.prototype.push = Map.prototype.set = Set.prototype.add = () => { caught += "method "; };
  const saved = { Map: globalThis.Map, Error: globalThis.Error, Uint8Array: globalThis.Uint8Array };
  globalThis.Map = globalThis.Error = globalThis.Uint8Array = class { constructor() { caught += "constructor "; } };
  let clone;
  try {
    clone = rpcClone([{ a: 1 }, [2], savedMap, new saved.Uint8Array(2), new ArrayBuffer(1, { maxByteLength: 2 })]);
  } finally {
    Object.assign(globalThis, saved);
    Array.prototype.push = push;
    for (const name of ["a", "0", "cause", "message", "stack", "name"]) delete Object.prototype[name];
  }
  equal(caught, "");
  equal(clone[0].a, 1);
  equal(clone[1][0], 2);
  equal(clone[2].get(1), 2);
});

test("A graph that no honest peer writes throws and harms nothing", () => {
  const failures = [];
  let index = 0;
  for (;; index++) {
    let outcome;
    try {
      outcome = hostileGraph(index);
    } catch (exception) {
      if (!["Error", "RangeError", "SyntaxError"].includes(exception.name)) failures.push(`${index}: ${exception}`);
      continue;
    }
    if (outcome === undefined) break;
    failures.push(`${index}: ${outcome}`);
  }
  equal(failures.join("; "), "");
  ok(index > 30);
});

run();
