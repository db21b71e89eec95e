#pragma once
// One worker process, from ready to reaped: its line, its pidfd, its CPU clock, and the one reason why it ended.
//
// Owned by the pool while it is warm and by a LoadedWorker afterwards; never reused for another load. What comes over its
// line was written by an attacker once code has been sent. Destroying the handle kills the process.

#include <kj/async.h>
#include <kj/io.h>
#include <kj/refcount.h>

#include "ipc/connection.h"
#include "ipc/worker.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/zygote-process.h"

namespace glovebox {

class WorkerHandle final: public kj::Refcounted, private kj::TaskSet::ErrorHandler {
 public:
  // Forks a worker, waits until it says that it is warm, and reads its seal back. Rejects if it is not sealed, says
  // nothing for START_TIMEOUT or dies. `port` outlives the result.
  static kj::Promise<kj::Own<WorkerHandle>> start(UvEventPort& port, kj::Own<ZygoteProcess> zygote, uint64_t spawnId,
                                                  uint32_t memoryMbMax, policy::LayerSet allowMissing);

  WorkerHandle(UvEventPort& port, kj::Own<ZygoteProcess> zygote, kj::AutoCloseFd socket);
  ~WorkerHandle() noexcept(false);
  KJ_DISALLOW_COPY(WorkerHandle);

  rpc::WorkerProcess::Client process() { return process_; }
  ZygoteProcess& zygote() { return *zygote_; }
  pid_t pid() const { return child_.pid; }

  // CPU time of the process so far, by the kernel's account. The last value known, once it is gone.
  kj::Duration cpuTime();
  // Resident memory that is not files', in bytes; 0 if gone.
  uint64_t residentBytes();
  // More of it than the limit and the engine's own share allow.
  bool exceedsMemory();
  uint32_t memoryMb() const { return memoryMb_; }

  // What the words of an ending say about memory; and lowers the hard limit if it is below what the zygote gave.
  void setMemoryLimit(uint32_t memoryMb);

  // Asks the worker to stop the JavaScript that is running; calls that end by it have ended for `reason`.
  void softStop(Outcome reason);
  // The reason of the last soft stop, if any.
  kj::Maybe<const Outcome&> lastSoftStop() const;

  // Kills the process. The first reason given is the one that everybody hears.
  void end(Outcome reason);

  // How it ended, once it is dead.
  kj::Promise<Outcome> whenEnded();
  bool hasEnded() const { return ended_; }

 private:
  UvEventPort& port_;
  kj::Own<ZygoteProcess> zygote_;
  ZygoteProcess::Child child_{nullptr, 0, 0};
  kj::Own<RpcConnection> connection_;
  rpc::WorkerProcess::Client process_;
  uint32_t memoryMb_ = 0;
  kj::Duration lastCpuTime_ = 0 * kj::NANOSECONDS;
  kj::Maybe<Outcome> reason_;
  kj::Maybe<Outcome> softReason_;
  bool ended_ = false;
  kj::Own<kj::PromiseFulfiller<void>> endedFulfiller_;
  kj::ForkedPromise<void> endedPromise_;
  kj::TaskSet tasks_;

  kj::Own<RpcConnection> connect(UvEventPort& port, kj::AutoCloseFd socket);
  void watchEnd();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox
