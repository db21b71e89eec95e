import { equal, logged, ok, run, same, test, throws } from "./harness.js";

test("structuredClone keeps what the HTML standard keeps", () => {
  class Foo { x = 1; }
  const value = { map: new Map([[1, new Set([2])]]), date: new Date(5), list: [1, , 3], foo: new Foo(), bare: Object.create(null) };
  value.self = value;
  const clone = structuredClone(value);
  equal(clone.self, clone);
  equal(Object.getPrototypeOf(clone.foo), Object.prototype);
  equal(clone.foo.x, 1);
  ok(clone.map.get(1).has(2));
  ok(!(1 in clone.list));
  const error = structuredClone(Object.assign(new RangeError("m"), { name: "Odd", extra: 1 }));
  equal(Object.getPrototypeOf(error), Error.prototype);
  equal(error.extra, undefined);
  ok(structuredClone(new DOMException("a", "DataCloneError")) instanceof DOMException);
  equal(structuredClone(undefined), undefined);
});

test("structuredClone refuses what cannot be cloned", () => {
  throws(() => structuredClone(() => 1), "DataCloneError", "() => 1 could not be cloned.");
  throws(() => structuredClone({ s: Symbol("x") }), "DataCloneError", "Symbol(x) could not be cloned.");
  throws(() => structuredClone(new URL("http://a")), "DataCloneError");
  throws(() => structuredClone(new Event("x")), "DataCloneError");
  throws(() => structuredClone(new Proxy({}, {})), "DataCloneError");
  throws(() => structuredClone(), "TypeError");
});

test("structuredClone moves buffers", () => {
  const buffer = new ArrayBuffer(4);
  const view = new Uint8Array(buffer, 1);
  view[0] = 7;
  const clone = structuredClone({ view, buffer }, { transfer: [buffer] });
  equal(buffer.detached, true);
  equal(clone.view.buffer, clone.buffer);
  equal(clone.view[0], 7);
  equal(clone.view.byteOffset, 1);
  const resizable = new ArrayBuffer(1, { maxByteLength: 8 });
  equal(structuredClone(resizable, { transfer: [resizable] }).maxByteLength, 8);
  const unused = new ArrayBuffer(1);
  structuredClone(1, { transfer: new Set([unused]) });
  equal(unused.detached, true);
  const twice = new ArrayBuffer(1);
  throws(() => structuredClone(1, { transfer: [twice, twice] }), "DataCloneError");
  throws(() => structuredClone(1, { transfer: [buffer] }), "DataCloneError");
  throws(() => structuredClone(1, { transfer: [{}] }), "DataCloneError");
  equal(twice.detached, false);
});

test("A failed clone moves nothing", () => {
  const buffer = new ArrayBuffer(1);
  throws(() => structuredClone([buffer, () => {}], { transfer: [buffer] }), "DataCloneError");
  equal(buffer.detached, false);
  const sly = { get a() { buffer.transfer(); return 1; }, buffer };
  throws(() => structuredClone(sly, { transfer: [buffer] }), "DataCloneError");
});

test("getRandomValues fills integer views up to the quota", () => {
  const array = new Uint8Array(65536);
  equal(crypto.getRandomValues(array), array);
  ok(new Set(array).size > 200);
  ok(crypto.getRandomValues(new BigUint64Array(4)).some((word) => word !== 0n));
  throws(() => crypto.getRandomValues(new Uint8Array(65537)), "QuotaExceededError");
  throws(() => crypto.getRandomValues(new Float32Array(1)), "TypeMismatchError");
  throws(() => crypto.getRandomValues(new DataView(new ArrayBuffer(1))), "TypeMismatchError");
  throws(() => crypto.getRandomValues([]), "TypeError");
  throws(() => Crypto.prototype.getRandomValues.call({}, array), "TypeError");
  throws(() => new Crypto(), "TypeError");
  const middle = new Uint8Array(300);
  crypto.getRandomValues(middle.subarray(100, 200));
  ok(middle.subarray(0, 100).every((byte) => byte === 0) && middle.subarray(200).every((byte) => byte === 0));
});

test("randomUUID makes version 4 identifiers", () => {
  const seen = new Set();
  for (let i = 0; i < 100; i++) {
    const id = crypto.randomUUID();
    ok(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id), id);
    seen.add(id);
  }
  equal(seen.size, 100);
});

test("Timers run in the order of their delays, with their arguments", async () => {
  const seen = [];
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
    setTimeout((a, b) => seen.push(a, b), 20, "x", "y");
    setTimeout(() => seen.push("first"), 10);
    setTimeout(() => seen.push("zero"), -5);
    const dead = setTimeout(() => seen.push("dead"), 5);
    clearTimeout(dead);
    clearTimeout(999_999); clearTimeout(); clearTimeout("x"); clearInterval(null);
  });
  same(seen, ["zero", "first", "x", "y"]);
});

test("An interval repeats until it is cleared", async () => {
  let runs = 0;
  await new Promise((resolve) => {
    const id = setInterval(() => {
      if (++runs < 3) return;
      clearInterval(id);
      resolve();
    }, 1);
  });
  equal(runs, 3);
});

test("A timer that throws is reported and harms no other", async () => {
  logged();
  setTimeout(() => { throw new Error("in timer"); }, 1);
  await new Promise((resolve) => setTimeout(resolve, 2));
  ok(logged()[0].startsWith("error Uncaught Error: in timer"));
});

test("setTimeout wants a function", () => {
  throws(() => setTimeout("code"), "TypeError", "Failed to execute 'setTimeout' on 'ServiceWorkerGlobalScope': parameter 1 is not of type 'function'.");
  throws(() => setInterval(), "TypeError");
  equal(setTimeout.length, 1);
});

test("queueMicrotask runs before timers, and reports what it throws", async () => {
  const seen = [];
  const { then } = Promise.prototype;
  Promise.prototype.then = () => { seen.push("patched"); };
  logged();
  queueMicrotask(() => seen.push("micro"));
  queueMicrotask(() => { throw new Error("in microtask"); });
  Promise.prototype.then = then;
  seen.push("sync");
  await new Promise((resolve) => setTimeout(resolve, 0));
  same(seen, ["sync", "micro"]);
  ok(logged()[0].includes("in microtask"));
  throws(() => queueMicrotask(1), "TypeError");
});

test("The global scope tells who it is", () => {
  equal(self, globalThis);
  equal(navigator.userAgent, "Cloudflare-Workers");
  equal(performance.timeOrigin, 0);
  ok(Math.abs(performance.now() - Date.now()) < 5000);
  throws(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), "TypeError");
  for (const name of ["URL", "Event", "DOMException", "TextDecoder", "AbortSignal", "Crypto"]) {
    same(Object.getOwnPropertyDescriptor(globalThis, name).enumerable, false);
    equal(globalThis[name].name, name);
  }
});

test("Nothing of the runtime's inside is in reach", () => {
  equal(globalThis.native, undefined);
  equal(globalThis.glovebox, undefined);
  equal(globalThis.process, undefined);
  equal(globalThis.require, undefined);
});

run();
