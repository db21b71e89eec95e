// The same filter in the kernel: calls that it forbids die by SIGSYS, at that very call, and work without it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "policy/confine.h"
#include "policy/filter-compiler.h"
#include "tests/bpf-interpreter.h"

namespace glovebox::tests {
namespace {

using policy::Profile;
using Filter = std::vector<sock_filter>;

struct Call {
  const char* name;
  long number;
  long arguments[6] = {};
};

// Each works outside, and does no harm.
const Call FORBIDDEN[] = {
    {"uname", SYS_uname, {0}},
    {"getppid", SYS_getppid},
    {"getuid", SYS_getuid},
    {"socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"dup", SYS_dup, {3}},
    {"write to descriptor 1", SYS_write, {1, 0, 0}},
    {"read from descriptor 0", SYS_read, {0, 0, 0}},
    {"mmap shared", SYS_mmap, {0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0}},
    {"mmap executable", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mmap writable and executable",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"madvise of another kind", SYS_madvise, {0, 0, MADV_NORMAL}},
    {"mprotect to read and execute", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, {SIG_BLOCK, 0, 0, 8}},
    {"sync of nothing", SYS_membarrier, {0, 0, 0}},
};

const Call ALLOWED[] = {
    {"write to descriptor 3", SYS_write, {3, 0, 0}},
    {"mmap private", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"madvise dontneed", SYS_madvise, {0, 0, MADV_DONTNEED}},
    {"mprotect to read", SYS_mprotect, {0, 0, PROT_READ}},
    {"sched_yield", SYS_sched_yield},
};

long make(const Call& call) {
  const long* a = call.arguments;
  return syscall(call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void seal(const Filter& filter) {
  policy::WorkerConfinement confinement;
  confinement.filter = filter.data();
  confinement.filterLength = static_cast<uint16_t>(filter.size());
  if (!policy::setNoNewPrivs().ok() || !policy::seal(confinement).ok()) _exit(99);
}

struct Outcome {
  int code;
  int status;
  int trapped = -1;  // the number a SIGSYS handler saw

  bool diedBySigsys() const { return (code == CLD_KILLED || code == CLD_DUMPED) && status == SIGSYS; }
  bool returned() const { return code == CLD_EXITED && status == 0; }
};

void reportTrap(int, siginfo_t* info, void*) {
  syscall(SYS_write, 3, &info->si_syscall, sizeof(info->si_syscall));
  for (;;) syscall(SYS_exit_group, 0);
}

// In a child whose descriptor 3 is a pipe; without a filter if there is none.
Outcome tryIn(const Filter* filter, const Call& call) {
  int fds[2];
  EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], 3);
    struct sigaction action {};
    action.sa_sigaction = reportTrap;
    action.sa_flags = SA_SIGINFO;
    // Only a TRAP reaches the handler; KILL_PROCESS does not ask it.
    sigaction(SIGSYS, &action, nullptr);
    if (filter != nullptr) seal(*filter);
    make(call);
    for (;;) syscall(SYS_exit_group, 0);
  }
  close(fds[1]);
  siginfo_t info{};
  EXPECT_EQ(waitid(P_PID, pid, &info, WEXITED), 0);
  Outcome outcome{info.si_code, info.si_status};
  if (read(fds[0], &outcome.trapped, sizeof(outcome.trapped)) != sizeof(outcome.trapped)) outcome.trapped = -1;
  close(fds[0]);
  return outcome;
}

class LiveFilterTest : public testing::TestWithParam<Profile> {
 protected:
  Filter filter_ = policy::compileWorkerFilter(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Profiles, LiveFilterTest,
                         testing::Values(Profile::DEFAULT, Profile::NO_WASM, Profile::JITLESS), [](const auto& tested) {
                           std::string name(policy::profileName(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(LiveFilterTest, ForbiddenCallsDieBySigsysAndReturnOutside) {
  for (const Call& call : FORBIDDEN) {
    EXPECT_TRUE(tryIn(&filter_, call).diedBySigsys()) << call.name;
    EXPECT_TRUE(tryIn(nullptr, call).returned()) << call.name << " outside";
  }
}

// The same program with "trap" in the place of "kill": the child says which number it was stopped at.
TEST_P(LiveFilterTest, ItIsTheForbiddenCallThatDies) {
  Filter trapping = BpfProgram(filter_).withReturnsReplaced(SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP);
  for (const Call& call : FORBIDDEN) {
    Outcome outcome = tryIn(&trapping, call);
    EXPECT_TRUE(outcome.returned()) << call.name;
    EXPECT_EQ(outcome.trapped, call.number) << call.name;
  }
}

TEST_P(LiveFilterTest, AllowedCallsReturn) {
  for (const Call& call : ALLOWED) EXPECT_TRUE(tryIn(&filter_, call).returned()) << call.name;
}

TEST_P(LiveFilterTest, OnlyTheDefaultProfileMakesPagesWritableAndExecutable) {
  Call call{"mprotect", SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE | PROT_EXEC}};
  EXPECT_EQ(tryIn(&filter_, call).returned(), GetParam() == Profile::DEFAULT);
  EXPECT_EQ(tryIn(&filter_, call).diedBySigsys(), GetParam() != Profile::DEFAULT);
}

// Each number once, with all arguments 0. The kernel runs 335 and 336 before it asks a filter; a third such number
// would be news.
TEST_P(LiveFilterTest, EveryNumberTheModelKillsDiesInTheKernelToo) {
  std::set<int> exceptions;
  BpfProgram model(filter_);
  for (int number = 0; number <= 600; ++number) {
    seccomp_data data{};
    data.nr = number;
#if defined(__x86_64__)
    data.arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    data.arch = AUDIT_ARCH_AARCH64;
#endif
    if (model.run(data) != SECCOMP_RET_KILL_PROCESS) continue;
    if (!tryIn(&filter_, {"", number}).diedBySigsys()) exceptions.insert(number);
  }
#if defined(__x86_64__)
  exceptions.erase(335);
  exceptions.erase(336);
#endif
  EXPECT_EQ(exceptions, std::set<int>{});
}

}  // namespace
}  // namespace glovebox::tests
