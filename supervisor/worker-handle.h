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
#include "supervisor/kernel-log.h"
#include "supervisor/outcome.h"
#include "supervisor/worker-peer.h"
#include "supervisor/zygote-process.h"

namespace glovebox {

class WorkerHandle final: public kj::Refcounted, public WorkerPeer, private kj::TaskSet::ErrorHandler {
 public:
  // Forks a worker, waits until it says that it is warm, and reads its seal back. Rejects if it is not sealed, says
  // nothing for START_TIMEOUT or dies. `port` and `log` outlive the result.
  static kj::Promise<kj::Own<WorkerHandle>> start(UvEventPort& port, kj::Own<ZygoteProcess> zygote, uint64_t spawnId,
                                                  uint32_t memoryMbMax, policy::LayerSet allowMissing, KernelLog& log);

  WorkerHandle(UvEventPort& port, kj::Own<ZygoteProcess> zygote, kj::AutoCloseFd socket, KernelLog& log);
  ~WorkerHandle() noexcept(false);
  KJ_DISALLOW_COPY(WorkerHandle);

  rpc::WorkerProcess::Client process() override { return process_; }
  ZygoteProcess& zygote() { return *zygote_; }
  pid_t pid() const override { return child_.pid; }

  // By the kernel's account.
  kj::Duration cpuTime() override;
  kj::Duration lastCpuTime() const override { return lastCpuTime_; }
  uint64_t peakMemoryBytes() override;
  uint64_t memoryBytes() override;
  bool isGone() override;
  uint64_t privateBytes() override;
  bool exceedsMemory() override;
  uint32_t memoryMb() const override { return memoryMb_; }

  // What the words of an ending say about memory; and lowers the hard limit if it is below what the zygote gave.
  void setMemoryLimit(uint32_t memoryMb) override;

  void softStop(Outcome reason) override;
  kj::Maybe<const Outcome&> lastSoftStop() const override;
  void end(Outcome reason) override;
  size_t openReads() override;
  size_t openCalls() override;
  kj::Promise<void> whenReadFinished() override;
  kj::Promise<Outcome> whenEnded() override;
  bool hasEnded() const { return ended_; }

 private:
  UvEventPort& port_;
  KernelLog& log_;
  kj::Own<ZygoteProcess> zygote_;
  ZygoteProcess::Child child_{nullptr, 0, 0};
  kj::Own<RpcConnection> connection_;
  rpc::WorkerProcess::Client process_;
  uint32_t memoryMb_ = 0;
  kj::Duration lastCpuTime_ = 0 * kj::NANOSECONDS;
  uint64_t peakBytes_ = 0;
  kj::Maybe<Outcome> reason_;
  kj::Maybe<Outcome> softReason_;
  bool ended_ = false;
  kj::Own<kj::PromiseFulfiller<void>> endedFulfiller_;
  kj::ForkedPromise<void> endedPromise_;
  kj::TaskSet tasks_;

  kj::Own<RpcConnection> connect(UvEventPort& port, kj::AutoCloseFd socket);
  void watchEnd();
  void signal(int number);
  void settleEnd(ProcessEnd processEnd, kj::Maybe<uint32_t> forbiddenCall);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox
