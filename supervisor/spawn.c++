#include "supervisor/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>

namespace glovebox {
namespace {

constexpr int FIRST_FD = 3;
// Above anything that FIRST_FD + fds.size() can reach, so that no dup2 in the child overwrites a source.
constexpr int SAFE_FD = 64;

void check(int error, const char* what) {
  if (error != 0) KJ_FAIL_SYSCALL(what, error);
}

}  // namespace

pid_t spawnProcess(kj::ArrayPtr<const kj::String> command, kj::ArrayPtr<const int> fds) {
  KJ_REQUIRE(command.size() > 0);
  posix_spawn_file_actions_t actions;
  check(posix_spawn_file_actions_init(&actions), "posix_spawn_file_actions_init");
  KJ_DEFER(posix_spawn_file_actions_destroy(&actions));
  posix_spawnattr_t attributes;
  check(posix_spawnattr_init(&attributes), "posix_spawnattr_init");
  KJ_DEFER(posix_spawnattr_destroy(&attributes));

  kj::Vector<kj::AutoCloseFd> sources;
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  int target = FIRST_FD;
  for (int fd: fds) {
    int source;
    KJ_SYSCALL(source = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD));
    sources.add(kj::AutoCloseFd(source));
    check(posix_spawn_file_actions_adddup2(&actions, source, target++), "posix_spawn_file_actions_adddup2");
  }
  check(posix_spawn_file_actions_addclosefrom_np(&actions, target), "posix_spawn_file_actions_addclosefrom_np");

  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

  kj::Vector<char*> arguments;
  for (auto& word: command) arguments.add(const_cast<char*>(word.cStr()));
  arguments.add(nullptr);
  // UTC: a worker has no time zone files, and Worker Loader's workers run in UTC.
  // All symbols bound at the start: a forked worker would otherwise look up each function at its first call, in each life.
  char timeZone[] = "TZ=UTC0", path[] = "PATH=/usr/bin:/bin", bindNow[] = "LD_BIND_NOW=1";
  char* environment[] = {timeZone, path, bindNow, nullptr};

  pid_t pid;
  int error = posix_spawn(&pid, command[0].cStr(), &actions, &attributes, arguments.begin(), environment);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, command[0]);
  return pid;
}

}  // namespace glovebox
