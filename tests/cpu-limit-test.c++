// How exactly a CPU limit is kept: by the supervisor's account of each call, which is the kernel's clock of the worker's process
// and, where the worker was killed, what the kernel told its parent.
//
// A limit is noticed by the supervisor, so how exactly depends on when that gets a processor, and on a virtual machine the time in
// which the host gave the processor to others counts as the worker's. So the calls that a busy machine may spoil are a tenth.

#include <stdio.h>

#include <optional>

#include <gtest/gtest.h>

#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "tests/percentiles.h"
#include "tests/world.h"

namespace glovebox::test {
namespace {

constexpr int CALLS = 100;
constexpr uint32_t LIMIT_MS = 50;
constexpr double WANTED_MS_MAX = 75;
constexpr double WANTED_SHARE = 0.9;

constexpr const char* LOOPER = "export default { loop() { for (;;); }, idle() { return 1; } }";

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

  // The CPU time of one endless call, in milliseconds.
  double usedByALoop(Agent& agent) {
    auto request = agent.worker().getEntrypointRequest().send().getEntrypoint().callRequest();
    request.initPath(1).set(0, "loop");
    writePayload(parseJson("[null]"), request.getOperation().initInvoke());
    request.setAccount(true);
    auto response = world.wait(request.send());
    EXPECT_TRUE(response.isEnded());
    EXPECT_EQ(response.getAccount().getOutcome(), rpc::Ending::Code::EXCEEDED_CPU);
    return static_cast<double>(response.getAccount().getCpuUs()) / 1e3;
  }

  void judge(const char* what, Percentiles& used) {
    printf("%s, limit %u ms of CPU, %zu calls: min %.2f   p50 %.2f   p90 %.2f   p99 %.2f   max %.2f ms\n", what, LIMIT_MS, used.count(),
           used.at(0), used.at(0.5), used.at(0.9), used.at(0.99), used.at(1));
    EXPECT_GE(used.at(0), LIMIT_MS);
    EXPECT_LE(used.at(WANTED_SHARE), WANTED_MS_MAX);
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
  std::optional<Agent> agent;
  for (int i = 0; i < CALLS; i++) {
    // At first; and after one that did not stop in its grace, because the machine left the supervisor no time to ask it.
    if (!agent || describe(agent->call("idle")) != "value 1") agent.emplace(loadLooper());
    used.add(usedByALoop(*agent));
  }
  judge("one warm worker", used);
}

}  // namespace
}  // namespace glovebox::test
