#pragma once
// The books of one worker's membrane: what is open now and how much of it may be (supervisor/membrane-limits.h), and what
// has passed so far.

#include <kj/string.h>

#include <cstdint>

#include "supervisor/membrane-limits.h"
#include "supervisor/traffic.h"

namespace glovebox {

// Something that is counted and has a limit.
class Meter {
 public:
  Meter(kj::StringPtr what, uint64_t max, kj::StringPtr advice): what_(what), max_(max), advice_(advice) {}
  KJ_DISALLOW_COPY(Meter);

  uint64_t now() const { return now_; }
  bool hasRoom(uint64_t n = 1) const { return now_ <= max_ && n <= max_ - now_; }
  void take(uint64_t n = 1) { now_ += n; }
  void give(uint64_t n = 1) { now_ -= n; }

  // For the user of the worker: what limit was reached, and what to do.
  kj::String refusal() const {
    return kj::str("This worker has reached its limit of ", max_, " ", what_, ". ", advice_);
  }

 private:
  kj::StringPtr what_;
  uint64_t max_;
  kj::StringPtr advice_;
  uint64_t now_ = 0;
};

struct Ledger {
  explicit Ledger(uint32_t capabilitiesMax): capabilitiesMax(capabilitiesMax) {}

  const uint32_t capabilitiesMax;
  Meter outwardCalls{"calls to others under way at once", membrane::OUTWARD_CALLS_MAX,
                     "Wait for some of them before you make more."};
  Meter outwardBytes{"bytes of arguments in calls to others under way at once", membrane::OUTWARD_BYTES_MAX,
                     "Wait for some of them, or pass less at a time."};
  // Counted by the guard; here are the words.
  Meter unreadAnswers{"answers that it has not read", membrane::UNREAD_ANSWERS_MAX, "Let it read them before it asks for more."};
  // Held by the worker; and of the worker, held by others.
  Meter outwardCapabilities{"capabilities held at once", capabilitiesMax,
                            "Dispose of stubs that are not needed any more."};
  Meter inwardCapabilities{"capabilities of its own that others hold at once", capabilitiesMax,
                           "Let their holders dispose of some, or hand over fewer functions and objects."};
  Meter waitingAnswerBytes{"bytes of answers that wait to be read", membrane::WAITING_ANSWER_BYTES_MAX,
                           "Let it read some of them before it asks for more."};
  Meter children{"live workers loaded by it and by those that it loaded", membrane::CHILDREN_MAX,
                 "Dispose of some of them first."};
  Meter names{"named workers that it uses", membrane::NAMES_MAX, "Let go of some of them."};
  Meter bulkBytes{"bytes of modules being loaded at once", membrane::BULK_BYTES_MAX, "Load one large worker after the other."};
  Meter keptBytes{"bytes of props of named workers' entrypoints", membrane::KEPT_BYTES_MAX, "Let go of some of them, or pass less."};

  Traffic passed;   // calls of the worker to others; of capabilities that are gone, and in total
  TrafficByName traffic;
};

}  // namespace glovebox
