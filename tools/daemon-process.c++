#include "tools/daemon-process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>

extern char** environ;

namespace glovebox {

DaemonProcess::DaemonProcess(const std::string& glovebox, const std::vector<std::string>& options) {
  char folder[] = "/tmp/glovebox-XXXXXX";
  KJ_REQUIRE(mkdtemp(folder) != nullptr, "no temporary folder");
  folder_ = folder;
  socket_ = folder_ + "/socket";

  int output[2];
  KJ_SYSCALL(pipe2(output, O_CLOEXEC));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  std::vector<std::string> words{glovebox, "serve", "--socket", socket_};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> arguments;
  for (auto& word: words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int error = posix_spawn(&pid_, glovebox.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  KJ_DEFER(close(output[0]));
  if (error != 0) KJ_FAIL_SYSCALL("posix_spawn", error, glovebox.c_str());
  char byte;
  // One line when it is ready; end-of-file if it died.
  do {
    KJ_REQUIRE(read(output[0], &byte, 1) == 1, "the daemon died before it was ready", glovebox.c_str());
  } while (byte != '\n');
}

DaemonProcess::~DaemonProcess() {
  end(SIGTERM);
  unlink(socket_.c_str());
  rmdir(folder_.c_str());
}

int DaemonProcess::end(int signal) {
  if (pid_ <= 0) return 0;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

}  // namespace glovebox
