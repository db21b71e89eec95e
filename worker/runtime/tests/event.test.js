import { equal, logged, ok, run, same, test, throws } from "./harness.js";

test("Listeners run in order, once, and not after removal", () => {
  const target = new EventTarget();
  const seen = [];
  const removed = () => seen.push("removed");
  target.addEventListener("x", () => seen.push("bubble"));
  target.addEventListener("x", () => seen.push("capture"), true);
  target.addEventListener("x", () => seen.push("once"), { once: true });
  target.addEventListener("x", { handleEvent(event) { seen.push(event.type, this !== undefined); } });
  target.addEventListener("x", removed);
  target.removeEventListener("x", removed);
  target.dispatchEvent(new Event("x"));
  target.dispatchEvent(new Event("x"));
  same(seen, ["capture", "bubble", "once", "x", true, "capture", "bubble", "x", true]);
});

test("The same listener counts once", () => {
  const target = new EventTarget();
  let runs = 0;
  const listener = () => { runs++; };
  target.addEventListener("x", listener);
  target.addEventListener("x", listener, { once: true });
  target.addEventListener("x", null);
  target.dispatchEvent(new Event("x"));
  equal(runs, 1);
});

test("An event shows where it is and whether it was cancelled", () => {
  const target = new EventTarget();
  const event = new Event("x", { cancelable: true, bubbles: true });
  target.addEventListener("x", function (got) {
    equal(this, target);
    equal(got.target, target);
    equal(got.currentTarget, target);
    equal(got.eventPhase, Event.AT_TARGET);
    same(got.composedPath().length, 1);
    got.preventDefault();
  });
  equal(target.dispatchEvent(event), false);
  equal(event.defaultPrevented, true);
  equal(event.currentTarget, null);
  equal(event.isTrusted, false);
  ok(Object.hasOwn(event, "isTrusted"));
  equal(new Event("y").cancelable, false);
});

test("A passive listener cannot cancel; stopImmediatePropagation ends the round", () => {
  const target = new EventTarget();
  target.addEventListener("x", (event) => event.preventDefault(), { passive: true });
  ok(target.dispatchEvent(new Event("x", { cancelable: true })));
  let later = false;
  target.addEventListener("x", (event) => event.stopImmediatePropagation());
  target.addEventListener("x", () => { later = true; });
  target.dispatchEvent(new Event("x"));
  equal(later, false);
});

test("An exception in a listener is reported and stops nothing", () => {
  logged();
  const target = new EventTarget();
  let later = false;
  target.addEventListener("x", () => { throw new Error("in listener"); });
  target.addEventListener("x", () => { later = true; });
  target.dispatchEvent(new Event("x"));
  ok(later);
  const lines = logged();
  equal(lines.length, 1);
  ok(lines[0].startsWith("error Uncaught Error: in listener\n    at "), lines[0]);
});

test("An event cannot be dispatched twice at once, nor anything else be", () => {
  const target = new EventTarget();
  target.addEventListener("x", (event) => throws(() => target.dispatchEvent(event), "InvalidStateError"));
  target.dispatchEvent(new Event("x"));
  throws(() => target.dispatchEvent({ type: "x" }), "TypeError");
  throws(() => target.addEventListener("x", 1), "TypeError");
  throws(() => new Event(), "TypeError");
  throws(() => EventTarget.prototype.addEventListener.call({}, "x", () => {}), "TypeError");
});

test("CustomEvent and ErrorEvent carry their data", () => {
  const detail = {};
  equal(new CustomEvent("x", { detail }).detail, detail);
  equal(new CustomEvent("x").detail, null);
  const error = new ErrorEvent("error", { message: "m", filename: "f", lineno: 1, colno: 2, error: detail });
  same([error.message, error.filename, error.lineno, error.colno, error.error === detail], ["m", "f", 1, 2, true]);
  ok(new CustomEvent("x") instanceof Event);
});

test("reportError reaches the global listeners first, then the console", () => {
  logged();
  let got;
  const listener = (event) => { got = event; event.preventDefault(); };
  addEventListener("error", listener);
  const error = new Error("reported");
  reportError(error);
  removeEventListener("error", listener);
  equal(got.error, error);
  ok(got.message.includes("reported"));
  equal(logged().length, 0);
  reportError("text");
  same(logged(), ["error Uncaught 'text'"]);
});

test("An AbortController aborts its signal once", () => {
  const controller = new AbortController();
  const { signal } = controller;
  let runs = 0;
  signal.addEventListener("abort", (event) => { runs++; ok(event.isTrusted); });
  signal.onabort = () => { runs += 10; };
  equal(signal.aborted, false);
  signal.throwIfAborted();
  controller.abort();
  controller.abort("again");
  equal(runs, 11);
  equal(signal.reason.name, "AbortError");
  equal(signal.reason.code, 20);
  throws(() => signal.throwIfAborted(), "AbortError");
  throws(() => new AbortSignal(), "TypeError");
  equal(typeof signal.onabort, "function");
});

test("AbortSignal.abort, any and timeout", async () => {
  equal(AbortSignal.abort("why").reason, "why");
  const a = new AbortController(), b = new AbortController();
  const any = AbortSignal.any([a.signal, b.signal]);
  const nested = AbortSignal.any([any]);
  const order = [];
  a.signal.addEventListener("abort", () => order.push("a", nested.aborted));
  nested.addEventListener("abort", () => order.push("nested"));
  a.abort("first");
  b.abort("second");
  equal(any.reason, "first");
  equal(nested.reason, "first");
  same(order, ["a", true, "nested"]);
  equal(AbortSignal.any([AbortSignal.abort(1)]).reason, 1);
  equal(AbortSignal.any([]).aborted, false);
  throws(() => AbortSignal.any([1]), "TypeError");
  const signal = AbortSignal.timeout(5);
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  equal(signal.reason.name, "TimeoutError");
});

test("A signal removes listeners", () => {
  const target = new EventTarget();
  const controller = new AbortController();
  let runs = 0;
  target.addEventListener("x", () => { runs++; }, { signal: controller.signal });
  target.dispatchEvent(new Event("x"));
  controller.abort();
  target.dispatchEvent(new Event("x"));
  equal(runs, 1);
  throws(() => target.addEventListener("x", () => {}, { signal: {} }), "TypeError");
});

test("DOMException is an error with a stack and a legacy code", () => {
  const exception = new DOMException("text", "NotFoundError");
  ok(exception instanceof Error && exception instanceof DOMException);
  equal(exception.code, 8);
  equal(exception.name, "NotFoundError");
  equal(String(exception), "NotFoundError: text");
  ok(exception.stack.startsWith("NotFoundError: text\n    at "), exception.stack);
  same([new DOMException().name, new DOMException().message, new DOMException().code], ["Error", "", 0]);
  equal(new DOMException("", "toString").code, 0);
  equal(DOMException.ABORT_ERR, 20);
  equal(exception.DATA_CLONE_ERR, 25);
  equal(Object.getPrototypeOf(DOMException), Function.prototype);
  equal(Object.getPrototypeOf(DOMException.prototype), Error.prototype);
  equal(Object.prototype.toString.call(exception), "[object DOMException]");
  equal(DOMException.length, 0);
  throws(() => DOMException.prototype.name, "TypeError");
});

run();
