#pragma once
// One loaded worker as its client sees it: code sent to a process of its own, entrypoints into it, and an answer for
// every call, whatever becomes of the process.
//
// Held by the client's Worker capability and by every Target and ByteSource that came from it; the process dies with the
// last of them. The supervisor's part of a call is the membrane (supervisor/membrane.h).

#include <kj/async.h>
#include <kj/refcount.h>

#include "ipc/control.capnp.h"
#include "supervisor/call-watch.h"
#include "supervisor/core.h"
#include "supervisor/worker-code.h"

namespace glovebox {

class LoadedWorker final: public kj::Refcounted {
 public:
  struct Policy {
    CallLimits call;
    uint32_t memoryMb;
  };

  // Takes a worker from the pool and sends it the code; `code` is read before this returns. A code error is kept and
  // answered to every call, and no process is used for it.
  LoadedWorker(kj::Own<Core> core, Policy policy, rpc::WorkerCode::Reader code, kj::Maybe<rpc::Console::Client> console);
  ~LoadedWorker() noexcept(false);
  KJ_DISALLOW_COPY(LoadedWorker);

  // A target in the worker itself, without the membrane.
  rpc::Target::Client getEntrypoint(rpc::Worker::GetEntrypointParams::Reader params);

  // Runs one call on such a target under the limits. The answer, or the reason why there is none, goes to `results`, which
  // outlives the promise; dropping the promise gives the call up.
  kj::Promise<void> call(rpc::Target::Client& target, rpc::Call::Reader call, rpc::Return::Builder results);

  // One read of a large result, under the same limits.
  kj::Promise<void> read(rpc::ByteSource::Client& source, uint64_t offset, uint32_t length,
                         rpc::ByteSource::ReadResults::Builder results);

 private:
  kj::Own<Core> core_;
  Policy policy_;
  kj::Maybe<CodeError> codeError_;
  kj::Maybe<kj::Own<WorkerHandle>> worker_;   // once there is one
  kj::Maybe<Outcome> startFailure_;           // or there can be none
  uint32_t callsInFlight_ = 0;
  bool hasAnswered_ = false;
  kj::ForkedPromise<void> acquired_;          // one of the two is set
  rpc::WorkerProcess::Client process_;        // queues until then
  kj::ForkedPromise<void> started_;           // the modules are evaluated, or failed to be
  kj::Promise<void> startWatch_;

  void adopt(kj::Own<WorkerHandle> worker);
  kj::Promise<Outcome> whenEnded();
  kj::Promise<void> watch();
  // The worker broke the wire's rules in an answer.
  kj::Promise<void> mistrust(kj::Exception&& exception);
  void answer(rpc::Return::Reader from, rpc::Return::Builder to);
  void end(rpc::Return::Builder to, const Outcome& outcome);
};

}  // namespace glovebox
