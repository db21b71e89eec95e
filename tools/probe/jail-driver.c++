#include "tools/probe/jail-driver.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "policy/confine.h"
#include "policy/filter-compiler.h"
#include "policy/limits.h"
#include "policy/seal.h"
#include "tools/probe/probe-record.h"

namespace glovebox::probe {
namespace {

// Only bounds a hang: everything waited for ends in an answer or in an end-of-file.
constexpr int ANSWER_TIMEOUT_MS = 20'000;
constexpr uint32_t WORKER_MEMORY_MB = 64;

[[noreturn]] void fail(const std::string& what) { throw JailFailure(what); }
[[noreturn]] void failErrno(const std::string& what) { fail(what + ": " + strerror(errno)); }

[[noreturn]] void failStep(uint32_t number, int error, uint32_t detail) {
  auto step = static_cast<policy::Step>(number);
  std::string part = detail == 0 ? "" : " (part " + std::to_string(detail) + ")";
  throw JailFailure(std::string("could not ") + policy::describeStep(step) + part + ": " + strerror(error),
                    policy::layerOf(step));
}

void makePair(int type, int& ours, int& theirs) {
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) failErrno("socketpair");
  ours = fds[0];
  theirs = fds[1];
}

void awaitReadable(int fd, const char* what) {
  pollfd entry{fd, POLLIN, 0};
  int ready = poll(&entry, 1, ANSWER_TIMEOUT_MS);
  if (ready <= 0) fail(std::string("no answer within ") + std::to_string(ANSWER_TIMEOUT_MS) + " ms: " + what);
}

// One packet, and the descriptor in it if there is one.
struct Packet {
  alignas(8) char bytes[256];
  ssize_t length;
  int fd = -1;

  zygote::RecordType type() const {
    zygote::RecordType type;
    std::memcpy(&type, bytes, sizeof(type));
    return type;
  }
  template <typename Record>
  Record as() const {
    Record record;
    if (length != sizeof(record)) fail("a record of " + std::to_string(length) + " bytes");
    std::memcpy(&record, bytes, sizeof(record));
    return record;
  }
};

Packet receivePacket(int socket, const char* what) {
  awaitReadable(socket, what);
  Packet packet;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  iovec part{packet.bytes, sizeof(packet.bytes)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  packet.length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (packet.length < static_cast<ssize_t>(sizeof(zygote::RecordType))) fail(std::string("end-of-file: ") + what);
  if (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&packet.fd, CMSG_DATA(header), sizeof(packet.fd));
  }
  return packet;
}

void failIfStep(const Packet& packet) {
  switch (packet.type()) {
    case zygote::RecordType::JAILER_FAILED:
    case zygote::RecordType::ZYGOTE_FAILED:
    case zygote::RecordType::SPAWN_FAILED: {
      auto record = packet.as<zygote::StepFailed>();
      failStep(record.step, record.error, record.detail);
    }
    default: return;
  }
}

void failIfLockdown(const ProbeRecord& record) {
  if (record.magic != PROBE_RECORD_MAGIC || record.type != ProbeRecordType::LOCKDOWN) return;
  failStep(record.step, record.error, 0);
}

}  // namespace

JailDriver::JailDriver(JailOptions options): options_(std::move(options)) {
  int zygoteEnd, wardenEnd;
  makePair(SOCK_SEQPACKET, zygoteSocket_, zygoteEnd);
  makePair(SOCK_SEQPACKET, wardenSocket_, wardenEnd);
  try {
    startJailer(zygoteEnd, wardenEnd);
    configure();
    sibling_ = spawn(SIBLING_ID);
    awaitReadable(sibling_.socket, "the sibling's record");
    ProbeRecord record;
    if (read(sibling_.socket, &record, sizeof(record)) != sizeof(record)) fail("the sibling died");
    failIfLockdown(record);
  } catch (...) {
    stop();
    throw;
  }
}

JailDriver::~JailDriver() { stop(); }

void JailDriver::stop() {
  for (int fd : {zygoteSocket_, wardenSocket_, sibling_.socket, sibling_.pidfd}) {
    if (fd >= 0) close(fd);
  }
  if (wardenPid_ > 0) waitpid(wardenPid_, nullptr, 0);
}

void JailDriver::startJailer(int zygoteEnd, int wardenEnd) {
  policy::LayerSet mayMiss;
  if (options_.filter == Filter::OFF) mayMiss.add(policy::Layer::SECCOMP);
  std::string bits = std::to_string(mayMiss.bits());
  std::vector<const char*> arguments{
      options_.jailer.c_str(), "--allow-missing-bits", bits.c_str(), "--", options_.probe.c_str(), nullptr};
  pid_t pid = fork();
  if (pid < 0) failErrno("fork");
  if (pid == 0) {
    // Out of the way of 3 and 4 first.
    int zygoteHigh = fcntl(zygoteEnd, F_DUPFD_CLOEXEC, 10), wardenHigh = fcntl(wardenEnd, F_DUPFD_CLOEXEC, 10);
    dup2(zygoteHigh, zygote::ZYGOTE_CONTROL_FD);
    dup2(wardenHigh, zygote::WARDEN_CONTROL_FD);
    if (options_.asUser) {
      uid_t user = *options_.asUser;
      if (setgroups(0, nullptr) != 0 || setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0) _exit(98);
    }
    execv(arguments[0], const_cast<char**>(arguments.data()));
    _exit(99);
  }
  close(zygoteEnd);
  close(wardenEnd);

  int status;
  waitpid(pid, &status, 0);
  Packet packet = receivePacket(wardenSocket_, "the jailer's first record");
  failIfStep(packet);
  started_ = packet.as<zygote::WardenStarted>();
  wardenPid_ = started_.wardenPid;
  inForce_ = policy::LayerSet(started_.layersInForce);
}

