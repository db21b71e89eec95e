// The rules of Workers RPC as a table. Each rule is a server that knows nothing of who calls it and a client that knows
// nothing of where the server is; rpc-rules.test.mjs runs each of them between every kind of pair.
//
// `client` is handed over as text: it may use only its parameters. `s` are stubs of the server's entrypoints; `kit` has
// RpcTarget, RpcStub, `fails(promise or function)` (what came of it: "Name: message" and " (remote)"), and `later(ms)`.

export const SERVER = `
import { WorkerEntrypoint, RpcTarget, RpcStub } from "cloudflare:workers";

class Foreign { method() { return "foreign"; } get getter() { return { inner() { return "inner"; } }; } }

class Counter extends RpcTarget {
  #n;
  own = "own field";
  constructor(n, log) { super(); this.#n = n; this.log = log; }
  increment(by = 1) { return this.#n += by; }
  get value() { return this.#n; }
  fetch(what) { return "an ordinary method: " + what; }
  callLater(f) { return f(this.#n); }
  [Symbol.dispose]() { disposed.push("counter"); }
}

const disposed = [];
const events = [];

class Base extends WorkerEntrypoint {
  inherited() { return "inherited"; }
}

export default class Server extends Base {
  field = "field";
  arrow = () => "arrow";
  objectField = { method: () => "no" };
  static statics() { return "static"; }
  #secret = 1;

  echo(...args) { return args.length === 1 ? args[0] : args; }
  count(...args) { return args.length; }
  secretOf() { return this.#secret; }
  private_() { return "TypeScript's private is not private"; }
  ctxKeys() { return Object.keys(this.ctx).sort(); }
  props() { return this.ctx.props; }
  get getter() { return { foo: 123 }; }
  get functionGetter() { return (a, b) => a - b; }
  get throwing() { throw new Error("PROPERTY THREW"); }
  get later() { return new Promise((resolve) => setTimeout(() => resolve(123), 5)); }
  get rejecting() { return Promise.reject(new Error("REJECTED")); }
  get nested() {
    return {
      func: (a, b) => a * b, deeper: { func: (a, b) => a / b }, counter: new Counter(5), foreign: new Foreign(),
      nothing: Object.assign(Object.create(null), { foo: 1 }), text: "hello", list: [1, 2], map: new Map([["a", 1]]), nul: null,
    };
  }
  get proxiedTarget() { return new Proxy(new Counter(7), {}); }
  get proxiedPlain() { return new Proxy({ a: 1 }, {}); }

  makeCounter(n) { return new Counter(n); }
  makeObject(n) { return { foo: 100 + n, counter: new Counter(n) }; }
  makeFunction() { const f = (a, b) => a ^ b; f.someProperty = 123; return f; }
  makeForeign() { return { obj: new Foreign() }; }
  makeNullPrototype() { return Object.assign(Object.create(null), { foo: 1 }); }
  makeData() { return { x: 123, list: [{ y: 1 }] }; }
  makePrimitive() { return 5; }
  makeNull() { return null; }
  makeDisposable() { return { x: 1, [Symbol.dispose]() { disposed.push("object"); } }; }
  makeNested(n) { return n === 0 ? { end: true } : { next: new Counter(n), n }; }

  async incrementCounter(counter, by) { return await counter.increment(by); }
  async callTwice(f) { return [await f(1), await f(2)]; }
  returnPromise(f) { return f(); }
  returnNestedPromise(f) { return { value: f() }; }
  returnProperty(f) { return f.foo; }
  async keep(counter) {
    const count = await counter.increment(5);
    const copy = counter.dup();
    return {
      count, counter,
      async original(n) { return await counter.increment(n); },
      async duplicate(n) { return await copy.increment(n); },
      [Symbol.dispose]() { copy[Symbol.dispose](); },
    };
  }
  roundTrip(value) { return value; }
  passOn(stub) { return { stub }; }

  throwError(kind) {
    class Custom extends Error { constructor(m) { super(m); this.name = "Custom"; } }
    switch (kind) {
      case "type": throw new TypeError("a type error");
      case "range": throw new RangeError("a range error");
      case "custom": throw new Custom("a custom error");
      case "properties": throw Object.assign(new Error("with properties"), { code: "E_CODE", detail: { a: 1 } });
      case "cause": throw new Error("outer", { cause: new TypeError("inner") });
      case "aggregate": throw new AggregateError([new Error("one"), 2], "several");
      case "string": throw "a string";
      case "object": throw { a: 1 };
      case "null": throw null;
      case "undefined": return Promise.reject();
      case "function": throw () => 1;
      case "dom": throw new DOMException("not here", "NotFoundError");
    }
  }
  async throwLater() { await null; throw new Error("later"); }

  order(n) { events.push(n); return n; }
  async slowCounter(n) { await new Promise((resolve) => setTimeout(resolve, 20)); return new Counter(n); }
  takeEvents() { return events.splice(0); }
  takeDisposed() { return disposed.splice(0); }
  async takeDisposedLater(count) {
    for (let i = 0; i < 200 && disposed.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    return disposed.splice(0);
  }

  async readAll(stream) {
    let text = "";
    for await (const chunk of stream) text += new TextDecoder().decode(chunk);
    return text;
  }
  async readSome(stream) {
    const reader = stream.getReader();
    const { value } = await reader.read();
    await reader.cancel(new Error("enough"));
    return new TextDecoder().decode(value);
  }
  async writeAll(stream, texts) {
    const writer = stream.getWriter();
    for (const text of texts) await writer.write(new TextEncoder().encode(text));
    await writer.close();
  }
  async writeAndAbort(stream) {
    const writer = stream.getWriter();
    await writer.write(new TextEncoder().encode("start"));
    await writer.abort(new Error("writer gave up"));
  }
  makeStream(texts) {
    return new ReadableStream({ async pull(c) {
      if (texts.length === 0) return c.close();
      await new Promise((resolve) => setTimeout(resolve, 1));
      c.enqueue(new TextEncoder().encode(texts.shift()));
    } });
  }
  async readSizes(stream) {
    const sizes = {};
    for await (const chunk of stream) sizes[chunk[0]] = (sizes[chunk[0]] ?? 0) + chunk.length;
    return Object.entries(sizes);
  }
  makeSizes(sizes) {
    let i = 0;
    return new ReadableStream({ pull(c) { if (i === sizes.length) return c.close(); c.enqueue(new Uint8Array(sizes[i]).fill(i)); i++; } });
  }
  makeObjectStream() { return new ReadableStream({ start(c) { c.enqueue({ not: "bytes" }); c.close(); } }); }
  makeFailingStream() { return new ReadableStream({ pull(c) { c.error(new RangeError("source failed")); } }); }
  makeEndlessStream() {
    events.length = 0;
    return new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1000)); }, cancel(reason) { events.push("cancelled: " + reason.message); } });
  }
  async takeEventsLater() {
    for (let i = 0; i < 200 && events.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    return events.splice(0);
  }
  makeCountedStream() {
    let pulled = 0;
    const stream = new ReadableStream({ pull(c) { pulled++; c.enqueue(new Uint8Array(16384)); } }, { highWaterMark: 0 });
    return { stream, pulled: () => pulled };
  }
  makeSink() {
    const chunks = [];
    const stream = new WritableStream({
      write(chunk) { if (chunk[0] === 33) throw new RangeError("no exclamation"); chunks.push(new TextDecoder().decode(chunk)); },
      close() { chunks.push("closed"); }, abort(reason) { chunks.push("aborted: " + reason.message); },
    });
    return { stream, chunks: () => chunks };
  }
  textOf(n) { return "x".repeat(n); }
  lengthOf(text) { return text.length; }
  get(a) { return "get " + a; }
  put(a, b) { return "put " + a + b; }
  delete(a) { return "delete " + a; }
  call(a) { return "call " + a; }
  apply(a) { return "apply " + a; }
  bind(a) { return "bind " + a; }
}

export class Props extends WorkerEntrypoint { props() { return this.ctx.props; } }

export const plain = {
  none() { return arguments.length; },
  one(arg) { return [arg, arguments.length]; },
  rest(...args) { return [args.length, Object.keys(args[2]).includes("props")]; },
  three(arg, env, ctx) { return [arg, typeof env, typeof ctx.waitUntil]; },
  four(a, b, c, d) { return "never"; },
  value: "a value",
  nested: { double(n, env, ctx) { return [n * 2, typeof env, typeof ctx.waitUntil]; } },
  self() { return this === plain; },
};
export const strange = { f: Object.defineProperty(() => 1, "length", { value: -1 }) };

class App { greeting = "own"; hello = (name) => "hello " + name; method() { return "prototype"; } }
export const instance = new App();
`;

