#pragma once
// One zygote and its warden (ipc/zygote-protocol.h): started, asked for children, and listened to for how they end.
//
// Shared by the pool, while it is the zygote to fork from, and by every worker forked from it, because the warden that
// is pid 1 of their namespace lives only as long as this object does. When the last of them lets go the namespace ends.
// The zygote itself may die earlier: then no more children come, and the living go on.

#include <linux/filter.h>

#include <deque>
#include <unordered_map>

#include <kj/async.h>
#include <kj/io.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include "ipc/zygote-protocol.h"
#include "policy/layers.h"
#include "policy/profile.h"
#include "supervisor/outcome.h"
#include "supervisor/packet-socket.h"
#include "supervisor/reaper.h"

namespace glovebox {

class UvEventPort;

struct ZygoteOptions {
  kj::Array<kj::String> command;               // what the jailer execs: the engine, or the audit's probe
  kj::String jailer;
  kj::Array<kj::String> cgroupFiles;           // cgroup.procs files that the jailer joins before it forks
  policy::Profile profile = policy::Profile::DEFAULT;
  policy::LayerSet allowMissing;
  uint32_t heapMbMax = 128;
  kj::ArrayPtr<const sock_filter> filter;      // outlives the start; empty only if the seccomp layer may be missing
};

class ZygoteProcess final: public kj::Refcounted, private kj::TaskSet::ErrorHandler {
 public:
  // Resolves when the zygote is jailed and ready to fork. Rejects with the step that failed, the layer it belongs to and
  // the fix, or with what the jailer said before it died. `port` and `reaper` outlive the result.
  static kj::Promise<kj::Own<ZygoteProcess>> start(UvEventPort& port, Reaper& reaper, ZygoteOptions options);

  ZygoteProcess(UvEventPort& port, Reaper& reaper, SocketPair& control, SocketPair& warden);
  ~ZygoteProcess() noexcept(false);
  KJ_DISALLOW_COPY(ZygoteProcess);

  struct Child {
    kj::AutoCloseFd pidfd;
    pid_t pid;          // in this process's namespace
    int32_t innerPid;   // in the warden's
  };

  // Forks a child that owns `socket` and is locked down. Rejects if the zygote is gone or the fork fails.
  kj::Promise<Child> spawn(int socket, uint64_t spawnId, uint64_t dataBytesMax);

  // How the child ended. Ask once per child.
  kj::Promise<ProcessEnd> whenEnded(int32_t innerPid);

  // Why a child could not finish its lock-down, if it said so.
  kj::Maybe<kj::String> takeSpawnFailure(uint64_t spawnId);

  bool canFork() const { return alive_; }
  uint32_t forkCount() const { return forkCount_; }
  kj::TimePoint startTime() const { return startTime_; }
  policy::LayerSet layersInForce() const { return layersInForce_; }
  uint64_t hashSeedProbe() const { return hashSeedProbe_; }
  pid_t wardenPid() const { return wardenPid_; }

  // A child of it died in a way that may have been an attempt to break out. Its siblings share their memory layout, so
  // what was learned from one crash helps with the next: fork no more from it.
  bool isTainted() const { return tainted_; }

  // Resolves when the zygote can fork no more, or should not.
  kj::Promise<void> whenGone() { return gone_.addBranch(); }

 private:
  Reaper& reaper_;
  PacketSocket control_;
  PacketSocket warden_;
  kj::AutoCloseFd wardenPidfd_;
  pid_t wardenPid_ = 0;
  kj::TimePoint startTime_;
  bool alive_ = false;
  bool tainted_ = false;
  bool wardenGone_ = false;   // and everybody in its namespace
  uint32_t forkCount_ = 0;
  uint32_t nextWorkerUid_ = 0;
  zygote::WardenStarted ids_;
  policy::LayerSet layersInForce_;
  uint64_t hashSeedProbe_ = 0;

  struct PendingSpawn {
    uint64_t id;
    kj::Own<kj::PromiseFulfiller<Child>> fulfiller;
  };
  std::deque<PendingSpawn> pending_;   // answered in order
  std::unordered_map<int32_t, kj::Own<kj::PromiseFulfiller<ProcessEnd>>> waiting_;
  std::unordered_map<int32_t, ProcessEnd> ended_;   // reported before anybody asked
  std::unordered_map<uint64_t, zygote::StepFailed> failures_;

  kj::Own<kj::PromiseFulfiller<void>> goneFulfiller_;
  kj::ForkedPromise<void> gone_;
  kj::TaskSet tasks_;

  kj::Promise<void> readControl();
  kj::Promise<void> readWarden();
  void zygoteGone(kj::StringPtr why);
  void taskFailed(kj::Exception&& exception) override;

  struct Handshake;
};

}  // namespace glovebox
