// glovebox-jailer: builds the outer jail and starts the zygote in it. Started by the supervisor for each zygote, with
// descriptor 3 (the zygote's control socket), descriptor 4 (the warden's) and the standard three; exits as soon as the
// warden stands. It runs with the supervisor's privileges, reads nothing but its arguments, and is one thread.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/zygote-protocol.h"
#include "policy/filter-compiler.h"
#include "supervisor/jailer/warden-syscalls.h"
#include "supervisor/jailer/warden.h"

using namespace glovebox;
using policy::Layer;
using policy::Step;
using policy::StepResult;

namespace {

constexpr int EXIT_USAGE = 64;

struct Arguments {
  policy::LayerSet mayMiss;
  std::vector<std::string> cgroupFiles;
  char** command = nullptr;
};

[[noreturn]] void usage(std::string_view problem) {
  fprintf(stderr,
          "glovebox-jailer: %.*s\n"
          "usage: glovebox-jailer [--allow-missing-bits N] [--cgroup-procs FILE]... -- COMMAND ARGUMENTS...\n"
          "The supervisor starts this program; descriptors 3 and 4 must be SOCK_SEQPACKET sockets to it.\n",
          static_cast<int>(problem.size()), problem.data());
  exit(EXIT_USAGE);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; i++) {
    std::string_view argument = argv[i];
    if (argument == "--") {
      arguments.command = argv + i + 1;
      break;
    }
    if (i + 1 == argc) usage("got '" + std::string(argument) + "' without a value");
    const char* value = argv[++i];
    if (argument == "--allow-missing-bits") {
      char* end = nullptr;
      errno = 0;
      unsigned long bits = strtoul(value, &end, 10);
      if (errno != 0 || *value == '\0' || *end != '\0' || bits >> policy::LAYER_COUNT != 0) {
        usage("--allow-missing-bits takes a set of layers as a decimal number, got '" + std::string(value) + "'");
      }
      arguments.mayMiss = policy::LayerSet(bits);
    } else if (argument == "--cgroup-procs") {
      arguments.cgroupFiles.emplace_back(value);
    } else {
      usage("unknown option '" + std::string(argument) + "'");
    }
  }
  if (arguments.command == nullptr || arguments.command[0] == nullptr) usage("got no command after --");
  if (arguments.command[0][0] != '/') usage("the command must be an absolute path");
  return arguments;
}

void expectSocket(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    usage("descriptor " + std::to_string(fd) + " is not a SOCK_SEQPACKET socket");
  }
}

// This process joins, and so its descendants are born inside: moving a process later costs milliseconds.
void joinCgroup(const std::string& file) {
  int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1) failJailer({Step::JOIN_CGROUP, errno, 0});
  close(fd);
}

// An embedding program may ignore or block SIGCHLD; both survive exec, and would leave the warden without reports.
void forgetInheritedSignals() {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

pid_t cloneAsSupervisorsChild() { return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr); }

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = parse(argc, argv);
  expectSocket(zygote::ZYGOTE_CONTROL_FD);
  expectSocket(zygote::WARDEN_CONTROL_FD);
  fcntl(zygote::WARDEN_CONTROL_FD, F_SETFD, FD_CLOEXEC);
  close_range(zygote::WARDEN_CONTROL_FD + 1, ~0u, 0);
  forgetInheritedSignals();
  setsid();  // no terminal to type into, and Ctrl-C is for the supervisor alone

  WardenTask task{arguments.command, {}, arguments.mayMiss, {}};
  try {
    task.filter = policy::compileFilter(WARDEN_SYSCALLS, policy::Profile::DEFAULT);
  } catch (const std::exception& e) {
    fprintf(stderr, "glovebox-jailer: %s\n", e.what());
    failJailer({Step::WARDEN_SEAL, ENOMEM, 0});
  }
  for (auto& file : arguments.cgroupFiles) joinCgroup(file);

  bool startedByRoot = geteuid() == 0;
  policy::LayerSet inForce;
  StepResult result = policy::enterUserNamespace(task.ids);
  if (result.ok()) inForce.add(Layer::USER_NAMESPACE);
  // Root without it would do to the machine what the zygote means to do to its own namespace (mounts, limits). An ordinary
  // user without it fails harmlessly at most of the following, and has to allow each by name.
  else if (startedByRoot || !arguments.mayMiss.has(Layer::USER_NAMESPACE)) failJailer(result);
  result = policy::enterNamespaces(arguments.mayMiss, inForce);
  if (!result.ok()) failJailer(result);

  // The warden waits for this pipe, so that WARDEN_STARTED is the first record the supervisor reads.
  int announced[2];
  if (pipe2(announced, O_CLOEXEC) != 0) failJailer({Step::FORK_WARDEN, errno, 0});
  pid_t warden = cloneAsSupervisorsChild();
  if (warden < 0) failJailer({Step::FORK_WARDEN, errno, 0});
  if (warden == 0) {
    char byte;
    close(announced[1]);
    if (read(announced[0], &byte, 1) != 1) _exit(zygote::EXIT_LOCKDOWN);
    close(announced[0]);
    runWarden(task);
  }

  zygote::WardenStarted record;
  record.wardenPid = warden;
  record.layersInForce = inForce.bits();
  record.uidMapped = task.ids.manyIds;
  record.firstWorkerUid = task.ids.firstWorkerUid;
  record.workerUidCount = task.ids.workerUidCount;
  record.outerUidOffset = task.ids.outerUidOffset;
  if (write(zygote::WARDEN_CONTROL_FD, &record, sizeof(record)) != sizeof(record)) _exit(zygote::EXIT_LOCKDOWN);
  _exit(write(announced[1], "", 1) == 1 ? 0 : zygote::EXIT_LOCKDOWN);
}
