#include "supervisor/warmth.h"

#include <algorithm>

#include <kj/debug.h>

namespace glovebox {
namespace {

// After a call, when the answer has left and the next call, if it comes at once, has come.
constexpr kj::Duration AFTER_CALL = 20 * kj::MILLISECONDS;
constexpr kj::Duration BETWEEN_LOOKS = 1 * kj::SECONDS;
// So that the loop does not stand still when many have to be looked at.
constexpr size_t LOOKS_AT_ONCE = 8;
constexpr kj::Duration LOOK_PAUSE = 2 * kj::MILLISECONDS;
// One part in so many of the budget stays unused, for what was not there when a worker was looked at: a page that two forks of a
// zygote share is nobody's own until one of them dies. Measured with 5,000 workers: 2 %.
constexpr uint64_t KEPT_BACK = 32;

// Until it is asked again whether one that is needed still is.
constexpr kj::Duration NEEDED_PAUSE_MIN = 100 * kj::MILLISECONDS;
constexpr kj::Duration NEEDED_PAUSE_MAX = 10 * kj::SECONDS;

}  // namespace

Warmth::Place::Place(Warmth& warmth, WarmWorker& worker, uint32_t idleMs, uint64_t bytes)
    : warmth_(warmth),
      worker_(worker),
      idleMax_(idleMs * kj::MILLISECONDS),
      bytes_(bytes == 0 ? warmth.usualBytes_ : bytes),
      lastUse_(warmth.timer_.now()),
      measuredAt_(lastUse_) {
  warmth_.bytes_ += bytes_;
  position_ = warmth_.places_.insert(warmth_.places_.end(), this);
  warmth_.planWake(lastUse_ + idleMax_);
}

Warmth::Place::~Place() noexcept(false) {
  warmth_.bytes_ -= bytes_;
  if (warmth_.next_ == position_) ++warmth_.next_;
  warmth_.places_.erase(position_);
}

void Warmth::Place::used() {
  auto& places = warmth_.places_;
  places.splice(places.end(), places, position_);
  hasRun_ = true;
  lastUse_ = warmth_.timer_.now();
  warmth_.planWake(std::min(nextLook(), lastUse_ + idleMax_));
}

// A worker that is called again at once is not looked at, and costs no more than a timer each time.
kj::TimePoint Warmth::Place::nextLook() const {
  auto afterCall = lastUse_ + AFTER_CALL;
  return measured_ ? std::max(afterCall, measuredAt_ + BETWEEN_LOOKS) : afterCall;
}

void Warmth::makeRoom(uint64_t bytes) {
  // Those that have just been made are known by an estimate only, and there may be many of them.
  for (auto place: places_) {
    if (!place->measured_ && place->worker_.isIdle()) measure(*place);
  }
  keepToBudget(bytes == 0 ? usualBytes_ : bytes);
}

void Warmth::measure(Place& place) {
  auto bytes = place.worker_.measure();
  if (bytes == 0) return;
  bytes_ = bytes_ - place.bytes_ + bytes;
  place.bytes_ = bytes;
  place.measured_ = true;
  place.hasRun_ = false;
  place.measuredAt_ = timer_.now();
  usualBytes_ = bytes;
}

void Warmth::keepToBudget(uint64_t more) {
  auto budget = budgetBytes_ - budgetBytes_ / KEPT_BACK;
  while (bytes_ + more > budget) {
    if (!evictFirst(EvictionReason::MEMORY, evictedForMemory(budgetBytes_))) return;
  }
}

bool Warmth::evictOne(Outcome why) { return evictFirst(EvictionReason::WORKERS, why); }

bool Warmth::evictFirst(EvictionReason reason, const Outcome& why) {
  for (auto place: places_) {
    if (!place->worker_.isIdle()) continue;
    evictions_[static_cast<size_t>(reason)]++;
    place->worker_.evict(why.clone());
    return true;
  }
  return false;
}

void Warmth::planWake(kj::TimePoint at) {
  if (wakePlanned_ && wakeAt_ <= at) return;
  wakePlanned_ = true;
  wakeAt_ = at;
  waking_ = timer_.atTime(at).then([this]() { wake(); }).eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

void Warmth::wake() {
  auto now = timer_.now();
  size_t looks = 0;
  kj::Maybe<kj::TimePoint> next;
  auto plan = [&](kj::TimePoint at) { next = std::min(at, next.orDefault(at)); };
  for (next_ = places_.begin(); next_ != places_.end();) {
    auto& place = **next_++;
    if (!place.worker_.isIdle()) {
      // One that is called says itself when there is something to do. Another is needed for what came out of it.
      if (now >= place.lastUse_ + place.idleMax_) plan(now + std::min(std::max(place.idleMax_, NEEDED_PAUSE_MIN), NEEDED_PAUSE_MAX));
      else plan(place.lastUse_ + place.idleMax_);
      continue;
    }
    if (now >= place.lastUse_ + place.idleMax_) {
      evictions_[static_cast<size_t>(EvictionReason::IDLE)]++;
      place.worker_.evict(evictedForIdleness(static_cast<uint32_t>(place.idleMax_ / kj::MILLISECONDS)));
      continue;
    }
    plan(place.lastUse_ + place.idleMax_);
    if (!place.hasRun_) continue;
    auto due = place.nextLook();
    if (now < due) {
      plan(due);
    } else if (looks < LOOKS_AT_ONCE) {
      looks++;
      measure(place);
    } else {
      plan(now + LOOK_PAUSE);
    }
  }
  keepToBudget(0);
  wakePlanned_ = false;
  // This runs inside the promise that is replaced.
  KJ_IF_MAYBE(at, next) {
    auto old = kj::mv(waking_);
    planWake(*at);
    kj::evalLater([old = kj::mv(old)]() {}).detach([](kj::Exception&&) {});
  }
}

}  // namespace glovebox
