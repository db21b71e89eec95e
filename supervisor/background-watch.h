#pragma once
// Holds a worker to its CPU limit between calls: what it gave to waitUntil() or set a timer for goes on when the call was
// answered and watchCall() is gone, and would otherwise go on for ever. It may use as much as a call may, counted from the
// last call's end; then it is killed, since there is no call to go back to, and the next one hears why.
//
// Owned by the LoadedWorker. It costs a call nothing: it looks from time to time, most rarely at those who do nothing.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "supervisor/worker-peer.h"

namespace glovebox {

class BackgroundWatch {
 public:
  struct Calls {
    uint32_t inFlight;
    uint64_t begun;   // ever
  };

  // `timer` and `worker` outlive this.
  BackgroundWatch(kj::Timer& timer, WorkerPeer& worker, uint32_t cpuMs, kj::Function<Calls()> calls);
  KJ_DISALLOW_COPY(BackgroundWatch);

 private:
  kj::Timer& timer_;
  WorkerPeer& worker_;
  const uint32_t cpuMs_;
  kj::Function<Calls()> calls_;
  uint64_t callsBegun_ = 0;                  // when it was last looked at
  bool callsWereInFlight_ = false;           // the same
  kj::Duration startCpu_ = 0 * kj::SECONDS;  // when there was last seen a call
  kj::Duration lastCpu_ = 0 * kj::SECONDS;
  kj::Promise<void> looking_;

  kj::Promise<void> lookAfter(kj::Duration wait);
  kj::Duration look(kj::Duration waited);
};

}  // namespace glovebox
