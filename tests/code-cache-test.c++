// Loading the same again: real workers in their real jail, real V8. That caches are used, not refused, by another process
// stands in worker/code-cache-test.c++; who may make one in tests/code-compiler-test.c++.

#include <signal.h>

#include <gtest/gtest.h>

#include "supervisor/code-cache.h"
#include "tests/world.h"

namespace glovebox::test {
namespace {

SupervisorOptions smallPool() {
  SupervisorOptions options;
  options.poolSize = 2;
  return options;
}

class CodeCacheTest: public testing::Test {
 protected:
  ~CodeCacheTest() noexcept override {}
  World world{smallPool()};

  uint64_t number(const std::string& name) { return world.statusNumber("codeCache." + name); }
  void untilCompiled() {
    world.turnUntil([&]() { return number("waiting") == 0; });
  }
  // Load, one call, and all that comes of it.
  std::string run(const std::string& text, LoadOptions options = {}) {
    auto result = describe(world.load(text, std::move(options)).call("run"));
    untilCompiled();
    return result;
  }
};

// Classes, tables, private names, generators, regular expressions, templates, and a scope of more names than V8 looks through
// one by one (it hashes them then, with a seed that zygotes do not share).
std::string bundle(const std::string& word) {
  std::string text = "// a bundle\n", sum = "0";
  for (int i = 0; text.size() < CodeCache::CODE_BYTES_MIN; i++) {
    auto n = std::to_string(i);
    text += "class C" + n + " { #x = " + n + "; static made = 0; get x() { C" + n + ".made++; return this.#x; } *each() { yield* [1, 2]; } }\n"
            "let v" + n + " = new C" + n + "().x, f" + n + " = (a, { b = " + n + " } = {}) => `${a}-${b}`.replace(/(\\d+)-/g, '$1+');\n";
    sum += " + v" + n;
  }
  return text + "let calls = 0;\nexport default { run() { calls++; const inner = () => () => " + sum +
         "; return ['" + word + "', calls, inner()(), f3(1), [...new C4().each()].length, C2.made]; } };\n";
}

TEST_F(CodeCacheTest, TheSecondLoadIsAHitAndDoesTheSame) {
  auto text = bundle("one");
  auto first = run(text);
  EXPECT_EQ(first.rfind("value [\"one\",1,", 0), 0u) << first;
  EXPECT_EQ(number("hits"), 0u);
  EXPECT_EQ(number("misses"), 1u);
  EXPECT_EQ(number("compiles"), 1u);
  EXPECT_EQ(number("entries"), 1u);
  EXPECT_GT(number("bytes"), 1'000u);
  // A worker of its own each time.
  for (uint64_t hits = 1; hits <= 3; hits++) {
    EXPECT_EQ(run(text), first);
    EXPECT_EQ(number("hits"), hits);
  }
  EXPECT_EQ(number("compiles"), 1u);
  EXPECT_EQ(number("failures"), 0u);
}

TEST_F(CodeCacheTest, AnotherTextOfTheSameLengthIsAMiss) {
  run(bundle("one"));
  EXPECT_EQ(run(bundle("two")).rfind("value [\"two\",1,", 0), 0u);
  EXPECT_EQ(number("hits"), 0u);
  EXPECT_EQ(number("misses"), 2u);
}

TEST_F(CodeCacheTest, AnEntryServesWorkersOfTheNextZygote) {
  auto text = bundle("one");
  auto first = run(text);
  auto seed = world.statusText("zygote.hashSeedProbe");
  auto started = world.statusNumber("zygote.started");
  ASSERT_EQ(kill(zygoteOf(static_cast<pid_t>(world.statusNumber("zygote.wardenPid"))), SIGKILL), 0);
  world.turnUntil([&]() { return world.statusNumber("zygote.started") > started; });
  // Those that were warm already are the old one's.
  for (int i = 0; i < 4; i++) EXPECT_EQ(run(text), first);
  EXPECT_NE(world.statusText("zygote.hashSeedProbe"), seed);
  EXPECT_EQ(number("hits"), 4u);
  EXPECT_EQ(number("compiles"), 1u);
}

TEST_F(CodeCacheTest, ModulesOfABundleAreCachedTogether) {
  LoadOptions options;
  options.modules = {{"lib.js", bundle("lib")}, {"late.js", "export const late = 'late';"}};
  auto main = "import lib from 'lib.js'; export default { async run() { return lib.run()[0] + (await import('late.js')).late; } };";
  EXPECT_EQ(run(main, options), "value \"liblate\"");
  EXPECT_EQ(run(main, options), "value \"liblate\"");
  EXPECT_EQ(number("hits"), 1u);
}

TEST_F(CodeCacheTest, TheProcessThatCompiledIsGoneAndLoadsHaveTheirs) {
  run(bundle("one"));
  auto warden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
  world.turnUntil([&]() { return world.statusNumber("pool.warm") == 2 && workersOf(warden).size() == 2; });
  EXPECT_EQ(world.statusNumber("liveWorkers"), 0u);
}

TEST_F(CodeCacheTest, SmallModulesAreLeftAlone) {
  EXPECT_EQ(run(moduleWith("return 1")), "value 1");
  EXPECT_EQ(number("misses"), 0u);
  EXPECT_EQ(number("compiles"), 0u);
}

TEST_F(CodeCacheTest, WhatDoesNotCompileIsTriedOnceAndSaidEachTime) {
  std::string filler = "//" + std::string(CodeCache::CODE_BYTES_MIN, ' ') + "\n";
  // Each with what a call on it is answered.
  std::pair<std::string, std::string> rows[] = {
      {filler + "export default {", "thrown Error: Failed to start Worker:\nUncaught SyntaxError: Unexpected end of input"},
      {"export default " + std::string(CodeCache::CODE_BYTES_MIN, '['), "thrown Error: Failed to start Worker:\nUncaught RangeError: "},
  };
  uint64_t failures = 0;
  for (auto& [text, expected]: rows) {
    for (int i = 0; i < 2; i++) {
      auto result = run(text);
      EXPECT_EQ(result.rfind(expected, 0), 0u) << result;
    }
    EXPECT_EQ(number("failures"), ++failures);
  }
  EXPECT_EQ(number("compiles"), 0u);
  EXPECT_EQ(run(moduleWith("return 1")), "value 1");
}

TEST_F(CodeCacheTest, WhatDoesNotEndOrThrowsWhenItRunsDoesNotRunWhileItIsCompiled) {
  std::string filler = "//" + std::string(CodeCache::CODE_BYTES_MIN, ' ') + "\n";
  LoadOptions options;
  options.cpuMs = 50;
  for (int i = 0; i < 2; i++) EXPECT_EQ(run(filler + "for (;;);", options), "ended exceededCpu");
  for (int i = 0; i < 2; i++) EXPECT_EQ(run(filler + "throw new Error('boom');").rfind("thrown Error: Failed to start Worker:\nUncaught Error: boom", 0), 0u);
  EXPECT_EQ(number("failures"), 0u);
  EXPECT_EQ(number("compiles"), 2u);
  EXPECT_EQ(number("hits"), 2u);
}

// V8's parser takes a hundred bytes for each three of this, on a process that may have a quarter of that.
TEST_F(CodeCacheTest, WhatTakesAllMemoryWhileItIsCompiledHurtsNobody) {
  std::string text = "export default [";
  while (text.size() < (12u << 20)) text += "{},";
  text += "];";
  auto bystander = world.load(moduleWith("return 1"));
  for (int i = 0; i < 2; i++) {
    auto result = run(text);
    EXPECT_EQ(result.rfind("ended ", 0), 0u) << result;
    EXPECT_EQ(describe(bystander.call("run")), "value 1");
  }
  EXPECT_EQ(number("compiles"), 0u);
  EXPECT_EQ(number("failures"), 1u);
  auto good = bundle("one");
  run(good);
  run(good);
  EXPECT_EQ(number("hits"), 1u);
}

TEST(CodeCacheSwitch, NothingIsKeptWhenItIsOff) {
  auto options = smallPool();
  options.codeCacheMbMax = 0;
  World world(options);
  auto text = bundle("one");
  for (int i = 0; i < 2; i++) EXPECT_EQ(describe(world.load(text).call("run")).rfind("value [\"one\",1,", 0), 0u);
  for (auto name: {"hits", "misses", "compiles", "waiting", "entries"}) EXPECT_EQ(world.statusNumber(std::string("codeCache.") + name), 0u) << name;
}

}  // namespace
}  // namespace glovebox::test
