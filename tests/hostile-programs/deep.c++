#include "tests/hostile-programs/program.h"

namespace glovebox::test {
namespace {

// V8 notices by itself, and the worker goes on.
HostileProgram overflows(std::string name, const std::string& body) {
  return comesTo(std::move(name), body, "thrown RangeError", "Maximum call stack size exceeded");
}

}  // namespace

HostilePrograms deep() {
  return {
      overflows("Recursion", "const f = () => f(); f()"),
      overflows("RecursionWithManyLocals", "const f = (a, b, c, d, e, g, h, i) => f(h, a, g, b, i, c, e, d) + f(a); f(1)"),
      overflows("RecursionInAGetter", "const o = { get x() { return this.x } }; o.x"),
      overflows("RecursionInAProxy", "const p = new Proxy({}, { get: (_, key) => p[key] }); p.x"),
      overflows("RecursionOfProxies", "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x"),
      overflows("RecursionInToString", "const o = { toString() { return '' + o } }; '' + o"),
      overflows("RecursionInToJson", "const o = { toJSON() { return JSON.stringify(o) } }; JSON.stringify(o)"),
      overflows("RecursionInReplace", "const f = () => 'a'.replace(/a/, f); f()"),
      overflows("RecursionInSort", "const f = () => [2, 1].sort(f); f()"),
      overflows("RecursionInReduce", "const f = () => [2, 1].reduce(f); f()"),
      overflows("RecursionInAConstructor", "class A { constructor() { new A() } } new A()"),
      overflows("RecursionInReflect", "const f = () => Reflect.apply(f, null, []); f()"),
      overflows("RecursionInAGenerator", "function* g() { yield* g() } [...g()]"),
      overflows("RecursionInAnAsyncFunction", "const f = async () => { await f() }; await f()"),
      overflows("RecursionInAPromiseExecutor", "const f = () => new Promise((resolve) => resolve(f())); await f()"),
      overflows("RecursionInStructuredClone", "const f = () => structuredClone({ get x() { return f() } }); f()"),
      overflows("RecursionInDispatchEvent", "const t = new EventTarget(); const f = () => t.dispatchEvent(new Event('x')); t.addEventListener('x', f); f(); const g = () => g(); g()"),
      overflows("FlatOfADeepArray", "let o = []; for (let i = 0; i < 1e5; i++) o = [o]; return o.flat(Infinity)"),
      overflows("TextOfADeepArray", "let o = []; for (let i = 0; i < 1e5; i++) o = [o]; return String(o)"),
      overflows("AMillionArguments", "return Math.max(...Array(1e6))"),
      overflows("AMillionArgumentsApplied", "return ((...a) => a.length).apply(null, { length: 1e6 })"),
      comesTo("RegExpOfDeepGroups", "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5))", "thrown SyntaxError", "Invalid regular expression"),
      comesTo("RegExpOfManyCaptures", "return new RegExp('()'.repeat(1e5))", "thrown SyntaxError", "Too many captures"),
      comesTo("RecursionOfBoundFunctions", "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f()", "value 1"),
      comesTo("JsonOfADeepObject", "let o = {}; for (let i = 0; i < 1e5; i++) o = [o]; return JSON.stringify(o).length", "value 200002"),
      comesTo("JsonWithDeepBrackets", "return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5)).length", "value 1"),
      comesTo("RecursionThatIsCaught", "let n = 0; const f = () => { try { f() } catch { n++ } }; f(); return n > 0", "value true"),
      // Each level tries again on its way out: two to the depth.
      burns("RecursionThatCatches", "const f = () => { try { f() } finally { f() } }; f()"),
      comesTo("DeepRopeOfText", "let s = ''; for (let i = 0; i < 1e6; i++) s = 'a' + s + 'b'; return s.length + s.indexOf('ab')", "value 2999999"),
  };
}

}  // namespace glovebox::test
