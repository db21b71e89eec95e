#include "tools/probe/zygote.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/socket.h>

#include <cstring>

#include "ipc/zygote-protocol.h"
#include "policy/confine.h"
#include "tools/probe/probe-record.h"
#include "tools/probe/raw-calls.h"
#include "tools/probe/victim.h"

namespace glovebox::probe {
namespace {

using policy::Layer;
using policy::LayerSet;
using policy::StepResult;

// Everything a child needs stands here before the fork; a child allocates nothing.
struct Configuration {
  zygote::Configure head;
  sock_filter filter[BPF_MAXINSNS];
};
Configuration configuration;

int sendRecord(const void* record, size_t bytes) {
  ssize_t sent = send(zygote::ZYGOTE_CONTROL_FD, record, bytes, MSG_NOSIGNAL);
  return sent == static_cast<ssize_t>(bytes) ? 0 : -1;
}

void reportFailure(zygote::RecordType type, StepResult result, uint64_t spawnId) {
  zygote::StepFailed record;
  record.type = type;
  record.step = static_cast<uint32_t>(result.step);
  record.error = result.error;
  record.detail = result.detail;
  record.spawnId = spawnId;
  sendRecord(&record, sizeof(record));
}

bool receiveConfiguration() {
  ssize_t bytes = recv(zygote::ZYGOTE_CONTROL_FD, &configuration, sizeof(configuration), 0);
  const zygote::Configure& head = configuration.head;
  return bytes >= static_cast<ssize_t>(sizeof(head)) && head.type == zygote::RecordType::CONFIGURE &&
         head.version == zygote::PROTOCOL_VERSION && head.filterLength <= BPF_MAXINSNS &&
         static_cast<size_t>(bytes) == sizeof(head) + head.filterLength * sizeof(sock_filter);
}

LayerSet missingAllowed() { return LayerSet(configuration.head.missingAllowed); }

// The audit's second pass: how far the other layers hold on their own. Only if the supervisor said so twice.
bool runsWithoutFilter() { return configuration.head.filterLength == 0 && missingAllowed().has(Layer::SECCOMP); }

StepResult confineZygote(LayerSet& inForce) {
  auto apply = [&](Layer layer, StepResult result) {
    if (result.ok())
      inForce.add(layer);
    else if (missingAllowed().has(layer))
      result = {};
    return result;
  };
  StepResult result;
  if (!(result = apply(Layer::EMPTY_ROOT, policy::enterEmptyRoot())).ok()) return result;
  if (!(result = apply(Layer::CAPABILITIES, policy::reduceCapabilities(configuration.head.uidMapped != 0))).ok()) {
    return result;
  }
  if (!(result = apply(Layer::NO_NEW_PRIVS, policy::setNoNewPrivs())).ok()) return result;
  int abi = 0;
  return apply(Layer::LANDLOCK, policy::restrictWithLandlock(abi));
}

// -- In the child
// ---------------------------------------------------------------------------------------------------------

[[noreturn]] void endChild(const ProbeRecord& record, int status) {
  syscall(SYS_write, zygote::WORKER_SOCKET_FD, &record, sizeof(record));
  for (;;) syscall(SYS_exit_group, status);
}

[[noreturn]] void waitForEndOfFile() {
  char byte;
  while (syscall(SYS_read, zygote::WORKER_SOCKET_FD, &byte, 1) > 0) {
  }
  for (;;) syscall(SYS_exit_group, zygote::EXIT_DISCONNECTED);
}

// The order of confineWorker() and seal(), not of the enumeration.
bool comesAfterTheSocket(policy::Step step) {
  return step == policy::Step::CLOSE_DESCRIPTORS || step == policy::Step::RLIMIT || step == policy::Step::SECCOMP;
}

[[noreturn]] void failLockdown(StepResult result, uint64_t spawnId) {
  // Until the worker's socket took its place, descriptor 3 is the way to the supervisor.
  if (!comesAfterTheSocket(result.step)) {
    reportFailure(zygote::RecordType::SPAWN_FAILED, result, spawnId);
    for (;;) syscall(SYS_exit_group, zygote::EXIT_LOCKDOWN);
  }
  ProbeRecord record;
  record.type = ProbeRecordType::LOCKDOWN;
  record.spawnId = spawnId;
  record.step = static_cast<uint32_t>(result.step);
  record.error = result.error;
  endChild(record, zygote::EXIT_LOCKDOWN);
}

[[noreturn]] void runChild(const zygote::Spawn& spawn, int socket, const Surroundings& around) {
  policy::WorkerConfinement confinement;
  confinement.socket = socket;
  confinement.setIds = configuration.head.uidMapped != 0;
  confinement.uid = spawn.workerUid;
  confinement.dataBytesMax = spawn.dataBytesMax;
  confinement.filter = configuration.filter;
  confinement.filterLength = static_cast<uint16_t>(configuration.head.filterLength);
  confinement.mayMiss = missingAllowed();

  ProbeRecord record;
  record.spawnId = spawn.spawnId;
  bool victim = spawn.spawnId == SIBLING_ID;
  if (victim) secret = SECRET_OF_VICTIM;
  const Attempt* attempt = victim ? nullptr : &allAttempts()[spawn.spawnId - FIRST_ATTEMPT_ID];

  LayerSet inForce;
  StepResult result = policy::confineWorker(confinement, inForce);
  if (result.ok() && !runsWithoutFilter()) result = policy::seal(confinement);
  if (!result.ok()) failLockdown(result, spawn.spawnId);

  if (victim) {
    record.type = ProbeRecordType::WAITING;
    syscall(SYS_write, zygote::WORKER_SOCKET_FD, &record, sizeof(record));
    waitForEndOfFile();
  }
  Result reached = attempt->run(around);
  record.outcome = static_cast<uint32_t>(reached.outcome);
  record.error = reached.error;
  endChild(record, 0);
}

// -- The loop
// ----------------------------------------------------------------------------------------------------------------

// A spawn request and the worker's socket, which the caller owns. False at end-of-file.
bool receiveSpawn(zygote::Spawn& spawn, int& socket) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{&spawn, sizeof(spawn)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  socket = -1;
  if (recvmsg(zygote::ZYGOTE_CONTROL_FD, &message, MSG_CMSG_CLOEXEC) != sizeof(spawn)) return false;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (spawn.type != zygote::RecordType::SPAWN || header == nullptr || header->cmsg_type != SCM_RIGHTS) return false;
  std::memcpy(&socket, CMSG_DATA(header), sizeof(socket));
  return spawn.spawnId == SIBLING_ID || spawn.spawnId - FIRST_ATTEMPT_ID < allAttempts().size();
}

void answerSpawned(uint64_t spawnId, pid_t pid, int error, int pidfd) {
  zygote::Spawned record;
  record.spawnId = spawnId;
  record.error = error;
  record.innerPid = error == 0 ? pid : 0;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{&record, sizeof(record)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (error == 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pidfd, sizeof(pidfd));
  }
  sendmsg(zygote::ZYGOTE_CONTROL_FD, &message, MSG_NOSIGNAL);
}

}  // namespace

int runZygote() {
  signal(SIGPIPE, SIG_IGN);
  if (!receiveConfiguration()) return zygote::EXIT_PROTOCOL;

  LayerSet inForce;
  StepResult result = confineZygote(inForce);
  if (!result.ok()) {
    reportFailure(zygote::RecordType::ZYGOTE_FAILED, result, 0);
    return zygote::EXIT_LOCKDOWN;
  }
  zygote::ZygoteReady ready;
  ready.layersInForce = inForce.bits();
  if (sendRecord(&ready, sizeof(ready)) != 0) return zygote::EXIT_DISCONNECTED;

  Surroundings around;
  around.trusted = 1;  // the warden
  zygote::Spawn spawn;
  int socket;
  while (receiveSpawn(spawn, socket)) {
    int pidfd = -1;
    clone_args arguments{};
    // CLONE_PARENT: the warden is the parent, reaps it and reports its end.
    arguments.flags = CLONE_PARENT | CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0) runChild(spawn, socket, around);
    answerSpawned(spawn.spawnId, static_cast<pid_t>(pid), pid < 0 ? errno : 0, pidfd);
    if (pid > 0 && spawn.spawnId == SIBLING_ID) around.sibling = static_cast<pid_t>(pid);
    close(pidfd);
    close(socket);
  }
  return zygote::EXIT_DISCONNECTED;
}

}  // namespace glovebox::probe
