// The table of hostile programs (tests/hostile-programs/) one by one: how each ends, what it is told, and what it cost
// beyond its limit.

#include <stdio.h>

#include <gtest/gtest.h>

#include <chrono>

#include "tests/hostile-programs/program.h"

namespace glovebox::test {
namespace {

World* theWorld = nullptr;

// All workers' so far, the living and the reaped, by the kernel's account of 10 ms grains.
uint64_t workersCpuMs() { return test::workersCpuMs(static_cast<pid_t>(theWorld->statusNumber("zygote.wardenPid"))); }

// What is not the program's: its worker's start, the fork that fills the pool again, a grain for each process.
constexpr uint64_t ALLOWANCE_MS = 120;

class HostileProgramTest: public testing::TestWithParam<HostileProgram> {
 protected:
  static void SetUpTestSuite() {
    SupervisorOptions options;
    options.poolSize = 2;
    theWorld = new World(options);
    printf("%-42s %-24s %8s %8s %10s\n", "program", "ending", "wall ms", "CPU ms", "over limit");
  }
  static void TearDownTestSuite() {
    delete theWorld;
    theWorld = nullptr;
  }
};

TEST_P(HostileProgramTest, EndsAsItMust) {
  auto& program = GetParam();
  auto zygotesBefore = theWorld->statusNumber("zygote.started");
  auto cpuBefore = workersCpuMs();
  auto wallBefore = std::chrono::steady_clock::now();
  auto agent = theWorld->load(program.module, program.limits);
  auto result = agent.call("run");
  auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - wallBefore).count();
  auto cpu = workersCpuMs() - cpuBefore;
  theWorld->logs.clear();

  EXPECT_EQ(describe(result).rfind(program.ending, 0), 0u) << describe(result) << ": " << result.message.substr(0, 200);
  EXPECT_NE(result.message.find(program.naming), std::string::npos) << result.message.substr(0, 200);
  EXPECT_EQ(theWorld->statusNumber("zygote.started"), zygotesBefore) << "a worker died in a way that it must not";

  std::string over = "-";
  if (result.name == "exceededCpu") over = std::to_string(static_cast<int64_t>(cpu) - program.limits.cpuMs) + " CPU";
  if (result.name == "exceededWallTime") over = std::to_string(wall - program.limits.wallMs) + " wall";
  printf("%-42s %-24s %8ld %8lu %10s\n", program.name.c_str(), describe(result).substr(0, 24).c_str(), long(wall), static_cast<unsigned long>(cpu), over.c_str());
  fflush(stdout);
  EXPECT_LE(cpu, 2 * program.limits.cpuMs + ALLOWANCE_MS);
}

INSTANTIATE_TEST_SUITE_P(Table, HostileProgramTest, testing::ValuesIn(allHostilePrograms()),
                         [](const testing::TestParamInfo<HostileProgram>& info) { return info.param.name; });

}  // namespace
}  // namespace glovebox::test
