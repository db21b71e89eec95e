import { equal, logged, ok, run, same, test } from "./harness.js";

const shown = (value) => hooks.inspect(value);

test("Every level reaches the host with its text", () => {
  logged();
  console.log("a", 1); console.info("b"); console.warn("c"); console.error("d"); console.debug("e");
  same(logged(), ["log a 1", "info b", "warn c", "error d", "debug e"]);
  console.log();
  same(logged(), ["log "]);
});

test("Format specifiers are replaced, the rest is appended", () => {
  logged();
  console.log("%s is %d and %i, %f%% %j %o %O%c!", "x", "4.5", 4.9, "1.5rest", { a: 1 }, [1], { b: {} }, "color: red", "more", 1);
  same(logged(), ['log x is 4.5 and 4, 1.5% {"a":1} [ 1 ] { b: {} }! more 1']);
  console.log("%s %d %i", Symbol("s"), 5n, {});
  same(logged(), ["log Symbol(s) 5n NaN"]);
  console.log("100%", 1); console.log("%x %s"); console.log("%", "%s");
  same(logged(), ["log 100% 1", "log %x %s", "log % %s"]);
  console.log({}, "%s", 1);
  same(logged(), ["log {} %s 1"]);
});

test("Primitives look as they are written", () => {
  const cases = [["x", "'x'"], ["it's", `"it's"`], ["a\n\\\0", "'a\\n\\\\\\x00'"], ["\ud800", "'\\uD800'"], ["😀", "'😀'"], [-0, "-0"], [5n, "5n"], [Symbol("a"), "Symbol(a)"],
    [undefined, "undefined"], [null, "null"], [NaN, "NaN"]];
  for (const [value, text] of cases) equal(shown(value), text);
});

test("Objects look like Node's", () => {
  class Foo { x = 1; }
  class Bar extends Foo {}
  equal(shown({}), "{}");
  equal(shown({ a: 1, "b-c": "x", [Symbol("s")]: null }), "{ a: 1, 'b-c': 'x', [Symbol(s)]: null }");
  equal(shown(new Foo()), "Foo { x: 1 }");
  equal(shown(Object.create(null)), "[Object: null prototype] {}");
  equal(shown([1, , "x", [[[[]]]]]), "[ 1, <1 empty item>, 'x', [ [ [Array] ] ] ]");
  equal(shown({ a: { b: { c: { d: 1 } } } }), "{\n  a: { b: { c: [Object] } }\n}".replace(/\n */g, (m) => m === "\n" ? " " : " "));
  equal(shown(new Map([["a", { b: 1 }]])), "Map(1) { 'a' => { b: 1 } }");
  equal(shown(new Set([1, "x"])), "Set(2) { 1, 'x' }");
  equal(shown(new Uint8Array([1, 2])), "Uint8Array(2) [ 1, 2 ]");
  equal(shown(new ArrayBuffer(3)), "ArrayBuffer { byteLength: 3 }");
  equal(shown(new Date(0)), "1970-01-01T00:00:00.000Z");
  equal(shown(new Date(NaN)), "Invalid Date");
  equal(shown(/a/gi), "/a/gi");
  equal(shown(new Number(3)), "[Number: 3]");
  equal(shown(new String("ab")), "[String: 'ab']");
  equal(shown(Promise.resolve(4)), "Promise { 4 }");
  equal(shown(new Promise(() => {})), "Promise { <pending> }");
  equal(shown(function f() {}), "[Function: f]");
  equal(shown(() => {}), "[Function (anonymous)]");
  equal(shown(Bar), "[class Bar extends Foo]");
  equal(shown(async () => {}), "[AsyncFunction (anonymous)]");
  equal(shown(new WeakMap()), "WeakMap { <items unknown> }");
  equal(shown(new URL("http://a/?b#c")).slice(0, 30), "URL {\n  href: 'http://a/?b#c',\n".slice(0, 30));
});

test("Errors show their stack, cause and properties", () => {
  const error = new TypeError("boom", { cause: new Error("inner") });
  error.code = 5;
  const text = shown(error);
  ok(text.startsWith("TypeError: boom\n    at "), text);
  ok(text.includes("[cause]: Error: inner\n"), text);
  ok(text.includes("code: 5"), text);
  error.stack = 7;
  ok(shown(error).startsWith("[TypeError: boom]"), shown(error));
});

test("Cycles are marked", () => {
  const value = { a: 1 };
  value.self = value;
  equal(shown(value), "<ref *1> { a: 1, self: [Circular *1] }");
});

