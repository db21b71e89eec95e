#include "policy/cgroups.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace glovebox::policy {
namespace {

constexpr CgroupLimits LIMITS{64 << 20, 3, 50};

std::string reasons(const WorkerCgroups& cgroups) {
  std::string text;
  for (auto& missing : cgroups.missing()) text += std::string(info(missing.layer).name) + ": " + missing.reason + "; ";
  return text;
}

// Runs `act` in a child that joins first, as the jailer does.
int statusInside(const WorkerCgroups& cgroups, int (*act)()) {
  pid_t pid = fork();
  if (pid == 0) {
    for (auto& file : cgroups.procsFiles()) {
      std::ofstream(file) << "0";
    }
    _exit(act());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST(Cgroups, EachKindIsInForceOrSaysWhyNot) {
  WorkerCgroups cgroups(LIMITS);
  for (Layer layer : {Layer::CGROUP_MEMORY, Layer::CGROUP_PIDS, Layer::CGROUP_CPU}) {
    int said = 0;
    for (auto& missing : cgroups.missing()) said += missing.layer == layer && !missing.reason.empty();
    EXPECT_EQ(said, cgroups.inForce().has(layer) ? 0 : 1) << info(layer).name;
  }
}

TEST(Cgroups, ALimitThatNobodyAskedForIsNotInForce) {
  WorkerCgroups cgroups(CgroupLimits{});
  EXPECT_EQ(cgroups.inForce().bits(), 0u);
}

int takeMemory() {
  constexpr size_t SIZE = 128 << 20;
  void* memory = mmap(nullptr, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  memset(memory, 1, SIZE);
  return 0;
}

TEST(Cgroups, MemoryBeyondTheLimitEndsTheProcessThatTakesIt) {
  WorkerCgroups none(CgroupLimits{}), cgroups(LIMITS);
  if (!cgroups.inForce().has(Layer::CGROUP_MEMORY)) GTEST_SKIP() << reasons(cgroups);
  EXPECT_EQ(statusInside(none, takeMemory), 0) << "control: without the group the memory can be had";
  int status = statusInside(cgroups, takeMemory);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

// Exits with the number of children that could be had.
int forkTen() {
  int count = 0;
  pid_t children[10];
  for (int i = 0; i < 10; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      pause();
      _exit(0);
    }
    if (pid > 0) children[count++] = pid;
  }
  for (int i = 0; i < count; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], nullptr, 0);
  }
  return count;
}

TEST(Cgroups, NoMoreProcessesStartThanTheLimitSays) {
  WorkerCgroups none(CgroupLimits{}), cgroups(LIMITS);
  if (!cgroups.inForce().has(Layer::CGROUP_PIDS)) GTEST_SKIP() << reasons(cgroups);
  EXPECT_EQ(WEXITSTATUS(statusInside(none, forkTen)), 10) << "control";
  EXPECT_EQ(WEXITSTATUS(statusInside(cgroups, forkTen)), 2) << "three with the parent";
}

TEST(Cgroups, TheFoldersAreGoneAfterwards) {
  std::vector<std::string> files;
  {
    WorkerCgroups cgroups(LIMITS);
    files = cgroups.procsFiles();
    if (files.empty()) GTEST_SKIP() << reasons(cgroups);
    for (auto& file : files) EXPECT_EQ(access(file.c_str(), F_OK), 0) << file;
  }
  for (auto& file : files) EXPECT_NE(access(file.c_str(), F_OK), 0) << file;
}

}  // namespace
}  // namespace glovebox::policy
