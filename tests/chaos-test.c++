// Sudden death, of each process in turn: who was waiting hears of it at once, nobody else notices, nothing is left behind.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <set>

#include "ipc/listener.h"
#include "tests/world.h"
#include "tools/daemon-process.h"

namespace glovebox::test {
namespace {

SupervisorOptions smallPool() {
  SupervisorOptions options;
  options.poolSize = 2;
  return options;
}

// The worker that is burning CPU.
pid_t busiest(World& world, const std::vector<pid_t>& candidates) {
  auto ticks = [](pid_t pid) -> uint64_t {
    clockid_t clock;
    timespec time{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
  };
  pid_t best = -1;
  // Only one of them runs: it is the one that has used more than any start-up does.
  world.turnUntil([&]() {
    for (pid_t pid: candidates) {
      if (ticks(pid) > 50'000'000) best = pid;
    }
    return best > 0;
  });
  return best;
}

TEST(Chaos, AKilledWorkersCallerHearsAtOnceAndTheNextLoadWorks) {
  World world(smallPool());
  auto agent = world.load(moduleWith("for (;;);"));
  auto running = agent.callLater("run").eagerlyEvaluate(nullptr);
  pid_t victim = busiest(world, workersOf(static_cast<pid_t>(world.statusNumber("zygote.wardenPid"))));
  ASSERT_EQ(kill(victim, SIGKILL), 0);
  auto result = world.wait(kj::mv(running));
  EXPECT_EQ(describe(result), "ended exited");
  EXPECT_NE(result.message.find("worker died"), std::string::npos) << result.message;
  EXPECT_EQ(describe(agent.call("run")), "ended exited");
  EXPECT_EQ(describe(world.load(moduleWith("return 1")).call("run")), "value 1");
}

TEST(Chaos, ACrashedWorkerIsNamedWithItsSignalAndItsZygoteIsReplaced) {
  World world(smallPool());
  auto zygotesBefore = world.statusNumber("zygote.started");
  auto agent = world.load(moduleWith("for (;;);"));
  auto running = agent.callLater("run").eagerlyEvaluate(nullptr);
  pid_t victim = busiest(world, workersOf(static_cast<pid_t>(world.statusNumber("zygote.wardenPid"))));
  ASSERT_EQ(kill(victim, SIGSEGV), 0);
  auto result = world.wait(kj::mv(running));
  EXPECT_EQ(describe(result), "ended crashed");
  EXPECT_NE(result.message.find("signal 11"), std::string::npos) << result.message;
  world.turnUntil([&]() { return world.statusNumber("zygote.started") > zygotesBefore; });
  EXPECT_EQ(describe(world.load(moduleWith("return 1")).call("run")), "value 1");
}

TEST(Chaos, AKilledZygoteIsReplacedAndLiveWorkersKeepAnswering) {
  World world(smallPool());
  auto agent = world.load("let n = 0; export default { run() { return ++n; } }");
  EXPECT_EQ(describe(agent.call("run")), "value 1");
  auto warden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
  ASSERT_EQ(kill(zygoteOf(warden), SIGKILL), 0);
  EXPECT_EQ(describe(agent.call("run")), "value 2");
  world.turnUntil([&]() { return world.statusNumber("zygote.started") >= 2; });
  // The pool has no worker of the old one any more; the agent's stays.
  world.turnUntil([&]() { return workersOf(warden).size() == 1; });
  for (int i = 0; i < 6; i++) EXPECT_EQ(describe(world.load(moduleWith("return 1")).call("run")), "value 1");
  EXPECT_EQ(describe(agent.call("run")), "value 3");
  EXPECT_NE(static_cast<pid_t>(world.statusNumber("zygote.wardenPid")), warden);
}

TEST(Chaos, AWarmWorkerThatDiesIsReplaced) {
  World world(smallPool());
  auto isFull = [&]() { return world.statusNumber("pool.warm") == 2 && world.statusNumber("pool.starting") == 0; };
  world.turnUntil(isFull);
  auto forked = world.statusNumber("pool.forked");
  auto warden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
  auto oldest = workersOf(warden).front();   // the one that a load would take last
  ASSERT_EQ(kill(oldest, SIGKILL), 0);
  world.turnUntil([&]() { return workersOf(warden).size() == 1; });
  EXPECT_EQ(describe(world.load(moduleWith("return 1")).call("run")), "value 1");
  // The dead one's place, and that of the one that was loaded.
  world.turnUntil([&]() { return isFull() && world.statusNumber("pool.forked") >= forked + 2; });
  auto left = workersOf(warden);
  EXPECT_EQ(std::count(left.begin(), left.end(), oldest), 0);
}

TEST(Chaos, AZygoteThatIsKilledWithManyForksUnderWayFailsNoLoad) {
  World world(smallPool());
  world.turnUntil([&]() { return world.statusNumber("pool.warm") == 2 && world.statusNumber("pool.starting") == 0; });
  auto zygote = zygoteOf(static_cast<pid_t>(world.statusNumber("zygote.wardenPid")));
  ASSERT_EQ(kill(zygote, SIGSTOP), 0);
  constexpr size_t LOADS = 12;
  std::vector<Agent> agents;
  agents.reserve(LOADS);
  std::vector<kj::Promise<Result>> results;
  for (size_t i = 0; i < LOADS; i++) {
    agents.push_back(world.load(moduleWith("return 1")));
    results.push_back(agents.back().callLater("run").eagerlyEvaluate(nullptr));
  }
  world.turnUntil([&]() { return world.statusNumber("pool.starting") >= 4; });
  ASSERT_EQ(kill(zygote, SIGKILL), 0);
  for (auto& result: results) EXPECT_EQ(describe(world.wait(kj::mv(result))), "value 1");
}

TEST(Chaos, AZygoteIsReplacedAfterItsNumberOfForks) {
  auto options = smallPool();
  options.zygoteForksMax = 10;
  World world(options);
  auto firstWarden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
  // The old one goes on until the new one stands, so that nobody waits.
  for (int i = 0; world.statusNumber("zygote.started") < 4; i++) {
    auto number = std::to_string(i);
    ASSERT_EQ(describe(world.load(moduleWith("return input")).call("run", "[" + number + "]")), "value " + number);
  }
  EXPECT_EQ(world.statusNumber("pool.failed"), 0u);
  // None of its workers stays behind in the pool.
  world.turnUntil([&]() { return workersOf(firstWarden).empty(); });
}

TEST(Chaos, AZygoteIsReplacedAfterItsTime) {
  auto options = smallPool();
  options.zygoteAgeSecondsMax = 0;   // too old as soon as it stands
  World world(options);
  for (int i = 0; i < 10; i++) ASSERT_EQ(describe(world.load(moduleWith("return 1")).call("run")), "value 1");
  world.turnUntil([&]() { return world.statusNumber("zygote.started") >= 2; });
}

TEST(Chaos, TwoZygotesHaveTwoHashSeeds) {
  World one(smallPool());
  auto first = one.statusText("zygote.hashSeedProbe");
  ASSERT_EQ(kill(zygoteOf(static_cast<pid_t>(one.statusNumber("zygote.wardenPid"))), SIGKILL), 0);
  one.turnUntil([&]() { return one.statusNumber("zygote.started") >= 2 && one.statusNumber("pool.warm") > 0; });
  EXPECT_NE(one.statusText("zygote.hashSeedProbe"), first);
}

TEST(Chaos, SiblingsDrawDifferentRandomNumbers) {
  World world(smallPool());
  std::set<std::string> sequences;
  for (int i = 0; i < 20; i++) {
    auto result = world.load(moduleWith("return [Math.random(), Math.random(), crypto.randomUUID()].join()")).call("run");
    ASSERT_EQ(result.kind, Result::Kind::VALUE) << describe(result);
    sequences.insert(result.json);
  }
  EXPECT_EQ(sequences.size(), 20u);
}

TEST(Chaos, ADisposedWorkersProcessEnds) {
  World world(smallPool());
  auto warden = static_cast<pid_t>(world.statusNumber("zygote.wardenPid"));
  world.turnUntil([&]() { return world.statusNumber("pool.warm") == 2; });
  {
    auto agent = world.load(moduleWith("return 1"));
    EXPECT_EQ(describe(agent.call("run")), "value 1");
    EXPECT_EQ(world.statusNumber("liveWorkers"), 1u);
    world.turnUntil([&]() { return workersOf(warden).size() == 3; });
  }
  world.turnUntil([&]() { return world.statusNumber("liveWorkers") == 0 && workersOf(warden).size() == 2; });
}

TEST(Chaos, NothingOutlivesAKilledSupervisor) {
  DaemonProcess daemon(findInstallation().glovebox.cStr(), {});
  pid_t warden;
  {
    UvLoop loop;
    UvEventPort port(loop.get());
    auto connection = connectToSupervisor(port, daemon.socketPath().c_str());
    auto supervisor = connection->bootstrap<rpc::Supervisor>();
    warden = static_cast<pid_t>(numberIn(supervisor.statusRequest().send().wait(port.waitScope()).getJson().cStr(), "zygote.wardenPid"));
  }
  auto processes = workersOf(warden);
  processes.push_back(zygoteOf(warden));
  processes.push_back(warden);
  ASSERT_GE(processes.size(), 3u);
  for (pid_t pid: processes) ASSERT_TRUE(isAlive(pid)) << pid;
  daemon.end(SIGKILL);
  // "Within a second" is the promise.
  int alive = 0;
  for (int attempt = 0; attempt < 100; attempt++) {
    alive = 0;
    for (pid_t pid: processes) alive += isAlive(pid);
    if (alive == 0) break;
    usleep(10'000);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace glovebox::test
