// What the reader says about processes that are not shut in. That it finds nothing wrong with one that is, and something
// with one that lacks a layer, is shown where real workers are: in supervisor/jailer/jailer-test.c++.

#include "policy/seal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace glovebox::policy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(Seal, AnOrdinaryProcessLacksEverything) {
  auto flaws = findSealFlaws(getpid(), LayerSet());
  EXPECT_THAT(flaws, Contains(HasSubstr("no system call filter")));
  EXPECT_THAT(flaws, Contains(HasSubstr("NoNewPrivs is '0', expected '1'")));
  EXPECT_THAT(flaws, Contains(HasSubstr("CapBnd")));
  EXPECT_THAT(flaws, Contains(HasSubstr("expected {3}")));
  EXPECT_THAT(flaws, Contains(HasSubstr("its root")));
  for (auto name : {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}) {
    EXPECT_THAT(flaws, Contains("its " + std::string(name) + " namespace is the supervisor's own"));
  }
}

TEST(Seal, ALayerThatMayMissIsNotAFlaw) {
  LayerSet mayMiss;
  mayMiss.add(Layer::NET_NAMESPACE);
  mayMiss.add(Layer::SECCOMP);
  auto flaws = findSealFlaws(getpid(), LayerSet(), mayMiss);
  EXPECT_THAT(flaws, Contains(HasSubstr("net namespace")).Times(0));
  EXPECT_THAT(flaws, Contains(HasSubstr("system call filter")).Times(0));
  EXPECT_THAT(flaws, Contains(HasSubstr("uts namespace")));
}

TEST(Seal, AProcessThatIsGoneIsSaidToBe) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  EXPECT_THAT(findSealFlaws(pid, LayerSet()), ::testing::ElementsAre(HasSubstr("it is not in /proc")));
}

TEST(Seal, ThePidBehindAPidfdIsFound) {
  int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
  ASSERT_GE(pidfd, 0);
  EXPECT_EQ(tryGetPid(pidfd), getpid());
  close(pidfd);
  EXPECT_EQ(tryGetPid(pidfd), std::nullopt);
}

}  // namespace
}  // namespace glovebox::policy
