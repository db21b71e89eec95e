// Stands where the engine's zygote stands: speaks the records of ipc/zygote-protocol.h, puts on the same layers with the
// same functions, and forks workers that obey one-letter orders on their socket instead of running JavaScript. Each answer
// is an errno as a 32-bit number, 0 for success.

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "ipc/zygote-protocol.h"
#include "policy/confine.h"

using namespace glovebox;
using policy::Layer;
using policy::LayerSet;
using policy::StepResult;

namespace {

constexpr int CONTROL = zygote::ZYGOTE_CONTROL_FD;
constexpr size_t INSTRUCTIONS_MAX = 4096;

struct {
  zygote::Configure configure;
  sock_filter filter[INSTRUCTIONS_MAX];
} configuration;

[[noreturn]] void fail(StepResult result, zygote::RecordType type, uint64_t spawnId = 0) {
  zygote::StepFailed record;
  record.type = type;
  record.step = static_cast<uint32_t>(result.step);
  record.error = result.error;
  record.detail = result.detail;
  record.spawnId = spawnId;
  if (write(CONTROL, &record, sizeof(record)) < 0) {}
  _exit(zygote::EXIT_LOCKDOWN);
}

int32_t errorOf(long result) { return result < 0 ? errno : 0; }

int32_t openFile(const char* path) {
  int fd = open(path, O_RDONLY);
  int32_t error = errorOf(fd);
  if (fd >= 0) close(fd);
  return error;
}

int32_t openRoot() {
  int fd = open("/", O_RDONLY | O_DIRECTORY);
  int32_t error = errorOf(fd);
  if (fd >= 0) close(fd);
  return error;
}

int32_t newSocket() {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int32_t error = errorOf(fd);
  if (fd >= 0) close(fd);
  return error;
}

// More than the test allows a worker.
int32_t takeMemory() {
  void* memory = mmap(nullptr, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? errno : 0;
}

[[noreturn]] void obey(const policy::WorkerConfinement& confinement) {
  for (;;) {
    pollfd fd{zygote::WORKER_SOCKET_FD, POLLIN, 0};
    if (poll(&fd, 1, -1) < 0) continue;
    char order;
    if (read(zygote::WORKER_SOCKET_FD, &order, 1) != 1) syscall(SYS_exit_group, zygote::EXIT_DISCONNECTED);
    int32_t answer = 0;
    switch (order) {
      case 's': answer = policy::seal(confinement).error; break;
      case 'f': answer = openFile("/etc/passwd"); break;
      case 'd': answer = openRoot(); break;
      case 'n': answer = newSocket(); break;
      case 'u': answer = errorOf(unshare(CLONE_NEWUSER)); break;
      case 'k': answer = errorOf(kill(1, SIGTERM)); break;
      case 'K': answer = errorOf(kill(2, SIGKILL)); break;
      case 'F': answer = errorOf(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); break;
      case 'i': answer = errorOf(syscall(SYS_setresuid, 0, 0, 0)); break;
      case 'm': answer = takeMemory(); break;
      case 'x': syscall(SYS_exit_group, 7); break;
      default: answer = EINVAL;
    }
    if (write(zygote::WORKER_SOCKET_FD, &answer, sizeof(answer)) != sizeof(answer)) syscall(SYS_exit_group, 1);
  }
}

[[noreturn]] void runWorker(const zygote::Spawn& spawn, int socket) {
  policy::WorkerConfinement confinement;
  confinement.socket = socket;
  confinement.setIds = configuration.configure.uidMapped;
  confinement.uid = spawn.workerUid;
  confinement.dataBytesMax = spawn.dataBytesMax;
  confinement.filter = configuration.filter;
  confinement.filterLength = configuration.configure.filterLength;
  confinement.mayMiss = LayerSet(configuration.configure.missingAllowed);
  LayerSet inForce;
  StepResult result = policy::confineWorker(confinement, inForce);
  if (!result.ok()) fail(result, zygote::RecordType::SPAWN_FAILED, spawn.spawnId);
  obey(confinement);
}

void answerSpawned(const zygote::Spawned& record, int pidfd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{const_cast<zygote::Spawned*>(&record), sizeof(record)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &pidfd, sizeof(pidfd));
  sendmsg(CONTROL, &message, 0);
}

void spawnWorker() {
  zygote::Spawn spawn;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&spawn, sizeof(spawn)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(CONTROL, &message, MSG_CMSG_CLOEXEC) != sizeof(spawn)) _exit(0);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  int socket = -1;
  if (header != nullptr) memcpy(&socket, CMSG_DATA(header), sizeof(socket));

  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PIDFD;  // the warden's child
  arguments.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) runWorker(spawn, socket);
  zygote::Spawned record;
  record.error = errorOf(pid);
  record.spawnId = spawn.spawnId;
  record.innerPid = pid;
  answerSpawned(record, pidfd);
  close(pidfd);
  close(socket);
}

}  // namespace

int main() {
  ssize_t length = read(CONTROL, &configuration, sizeof(configuration));
  if (length < static_cast<ssize_t>(sizeof(zygote::Configure))) _exit(zygote::EXIT_PROTOCOL);
  bool manyIds = configuration.configure.uidMapped;
  LayerSet mayMiss(configuration.configure.missingAllowed), inForce;

  auto apply = [&](Layer layer, StepResult result) {
    if (result.ok()) inForce.add(layer);
    else if (!mayMiss.has(layer)) fail(result, zygote::RecordType::ZYGOTE_FAILED);
  };
  apply(Layer::EMPTY_ROOT, policy::enterEmptyRoot());
  apply(Layer::CAPABILITIES, policy::reduceCapabilities(manyIds));
  apply(Layer::NO_NEW_PRIVS, policy::setNoNewPrivs());
  int abi = 0;
  apply(Layer::LANDLOCK, policy::restrictWithLandlock(abi));
  if (manyIds) inForce.add(Layer::WORKER_UID);

  zygote::ZygoteReady ready;
  ready.layersInForce = inForce.bits();
  if (write(CONTROL, &ready, sizeof(ready)) != sizeof(ready)) _exit(0);
  for (;;) spawnWorker();
}
