// What load() and one call do, seen from a client: results, errors, logs. Real workers in their real jail.

#include <gtest/gtest.h>

#include "tests/world.h"

namespace glovebox::test {
namespace {

// One world for the whole file: starting one takes longer than all of these calls.
World& world() {
  static auto* world = new World();
  return *world;
}

std::string callRun(const std::string& body, const std::string& arguments = "[null]") {
  return describe(world().load(moduleWith(body)).call("run", arguments));
}

TEST(Load, AnswersTheArticlesSecondStepUnmodified) {
  auto agent = world().load(R"(
      export default {
        async myAgent(input, env, ctx) {
          return { doubled: input.value * 2, ts: Date.now() };
        }
      }
    )");
  auto result = agent.call("myAgent", R"([{"value": 21}])");
  ASSERT_EQ(result.kind, Result::Kind::VALUE) << describe(result);
  EXPECT_EQ(result.json.rfind(R"({"doubled":42,"ts":)", 0), 0u) << result.json;
}

TEST(Load, EachLoadIsAWorkerOfItsOwn) {
  auto one = world().load("let n = 0; export default { run() { return ++n; } }");
  auto two = world().load("let n = 0; export default { run() { return ++n; } }");
  EXPECT_EQ(describe(one.call("run")), "value 1");
  EXPECT_EQ(describe(one.call("run")), "value 2");
  EXPECT_EQ(describe(two.call("run")), "value 1");
}

TEST(Load, ModulesImportEachOther) {
  LoadOptions options;
  options.modules = {{"lib/a.js", "import { b } from './b.js'; export const a = 'a' + b;"}, {"lib/b.js", "export const b = 'b';"}};
  auto agent = world().load("import { a } from './lib/a.js'; export default { run() { return a; } }", options);
  EXPECT_EQ(describe(agent.call("run")), R"(value "ab")");
}

TEST(Load, EnvArrivesAsPlainData) {
  LoadOptions options;
  options.env = R"({"KEY": "secret", "LIST": [1, null, {"x": true}]})";
  auto agent = world().load(moduleWith("return [Object.keys(env), env.KEY, env.LIST[2].x]"), options);
  EXPECT_EQ(describe(agent.call("run")), R"(value [["KEY","LIST"],"secret",true])");
}

TEST(Load, ASyntaxErrorIsAnsweredToEachCall) {
  auto agent = world().load("export default {");
  auto expected = "thrown Error: Failed to start Worker:\nUncaught SyntaxError: Unexpected end of input\n  at m.js:1:16";
  EXPECT_EQ(describe(agent.call("run")), expected);
  EXPECT_EQ(describe(agent.call("run")), expected);
}

TEST(Load, AThrowAtTopLevelIsAnsweredToEachCall) {
  auto agent = world().load("throw new TypeError('boom');");
  EXPECT_EQ(describe(agent.call("run")), "thrown Error: Failed to start Worker:\nUncaught TypeError: boom\n  at m.js:1:7");
}

TEST(Load, AMissingImportIsNamed) {
  auto agent = world().load("import x from 'nope.js'; export default {};");
  EXPECT_EQ(describe(agent.call("run")),
            "thrown Error: Failed to start Worker:\nUncaught Error: No such module \"nope.js\".\n  imported from \"m.js\"");
}

TEST(Load, AnUnsettledTopLevelAwaitIsNamed) {
  auto agent = world().load("await new Promise(() => {}); export default {};");
  EXPECT_EQ(describe(agent.call("run")), "thrown Error: Failed to start Worker:\nUncaught Error: Top-level await in module is unsettled.");
}

TEST(Call, AThrownErrorKeepsItsClassAndMessage) {
  EXPECT_EQ(callRun("throw new RangeError('too far')"), "thrown RangeError: too far");
  EXPECT_EQ(callRun("class Mine extends Error { name = 'Mine' }; throw new Mine('own')"), "thrown Mine: own");
}

TEST(Call, AnUnknownMethodIsNamed) {
  EXPECT_EQ(describe(world().load(moduleWith("")).call("nope")), "thrown TypeError: The RPC receiver does not implement the method \"nope\".");
}

TEST(Call, AHandlerTakesExactlyOneArgument) {
  auto result = world().load(moduleWith("return 1")).call("run", "[1, 2]");
  EXPECT_EQ(result.name, "TypeError");
  EXPECT_NE(result.message.find("Attempted to call RPC function \"run\" with the wrong number of arguments."), std::string::npos) << result.message;
}

TEST(Call, AResultThatCannotTravelIsNamed) {
  EXPECT_EQ(callRun("return { later: Promise.resolve() }"), "thrown DataCloneError: #<Promise> could not be cloned.");
  EXPECT_EQ(callRun("class Foo {}; return new Foo()"),
            "thrown DataCloneError: Could not serialize object of type \"Foo\". This type does not support serialization.");
}

TEST(Call, AResultOverTheLimitIsRefusedWithItsSize) {
  auto result = world().load(moduleWith("return 'x'.repeat(40 << 20)")).call("run");
  EXPECT_EQ(result.kind, Result::Kind::THROWN);
  EXPECT_EQ(result.message.rfind("Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ", 0), 0u)
      << describe(result);
}

TEST(Call, ALargeResultArrivesWhole) {
  auto agent = world().load(moduleWith("return Array.from({ length: 200000 }, (_, i) => 'item ' + i)"));
  auto result = agent.call("run");
  ASSERT_EQ(result.kind, Result::Kind::VALUE) << describe(result);
  EXPECT_EQ(result.json.rfind("[\"item 0\",\"item 1\",", 0), 0u);
  EXPECT_NE(result.json.find("\"item 199999\"]"), std::string::npos);
}

TEST(Call, ALargeArgumentArrivesWhole) {
  auto agent = world().load(moduleWith("return input.length"));
  EXPECT_EQ(describe(agent.call("run", "[\"" + std::string(8 << 20, 'a') + "\"]")), "value " + std::to_string(8 << 20));
}

TEST(Call, ACallThatCanNeverSettleSaysSo) { EXPECT_EQ(callRun("await new Promise(() => {})"), "ended hung"); }

TEST(Call, TimersFireAndEndWithTheirCall) {
  EXPECT_EQ(callRun("await new Promise((r) => setTimeout(r, 5)); return 'late'"), "value \"late\"");
  auto agent = world().load("let fired = 0; export default { run() { setTimeout(() => fired++, 1); return 0; },"
                            " async later() { await new Promise((r) => setTimeout(r, 20)); return fired; } }");
  EXPECT_EQ(describe(agent.call("run")), "value 0");
  EXPECT_EQ(describe(agent.call("later")), "value 0");
}

TEST(Call, CodeFromStringsIsRefused) {
  EXPECT_EQ(callRun("return eval('1')"), "thrown EvalError: Code generation from strings disallowed for this context");
  EXPECT_EQ(callRun("return new Function('return 1')()"), "thrown EvalError: Code generation from strings disallowed for this context");
}

TEST(Call, LogsReachTheCallerBeforeTheResult) {
  world().logs.clear();
  EXPECT_EQ(callRun("console.log('a', { b: 1 }); console.error('c'); return 1"), "value 1");
  ASSERT_EQ(world().logs.size(), 2u);
  EXPECT_EQ(world().logs[0], "log: a { b: 1 }");
  EXPECT_EQ(world().logs[1], "error: c");
}

TEST(Call, AFloodOfLogsIsCutNotBuffered) {
  world().logs.clear();
  EXPECT_EQ(callRun("for (let i = 0; i < 200000; i++) console.log('x'.repeat(100)); return 1"), "value 1");
  size_t bytes = 0;
  for (auto& line: world().logs) bytes += line.size();
  EXPECT_LT(bytes, 3u << 20);
  EXPECT_GT(bytes, 1000u);
}

TEST(Call, ValuesOfEveryKindSurviveTheTrip) {
  EXPECT_EQ(callRun("const o = { d: new Date(0), m: new Map([[1, 2]]), s: new Set([3]), r: /a/g, u: undefined, a: [, 1], n: NaN, z: -0 };"
                    "o.self = o; return [o.self === o, o.d, o.a, o.n]"),
            R"(value [true,"1970-01-01T00:00:00.000Z",[null,1],null])");
}

TEST(Code, WhatIsWrongWithItIsAnsweredToEachCall) {
  auto agent = [&](const std::string& date, const std::string& main) {
    auto request = world().loader().loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate(date.c_str());
    code.setMainModule(main.c_str());
    auto module = code.initModules(1)[0];
    module.setName("m.js");
    module.setJs("export default {}");
    return Agent(world(), request.send().getWorker());
  };
  EXPECT_EQ(describe(agent("yesterday", "m.js").call("run")), "thrown Error: Invalid compatibility date: yesterday");
  EXPECT_EQ(describe(agent("2099-01-01", "m.js").call("run")),
            "thrown Error: This Worker requires compatibility date \"2099-01-01\", but the newest date supported by this server binary is "
            "\"2026-11-24\".");
  EXPECT_EQ(describe(agent("2026-01-01", "other.js").call("run")),
            "thrown Error: Failed to start Worker:\nUncaught Error: No such module: other.js");
}

}  // namespace
}  // namespace glovebox::test