void JailDriver::configure() {
  zygote::Configure head;
  head.profile = static_cast<uint32_t>(options_.profile);
  head.uidMapped = started_.uidMapped;
  head.firstWorkerUid = started_.firstWorkerUid;
  head.heapMbMax = WORKER_MEMORY_MB;
  std::vector<sock_filter> filter;
  policy::LayerSet mayMiss;
  if (options_.filter == Filter::ON) filter = policy::compileWorkerFilter(options_.profile);
  if (options_.filter == Filter::OFF) mayMiss.add(policy::Layer::SECCOMP);
  head.missingAllowed = mayMiss.bits();
  head.filterLength = filter.size();

  std::string packet(reinterpret_cast<const char*>(&head), sizeof(head));
  packet.append(reinterpret_cast<const char*>(filter.data()), filter.size() * sizeof(sock_filter));
  if (send(zygoteSocket_, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) failErrno("send CONFIGURE");
  Packet answer = receivePacket(zygoteSocket_, "the answer to CONFIGURE");
  failIfStep(answer);
  auto ready = answer.as<zygote::ZygoteReady>();
  inForce_ = policy::LayerSet(inForce_.bits() | ready.layersInForce);
}

JailDriver::Worker JailDriver::spawn(uint64_t id) {
  int ours, theirs;
  makePair(SOCK_STREAM, ours, theirs);
  zygote::Spawn request;
  request.spawnId = id;
  request.dataBytesMax = policy::workerDataBytesMax(WORKER_MEMORY_MB);
  if (started_.workerUidCount > 0) {
    request.workerUid = started_.firstWorkerUid + spawned_++ % started_.workerUidCount;
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{&request, sizeof(request)};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &theirs, sizeof(theirs));
  ssize_t sent = sendmsg(zygoteSocket_, &message, MSG_NOSIGNAL);
  close(theirs);
  if (sent != sizeof(request)) failErrno("send SPAWN");

  // A child's SPAWN_FAILED may overtake the zygote's SPAWNED.
  Packet packet = receivePacket(zygoteSocket_, "the answer to SPAWN");
  failIfStep(packet);
  auto spawned = packet.as<zygote::Spawned>();
  if (spawned.error != 0) fail(std::string("the zygote could not fork: ") + strerror(spawned.error));
  return {ours, packet.fd, spawned.innerPid};
}

zygote::ChildEnded JailDriver::awaitEnd(int32_t innerPid) {
  for (;;) {
    auto found = std::find_if(ended_.begin(), ended_.end(), [&](auto& end) { return end.innerPid == innerPid; });
    if (found != ended_.end()) {
      zygote::ChildEnded end = *found;
      ended_.erase(found);
      return end;
    }
    ended_.push_back(receivePacket(wardenSocket_, "CHILD_ENDED").as<zygote::ChildEnded>());
  }
}

Ending JailDriver::attempt(uint64_t id) {
  Worker worker = spawn(id);
  std::string bytes;
  for (;;) {
    awaitReadable(worker.socket, "a worker's record or end");
    char buffer[512];
    ssize_t got = read(worker.socket, buffer, sizeof(buffer));
    if (got <= 0) break;
    bytes.append(buffer, got);
  }
  zygote::ChildEnded end = awaitEnd(worker.innerPid);
  close(worker.socket);
  close(worker.pidfd);

  Ending ending{std::nullopt, end.code, end.status};
  // Bytes that an attempt sent to its own socket may stand before the record.
  ProbeRecord record;
  if (bytes.size() >= sizeof(record)) {
    std::memcpy(&record, bytes.data() + bytes.size() - sizeof(record), sizeof(record));
    failIfLockdown(record);
    if (record.magic == PROBE_RECORD_MAGIC && record.spawnId == id) {
      ending.result = Result{static_cast<Outcome>(record.outcome), record.error};
    }
  }
  return ending;
}

bool JailDriver::siblingLives() const {
  pollfd entry{sibling_.pidfd, POLLIN, 0};
  return poll(&entry, 1, 0) == 0;
}

std::vector<std::string> JailDriver::siblingFlaws() const {
  std::optional<pid_t> pid = policy::tryGetPid(sibling_.pidfd);
  if (!pid) fail("the sibling is dead");
  policy::LayerSet inForce = inForce_;
  if (started_.uidMapped) inForce.add(policy::Layer::WORKER_UID);
  return policy::findSealFlaws(*pid, inForce);
}

}  // namespace glovebox::probe
