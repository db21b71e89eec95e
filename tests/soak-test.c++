// Ten thousand loads in a row, one in twenty of them hostile: every honest one is right, and nothing grows.

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/world.h"

namespace glovebox::test {
namespace {

size_t openDescriptors() {
  size_t count = 0;
  auto folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) count++;
  closedir(folder);
  return count;
}

uint64_t residentKb() {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("RssAnon:", 0) == 0) return std::stoull(line.substr(8));
  }
  return 0;
}

size_t childProcesses() {
  auto name = std::to_string(getpid());
  std::ifstream file("/proc/" + name + "/task/" + name + "/children");
  size_t count = 0;
  pid_t pid;
  while (file >> pid) count++;
  return count;
}

struct Hostile {
  const char* body;
  const char* ending;
};
const Hostile HOSTILES[] = {
    {"for (;;);", "ended exceededCpu"},
    {"const keep = []; for (;;) keep.push(new Array(1000).fill({}))", "ended exceededMemory"},
    {"for (let i = 0; i < 20000; i++) console.log('x'.repeat(200)); return 0", "value 0"},
    {"const f = () => f(); f()", "thrown RangeError: Maximum call stack size exceeded"},
    {"await new Promise(() => {})", "ended hung"},
    {"return 'x'.repeat(40 << 20)", "thrown "},
    {"for (;;) setTimeout(() => {}, 1e6)", "thrown "},
};

TEST(Soak, TenThousandLoadsLeaveNothingBehind) {
  const char* asked = getenv("GLOVEBOX_SOAK_LOADS");
  int loads = asked != nullptr ? atoi(asked) : 10'000;
  auto seed = std::random_device()();
  if (const char* fixed = getenv("GLOVEBOX_SOAK_SEED")) seed = static_cast<unsigned>(strtoul(fixed, nullptr, 10));
  printf("seed %u, %d loads\n", seed, loads);
  std::mt19937 random(seed);

  World world;
  size_t descriptors = 0, children = 0;
  uint64_t resident = 0;
  for (int i = 0; i < loads; i++) {
    // The first tenth is the time to settle in.
    if (i == loads / 10) {
      world.turnUntil([&]() { return world.statusNumber("liveWorkers") == 0; });
      descriptors = openDescriptors();
      children = childProcesses();
      resident = residentKb();
    }
    if (random() % 20 == 0) {
      auto& hostile = HOSTILES[random() % std::size(HOSTILES)];
      LoadOptions limits;
      limits.cpuMs = 20;
      limits.memoryMb = 16;
      if (std::string(hostile.ending) != "ended exceededCpu") limits.cpuMs = 5'000;
      auto result = world.load(moduleWith(hostile.body), limits).call("run");
      ASSERT_EQ(describe(result).rfind(hostile.ending, 0), 0u) << hostile.body << ": " << describe(result);
      world.logs.clear();
    } else {
      auto result = world.load(moduleWith("return input * 2")).call("run", "[" + std::to_string(i) + "]");
      ASSERT_EQ(describe(result), "value " + std::to_string(2 * i));
    }
  }
  world.turnUntil([&]() { return world.statusNumber("liveWorkers") == 0 && world.statusNumber("pool.starting") == 0; });
  // Pool and zygote may be in the middle of a change: a few of each either way.
  EXPECT_LE(openDescriptors(), descriptors + 12);
  EXPECT_LE(childProcesses(), children + 3);
  EXPECT_LE(residentKb(), resident + 4'096);
  EXPECT_EQ(world.statusNumber("pool.failed"), 0u);
}

}  // namespace
}  // namespace glovebox::test
