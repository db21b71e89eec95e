#include "worker/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "ipc/zygote-protocol.h"
#include "policy/confine.h"
#include "worker/engine/engine.h"
#include "worker/engine/node-npm/hot-pages.h"
#include "worker/engine/random.h"
#include "worker/load-pages.h"
#include "worker/packet.h"
#include "worker/script-host.h"
#include "worker/server.h"
#include "worker/web/crypto/openssl.h"

namespace glovebox {

namespace {

using policy::Layer;
using policy::LayerSet;
using policy::Step;
using policy::StepResult;

constexpr int CONTROL = zygote::ZYGOTE_CONTROL_FD;
constexpr size_t FILTER_LENGTH_MAX = BPF_MAXINSNS;

// Until the runtime's own functions have their inline caches: a worker's first call then takes 0.2 ms instead of 0.3 ms. More
// does not help, and very many (400) make loads a fifth slower. It costs a zygote 10 ms.
constexpr int WARM_ROUNDS = 40;

template <typename Record>
bool sendRecord(const Record& record, int fd = -1) { return sendPacket(CONTROL, &record, sizeof record, fd); }

StepResult failed(Step step, int error, uint32_t detail = 0) { return {step, error, detail}; }

void sendFailure(zygote::RecordType type, const StepResult& result, uint64_t spawnId = 0) {
  zygote::StepFailed record;
  record.type = type;
  record.step = uint32_t(result.step);
  record.error = result.error;
  record.detail = result.detail;
  record.spawnId = spawnId;
  sendRecord(record);
}

class Zygote {
 public:
  Zygote(zygote::Configure configure, std::vector<sock_filter> filter, const std::string& snapshotPath)
      : configure_(configure), mayMiss_(configure.missingAllowed), filter_(std::move(filter)) {
    auto profile = policy::Profile(configure.profile);
    startV8(profile);
    engine_ = std::make_unique<Engine>(snapshotPath);
    host_ = ScriptHost::make(*engine_, profile);
    // What is compiled here is compiled for every worker.
    for (int i = 0; i < WARM_ROUNDS; i++) host_->warm(WarmUp::ZYGOTE);
    warmOpenssl(engine_->isolate());
    engine_->emptyYoungGeneration();
    malloc_trim(0);   // what is free is not copied to each worker's page table
    if (moveHotPages() > 0) engine_->shareHeapInHugePages();
    loadPages_.learn([this](int socket) {
      prepareWorker(socket);
      serveWorker(socket, *host_, [] {});
    });
  }

  // Everything that is done once for all workers.
  StepResult enterJail() {
    StepResult result;
    if (!(result = apply(Layer::EMPTY_ROOT, policy::enterEmptyRoot())).ok()) return result;
    if (!(result = apply(Layer::CAPABILITIES, policy::reduceCapabilities(configure_.uidMapped))).ok()) return result;
    if (!(result = apply(Layer::NO_NEW_PRIVS, policy::setNoNewPrivs())).ok()) return result;
    int abi = 0;
    if (!(result = apply(Layer::LANDLOCK, policy::restrictWithLandlock(abi))).ok()) return result;
    return rehearse();
  }

  void sendReady() {
    zygote::ZygoteReady ready;
    ready.layersInForce = inForce_.bits();
    ready.hashSeedProbe = engine_->hashSeedProbe();
    ready.loadPages = uint32_t(loadPages_.pageCount());
    sendRecord(ready);
  }

  int loop() {
    for (;;) {
      zygote::Spawn spawn;
      int socket;
      size_t size = receivePacket(CONTROL, &spawn, sizeof spawn, socket);
      if (size == 0) return zygote::EXIT_DISCONNECTED;
      if (size != sizeof spawn || spawn.type != zygote::RecordType::SPAWN || socket < 0) return zygote::EXIT_PROTOCOL;
      fork(spawn, socket);
      close(socket);
    }
  }

 private:
  StepResult apply(Layer layer, StepResult result) {
    if (result.ok()) inForce_.add(layer);
    else if (mayMiss_.has(layer)) result = {};
    return result;
  }

  policy::WorkerConfinement confinement(int socket, uint32_t uid, uint64_t dataBytesMax) {
    policy::WorkerConfinement confinement;
    confinement.socket = socket;
    confinement.setIds = configure_.uidMapped;
    confinement.uid = uid;
    confinement.dataBytesMax = dataBytesMax;
    confinement.filter = filter_.data();
    confinement.filterLength = uint16_t(filter_.size());
    confinement.mayMiss = mayMiss_;
    return confinement;
  }

  // Locks a child down as a worker will be, to learn which layers hold here, and that none fails, before anybody waits
  // for a worker. It tells by the one descriptor that a worker has.
  StepResult rehearse() {
    struct Report {
      StepResult result;
      uint32_t inForce = 0;
    } report;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return failed(Step::FORK_ZYGOTE, errno);
    pid_t child = ::fork();
    if (child == 0) {
      LayerSet inForce;
      auto plan = confinement(ends[1], configure_.firstWorkerUid, UINT64_MAX);
      report.result = policy::confineWorker(plan, inForce);
      if (report.result.ok()) report.result = policy::seal(plan);
      if (report.result.ok()) inForce.add(Layer::SECCOMP);
      report.inForce = inForce.bits();
      // Where the lock-down broke off early, the descriptor is still where it was.
      if (write(policy::Step::MOVE_SOCKET <= report.result.step || report.result.ok() ? zygote::WORKER_SOCKET_FD : ends[1],
                &report, sizeof report) < 0) {
        _exit(zygote::EXIT_LOCKDOWN);
      }
      _exit(0);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], &report, sizeof report) == ssize_t(sizeof report);
    close(ends[0]);
    if (child > 0) waitpid(child, nullptr, 0);
    if (!told) return failed(Step::FORK_ZYGOTE, child < 0 ? errno : EPROTO);
    inForce_ = LayerSet(inForce_.bits() | report.inForce);
    return report.result;
  }

