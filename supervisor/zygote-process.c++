#include "supervisor/zygote-process.h"

#include <signal.h>
#include <sys/socket.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "ipc/uv-event-port.h"
#include "policy/confine.h"
#include "policy/seal.h"
#include "supervisor/spawn.h"

namespace glovebox {
namespace {

// A zygote stands in 20-60 ms; a hundred times that means that it never will.
constexpr kj::Duration START_TIMEOUT = 10 * kj::SECONDS;
constexpr int32_t ZYGOTE_INNER_PID = 2;

template <typename T>
kj::ArrayPtr<const kj::byte> asBytes(const T& record) {
  return kj::arrayPtr(reinterpret_cast<const kj::byte*>(&record), sizeof(record));
}

kj::String describeFailure(const zygote::StepFailed& failure) {
  auto step = static_cast<policy::Step>(failure.step);
  auto& layer = policy::info(policy::layerOf(step));
  return kj::str("could not ", policy::describeStep(step), ": ", strerror(failure.error),
                 failure.detail == 0 ? kj::str() : kj::str(" (part ", failure.detail, ")"), ". Missing layer: ",
                 kj::heapString(layer.name.data(), layer.name.size()), ". ", kj::heapString(layer.fix.data(), layer.fix.size()));
}

zygote::RecordType typeOf(const Packet& packet) {
  KJ_IF_MAYBE(type, packet.tryRead<zygote::RecordType>()) return *type;
  return static_cast<zygote::RecordType>(0);
}

}  // namespace

struct ZygoteProcess::Handshake {
  kj::Own<ZygoteProcess> zygote;
  ZygoteOptions options;

  // Jailer: the warden stands, or a step failed.
  kj::Promise<void> awaitWarden() {
    return zygote->warden_.receive().then([this](kj::Maybe<Packet> packet) {
      KJ_IF_MAYBE(p, packet) {
        KJ_IF_MAYBE(failure, p->tryRead<zygote::StepFailed>()) {
          if (failure->type == zygote::RecordType::JAILER_FAILED) KJ_FAIL_REQUIRE("the jail cannot be built", describeFailure(*failure));
        }
        KJ_IF_MAYBE(started, p->tryRead<zygote::WardenStarted>()) {
          if (started->type == zygote::RecordType::WARDEN_STARTED) {
            KJ_REQUIRE(started->version == zygote::PROTOCOL_VERSION, "the jailer is from another build; build again", started->version);
            zygote->ids_ = *started;
            zygote->wardenPid_ = started->wardenPid;
            zygote->wardenPidfd_ = openPidfd(started->wardenPid);
            zygote->reaper_.adopt(started->wardenPid);
            return;
          }
        }
        KJ_FAIL_REQUIRE("the jailer sent something else than its start");
      }
      KJ_FAIL_REQUIRE("the jailer died without a word; run it by hand to see why", options.jailer);
    });
  }

  void configure() {
    zygote::Configure record;
    record.profile = static_cast<uint32_t>(options.profile);
    record.uidMapped = zygote->ids_.uidMapped;
    record.firstWorkerUid = zygote->ids_.firstWorkerUid;
    record.missingAllowed = options.allowMissing.bits();
    record.heapMbMax = options.heapMbMax;
    record.filterLength = options.filter.size();
    kj::Vector<kj::byte> bytes;
    bytes.addAll(asBytes(record));
    bytes.addAll(kj::arrayPtr(reinterpret_cast<const kj::byte*>(options.filter.begin()), options.filter.size() * sizeof(sock_filter)));
    zygote->control_.send(bytes);
  }

