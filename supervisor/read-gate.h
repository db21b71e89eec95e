#pragma once
// Paces what a worker pulls. A worker that asks for many chunks at once and does not look at its line would have them all
// wait in the supervisor's memory, and be killed for it by the guard. Instead, reads beyond guard::READS_ANSWERED_MAX wait
// here until the worker has finished with earlier ones.

#include <kj/async.h>
#include <kj/refcount.h>

#include <deque>

#include "supervisor/worker-peer.h"

namespace glovebox {

class ReadGate final: public kj::Refcounted {
 public:
  ReadGate() = default;
  KJ_DISALLOW_COPY(ReadGate);

  // Reads get through while there is a worker.
  void open(WorkerPeer& peer) { peer_ = peer; }
  void close();

  // For a read that the worker's line has just brought: resolves when it may be answered.
  kj::Promise<void> enter();

 private:
  kj::Maybe<WorkerPeer&> peer_;
  std::deque<kj::Own<kj::PromiseFulfiller<void>>> waiting_;
  bool watching_ = false;
  kj::Promise<void> watch_ = nullptr;

  void pump(WorkerPeer& peer);
  kj::Promise<void> watch(WorkerPeer& peer);
};

}  // namespace glovebox