const rule = (name, client, expected) => ({ name, client, expected });
const table = (rows) => rows;

const NOT = (name) => `TypeError: The RPC receiver does not implement the method "${name}". (remote)`;
const RESERVED = (name) => `TypeError: '${name}' is a reserved method and cannot be called over RPC. (remote)`;
const CLONE = (text) => `DataCloneError: ${text} (remote)`;
const TYPE = (name) => `Could not serialize object of type "${name}". This type does not support serialization.`;

export const RULES = table([
  // -- Visibility ------------------------------------------------------------------------------------------------------------
  rule("methods of the class and what it inherits can be called", async (s) => [await s.server.count(1, 2), await s.server.inherited()], [2, "inherited"]),
  rule("fields of the instance cannot be reached", async (s, kit) => [await kit.fails(s.server.field), await kit.fails(s.server.arrow()), await kit.fails(s.server.objectField.method())],
    [NOT("field"), NOT("arrow"), NOT("objectField")]),
  rule("env and ctx cannot be reached", async (s, kit) => [await kit.fails(s.server.env), await kit.fails(s.server.ctx.waitUntil(1))], [NOT("env"), NOT("ctx")]),
  rule("static methods cannot be reached", async (s, kit) => kit.fails(s.server.statics()), NOT("statics")),
  rule("#private is private, what TypeScript calls private is not", async (s) => [await s.server.secretOf(), await s.server.private_()],
    [1, "TypeScript's private is not private"]),
  rule("what is missing is named", async (s, kit) => [await kit.fails(s.server.nope()), await kit.fails(s.server.nope), await kit.fails(s.server.nope.deeper())],
    [NOT("nope"), NOT("nope"), NOT("nope")]),
  rule("what is no function is named", async (s, kit) => kit.fails(s.server.getter()), 'TypeError: "getter" is not a function. (remote)'),
  rule("getters are read", async (s) => [await s.server.getter.foo, (await s.server.getter).foo, await s.server.functionGetter(5, 3)], [123, 123, 2]),
  rule("a getter that throws fails the read", async (s, kit) => kit.fails(s.server.throwing), "Error: PROPERTY THREW (remote)"),
  rule("a property that is a promise is waited for", async (s, kit) => [await s.server.later, await kit.fails(s.server.rejecting)], [123, "Error: REJECTED (remote)"]),
  rule("plain objects can be walked", async (s) => [await s.server.nested.func(6, 4), await s.server.nested.deeper.func(6, 3), await s.server.nested.text, await s.server.nested.counter.increment(3)],
    [24, 2, "hello", 8]),
  rule("instances of foreign classes cannot", async (s, kit) => [await kit.fails(s.server.nested.foreign.method()), await kit.fails(s.server.nested.foreign.getter.inner())],
    [NOT("foreign"), NOT("foreign")]),
  rule("nor objects without a prototype, lists, maps and null", async (s, kit) =>
    [await kit.fails(s.server.nested.nothing.foo), await kit.fails(s.server.nested.list.length), await kit.fails(s.server.nested.map.get("a")), await kit.fails(s.server.nested.nul.x)],
    [NOT("nothing"), NOT("list"), NOT("map"), NOT("nul")]),
  rule("own fields of an RpcTarget cannot be reached, its getters can", async (s, kit) => [await kit.fails(s.server.makeCounter(3).own), await s.server.makeCounter(3).value], [NOT("own"), 3]),
  rule("a proxy of an RpcTarget shows what the target does", async (s, kit) => [await kit.fails(s.server.proxiedTarget.own), await kit.fails(s.server.proxiedTarget.increment(1))],
    [NOT("own"), "TypeError: Cannot read private member #n from an object whose class did not declare it (remote)"]),
  rule("a proxy of a plain object shows what a plain object does", async (s) => s.server.proxiedPlain.a, 1),
  rule("reserved names of an entrypoint", async (s, kit) => [await kit.raw(s.server, ["constructor"], []), await kit.raw(s.server, ["dup"], []), await kit.raw(s.server, ["alarm"], []), await kit.raw(s.server, ["fetch"], [])],
    [RESERVED("constructor"), RESERVED("dup"), RESERVED("alarm"), "TypeError: fetch() of an entrypoint is called with one Request. (remote)"]),
  rule("fetch of an RpcTarget is an ordinary method", async (s) => s.server.makeCounter(1).fetch("it"), "an ordinary method: it"),
  rule("what Object.prototype has is nobody's method", async (s, kit) => {
    const results = [];
    for (const name of ["toString", "hasOwnProperty", "valueOf", "__proto__", "__defineGetter__", "isPrototypeOf"]) results.push(await kit.raw(s.server, [name], []));
    results.push(await kit.raw(s.server, ["__proto__", "count"], []), await kit.raw(s.server, ["nested", "toString"], []), await kit.raw(s.server, ["nested", "__proto__", "x"], []));
    return results;
  }, [NOT("toString"), NOT("hasOwnProperty"), NOT("valueOf"), NOT("__proto__"), NOT("__defineGetter__"), NOT("isPrototypeOf"), NOT("__proto__"), NOT("toString"), NOT("__proto__")]),
  rule("names of Object.prototype on a stub are the stub's own", async (s) => [typeof s.server.toString, typeof s.server.hasOwnProperty, s.server.constructor.name], ["function", "function", "ServiceStub"]),
  rule("names of functions are not", async (s) => [await s.server.call(1), await s.server.apply(2), await s.server.bind(3), await s.server.get(4), await s.server.put(5, 6), await s.server.delete(7)],
    ["call 1", "apply 2", "bind 3", "get 4", "put 56", "delete 7"]),
  rule("then of a stub is never remote", async (s) => ["then" in s.server, s.server.then, (await s.server) === s.server], [false, undefined, true]),

  // -- Plain handlers ----------------------------------------------------------------------------------------------------------
  rule("handlers of up to three parameters get (arg, env, ctx)", async (s) => [await s.plain.none(1), await s.plain.one(2), await s.plain.rest(3), await s.plain.three(4)],
    [3, [2, 3], [3, true], [4, "object", "function"]]),
  rule("a handler with another number of parameters cannot be called", async (s, kit) => kit.fails(s.plain.four(1)),
    'TypeError: Cannot call handler function "four" over RPC because it has the wrong number of arguments. A simple function handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead. (remote)'),
  rule("a handler takes exactly one argument", async (s, kit) => [await kit.fails(s.plain.one()), await kit.fails(s.plain.one(1, 2))],
    Array(2).fill('TypeError: Attempted to call RPC function "one" with the wrong number of arguments. When calling a top-level handler function that is not declared as part of a class, you must always send exactly one argument. In order to support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead. (remote)')),
  rule("a length that is no number of parameters is refused", async (s, kit) => kit.fails(s.strange.f(1)), "TypeError: RPC function has unreasonable length attribute: -1 (remote)"),
  rule("nested handlers get env and ctx as well", async (s) => s.plain.nested.double(4), [8, "object", "function"]),
  rule("values of a handler can be read", async (s) => s.plain.value, "a value"),
  rule("this is the object that holds the handler", async (s) => s.plain.self(0), true),
  rule("of an instance of a foreign class only own functions are handlers", async (s, kit) => [await s.instance.hello("you"), await kit.fails(s.instance.method(1))], ["hello you", NOT("method")]),

  // -- Values ------------------------------------------------------------------------------------------------------------------
  rule("plain values cross", async (s) => {
    const value = { a: [1, , 3], n: -0, inf: [NaN, Infinity], big: 10n ** 30n, date: new Date(5), set: new Set([1]), map: new Map([["k", { v: 1 }]]), re: /x/gi, u: undefined, nul: null, text: "\ud800 é" };
    const back = await s.server.echo(value);
    return [back.a.length, 1 in back.a, Object.is(back.n, -0), back.inf, String(back.big), back.date.getTime(), [...back.set], back.map.get("k").v, String(back.re), "u" in back, back.nul, back.text === value.text];
  }, [3, false, true, [NaN, Infinity], "1000000000000000000000000000000", 5, [1], 1, "/x/gi", true, null, true]),
  rule("cycles and shared references survive", async (s) => {
    const value = { shared: { n: 1 } };
    value.again = value.shared;
    value.self = value;
    const back = await s.server.echo(value);
    return [back.self === back, back.again === back.shared];
  }, [true, true]),
  rule("buffers and views cross", async (s) => {
    const back = await s.server.echo({ bytes: new Uint8Array([1, 2, 3]), floats: new Float64Array([0.5]), buffer: new ArrayBuffer(2), view: new DataView(new ArrayBuffer(4), 1, 2) });
    return [[...back.bytes], [...back.floats], back.buffer.byteLength, back.view.byteLength];
  }, [[1, 2, 3], [0.5], 2, 2]),
  rule("a key __proto__ stays a key", async (s) => {
    const back = await s.server.echo(JSON.parse('{"__proto__":{"polluted":true}}'));
    return [back.polluted, Object.hasOwn(back, "__proto__"), ({}).polluted];
  }, [undefined, true, undefined]),
  rule("instances of foreign classes are refused, as arguments and as results", async (s, kit) => {
    class Foo {}
    return [await kit.fails(() => s.server.echo(new Foo())), await kit.fails(s.server.makeForeign()), await kit.fails(s.server.makeNullPrototype())];
  }, [`DataCloneError: ${TYPE("Foo")}`, CLONE(TYPE("Foreign")), CLONE(TYPE("Object"))]),
  rule("promises, symbols and weak collections are refused", async (s, kit) => [await kit.fails(() => s.server.echo(Promise.resolve())), await kit.fails(() => s.server.echo(Symbol("x"))), (await kit.fails(() => s.server.echo(new WeakMap()))).slice(0, 15)],
    ["DataCloneError: #<Promise> could not be cloned.", "DataCloneError: Symbol(x) could not be cloned.", "DataCloneError:"]),
  rule("a promise of a call inside a value is refused", async (s, kit) => [await kit.fails(() => s.server.echo({ p: s.server.count() })), await kit.fails(() => s.server.echo({ p: s.server.count }))],
    [`DataCloneError: ${TYPE("RpcPromise")}`, `DataCloneError: ${TYPE("RpcProperty")}`]),
  rule("a failed argument leaves the connection as it was", async (s, kit) => {
    class Foo {}
    await kit.fails(() => s.server.echo({ f: () => 1, foo: new Foo() }));
    return s.server.count(1);
  }, 1),
  rule("at most 256 functions and targets go in one value", async (s, kit) => {
    const many = (n) => Array.from({ length: n }, () => () => 1);
    return [(await s.server.echo(many(256))).length, (await kit.fails(() => s.server.echo(many(257)))).slice(0, 68)];
  }, [256, "DataCloneError: One call or return may carry at most 256 functions, "]),

  // -- Stubs, promises, pipelining -----------------------------------------------------------------------------------------------
  rule("stubs, promises and properties are functions of their kind", async (s) => {
    const promise = s.server.makeCounter(1);
    const stub = await promise;
    return [typeof s.server.x, s.server.x.constructor.name, typeof promise, promise.constructor.name, typeof stub, stub.constructor.name];
  }, ["function", "RpcProperty", "function", "RpcPromise", "function", "RpcStub"]),
  rule("an RpcTarget arrives as a stub and keeps its state", async (s) => {
    const counter = await s.server.makeCounter(12);
    return [await counter.increment(3), await counter.increment(-10), await counter.value];
  }, [15, 5, 5]),
  rule("calls on a stub arrive in order", async (s) => {
    const counter = await s.server.makeCounter(0);
    return Promise.all([counter.increment(6), counter.increment(4), counter.increment(3)]);
  }, [6, 10, 13]),
  rule("a result is called before it is there", async (s) => [await s.server.makeCounter(12).increment(3), await s.server.makeObject(5).foo, await s.server.makeObject(5).counter.increment(7), await s.server.makeFunction()(3, 6)],
    [15, 105, 12, 5]),
  rule("functions have properties", async (s) => {
    const f = await s.server.makeFunction();
    return [await f(3, 6), await f.someProperty];
  }, [5, 123]),
  rule("a call on a promise arrives before later calls on what it became", async (s) => {
    const promise = s.server.slowCounter(0);
    const first = promise.increment(1);
    const counter = await promise;
    return [await Promise.all([counter.increment(10), first]), await counter.value];
  }, [[11, 1], 11]),
  rule("calls on an entrypoint arrive in order", async (s) => {
    await s.server.takeEvents();
    await Promise.all([1, 2, 3, 4, 5].map((n) => s.server.order(n)));
    return s.server.takeEvents();
  }, [1, 2, 3, 4, 5]),
  rule("a call on what failed fails as it did", async (s, kit) => [await kit.fails(s.server.throwError("type").foo()), await kit.fails(s.server.throwLater().a.b()), await kit.fails(s.server.nope().foo.bar)],
    ["TypeError: a type error (remote)", "Error: later (remote)", NOT("nope")]),
  rule("a call on what is no object says so", async (s, kit) => [await kit.fails(s.server.makePrimitive().foo()), await kit.fails(s.server.makeNull().foo)],
    Array(2).fill("TypeError: Can't pipeline on RPC that did not return an object.")),
  rule("data can be read through its promise, before and after it came", async (s, kit) => {
    const promise = s.server.makeData();
    const early = await promise.x;
    const value = await promise;
    return [early, value.x, await promise.x, await kit.fails(promise.nope), await kit.fails(promise.x())];
  }, [123, 123, 123, 'TypeError: The RPC receiver does not implement the method "nope".', 'TypeError: "x" is not a function.']),
  rule("a path may be 64 names deep and no deeper", async (s, kit) => {
    let property = s.server;
    for (let i = 0; i < 64; i++) property = property.a;
    const deepest = await kit.fails(property);
    let tooDeep;
    try { property.a; } catch (error) { tooDeep = `${error.name}: ${error.message}`; }
    return [deepest, tooDeep];
  }, [NOT("a"), "TypeError: RPC pipelined property path is too deep (max 64)."]),
  rule("nobody can make the path longer by hand", async (s, kit) => kit.raw(s.server, Array(65).fill("a"), []),
    "Error: RPC pipelined property path is too deep (max 64). (remote)"),
  rule("then, catch and finally of a promise", async (s) => {
    let finished = false;
    return [await s.server.makePrimitive().then((v) => v + 1), await s.server.throwError("type").catch((e) => e.message), await s.server.later.finally(() => { finished = true; }), finished];
  }, [6, "a type error", 123, true]),
  rule("properties of a stub cannot be set", async (s) => {
    try { s.server.x = 1; } catch (error) { return error.name; }
  }, "TypeError"),

  // -- Functions and targets as arguments ------------------------------------------------------------------------------------------
  rule("a function that is handed over is called back", async (s) => s.server.callTwice((n) => n * 10), [10, 20]),
  rule("an object that is handed over is called back", async (s, kit) => {
    class Local extends kit.RpcTarget { #n = 1; increment(by) { return this.#n += by; } }
    return s.server.incrementCounter(new Local(), 41);
  }, 42),
  rule("an error in a callback comes back", async (s, kit) => kit.fails(s.server.callTwice(() => { throw new RangeError("mine"); })), "RangeError: mine (remote)"),
  rule("a callback sees only what it shows", async (s, kit) => {
    class Local extends kit.RpcTarget { secret = 1; }
    return kit.fails(s.server.incrementCounter(new Local(), 1));
  }, 'TypeError: The RPC receiver does not implement the method "increment". (remote)'),
  rule("a promise that a callback gives is waited for when it is returned", async (s) => {
    const f = () => ({ x: 123 });
    f.foo = { x: 456 };
    return [(await s.server.returnPromise(f)).x, await s.server.returnPromise(f).x, (await s.server.returnProperty(f)).x];
  }, [123, 123, 456]),
  rule("a promise inside a result is refused", async (s, kit) => kit.fails(s.server.returnNestedPromise(() => 1)), CLONE(TYPE("RpcPromise"))),
  rule("a stub can be passed on and comes back", async (s) => {
    const counter = await s.server.makeCounter(1);
    const { stub } = await s.server.passOn(counter);
    return [await stub.increment(1), await counter.increment(1), await s.server.incrementCounter(counter, 1)];
  }, [2, 3, 4]),
  rule("a stub of one's own object is like any other", async (s, kit) => {
    class Local extends kit.RpcTarget { #n = 4; increment(by) { return this.#n += by; } }
    const stub = new kit.RpcStub(new Local());
    return [await stub.increment(5), await s.server.incrementCounter(stub, 1), stub.constructor.name];
  }, [9, 10, "RpcStub"]),
  rule("only objects that can be called can be wrapped", async (s, kit) => {
    class Foo {}
    return kit.fails(() => new kit.RpcStub(new Foo()));
  }, "TypeError: RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives."),
  rule("an object's own dup() is asked for each stub of it", async (s, kit) => {
    let dups = 0;
    class Local extends kit.RpcTarget { increment() { return dups; } dup() { dups++; return this; } }
    class Wrong extends kit.RpcTarget { dup() { return {}; } }
    return [await s.server.incrementCounter(new Local(), 1), await kit.fails(() => s.server.echo(new Wrong()))];
  }, [1, "TypeError: Couldn't create a stub for the RcpTarget because it has a dup() method which did not return another RpcTarget. Either remove the dup() method or make sure it returns an RpcTarget."]),

  // -- Ownership and disposal --------------------------------------------------------------------------------------------------------
  rule("a stub that was disposed of cannot be used", async (s, kit) => {
    const counter = await s.server.makeCounter(12);
    counter[Symbol.dispose]();
    return kit.fails(counter.increment(2));
  }, "Error: RPC stub used after being disposed."),
  rule("disposing of a stub disposes of its object, once all duplicates are gone", async (s) => {
    await s.server.takeDisposed();
    const counter = await s.server.makeCounter(1);
    const copy = counter.dup();
    counter[Symbol.dispose]();
    const still = [await copy.increment(1), await s.server.takeDisposed()];
    copy[Symbol.dispose]();
    return [...still, await s.server.takeDisposedLater(1)];
  }, [2, [], ["counter"]]),
  rule("disposing of a result disposes of what is in it", async (s, kit) => {
    await s.server.takeDisposed();
    const result = await s.server.makeObject(5);
    const before = await result.counter.increment(7);
    result[Symbol.dispose]();
    return [before, await kit.fails(result.counter.increment(2)), await s.server.takeDisposedLater(1)];
  }, [12, "Error: RPC stub used after being disposed.", ["counter"]]),
  rule("a result's own disposer is run when the caller disposes of it", async (s) => {
    await s.server.takeDisposed();
    const result = await s.server.makeDisposable();
    const before = await s.server.takeDisposed();
    result[Symbol.dispose]();
    result[Symbol.dispose]();
    return [before, await s.server.takeDisposedLater(1), Object.keys(result)];
  }, [[], ["object"], ["x"]]),
  rule("every object that was returned can be disposed of", async (s) => typeof (await s.server.makeData())[Symbol.dispose], "function"),
  rule("a promise that was disposed of disposes of what it becomes", async (s, kit) => {
    await s.server.takeDisposed();
    const promise = s.server.slowCounter(1);
    promise[Symbol.dispose]();
    return [await kit.fails(promise.increment(1)), await s.server.takeDisposedLater(1)];
  }, ["Error: RPC promise used after being disposed.", ["counter"]]),
  rule("what a callee was handed is gone after the call, unless it was duplicated", async (s, kit) => {
    let disposed = 0;
    class Local extends kit.RpcTarget { #n = 3; increment(by) { return this.#n += by; } [Symbol.dispose]() { disposed++; } }
    const result = await s.server.keep(new Local());
    const rows = [result.count, await kit.fails(result.original(1)), await result.duplicate(7), await result.counter.increment(4), disposed];
    result[Symbol.dispose]();
    rows.push(await kit.fails(result.counter.increment(2)), (await kit.fails(result.duplicate(1))).slice(0, 40));
    for (let i = 0; i < 200 && disposed === 0; i++) await kit.later(5);
    return [...rows, disposed];
  }, [8, "Error: RPC stub used after being disposed. (remote)", 15, 19, 0, "Error: RPC stub used after being disposed.", "Error: RPC stub used after being dispose", 1]),
  rule("who passes a stub keeps its own", async (s) => {
    const counter = await s.server.makeCounter(1);
    await s.server.incrementCounter(counter, 1);
    return counter.increment(1);
  }, 3),

  // -- Errors ----------------------------------------------------------------------------------------------------------------------
  rule("errors keep their class, name and message", async (s, kit) => [await kit.fails(s.server.throwError("type")), await kit.fails(s.server.throwError("range")), await kit.fails(s.server.throwError("custom"))],
    ["TypeError: a type error (remote)", "RangeError: a range error (remote)", "Custom: a custom error (remote)"]),
  rule("errors keep their properties, cause and list", async (s, kit) => {
    const properties = await kit.caught(s.server.throwError("properties"));
    const { cause } = await kit.caught(s.server.throwError("cause"));
    const aggregate = await kit.caught(s.server.throwError("aggregate"));
    return [properties.code, properties.detail, cause instanceof TypeError, cause.message, aggregate instanceof AggregateError, aggregate.errors[0].message, aggregate.errors[1]];
  }, ["E_CODE", { a: 1 }, true, "inner", true, "one", 2]),
  rule("a DOMException stays one", async (s, kit) => {
    const error = await kit.caught(s.server.throwError("dom"));
    return [error instanceof DOMException, error.name, error.code];
  }, [true, "NotFoundError", 8]),
  rule("what is no error arrives as an object", async (s, kit) => {
    const text = await kit.caught(s.server.throwError("string"));
    const nothing = await kit.caught(s.server.throwError("null"));
    const object = await kit.caught(s.server.throwError("object"));
    return [typeof text, String(text), text.remote, nothing, object];
  }, ["object", "a string", true, { remote: true }, { a: 1, remote: true }]),
  rule("what cannot be told is told as text", async (s, kit) => [await kit.fails(s.server.throwError("undefined")), await kit.fails(s.server.throwError("function"))],
    ["Error: undefined (remote)", "Error: () => 1 (remote)"]),
  rule("the stack is the caller's", async (s, kit) => {
    const error = await kit.caught(s.server.throwError("type"));
    return [error.stack.startsWith("TypeError: a type error"), error.stack.includes("server.js")];
  }, [true, false]),

  // -- Props -----------------------------------------------------------------------------------------------------------------------
  rule("props are what the entrypoint was made with, or nothing", async (s) => [await s.server.props(), await s.withProps.props()], [{}, { tenant: 7 }]),

  // -- Streams ---------------------------------------------------------------------------------------------------------------------
  rule("a ReadableStream that is handed over is read at the other end", async (s) => {
    const texts = ["foo, ", "bar, ", "baz!"];
    return s.server.readAll(new ReadableStream({ pull(c) { const text = texts.shift(); text === undefined ? c.close() : c.enqueue(new TextEncoder().encode(text)); } }));
  }, "foo, bar, baz!"),
  rule("a ReadableStream that is returned goes on after the call", async (s) => {
    let text = "";
    for await (const chunk of await s.server.makeStream(["one ", "two ", "three"])) text += new TextDecoder().decode(chunk);
    return text;
  }, "one two three"),
  // The large ones are pulled in pieces, while the small ones and the end come at once.
  rule("chunks of all sizes arrive whole and in order, and then the end", async (s) => {
    const sizes = [200_000, 3, 100_000, 5, 300_000];
    let i = 0;
    const there = await s.server.readSizes(new ReadableStream({ pull(c) { if (i === sizes.length) return c.close(); c.enqueue(new Uint8Array(sizes[i]).fill(i)); i++; } }));
    // Where one chunk ends is nobody's promise.
    let here = "";
    for await (const chunk of await s.server.makeSizes(sizes)) {
      for (let at = 0; at < chunk.length; at++) if (here.at(-1) !== `${chunk[at]}`) here += chunk[at];
    }
    return [there, here];
  }, [[["0", 200_000], ["1", 3], ["2", 100_000], ["3", 5], ["4", 300_000]], "01234"]),
  rule("a WritableStream that is handed over is written to", async (s) => {
    const chunks = [];
    await s.server.writeAll(new WritableStream({ write(chunk) { chunks.push(new TextDecoder().decode(chunk)); }, close() { chunks.push("closed"); } }), ["a", "b"]);
    return chunks;
  }, ["a", "b", "closed"]),
  rule("a WritableStream that is returned is written to", async (s) => {
    const result = await s.server.makeSink();
    const writer = result.stream.getWriter();
    for (const text of ["x", "y"]) await writer.write(new TextEncoder().encode(text));
    await writer.close();
    return result.chunks();
  }, ["x", "y", "closed"]),
  rule("the writer's abort arrives", async (s, kit) => {
    const result = await s.server.makeSink();
    const writer = result.stream.getWriter();
    await writer.write(new TextEncoder().encode("x"));
    await writer.abort(new Error("no more"));
    const reasons = [];
    await s.server.writeAndAbort(new WritableStream({ abort(reason) { reasons.push(reason.message); } }));
    return [await result.chunks(), reasons];
  }, [["x", "aborted: no more"], ["writer gave up"]]),
  rule("a sink that fails fails the writer", async (s, kit) => {
    const result = await s.server.makeSink();
    const writer = result.stream.getWriter();
    await kit.fails(async () => { for (let i = 0; i < 50; i++) await writer.write(new TextEncoder().encode("!")); });
    return kit.fails(writer.closed);
  }, "RangeError: no exclamation (remote)"),
  rule("the reader's cancel arrives at the source", async (s) => {
    const reasons = [];
    const text = await s.server.readSome(new ReadableStream({ pull(c) { c.enqueue(new TextEncoder().encode("chunk")); }, cancel(reason) { reasons.push(reason.message); } }, { highWaterMark: 0 }));
    return [text, reasons];
  }, ["chunk", ["enough"]]),
  rule("a returned stream that is cancelled cancels its source", async (s) => {
    const stream = await s.server.makeEndlessStream();
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel(new Error("seen enough"));
    return s.server.takeEventsLater();
  }, ["cancelled: seen enough"]),
  rule("a source that fails fails the reader", async (s, kit) => kit.fails(async () => { for await (const _ of await s.server.makeFailingStream()); }), "RangeError: source failed (remote)"),
  rule("a stream of anything but bytes breaks", async (s, kit) => kit.fails(async () => { for await (const _ of await s.server.makeObjectStream()); }),
    "Error: ReadableStream received over RPC disconnected prematurely. (remote)"),
  rule("a locked stream is refused", async (s, kit) => {
    const readable = new ReadableStream({});
    readable.getReader();
    const writable = new WritableStream({});
    writable.getWriter();
    return [await kit.fails(() => s.server.readAll(readable)), await kit.fails(() => s.server.writeAll(writable, []))];
  }, ["TypeError: The ReadableStream has been locked to a reader.", "TypeError: The WritableStream has been locked to a writer."]),
  rule("nobody is sent what was not asked for", async (s, kit) => {
    const result = await s.server.makeCountedStream();
    const reader = result.stream.getReader();
    await reader.read();
    await kit.later(50);
    const pulled = await result.pulled();
    await reader.cancel();
    return pulled >= 1 && pulled <= 20 ? "bounded" : pulled;
  }, "bounded"),
  rule("streams go there and back again", async (s) => {
    const { readable, writable } = new TransformStream();
    const back = { readable: await s.server.roundTrip(readable), writable: await s.server.roundTrip(writable) };
    const writing = (async () => { const w = back.writable.getWriter(); for (const t of ["a", "b", "c"]) await w.write(new TextEncoder().encode(t)); await w.close(); })();
    let text = "";
    for await (const chunk of back.readable) text += new TextDecoder().decode(chunk);
    await writing;
    return text;
  }, "abc"),

  // -- Sizes -----------------------------------------------------------------------------------------------------------------------
  rule("a result of 32 MiB arrives and a byte more does not", async (s, kit) => {
    const limit = 32 * 1024 * 1024;
    const fits = async (n) => s.server.textOf(n).then((text) => text.length === n, (error) => { if (!error.message.startsWith("Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ")) throw error; return false; });
    return [await fits(limit - 256), await fits(limit + 1)];
  }, [true, false]),
  rule("an argument of 32 MiB arrives and a byte more does not", async (s, kit) => {
    const limit = 32 * 1024 * 1024;
    return [await s.server.lengthOf("x".repeat(limit - 256)), (await kit.fails(() => s.server.lengthOf("x".repeat(limit + 1)))).slice(0, 99)];
  }, [32 * 1024 * 1024 - 256, "Error: Serialized RPC arguments or return values are limited to 32MiB, but the size of this value w"]),
]);
