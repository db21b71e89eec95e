#include "tools/gateway/jailed-process.h"

#include <errno.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "supervisor/reaper.h"
#include "supervisor/spawn.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace glovebox::gateway {

JailedProcess::JailedProcess(UvEventPort& port, kj::ArrayPtr<const kj::String> command, kj::ArrayPtr<const int> more)
    : ended_(kj::Promise<int>(0).fork()) {
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  line_ = kj::AutoCloseFd(ends[0]);
  kj::AutoCloseFd theirs(ends[1]);
  kj::Vector<int> fds;
  fds.add(theirs);
  fds.addAll(more);
  pidfd_ = openPidfd(spawnProcess(command, fds));
  exit_ = kj::heap<UvFdObserver>(port, pidfd_);
  ended_ = exit_->whenReadable().then([this]() { return reap(); }).fork();
}

JailedProcess::~JailedProcess() noexcept(false) {
  signal(SIGKILL);
  if (!reaped_) reap();
}

void JailedProcess::signal(int number) {
  if (!reaped_) signalPidfd(pidfd_, number);
}

int JailedProcess::reap() {
  siginfo_t info{};
  while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_.get()), &info, WEXITED) < 0 && errno == EINTR) {}
  reaped_ = true;
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

}  // namespace glovebox::gateway
