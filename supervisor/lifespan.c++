#include "supervisor/lifespan.h"

#include <kj/debug.h>

namespace glovebox {
namespace {

void logFailure(kj::Exception&& exception) { KJ_LOG(ERROR, exception); }

}  // namespace

Lifespan::Lifespan(kj::Timer& timer, uint32_t idleMs, uint32_t lifetimeMs, kj::Function<void(Outcome)> end)
    : timer_(timer),
      idleMs_(idleMs),
      lifetimeMs_(lifetimeMs),
      end_(kj::mv(end)),
      idleSince_(timer.now()),
      idleWatch_(kj::READY_NOW),
      ageWatch_(kj::READY_NOW) {
  if (idleMs_ != 0) idleWatch_ = watchIdleness(idleMs_ * kj::MILLISECONDS).eagerlyEvaluate(logFailure);
  if (lifetimeMs_ != 0) {
    ageWatch_ = timer_.afterDelay(lifetimeMs_ * kj::MILLISECONDS).then([this]() {
      old_ = true;
      if (calls_ == 0) end_(evictedForAge(lifetimeMs_));
    }).eagerlyEvaluate(logFailure);
  }
}

void Lifespan::callEnded() {
  if (--calls_ > 0) return;
  idleSince_ = timer_.now();
  if (old_) end_(evictedForAge(lifetimeMs_));
}

kj::Maybe<Outcome> Lifespan::tryTooOld() const {
  if (!old_) return nullptr;
  return evictedForAge(lifetimeMs_);
}

kj::Duration Lifespan::idleTime() const { return calls_ > 0 ? 0 * kj::MILLISECONDS : timer_.now() - idleSince_; }

// One timer for the worker's whole life, rather than one for each call: it looks again when the present idleness may last
// long enough.
kj::Promise<void> Lifespan::watchIdleness(kj::Duration wait) {
  return timer_.afterDelay(wait).then([this]() -> kj::Promise<void> {
    auto limit = idleMs_ * kj::MILLISECONDS;
    auto idle = idleTime();
    if (calls_ > 0 || idle < limit) return watchIdleness(limit - idle);
    end_(evictedForIdleness(idleMs_));
    return kj::READY_NOW;
  });
}

}  // namespace glovebox