  kj::Promise<void> awaitReady() {
    return zygote->control_.receive().then([this](kj::Maybe<Packet> packet) {
      KJ_IF_MAYBE(p, packet) {
        KJ_IF_MAYBE(failure, p->tryRead<zygote::StepFailed>()) {
          if (failure->type == zygote::RecordType::ZYGOTE_FAILED) KJ_FAIL_REQUIRE("the zygote cannot be jailed", describeFailure(*failure));
        }
        KJ_IF_MAYBE(ready, p->tryRead<zygote::ZygoteReady>()) {
          if (ready->type == zygote::RecordType::ZYGOTE_READY) {
            zygote->layersInForce_ = policy::LayerSet(ready->layersInForce | zygote->ids_.layersInForce);
            zygote->hashSeedProbe_ = ready->hashSeedProbe;
            zygote->alive_ = true;
            return;
          }
        }
        KJ_FAIL_REQUIRE("the zygote sent something else than its readiness");
      }
      KJ_FAIL_REQUIRE("the zygote died while it started", kj::strArray(options.command, " "));
    });
  }
};

kj::Promise<kj::Own<ZygoteProcess>> ZygoteProcess::start(UvEventPort& port, Reaper& reaper, ZygoteOptions options) {
  auto control = makeSocketPair(SOCK_SEQPACKET, false);
  auto warden = makeSocketPair(SOCK_SEQPACKET, false);

  kj::Vector<kj::String> command;
  command.add(kj::str(options.jailer));
  if (options.allowMissing.bits() != 0) {
    command.add(kj::str("--allow-missing-bits"));
    command.add(kj::str(options.allowMissing.bits()));
  }
  for (auto& file: options.cgroupFiles) {
    command.add(kj::str("--cgroup-procs"));
    command.add(kj::str(file));
  }
  command.add(kj::str("--"));
  for (auto& word: options.command) command.add(kj::str(word));

  int fds[] = {control.theirs.get(), warden.theirs.get()};
  pid_t jailer = spawnProcess(command, fds);
  reaper.adopt(jailer);
  auto zygote = kj::refcounted<ZygoteProcess>(port, reaper, control, warden);
  control.theirs = nullptr;
  warden.theirs = nullptr;

  auto handshake = kj::heap<Handshake>(Handshake{kj::mv(zygote), kj::mv(options)});
  auto& h = *handshake;
  auto started = h.awaitWarden().then([&h]() {
    h.configure();
    return h.awaitReady();
  });
  return port.getTimer()
      .timeoutAfter(START_TIMEOUT, kj::mv(started))
      .then([&h]() {
        h.zygote->tasks_.add(h.zygote->readControl());
        h.zygote->tasks_.add(h.zygote->readWarden());
        return kj::mv(h.zygote);
      })
      .attach(kj::mv(handshake));
}

ZygoteProcess::ZygoteProcess(UvEventPort& port, Reaper& reaper, SocketPair& control, SocketPair& warden)
    : reaper_(reaper),
      control_(port, kj::mv(control.ours)),
      warden_(port, kj::mv(warden.ours)),
      startTime_(port.getTimer().now()),
      gone_(nullptr),
      tasks_(*this) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  gone_ = paf.promise.fork();
  goneFulfiller_ = kj::mv(paf.fulfiller);
}

ZygoteProcess::~ZygoteProcess() noexcept(false) {
  goneFulfiller_->fulfill();
  // Pid 1 of the namespace: with it the kernel kills the zygote and whatever is left.
  if (wardenPidfd_ != nullptr) signalPidfd(wardenPidfd_, SIGKILL);
}

kj::Promise<ZygoteProcess::Child> ZygoteProcess::spawn(int socket, uint64_t spawnId, uint64_t dataBytesMax) {
  KJ_REQUIRE(alive_, "the zygote is gone");
  zygote::Spawn record;
  record.spawnId = spawnId;
  record.dataBytesMax = dataBytesMax;
  if (ids_.uidMapped) {
    record.workerUid = ids_.firstWorkerUid + nextWorkerUid_;
    nextWorkerUid_ = (nextWorkerUid_ + 1) % ids_.workerUidCount;
  }
  control_.send(asBytes(record), socket);
  forkCount_++;
  auto paf = kj::newPromiseAndFulfiller<Child>();
  pending_.push_back({spawnId, kj::mv(paf.fulfiller)});
  return kj::mv(paf.promise);
}

