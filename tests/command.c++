#include "tests/command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

#include "supervisor/supervisor.h"

extern char** environ;

namespace glovebox::test {
namespace {

// A file in memory, so that neither side ever waits for the other.
int makeFile(const std::string& content) {
  int fd;
  KJ_SYSCALL(fd = memfd_create("stream", MFD_CLOEXEC));
  for (size_t done = 0; done < content.size();) {
    ssize_t n;
    KJ_SYSCALL(n = write(fd, content.data() + done, content.size() - done));
    done += static_cast<size_t>(n);
  }
  KJ_SYSCALL(lseek(fd, 0, SEEK_SET));
  return fd;
}

std::string takeFile(int fd) {
  std::string content;
  char buffer[4096];
  KJ_SYSCALL(lseek(fd, 0, SEEK_SET));
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) content.append(buffer, static_cast<size_t>(n));
  close(fd);
  return content;
}

}  // namespace

std::string describe(const CommandEnd& end) {
  return "exit code " + std::to_string(end.code) + "\nstdout: " + end.output + "\nstderr: " + end.errors;
}

void becomeReaper() { KJ_SYSCALL(prctl(PR_SET_CHILD_SUBREAPER, 1)); }

bool hasDescendants() {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

void awaitNoDescendants() {
  while (waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
}

CommandEnd runGlovebox(const std::vector<std::string>& words, const std::string& input) {
  becomeReaper();
  auto program = std::string(findInstallation().glovebox.cStr());
  std::vector<std::string> all{program};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (auto& word: all) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int streams[] = {makeFile(input), makeFile(""), makeFile("")};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int i = 0; i < 3; i++) posix_spawn_file_actions_adddup2(&actions, streams[i], i);
  pid_t pid;
  int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, program);

  int status;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  CommandEnd end;
  end.leftProcesses = hasDescendants();
  end.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  close(streams[0]);
  end.output = takeFile(streams[1]);
  end.errors = takeFile(streams[2]);
  return end;
}

}  // namespace glovebox::test
