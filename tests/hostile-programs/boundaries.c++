#include "tests/hostile-programs/program.h"

namespace glovebox::test {

HostilePrograms boundaries() {
  return {
      burns("LoopInAGetterOfTheResult", "return { get x() { for (;;); } }"),
      burns("LoopInAGetterOfALaterElement", "const a = [1, 2]; a[2] = 3; Object.defineProperty(a, 1, { enumerable: true, get() { for (;;); } }); return a"),
      burns("ResultThatGrowsWhileItIsRead", "const make = () => ({ get next() { return make() } }); return make()"),
      burns("LoopInAGetterOfAnArgument", "await ctx.exports.default.run({ get x() { for (;;); } })"),
      burnsAtStart("LoopInTheDisposerOfAnRpcTarget", R"(import { RpcTarget } from "cloudflare:workers";
          class Target extends RpcTarget { [Symbol.dispose]() { for (;;); } }
          export default {
            make(input) { return new Target(); },
            async run(input, env, ctx) { { using target = await ctx.exports.default.make(1); } await new Promise((r) => setTimeout(r, 1e4)); },
          })"),
      exhaustsAtStart("LeakOfStubs", R"(export default {
            give(input) { return () => 1; },
            async run(input, env, ctx) { const keep = []; for (;;) keep.push(await ctx.exports.default.give(1), new Array(1000).fill(1)); },
          })"),
      burnsAtStart("StubsLetGo", R"(export default {
            give(input) { return () => 1; },
            async run(input, env, ctx) { for (;;) { using f = await ctx.exports.default.give(1); await f(); } },
          })"),
      comesTo("LoopInAFormattedText", "console.log('%s', { toString() { for (;;); } }); return 1", "value 1"),
      burns("FloodOfLines", "for (let i = 0;; i++) console.log('line', i)"),
      burns("FloodOfObjectsOnTheConsole", "const o = { a: [{}, {}], b: new Map([[1, { c: 2 }]]) }; for (;;) console.log(o)"),
      burns("FloodOfTraces", "for (;;) console.trace('x')"),
      burns("FloodOfTables", "const rows = Array.from({ length: 1000 }, (_, i) => ({ i, j: i })); for (;;) console.table(rows)"),
      burns("FloodOfRejections", "for (;;) { for (let i = 0; i < 1000; i++) Promise.reject(new Error('x')); await null }"),
      waits("FloodOfUncaughtErrors", "setInterval(() => { Promise.reject(new Error('x'.repeat(1e4))) }, 1); await new Promise(() => {})"),
      comesTo("OneLineOfAHundredMegabytes", "console.log('x'.repeat(1e8)); return 1", "value 1"),
      comesTo("ManyLinesAndAnAnswer", "for (let i = 0; i < 1e5; i++) console.log('line', i); return 1", "value 1"),
      comesTo("LineThatLooksLikeAnInspector", "console.log({ get x() { for (;;); }, get [Symbol.toStringTag]() { for (;;); } }); return 1", "value 1"),
      comesTo("LineOfAProxy", "console.log(new Proxy({}, { get() { for (;;); }, ownKeys() { for (;;); }, getOwnPropertyDescriptor() { for (;;); } })); return 1", "value 1"),
      comesTo("LineOfADeepObject", "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; console.log(o); return 1", "value 1"),
      exhausts("ResultOfAGigabyte", "return new Uint8Array(2 ** 30)"),
      comesTo("ResultOfFortyMegabytes", "return 'x'.repeat(40e6)", "thrown Error", "32MiB"),
      comesTo("ResultOfBytesAboveTheLimit", "return new Uint8Array(40e6)", "thrown Error", "32MiB"),
      comesTo("ResultOfManyNodes", "return Array.from({ length: 1e6 }, () => ({}))", "ended exceededMemory", "128 MiB"),
      comesTo("ResultThatIsDeep", "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; return o", "value {\"o\":{"),
      comesTo("ResultThatIsOftenTheSame", "let o = {}; for (let i = 0; i < 40; i++) o = [o, o]; return o.length", "value 2"),
      comesTo("ErrorOfFortyMegabytes", "throw new Error('x'.repeat(40e6))", "thrown Error", "32MiB"),
      comesTo("ErrorWithoutAnEnd", "const e = new Error('x'); e.cause = e; throw e", "thrown Error", "x"),
      comesTo("ErrorOfManyCauses", "let e = new Error('x'); for (let i = 0; i < 1e5; i++) e = new Error('x', { cause: e }); throw e", "ended exceededMemory", "128 MiB"),
      comesTo("ThrownProxy", "throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 }, ownKeys() { throw 3 } })", "thrown value", "2"),
      comesTo("ThrownFunction", "throw () => {}", "thrown Error", "() => {}"),
      comesTo("AHundredThousandFunctions", "return Array.from({ length: 1e5 }, () => () => {})", "thrown ", "256"),
      comesTo("ReadOnlyPrototypes", "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Promise.prototype); return [1]", "value [1]"),
      comesTo("SettersOnArrayPrototype",
              "Object.defineProperty(Array.prototype, 0, { set() { for (;;); }, get() { for (;;); }, configurable: true }); return [1]", "value [1]"),
      comesTo("PromisesReplaced", "Promise.prototype.then = () => { for (;;); }; Promise.resolve = Promise.prototype.then; return 1", "value 1"),
      comesTo("FunctionsReplaced", "for (const f of ['call', 'apply', 'bind']) Function.prototype[f] = () => { for (;;); }; return [{}]", "value [{}]"),
  };
}

}  // namespace glovebox::test
