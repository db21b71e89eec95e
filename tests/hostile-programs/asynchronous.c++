#include "tests/hostile-programs/program.h"

namespace glovebox::test {

HostilePrograms asynchronous() {
  return {
      burns("EndlessMicrotasks", "const f = () => Promise.resolve().then(f); await f()"),
      burns("EndlessMicrotasksByQueue", "const f = () => queueMicrotask(f); f(); await new Promise(() => {})"),
      burns("LoopInAMicrotask", "await Promise.resolve().then(() => { for (;;); })"),
      burns("LoopInAQueuedMicrotask", "queueMicrotask(() => { for (;;); }); await new Promise(() => {})"),
      burns("LoopAfterACatchOfNothing", "for (;;) { try { await Promise.reject(1) } catch {} }"),
      burns("LoopInAThenable", "await { then() { for (;;); } }"),
      burns("LoopInTheThenOfTheResult", "return { then() { for (;;); } }"),
      burns("LoopInTheThenOfEverything",
            "Object.defineProperty(Object.prototype, 'then', { configurable: true, get() { for (;;); } }); return {}"),
      burns("ThenablesWithoutAnEnd", "const f = () => ({ then(resolve) { resolve(f()) } }); await f()"),
      burns("EndlessAsyncGenerator", "async function* g() { for (;;) yield 1 } for await (const x of g());"),
      burns("LoopWhereAnAsyncGeneratorReturns", "async function* g() { try { yield 1 } finally { for (;;) await null } } for await (const x of g()) break"),
      burns("TimersThatSetTimers", "const f = () => setTimeout(f, 0); f(); await new Promise(() => {})"),
      burns("LoopInATimer", "setTimeout(() => { for (;;); }, 0); await new Promise(() => {})"),
      burns("ManyIntervals", "for (let i = 0; i < 1000; i++) setInterval(() => { for (let j = 0; j < 1e5; j++); }, 1); await new Promise(() => {})"),
      burns("LoopInAnEventListener", "const t = new EventTarget(); t.addEventListener('x', () => { for (;;); }); t.dispatchEvent(new Event('x'))"),
      burns("LoopInAnAbortListener", "AbortSignal.timeout(1).onabort = () => { for (;;); }; await new Promise(() => {})"),
      burns("LoopInAFinalizer", R"(const registry = new FinalizationRegistry(() => { for (;;); });
          for (let i = 0; i < 1000; i++) registry.register({}, i);
          for (;;) { new Array(1e4).fill({}); await new Promise((r) => setTimeout(r, 0)) })"),
      burns("LoopInStreamStart", "new ReadableStream({ start() { for (;;); } })"),
      burns("LoopInStreamPull", "await new ReadableStream({ pull() { for (;;); } }).getReader().read()"),
      burns("LoopInStreamCancel", "await new ReadableStream({ cancel() { for (;;); } }).cancel()"),
      burns("LoopInStreamWrite", "await new WritableStream({ write() { for (;;); } }).getWriter().write(1)"),
      burns("LoopInTransform", "const t = new TransformStream({ transform() { for (;;); } }); t.writable.getWriter().write(1); await t.readable.getReader().read()"),
      burns("EndlessStream", "const r = new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(1)) } }); for await (const x of r);"),
      burns("EndlessStreamThroughAPipe", R"(await new ReadableStream({ pull(c) { c.enqueue('x') } })
          .pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({})))"),
      burns("EndlessTee", "let r = new ReadableStream({ pull(c) { c.enqueue(1) } }); for (;;) { const [a, b] = r.tee(); await b.getReader().read(); r = a }"),
      burns("LoopInASizeOfAQueue", "new ReadableStream({ start(c) { c.enqueue(1) } }, { size() { for (;;); } })"),
      burns("EndlessCallsOfItsOwnEntrypoint", "if (input === 1) return; for (;;) await ctx.exports.default.run(1)"),
      burns("LoopInItsOwnEntrypoint", "if (input === 1) for (;;); await ctx.exports.default.run(1)"),
      // Each waits for the next until the worker has as many calls open as it may; one more waits for one of them.
      waits("RecursionThroughItsOwnEntrypoint", "await ctx.exports.default.run(input)"),
      waits("SleepForever", "await new Promise((resolve) => setTimeout(resolve, 1e9))"),
      waits("IntervalForever", "setInterval(() => {}, 1); await new Promise(() => {})"),
      waits("IntervalThatThrows", "setInterval(() => { throw new Error('again') }, 1); await new Promise(() => {})"),
      waits("SleepAfterTheCatchOfASleep", "for (;;) { try { await new Promise((resolve) => setTimeout(resolve, 1e9)) } catch {} finally { continue } }"),
      comesTo("PromiseOfNobody", "await new Promise(() => {})", "ended hung", "never generate a response"),
      comesTo("WaitOnSharedMemory", "await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0).value", "ended hung", "never generate"),
      comesTo("ReadOfAStreamWithoutASource", "await new ReadableStream({}).getReader().read()", "ended hung", "never generate"),
      comesTo("AHundredThousandTimers", "for (let i = 0; i < 1e5; i++) setTimeout(() => {}, 1e6)", "thrown Error", "max active timeouts: 10000"),
  };
}

}  // namespace glovebox::test
