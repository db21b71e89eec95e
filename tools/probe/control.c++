#include "tools/probe/control.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "tools/probe/lent-segment.h"
#include "tools/probe/probe-record.h"
#include "tools/probe/raw-calls.h"
#include "tools/probe/victim.h"

namespace glovebox::probe {
namespace {

constexpr int OWN_SOCKET = 3;

// Takes its secret, says so, and waits for end-of-file. Its descriptor 3 is there to be taken.
pid_t startVictim() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::runtime_error("no socket pair");
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    secret = SECRET_OF_VICTIM;
    dup2(fds[1], OWN_SOCKET);
    char byte = 0;
    if (write(OWN_SOCKET, &byte, 1) != 1) _exit(1);
    while (read(OWN_SOCKET, &byte, 1) > 0) {
    }
    for (;;) pause();  // the parent ends it
  }
  char byte;
  bool standing = read(fds[0], &byte, 1) == 1;
  close(fds[0]);
  close(fds[1]);
  if (!standing) throw std::runtime_error("a victim did not start");
  return pid;
}

void endVictim(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

}  // namespace

Verdict runControl(const Attempt& attempt) {
  LentSegment segment;
  Surroundings around{startVictim(), startVictim()};
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::runtime_error("no socket pair");
  pid_t pid = fork();
  if (pid < 0) throw std::runtime_error("cannot fork");
  if (pid == 0) {
    dup2(fds[1], OWN_SOCKET);
    Result result = attempt.run(around);
    ProbeRecord record;
    record.outcome = static_cast<uint32_t>(result.outcome);
    record.error = result.error;
    syscall(SYS_write, OWN_SOCKET, &record, sizeof(record));
    syscall(SYS_exit_group, 0);
  }
  close(fds[1]);
  siginfo_t info{};
  while (waitid(P_PID, pid, &info, WEXITED | __WALL) != 0 && errno == EINTR) {
  }
  Ending ending{std::nullopt, info.si_code, info.si_status};
  // What an attempt itself sent to its socket may stand before the record.
  ProbeRecord record;
  std::string bytes;
  char buffer[256];
  for (ssize_t got; (got = recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT)) > 0;) bytes.append(buffer, got);
  if (bytes.size() >= sizeof(record)) {
    std::memcpy(&record, bytes.data() + bytes.size() - sizeof(record), sizeof(record));
    if (record.magic == PROBE_RECORD_MAGIC) ending.result = Result{static_cast<Outcome>(record.outcome), record.error};
  }
  close(fds[0]);
  endVictim(around.trusted);
  endVictim(around.sibling);
  return judge(attempt, ending, false);
}

}  // namespace glovebox::probe
