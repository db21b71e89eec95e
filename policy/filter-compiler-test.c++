// The compiled filter as the running kernel applies it, one call to a child. What the filter says for every number and
// argument is checked by the interpreter in tests/.

#include "policy/filter-compiler.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>

#include "policy/acts.h"
#include "policy/limits.h"
#include "policy/syscalls.h"

namespace glovebox::policy {
namespace {

constexpr int DID_NOT_INSTALL = 77;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SKIP_UNDER_SANITIZER() GTEST_SKIP() << "the address sanitizer makes system calls of its own; run a plain build"
#else
#define SKIP_UNDER_SANITIZER() (void)0
#endif

class Filter : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_UNDER_SANITIZER(); }
};

// Runs `act` in a child under the filter, with one end of a socket as descriptor 3. The act answers true or false by how
// the child ends: 0 or 1.
class FilteredChild {
 public:
  FilteredChild(Profile profile, std::function<bool()> act) {
    auto filter = compileWorkerFilter(profile);
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      // A SIGSYS is expected: no core for it.
      rlimit none{0, 0};
      setrlimit(RLIMIT_CORE, &none);
      dup2(ends[1], WORKER_SOCKET);
      close_range(WORKER_SOCKET + 1, ~0u, 0);
      if (!setNoNewPrivs().ok() || !installFilter(filter.data(), filter.size()).ok()) _exit(DID_NOT_INSTALL);
      syscall(SYS_exit_group, act() ? 0 : 1);
    }
    close(ends[1]);
    socket_ = ends[0];
  }
  ~FilteredChild() {
    if (pid_ > 0) end();
    close(socket_);
  }

  int socket() const { return socket_; }
  pid_t pid() const { return pid_; }

  int end() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
  int socket_;
};

bool passes(Profile profile, std::function<bool()> act) {
  int status = FilteredChild(profile, std::move(act)).end();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool isKilledByTheFilter(Profile profile, std::function<bool()> act) {
  int status = FilteredChild(profile, std::move(act)).end();
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

bool map(int protection, int flags) { return mmap(nullptr, 65536, protection, flags, -1, 0) != MAP_FAILED; }

bool protectAs(int protection) {
  void* memory = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && mprotect(memory, 65536, protection) == 0;
}

constexpr Profile PROFILES[] = {Profile::DEFAULT, Profile::NO_WASM, Profile::JITLESS};

TEST(FilterCompiler, GivesTheSameProgramEachTime) {
  for (Profile profile : PROFILES) {
    auto first = compileWorkerFilter(profile), second = compileWorkerFilter(profile);
    ASSERT_GT(first.size(), 20u);
    ASSERT_EQ(first.size(), second.size());
    EXPECT_EQ(memcmp(first.data(), second.data(), first.size() * sizeof(sock_filter)), 0);
  }
}

TEST(FilterCompiler, OnlyTheDefaultProfileLetsPagesBecomeExecutable) {
  SKIP_UNDER_SANITIZER();
  EXPECT_GT(compileWorkerFilter(Profile::DEFAULT).size(), compileWorkerFilter(Profile::NO_WASM).size());
  auto executable = [] { return protectAs(PROT_READ | PROT_WRITE | PROT_EXEC); };
  EXPECT_TRUE(executable()) << "control: outside the filter the act works";
  EXPECT_TRUE(passes(Profile::DEFAULT, executable));
  EXPECT_TRUE(isKilledByTheFilter(Profile::NO_WASM, executable));
  EXPECT_TRUE(isKilledByTheFilter(Profile::JITLESS, executable));
}

TEST(FilterCompiler, TheTableIsPrintedWithItsReasons) {
  std::string text = describeWorkerRules(Profile::DEFAULT);
  for (const Rule& rule : WORKER_SYSCALLS) EXPECT_NE(text.find(rule.reason), std::string::npos) << rule.call;
  EXPECT_EQ(describeWorkerRules(Profile::NO_WASM).find("WebAssembly makes"), std::string::npos);
  EXPECT_NE(filterPseudoCode(Profile::DEFAULT).find("KILL_PROCESS"), std::string::npos);
}

TEST_F(Filter, MemoryMayGrowButNeverBeExecutableSharedOrOfAFile) {
  for (Profile profile : PROFILES) {
    EXPECT_TRUE(passes(profile, [] { return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS); }));
    EXPECT_TRUE(passes(profile, [] { return map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE); }));
    EXPECT_TRUE(passes(profile, [] { return map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE); }));
    EXPECT_TRUE(isKilledByTheFilter(
        profile, [] { return map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }));
    EXPECT_TRUE(isKilledByTheFilter(profile, [] { return map(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS); }));
    EXPECT_TRUE(isKilledByTheFilter(profile, [] { return map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS); }));
    EXPECT_TRUE(isKilledByTheFilter(profile, [] { return protectAs(PROT_READ | PROT_EXEC); }));
  }
  EXPECT_TRUE(map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS)) << "control";
}

