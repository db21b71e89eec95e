// Programs that would take a host down: each ends with an error that names its limit, and other workers answer
// meanwhile.

#include <gtest/gtest.h>

#include "tests/world.h"

namespace glovebox::test {
namespace {

// One at a time: a thread has one event loop.
World* theWorld = nullptr;
World& world() { return *theWorld; }

class WithWorld: public testing::Test {
 protected:
  static void SetUpTestSuite() { theWorld = new World(); }
  static void TearDownTestSuite() {
    delete theWorld;
    theWorld = nullptr;
  }
};

struct Hostile {
  const char* name;
  const char* module;   // whole text
  LoadOptions limits;
  const char* ending;   // "ended exceededCpu", or a prefix of "thrown ..."
  const char* naming;   // what the message must say
};

constexpr const char* HEAP_BOMB = "const keep = []; for (;;) keep.push(new Array(1000).fill({}))";

std::vector<Hostile> hostiles() {
  LoadOptions cpu, wall, memory;
  cpu.cpuMs = 100;
  cpu.wallMs = 10'000;
  wall.cpuMs = 5'000;
  wall.wallMs = 200;
  memory.memoryMb = 32;
  memory.cpuMs = 20'000;
  memory.wallMs = 30'000;
  static std::vector<std::string> texts;
  texts.reserve(64);
  auto run = [&](const char* body) {
    texts.push_back(moduleWith(body));
    return texts.back().c_str();
  };
  return {
      {"EndlessLoopInACall", run("while (true) {}"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"EndlessLoopAtTopLevel", "while (true) {}", cpu, "ended exceededCpu", "100 ms of CPU"},
      {"EndlessLoopThatCatches", run("for (;;) { try { for (;;) {} } catch {} finally { for (;;) {} } }"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"CatastrophicRegularExpression", run("return /^(a+)+$/.test('a'.repeat(60) + 'b')"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"EndlessMicrotasks", run("const f = () => Promise.resolve().then(f); await f()"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"EndlessMicrotasksByQueue", run("const f = () => queueMicrotask(f); f(); await new Promise(() => {})"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"SlowNativeLoop", run("const big = 3n ** 4000000n; return (big * big * big).toString().length"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"SortWithASlowComparator", run("[...Array(1e6).keys()].sort((a, b) => { for (let i = 0; i < 1e4; i++); return b - a; })"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"LoopInAGetterOfTheResult", run("return { get x() { for (;;); } }"), cpu, "ended exceededCpu", "100 ms of CPU"},
      {"SleepForever", run("await new Promise((r) => setTimeout(r, 1e9))"), wall, "ended exceededWallTime", "200 ms"},
      {"IntervalForever", run("setInterval(() => {}, 1); await new Promise(() => {})"), wall, "ended exceededWallTime", "200 ms"},
      {"HeapExhaustion", run(HEAP_BOMB), memory, "ended exceededMemory", "32 MiB"},
      {"HeapExhaustionThatCatches", run("const keep = []; for (;;) try { for (;;) keep.push(new Array(1000).fill({})) } catch {}"), memory, "ended exceededMemory", "32 MiB"},
      {"HeapExhaustionAtTopLevel", HEAP_BOMB, memory, "ended exceededMemory", "32 MiB"},
      {"StringExhaustion", run("let s = 'x'; const keep = []; for (;;) { keep.push((s + Math.random()).repeat(1e6).split('')) }"), memory, "ended exceededMemory", "32 MiB"},
      {"ArrayBufferExhaustion", run("const keep = []; for (;;) keep.push(new Uint8Array(1 << 20).fill(1))"), memory, "ended exceededMemory", "32 MiB"},
      {"WasmMemoryExhaustion", run("const m = new WebAssembly.Memory({ initial: 1 }); for (;;) m.grow(64)"), memory, "ended exceededMemory", "32 MiB"},
      {"UnboundedRecursion", run("const f = () => f(); f()"), cpu, "thrown RangeError", "Maximum call stack size exceeded"},
  };
}

// The forks that fill the pool again, and a grain of 10 ms for each process.
constexpr uint64_t ALLOWANCE_MS = 40;

// Of all workers of the present zygote, the living and the reaped.
uint64_t workersCpuMs() { return test::workersCpuMs(static_cast<pid_t>(world().statusNumber("zygote.wardenPid"))); }

class HostileProgram: public WithWorld, public testing::WithParamInterface<Hostile> {};

TEST_P(HostileProgram, EndsByItsLimitWhileOthersAnswer) {
  auto& hostile = GetParam();
  auto bystander = world().load(moduleWith("return input + 1"));
  ASSERT_EQ(describe(bystander.call("run", "[1]")), "value 2");

  auto agent = world().load(hostile.module, hostile.limits);
  bool done = false;
  Result result;
  auto running = agent.callLater("run").then([&](Result r) {
    result = r;
    done = true;
  }).eagerlyEvaluate(nullptr);
  int answers = 0;
  while (!done) {
    ASSERT_EQ(describe(bystander.call("run", "[" + std::to_string(answers) + "]")), "value " + std::to_string(answers + 1));
    answers++;
  }
  EXPECT_EQ(describe(result).rfind(hostile.ending, 0), 0u) << describe(result) << ": " << result.message;
  EXPECT_NE(result.message.find(hostile.naming), std::string::npos) << result.message;
  EXPECT_GT(answers, 0);
}

// Measured in CPU time, which a busy machine does not lengthen.
TEST_P(HostileProgram, UsesAtMostTwiceItsCpuLimit) {
  auto& hostile = GetParam();
  if (std::string(hostile.ending) != "ended exceededCpu") return;
  auto before = workersCpuMs();
  auto result = world().load(hostile.module, hostile.limits).call("run");
  ASSERT_EQ(describe(result), hostile.ending);
  EXPECT_LE(workersCpuMs() - before, 2 * hostile.limits.cpuMs + ALLOWANCE_MS);
}

INSTANTIATE_TEST_SUITE_P(Limits, HostileProgram, testing::ValuesIn(hostiles()),
                         [](const testing::TestParamInfo<Hostile>& info) { return std::string(info.param.name); });

TEST_F(WithWorld, ACallEndedByItsCpuLimitLeavesTheWorkerUsable) {
  LoadOptions limits;
  limits.cpuMs = 50;
  auto agent = world().load("export default { loop() { for (;;); }, run() { return 'alive'; } }", limits);
  EXPECT_EQ(describe(agent.call("loop")), "ended exceededCpu");
  EXPECT_EQ(describe(agent.call("run")), "value \"alive\"");
}

TEST_F(WithWorld, WhatGoesOnAfterTheAnswerIsHeldToTheCpuLimitToo) {
  LoadOptions limits;
  limits.cpuMs = 50;
  for (auto body: {"setTimeout(() => { for (;;); }, 1); ctx.waitUntil(new Promise(() => {})); return 1",
                   "ctx.waitUntil((async () => { for (;;) await new Promise((r) => setTimeout(r, 0)); })()); return 1"}) {
    auto agent = world().load(moduleWith(body), limits);
    EXPECT_EQ(describe(agent.call("run")), "value 1");
    // Each call would begin the count anew; so nobody calls until it is dead.
    auto pid = static_cast<pid_t>(world().statusNumber("workers.0.pid"));
    world().turnUntil([&]() { return !isAlive(pid); });
    auto result = agent.call("run");
    EXPECT_EQ(describe(result), "ended exceededCpu") << body;
    EXPECT_NE(result.message.find("50 ms of CPU time after its calls were answered"), std::string::npos) << result.message;
  }
}

TEST(StrictPolicy, ALoadBeyondTheNumberOfLiveWorkersIsRefusedAndTheOthersGoOn) {
  SupervisorOptions options;
  options.poolSize = 1;
  options.workersMax = 2;
  World strict(options);
  auto one = strict.load(moduleWith("return 1"));
  {
    auto two = strict.load(moduleWith("return 2"));
    EXPECT_EQ(describe(two.call("run")), "value 2");
    try {
      strict.load(moduleWith("return 3")).call("run");
      ADD_FAILURE() << "a third worker was loaded";
    } catch (const kj::Exception& exception) {
      EXPECT_EQ(exception.getType(), kj::Exception::Type::OVERLOADED) << exception.getDescription().cStr();
    }
    EXPECT_EQ(describe(one.call("run")), "value 1");
  }
  strict.turnUntil([&]() { return strict.statusNumber("liveWorkers") == 1; });
  EXPECT_EQ(describe(strict.load(moduleWith("return 3")).call("run")), "value 3");
}

TEST(StrictPolicy, ALimitAboveThePolicyIsLoweredToIt) {
  SupervisorOptions options;
  options.limits.cpuMs = 50;
  options.poolSize = 1;
  World strict(options);
  LoadOptions asked;
  asked.cpuMs = 60'000;
  auto result = strict.load(moduleWith("for (;;);"), asked).call("run");
  EXPECT_EQ(describe(result), "ended exceededCpu");
  EXPECT_NE(result.message.find("50 ms"), std::string::npos) << result.message;
}

}  // namespace
}  // namespace glovebox::test