kj::Promise<ProcessEnd> ZygoteProcess::whenEnded(int32_t innerPid) {
  auto found = ended_.find(innerPid);
  if (found != ended_.end()) {
    auto end = found->second;
    ended_.erase(found);
    return end;
  }
  // It was made before its warden died, and is known only now.
  if (wardenGone_) return ProcessEnd{CLD_KILLED, SIGKILL};
  auto paf = kj::newPromiseAndFulfiller<ProcessEnd>();
  waiting_[innerPid] = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Maybe<kj::String> ZygoteProcess::takeSpawnFailure(uint64_t spawnId) {
  auto found = failures_.find(spawnId);
  if (found == failures_.end()) return nullptr;
  auto text = describeFailure(found->second);
  failures_.erase(found);
  return kj::mv(text);
}

kj::Promise<void> ZygoteProcess::readControl() {
  return control_.receive().then([this](kj::Maybe<Packet> packet) -> kj::Promise<void> {
    KJ_IF_MAYBE(p, packet) {
      switch (typeOf(*p)) {
        case zygote::RecordType::SPAWNED:
          KJ_IF_MAYBE(spawned, p->tryRead<zygote::Spawned>()) {
            KJ_ASSERT(!pending_.empty() && pending_.front().id == spawned->spawnId, "the zygote answers out of order");
            auto fulfiller = kj::mv(pending_.front().fulfiller);
            pending_.pop_front();
            KJ_IF_MAYBE(pidfd, p->fd) {
              if (auto pid = policy::tryGetPid(*pidfd)) {
                fulfiller->fulfill(Child{kj::mv(*pidfd), *pid, spawned->innerPid});
              } else {
                fulfiller->reject(KJ_EXCEPTION(FAILED, "the worker died while it was made"));
              }
            } else {
              fulfiller->reject(KJ_EXCEPTION(FAILED, "the zygote could not fork", strerror(spawned->error)));
            }
          }
          break;
        case zygote::RecordType::SPAWN_FAILED:
          KJ_IF_MAYBE(failure, p->tryRead<zygote::StepFailed>()) failures_[failure->spawnId] = *failure;
          break;
        default:
          KJ_FAIL_ASSERT("the zygote sent a record of an unknown type");
      }
      return readControl();
    }
    zygoteGone("its socket was closed");
    return kj::READY_NOW;
  });
}

kj::Promise<void> ZygoteProcess::readWarden() {
  return warden_.receive().then([this](kj::Maybe<Packet> packet) -> kj::Promise<void> {
    KJ_IF_MAYBE(p, packet) {
      KJ_IF_MAYBE(ended, p->tryRead<zygote::ChildEnded>()) {
        ProcessEnd end{ended->code, ended->status, ended->cpuUs, ended->peakBytes};
        if (ended->innerPid == ZYGOTE_INNER_PID) {
          zygoteGone("it died");
        } else {
          if (isAbnormal(end) && !tainted_) {
            tainted_ = true;
            goneFulfiller_->fulfill();
          }
          auto found = waiting_.find(ended->innerPid);
          if (found == waiting_.end()) {
            ended_[ended->innerPid] = end;
          } else {
            found->second->fulfill(kj::mv(end));
            waiting_.erase(found);
          }
        }
      }
      return readWarden();
    }
    // The warden is gone, and with it everybody in its namespace.
    zygoteGone("its warden died");
    wardenGone_ = true;
    for (auto& entry: waiting_) entry.second->fulfill(ProcessEnd{CLD_KILLED, SIGKILL});
    waiting_.clear();
    return kj::READY_NOW;
  });
}

void ZygoteProcess::zygoteGone(kj::StringPtr why) {
  if (!alive_) return;
  alive_ = false;
  for (auto& spawn: pending_) spawn.fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "the zygote is gone", why));
  pending_.clear();
  goneFulfiller_->fulfill();
}

void ZygoteProcess::taskFailed(kj::Exception&& exception) {
  KJ_LOG(ERROR, "lost touch with a zygote", exception);
  zygoteGone("its records made no sense");
}

}  // namespace glovebox
