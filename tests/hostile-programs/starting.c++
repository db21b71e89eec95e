#include "tests/hostile-programs/program.h"

namespace glovebox::test {
namespace {

HostileProgram failsToStart(std::string name, std::string module, std::string naming) {
  return comesToAtStart(std::move(name), std::move(module), "thrown Error", std::move(naming));
}

HostileProgram with(HostileProgram program, std::vector<std::pair<std::string, std::string>> modules) {
  program.limits.modules = std::move(modules);
  return program;
}

std::string repeat(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += text;
  return all;
}

std::string manyLabels() {
  std::string text;
  for (int i = 0; i < 20'000; i++) text += "l" + std::to_string(i) + ": { ";
  return text + repeat("}", 20'000);
}

}  // namespace

HostilePrograms starting() {
  constexpr const char* RUN = "\nexport default { run() { return 1 } }";
  constexpr const char* OVERFLOW_TEXT = "Maximum call stack size exceeded";
  return {
      burnsAtStart("LoopAtTopLevel", "for (;;);"),
      burnsAtStart("LoopAfterTopLevelAwait", "await null; for (;;);"),
      burnsAtStart("LoopInAStaticBlock", "class A { static { for (;;); } }"),
      with(burnsAtStart("LoopInAnImport", std::string("import './b.js';") + RUN), {{"b.js", "for (;;);"}}),
      burnsAtStart("MicrotasksAtTopLevel", "const f = () => Promise.resolve().then(f); await f()"),
      burnsAtStart("LoopInTheConstructorOfAnEntrypoint",
                   "import { WorkerEntrypoint } from 'cloudflare:workers';\n"
                   "export default class extends WorkerEntrypoint { constructor(ctx, env) { super(ctx, env); for (;;); } run() {} }"),
      burnsAtStart("LoopInAGetterOfTheEntrypoint", "export default { get run() { for (;;); } }"),
      burnsAtStart("LoopInAProxyAsTheEntrypoint", "export default new Proxy({}, { get() { for (;;); }, getOwnPropertyDescriptor() { for (;;); }, has() { for (;;); } })"),
      burnsAtStart("SloppyLoopWithWith", "const f = new Function('o', 'with (o) { for (;;) x; }'); export default { run() { f({ x: 1 }) } }"),
      burnsAtStart("FloodOfEval", "for (let i = 0;; i++) (0, eval)('(function f' + i + '() { return ' + i + ' })()')"),
      burnsAtStart("FloodOfNewFunction", "for (let i = 0;; i++) new Function('a', 'return a + ' + i)(1)"),
      burnsAtStart("FloodOfWasmModules", "const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]); for (;;) new WebAssembly.Module(bytes)"),
      burnsAtStart("FloodOfTemplates", "const text = '`' + '${1}'.repeat(1e5) + '`'; for (;;) (0, eval)(text + '\\n')"),
      with(burns("FloodOfDynamicImports", "for (;;) await import('./b.js')"), {{"b.js", "export const b = 1"}}),
      with(failsToStart("CycleOfTopLevelAwaits", std::string("import './b.js'; await new Promise(() => {});") + RUN, "Top-level await in module is unsettled"),
           {{"b.js", "import './m.js'; await new Promise(() => {})"}}),
      with(failsToStart("ModulesThatAwaitEachOther", std::string("await import('./b.js');") + RUN, "Top-level await in module is unsettled"),
           {{"b.js", "await import('./m.js')"}}),
      with(comesToAtStart("ImportOfTheModuleThatIsEvaluated", "const self = import('./m.js'); import('./b.js');\nexport default { async run() { return typeof (await self).default.run } }",
                          "value \"function\"", ""), {{"b.js", "import './m.js'"}}),
      failsToStart("DeepParentheses", "export default " + repeat("(", 200'000) + "1" + repeat(")", 200'000), OVERFLOW_TEXT),
      failsToStart("DeepBrackets", "export default " + repeat("[", 200'000) + repeat("]", 200'000), OVERFLOW_TEXT),
      failsToStart("DeepFunctions", repeat("(() => {", 100'000) + repeat("})()", 100'000), OVERFLOW_TEXT),
      failsToStart("DeepDestructuring", "const " + repeat("[", 100'000) + "a" + repeat("]", 100'000) + " = 1", OVERFLOW_TEXT),
      failsToStart("DeepTemplates", "export default " + repeat("`${", 100'000) + "1" + repeat("}`", 100'000), OVERFLOW_TEXT),
      failsToStart("DeepUnary", "export default " + repeat("- ", 500'000) + "1", OVERFLOW_TEXT),
      failsToStart("DeepConditions", repeat("if (1) ", 200'000) + ";", OVERFLOW_TEXT),
      comesToAtStart("LongConditional", "export default { run() { return " + repeat("0 ? 1 : ", 200'000) + "2 } }", "value 2", ""),
      failsToStart("DeepLabels", manyLabels(), OVERFLOW_TEXT),
      failsToStart("DeepEval", "(0, eval)('('.repeat(1e6))", OVERFLOW_TEXT),
      failsToStart("DeepEvalOfEval", "const f = () => eval('f()'); f()", OVERFLOW_TEXT),
      failsToStart("RecursionAtTopLevel", "const f = () => f(); f()", OVERFLOW_TEXT),
      failsToStart("TimersAtTopLevel", "setTimeout(() => { for (;;); })", "not allowed within global scope"),
      failsToStart("RandomnessAtTopLevel", "crypto.getRandomValues(new Uint8Array(65536))", "not allowed within global scope"),
      comesToAtStart("EvalInACall", moduleWith("return (0, eval)('for (;;);')"), "thrown EvalError", "Code generation from strings disallowed"),
      comesToAtStart("WasmCompiledInACall", moduleWith("return new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))"),
                     "thrown CompileError", "disallowed"),
      comesToAtStart("ManySmallStatements", "let a = 0;\n" + repeat("a += 1;\n", 200'000) + "export default { run() { return a } }", "value 200000", ""),
      comesToAtStart("OneLongSum", "export default { run() { return " + repeat("1 + ", 200'000) + "1 } }", "value 200001", ""),
  };
}

}  // namespace glovebox::test
