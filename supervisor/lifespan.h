#pragma once
// Ends a worker that has had no call for too long, or is too old. A call that is under way is never cut for it: the worker
// goes when the last one has ended. Of age it takes no call any more.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/timer.h>

#include "supervisor/outcome.h"

namespace glovebox {

class Lifespan {
 public:
  // 0: without end. `end` is called once, from the loop or from callEnded(). `timer` outlives this.
  Lifespan(kj::Timer& timer, uint32_t idleMs, uint32_t lifetimeMs, kj::Function<void(Outcome)> end);
  KJ_DISALLOW_COPY(Lifespan);

  void callBegan() { calls_++; }
  void callEnded();

  // What a call is answered that comes too late.
  kj::Maybe<Outcome> tryTooOld() const;

  // Since the last call ended, or the beginning; 0 while one is under way.
  kj::Duration idleTime() const;

 private:
  kj::Timer& timer_;
  const uint32_t idleMs_;
  const uint32_t lifetimeMs_;
  kj::Function<void(Outcome)> end_;
  uint32_t calls_ = 0;
  bool old_ = false;
  kj::TimePoint idleSince_;
  kj::Promise<void> idleWatch_;
  kj::Promise<void> ageWatch_;

  kj::Promise<void> watchIdleness(kj::Duration wait);
};

}  // namespace glovebox
