// How exactly a CPU limit is kept: by the kernel's clock of the worker's process, over many calls.

#include <stdio.h>
#include <time.h>

#include <gtest/gtest.h>

#include "tests/percentiles.h"
#include "tests/world.h"

namespace glovebox::test {
namespace {

constexpr int CALLS = 100;
constexpr uint32_t LIMIT_MS = 50;
constexpr double WANTED_MS_MAX = 75;   // of 99 calls in a hundred
constexpr double MS_MAX = 100;         // of each: twice the limit

constexpr const char* LOOPER = "export default { loop() { for (;;); }, idle() { return 1; } }";

double cpuMsOf(pid_t pid) {
  clockid_t clock;
  timespec time;
  EXPECT_EQ(clock_getcpuclockid(pid, &clock), 0) << "the worker is gone: it did not stop when it was asked to";
  EXPECT_EQ(clock_gettime(clock, &time), 0);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

class CpuLimit: public testing::Test {
 protected:
  World world;

  ~CpuLimit() noexcept override = default;

  Agent loadLooper() {
    LoadOptions limits;
    limits.cpuMs = LIMIT_MS;
    auto agent = world.load(LOOPER, limits);
    EXPECT_EQ(describe(agent.call("idle")), "value 1");
    return agent;
  }

  // The CPU time of one endless call, of the one worker there is.
  double usedByALoop(Agent& agent) {
    auto pid = static_cast<pid_t>(world.statusNumber("workers.0.pid"));
    auto before = cpuMsOf(pid);
    auto result = agent.call("loop");
    auto used = cpuMsOf(pid) - before;
    EXPECT_EQ(describe(result), "ended exceededCpu");
    return used;
  }

  void judge(const char* what, Percentiles& used) {
    printf("%s, limit %u ms of CPU, %zu calls: min %.2f   p50 %.2f   p99 %.2f   max %.2f ms\n", what, LIMIT_MS, used.count(), used.at(0),
           used.at(0.5), used.at(0.99), used.at(1));
    EXPECT_GE(used.at(0), LIMIT_MS);
    EXPECT_LE(used.at(0.99), WANTED_MS_MAX);
    EXPECT_LE(used.at(1), MS_MAX);
  }
};

TEST_F(CpuLimit, EndsACallOfAFreshWorkerInTime) {
  Percentiles used;
  for (int i = 0; i < CALLS; i++) {
    {
      auto agent = loadLooper();
      used.add(usedByALoop(agent));
    }
    world.turnUntil([&]() { return world.statusNumber("liveWorkers") == 0; });
  }
  judge("fresh workers", used);
}

TEST_F(CpuLimit, EndsACallOfAWarmWorkerInTime) {
  Percentiles used;
  auto agent = loadLooper();
  for (int i = 0; i < CALLS; i++) used.add(usedByALoop(agent));
  judge("one warm worker", used);
}

}  // namespace
}  // namespace glovebox::test