test("Nothing of the value runs", () => {
  let ran = "";
  const trap = new Proxy({ inside: 1 }, new Proxy({}, { get(_, name) { ran += String(name); } }));
  const value = {
    get a() { ran += "getter"; return 1; }, set b(v) {}, get c() { return 1; }, set c(v) {},
    toString() { ran += "toString"; }, toJSON() { ran += "toJSON"; }, [Symbol.toPrimitive]() { ran += "toPrimitive"; },
    get [Symbol.toStringTag]() { ran += "tag"; return "T"; }, constructor: { get name() { ran += "name"; return "N"; } }, trap,
  };
  const text = shown(value);
  console.log("%s %d %i %f %o", value, value, value, value, value, trap);
  console.table([value, trap]);
  console.log(Object.create(trap), Object.create(value));
  equal(ran, "");
  ok(text.includes("a: [Getter]") && text.includes("b: [Setter]") && text.includes("c: [Getter/Setter]"), text);
  ok(text.includes("inside: 1"), text);
  logged();
});

test("Hostile values do not throw", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  equal(shown(proxy), "<Revoked Proxy>");
  const pattern = /a/;
  Object.defineProperty(pattern, "flags", { get() { throw new Error("flags"); } });
  shown(pattern);
  const error = new Error("x");
  Object.defineProperty(error, "stack", { get() { throw new Error("stack"); } });
  equal(shown(error), "[Error: x]");
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = () => { throw new Error("prepare"); };
  shown(new Error("y"));
  Error.prepareStackTrace = prepareStackTrace;
  const detached = new Uint8Array(4);
  detached.buffer.transfer();
  equal(shown(detached), "Uint8Array(0) []");
  shown(Object.setPrototypeOf(() => {}, null));
  shown(Object.setPrototypeOf([], null));
  shown(Object.setPrototypeOf(new Date(), null));
  shown(globalThis);
  shown(new Proxy([], {}));
  shown(Object.create(URL.prototype));
});

test("The text is bounded", () => {
  const wide = Array.from({ length: 1000 }, (_, i) => i);
  ok(shown(wide).includes("... 900 more items"));
  ok(shown("x".repeat(1e6)).length < 11_000);
  ok(shown(Array.from({ length: 100 }, () => "y".repeat(9000))).length < 60_000);
  const tree = (depth) => depth === 0 ? 0 : Array.from({ length: 100 }, () => tree(depth - 1));
  ok(shown(tree(3)).length < 100_000);
  const sparse = [];
  sparse.length = 4e9;
  ok(shown(sparse).length < 100);
  logged();
  console.log("z".repeat(1e6));
  ok(logged()[0].length < 20_000);
});

test("Groups indent, counters count, timers time", () => {
  logged();
  console.group("g");
  console.log("a\nb");
  console.group();
  console.warn("c");
  console.groupEnd(); console.groupEnd(); console.groupEnd();
  console.log("d");
  same(logged(), ["log g", "log   a\n  b", "warn     c", "log d"]);
  console.count(); console.count("x"); console.count(); console.countReset(); console.count(); console.countReset("nope");
  same(logged(), ["info default: 1", "info x: 1", "info default: 2", "info default: 1", "warn Count for 'nope' does not exist"]);
  console.time("t"); console.time("t"); console.timeLog("t", "x"); console.timeEnd("t"); console.timeEnd("t");
  const lines = logged();
  equal(lines[0], "warn Timer 't' already exists");
  ok(/^info t: \d+ms x$/.test(lines[1]) && /^info t: \d+ms$/.test(lines[2]));
  equal(lines[3], "warn Timer 't' does not exist");
  console.count("__proto__"); console.count("__proto__");
  same(logged(), ["info __proto__: 1", "info __proto__: 2"]);
});

test("assert, trace, dir and table", () => {
  logged();
  console.assert(true, "no"); console.assert(false); console.assert(0, "why %s", 1);
  same(logged(), ["error Assertion failed", "error Assertion failed: why 1"]);
  console.trace("here");
  ok(/^debug Trace: here\n    at /.test(logged()[0]));
  console.dir({ a: 1 });
  same(logged(), ["log { a: 1 }"]);
  console.table([{ a: 1, b: "x" }, { a: 2 }]);
  equal(logged()[0], "log ┌─────────┬───┬─────┐\n│ (index) │ a │ b   │\n├─────────┼───┼─────┤\n│ 0       │ 1 │ 'x' │\n│ 1       │ 2 │     │\n└─────────┴───┴─────┘");
  console.table(5);
  same(logged(), ["log 5"]);
});

test("console is a namespace object", () => {
  equal(Object.prototype.toString.call(console), "[object console]");
  equal(Object.keys(Object.getPrototypeOf(console)).length, 0);
  equal(console.log.name, "log");
  const { log } = console;
  logged();
  log("free");
  same(logged(), ["log free"]);
});

run();