TEST_F(Filter, OnlyTheSocketIsReadAndWritten) {
  EXPECT_TRUE(passes(Profile::DEFAULT, [] { return write(WORKER_SOCKET, "x", 1) == 1; }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] { return write(2, "", 0) == 0; }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] {
    char byte;
    return read(0, &byte, 0) == 0;
  }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] { return send(WORKER_SOCKET, "x", 1, 0) == 1; }));
}

TEST_F(Filter, ItsOwnAnswersDoNotReachTheKernel) {
  EXPECT_TRUE(passes(Profile::DEFAULT, [] { return open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT; }));
  EXPECT_GE(open("/etc/passwd", O_RDONLY | O_CLOEXEC), 0) << "control: outside the filter the file is there";
  EXPECT_TRUE(passes(Profile::DEFAULT, [] { return syscall(SYS_getpid) == 0; }));
  EXPECT_TRUE(passes(Profile::DEFAULT, [] { return syscall(SYS_brk, 0) == 0; }));
  EXPECT_TRUE(passes(Profile::DEFAULT, [] { return syscall(SYS_sched_getaffinity, 0, 0, 0) < 0 && errno == ENOSYS; }));
}

TEST_F(Filter, ALargeBlockCanStillBeReallocated) {
  EXPECT_TRUE(passes(Profile::DEFAULT, [] {
    auto small = static_cast<char*>(malloc(1 << 20));
    small[7] = 'x';
    auto large = static_cast<char*>(realloc(small, 16 << 20));
    return large != nullptr && large[7] == 'x';
  }));
}

// Shows the need for the answer to futex: without it the first use of any std::once_flag is deadly.
TEST_F(Filter, AOnceFlagCanBeUsed) {
  EXPECT_TRUE(passes(Profile::DEFAULT, [] {
    static std::once_flag flag;
    bool called = false;
    std::call_once(flag, [&] { called = true; });
    return called;
  }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] {
    int word = 0;
    return syscall(SYS_futex, &word, FUTEX_WAKE, 1) == 0;
  }));
}

TEST_F(Filter, ProcessesThreadsAndProgramsCannotBeStarted) {
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] { return fork() >= 0; }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] { return unshare(CLONE_NEWUSER) == 0; }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [] {
    execl("/bin/true", "true", nullptr);
    return false;
  }));
}

TEST_F(Filter, OnlyClocksThatNameNobodyElseAreRead) {
  auto clock = [](clockid_t id) {
    return [id] {
      timespec time;
      return syscall(SYS_clock_gettime, id, &time) == 0;
    };
  };
  EXPECT_TRUE(passes(Profile::DEFAULT, clock(CLOCK_THREAD_CPUTIME_ID)));
  EXPECT_TRUE(passes(Profile::DEFAULT, clock(CLOCK_MONOTONIC)));
  clockid_t ofInit = static_cast<clockid_t>((~1u << 3) | 2);
  EXPECT_TRUE(clock(ofInit)()) << "control: outside the filter anybody's clock can be read";
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, clock(ofInit)));
}

TEST_F(Filter, RandomBytesComeWithoutFlags) {
  char bytes[8];
  EXPECT_TRUE(passes(Profile::DEFAULT, [&] { return syscall(SYS_getrandom, bytes, 8, 0) == 8; }));
  EXPECT_TRUE(isKilledByTheFilter(Profile::DEFAULT, [&] { return syscall(SYS_getrandom, bytes, 8, 1) == 8; }));
}

bool isAsleep(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.find(") S ") != std::string::npos;
}

// The kernel resumes a stopped poll with restart_syscall; a filter without it killed idle workers when the machine slept.
TEST_F(Filter, AnIdleWorkerSurvivesAStop) {
  FilteredChild child(Profile::DEFAULT, [] {
    pollfd fd{WORKER_SOCKET, POLLIN, 0};
    char byte = 0;
    return poll(&fd, 1, -1) == 1 && read(WORKER_SOCKET, &byte, 1) == 1 && byte == 'x';
  });
  while (!isAsleep(child.pid())) sched_yield();
  int status;
  ASSERT_EQ(kill(child.pid(), SIGSTOP), 0);
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(kill(child.pid(), SIGCONT), 0);
  ASSERT_EQ(waitpid(child.pid(), &status, WCONTINUED), child.pid());
  ASSERT_TRUE(WIFCONTINUED(status));
  ASSERT_EQ(write(child.socket(), "x", 1), 1);
  EXPECT_EQ(child.end(), 0);
}

}  // namespace
}  // namespace glovebox::policy
