#include "supervisor/jailer/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/zygote-protocol.h"
#include "policy/acts.h"
#include "policy/limits.h"
#include "supervisor/jailer/warden-syscalls.h"

namespace glovebox {

using policy::Layer;
using policy::Step;
using policy::StepResult;

namespace {

static_assert(WARDEN_SOCKET == zygote::WARDEN_CONTROL_FD);

// Memory is all it needs of the machine: a stack and a few pages.
constexpr uint64_t WARDEN_DATA_BYTES_MAX = 16 << 20;

StepResult failure(Step step, uint32_t detail = 0) { return {step, errno, detail}; }

[[noreturn]] void becomeZygote(const WardenTask& task, const sigset_t& signals) {
  sigprocmask(SIG_SETMASK, &signals, nullptr);
  // Exec takes the privileges of everybody who is not root in the namespace, and nobody is.
  StepResult result = policy::keepStartCapabilities();
  if (!result.ok() && !task.mayMiss.has(Layer::USER_NAMESPACE)) failJailer(result);
  close(WARDEN_SIGNALS);
  execv(task.command[0], task.command);
  failJailer(failure(Step::EXEC_ZYGOTE));  // the warden socket is close-on-exec: still here
}

// Everything it will not need, given up; the reasons are those of a worker.
StepResult sealWarden(const WardenTask& task) {
  StepResult result = policy::setNoNewPrivs();
  if (!result.ok()) return result;
  if (task.ids.manyIds && !(result = policy::becomeUser(policy::WARDEN_UID)).ok()) return result;
  if (!(result = policy::reduceCapabilities(false)).ok() && !task.mayMiss.has(Layer::USER_NAMESPACE)) return result;
  int abi = 0;
  result = policy::restrictWithLandlock(abi);
  if (!result.ok() && !task.mayMiss.has(Layer::LANDLOCK)) return result;
  // A second lock beside end-of-file. After the ids and capabilities: a change of either clears it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failure(Step::WARDEN_SEAL, PR_SET_PDEATHSIG);
  if (close_range(0, WARDEN_SOCKET - 1, 0) != 0) return failure(Step::WARDEN_SEAL, 0);
  if (close_range(WARDEN_SIGNALS + 1, ~0u, 0) != 0) return failure(Step::WARDEN_SEAL, 1);
  // The limit on descriptors does not touch the two that are open already.
  if (!(result = policy::limitResources(WARDEN_DATA_BYTES_MAX)).ok() && !task.mayMiss.has(Layer::RLIMITS)) return result;
  result = policy::installFilter(task.filter.data(), task.filter.size());
  if (!result.ok() && !task.mayMiss.has(Layer::SECCOMP)) return result;
  return {};
}

// A report that cannot be delivered has no reader any more; the end follows from that.
void reportEnded(const siginfo_t& info, const rusage& usage) {
  auto microseconds = [](const timeval& time) { return uint64_t(time.tv_sec) * 1'000'000 + uint64_t(time.tv_usec); };
  zygote::ChildEnded record;
  record.innerPid = info.si_pid;
  record.code = info.si_code;
  record.status = info.si_status;
  record.cpuUs = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
  record.peakBytes = uint64_t(usage.ru_maxrss) * 1024;
  if (write(WARDEN_SOCKET, &record, sizeof(record)) != sizeof(record)) _exit(0);
}

void reapAll() {
  for (;;) {
    siginfo_t info = {};
    rusage usage = {};
    // By number: the C library's waitid() has no place for the last argument.
    if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | __WALL, &usage) != 0 || info.si_pid == 0) return;
    reportEnded(info, usage);
  }
}

[[noreturn]] void serve() {
  for (;;) {
    pollfd fds[2] = {{WARDEN_SOCKET, POLLIN, 0}, {WARDEN_SIGNALS, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) _exit(1);
    if (fds[1].revents != 0) {
      signalfd_siginfo pending;
      if (read(WARDEN_SIGNALS, &pending, sizeof(pending)) < 0 && errno != EAGAIN) _exit(1);
      reapAll();
    }
    if (fds[0].revents != 0) {
      char byte;
      ssize_t length = read(WARDEN_SOCKET, &byte, 1);
      if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN)) _exit(0);
    }
  }
}

}  // namespace

void runWarden(const WardenTask& task) {
  prctl(PR_SET_NAME, "glovebox-warden");
  // Nothing in the namespace can signal pid 1, and SIGPIPE would hide the reason of an end.
  signal(SIGPIPE, SIG_IGN);
  sigset_t childEnded, before;
  sigemptyset(&childEnded);
  sigaddset(&childEnded, SIGCHLD);
  sigprocmask(SIG_BLOCK, &childEnded, &before);
  int signals = signalfd(-1, &childEnded, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0 || (signals != WARDEN_SIGNALS && dup3(signals, WARDEN_SIGNALS, O_CLOEXEC) < 0)) {
    failJailer(failure(Step::WARDEN_SEAL, SIGCHLD));
  }

  pid_t zygote = fork();
  if (zygote < 0) failJailer(failure(Step::FORK_ZYGOTE));
  if (zygote == 0) {
    signal(SIGPIPE, SIG_DFL);
    becomeZygote(task, before);
  }

  StepResult result = sealWarden(task);
  if (!result.ok()) failJailer(result);
  serve();
}

void failJailer(StepResult result) {
  zygote::StepFailed record;
  record.type = zygote::RecordType::JAILER_FAILED;
  record.step = static_cast<uint32_t>(result.step);
  record.error = result.error;
  record.detail = result.detail;
  // If nobody reads it any more, the exit code still says that something failed.
  if (write(WARDEN_SOCKET, &record, sizeof(record)) < 0) {}
  _exit(zygote::EXIT_LOCKDOWN);
}

}  // namespace glovebox