  void fork(const zygote::Spawn& spawn, int socket) {
    int pidfd = -1;
    clone_args args{};
    // The warden becomes the parent: it reaps, and workers cannot outlive it.
    args.flags = CLONE_PARENT | CLONE_PIDFD;
    args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) becomeWorker(spawn, socket);
    zygote::Spawned spawned;
    spawned.spawnId = spawn.spawnId;
    if (pid < 0) spawned.error = errno;
    else spawned.innerPid = int32_t(pid);
    sendRecord(spawned, pid < 0 ? -1 : pidfd);
    if (pidfd >= 0) close(pidfd);
  }

  // V8 prints what it did last before it reports that memory ran out. There is no descriptor to print to, and the filter
  // would end the process for trying, which would hide the reason.
  static void discardStandardStreams() {
    cookie_io_functions_t nowhere{};
    nowhere.write = [](void*, const char*, size_t size) { return ssize_t(size); };
    stdout = stderr = fopencookie(nullptr, "w", nowhere);
  }

  void prepareWorker(int socket) {
    reseedRandom();
    engine_->leaveSharedRegion();
    discardStandardStreams();
    struct sigaction action{};
    action.sa_sigaction = requestTermination;
    action.sa_flags = SA_SIGINFO;
    sigaction(zygote::TERMINATE_SIGNAL, &action, nullptr);
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
  }

  [[noreturn]] void becomeWorker(const zygote::Spawn& spawn, int socket) {
    prepareWorker(socket);
    auto plan = confinement(socket, spawn.workerUid, spawn.dataBytesMax);
    LayerSet inForce;
    auto result = policy::confineWorker(plan, inForce);
    if (!result.ok()) {
      // From MOVE_SOCKET on descriptor 3 is the worker's own.
      if (result.step < Step::MOVE_SOCKET && result.step != Step::RLIMIT) {
        sendFailure(zygote::RecordType::SPAWN_FAILED, result, spawn.spawnId);
      }
      _exit(zygote::EXIT_LOCKDOWN);
    }
    serveWorker(zygote::WORKER_SOCKET_FD, *host_, [this, &plan]() {
      loadPages_.make();
      if (!policy::seal(plan).ok()) _exit(zygote::EXIT_LOCKDOWN);
    });
    _exit(zygote::EXIT_DISCONNECTED);
  }

  zygote::Configure configure_;
  LayerSet mayMiss_;
  LayerSet inForce_;
  std::vector<sock_filter> filter_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ScriptHost> host_;
  LoadPages loadPages_;
};

void prepareProcess() {
  signal(SIGPIPE, SIG_IGN);   // a lost line is reported by write()
  // There will be no files to look time zones up in; asked once now, the C library never asks again.
  setenv("TZ", "UTC", 1);
  tzset();
}

}  // namespace

int runZygote(const std::string& snapshotPath) {
  prepareProcess();
  std::vector<char> packet(sizeof(zygote::Configure) + FILTER_LENGTH_MAX * sizeof(sock_filter));
  int fd;
  size_t size = receivePacket(CONTROL, packet.data(), packet.size(), fd);
  zygote::Configure configure;
  if (size < sizeof configure) return size == 0 ? zygote::EXIT_DISCONNECTED : zygote::EXIT_PROTOCOL;
  memcpy(&configure, packet.data(), sizeof configure);
  if (configure.type != zygote::RecordType::CONFIGURE || configure.version != zygote::PROTOCOL_VERSION ||
      configure.filterLength > FILTER_LENGTH_MAX || size != sizeof configure + configure.filterLength * sizeof(sock_filter)) {
    sendFailure(zygote::RecordType::ZYGOTE_FAILED, failed(Step::ZYGOTE_CONFIGURE, EPROTO));
    return zygote::EXIT_PROTOCOL;
  }
  std::vector<sock_filter> filter(configure.filterLength);
  if (!filter.empty()) memcpy(filter.data(), packet.data() + sizeof configure, filter.size() * sizeof(sock_filter));
  packet = {};

  try {
    Zygote zygote(configure, std::move(filter), snapshotPath);
    auto result = zygote.enterJail();
    if (!result.ok()) {
      sendFailure(zygote::RecordType::ZYGOTE_FAILED, result);
      return zygote::EXIT_LOCKDOWN;
    }
    zygote.sendReady();
    return zygote.loop();
  } catch (const std::runtime_error& e) {
    sendFailure(zygote::RecordType::ZYGOTE_FAILED, failed(Step::ENGINE_START, errno));
    throw;
  }
}

int runUnjailed(const std::string& snapshotPath) {
  prepareProcess();
  startV8(policy::Profile::DEFAULT);
  Engine engine(snapshotPath);
  auto host = ScriptHost::make(engine, policy::Profile::DEFAULT);
  struct sigaction action{};
  action.sa_sigaction = requestTermination;
  action.sa_flags = SA_SIGINFO;
  sigaction(zygote::TERMINATE_SIGNAL, &action, nullptr);
  fcntl(zygote::WORKER_SOCKET_FD, F_SETFL, fcntl(zygote::WORKER_SOCKET_FD, F_GETFL) | O_NONBLOCK);
  serveWorker(zygote::WORKER_SOCKET_FD, *host, [] {});
  _exit(zygote::EXIT_DISCONNECTED);
}

}  // namespace glovebox
