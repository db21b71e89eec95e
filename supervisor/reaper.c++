#include "supervisor/reaper.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

#include "ipc/uv-event-port.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace glovebox {

void Reaper::adopt(pid_t pid) {
  auto pidfd = openPidfd(pid);
  living_.insert(pidfd);
  auto waiter = kj::heap<UvFdObserver>(port_, pidfd.get());
  auto done = waiter->whenReadable().then([this, fd = pidfd.get()]() {
    living_.erase(fd);
    siginfo_t info{};
    // ECHILD: the embedder ignores SIGCHLD or waits for everybody; then the kernel or it has reaped the child.
    while (waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd), &info, WEXITED) < 0 && errno == EINTR) {}
  });
  tasks_.add(done.attach(kj::mv(waiter), kj::mv(pidfd)));
}

void Reaper::killAll() {
  for (int pidfd: living_) signalPidfd(pidfd, SIGKILL);
}

void Reaper::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "waiting for a child failed", exception); }

kj::AutoCloseFd openPidfd(pid_t pid) {
  int fd;
  KJ_SYSCALL(fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0)), pid);
  return kj::AutoCloseFd(fd);
}

bool signalPidfd(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  KJ_FAIL_SYSCALL("pidfd_send_signal", errno, signal);
}

}  // namespace glovebox
