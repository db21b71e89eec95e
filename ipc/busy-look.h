#pragma once
// Looking again a few times before going to sleep, where that is worth it, which is learned from whether it was.
//
// A wait of one processor for another is shorter awake than asleep: waking an idle one takes 35 to 90 us on a virtual
// machine. The peer may have only this processor to run on, so it is given away between two looks.

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace glovebox {

class BusyLook {
 public:
  // Until `hasCome` says so, for as long as `duration` at most. True if it did.
  template <typename HasCome>
  bool look(std::chrono::microseconds duration, HasCome&& hasCome) {
    if (!isWorthIt()) return false;
    auto now = Clock::now(), end = now + duration;
    do {
      if (hasCome()) {
        succeeded();
        return true;
      }
      auto before = Clock::now();
      sched_yield();
      now = Clock::now();
      if (now - before > OTHERS_TURN) break;
    } while (now < end);
    failed();
    return false;
  }

  // The same in its parts.
  bool isWorthIt() {
    if (skip_ == 0) return true;
    skip_--;
    return false;
  }
  void succeeded() { penalty_ = 1; }
  void failed() {
    skip_ = penalty_;
    penalty_ = std::min(penalty_ * 2, PENALTY_MAX);
  }

 private:
  using Clock = std::chrono::steady_clock;
  // Whoever takes the processor for longer, when it is offered, needs it for something else than an answer.
  static constexpr std::chrono::microseconds OTHERS_TURN{150};
  static constexpr uint32_t PENALTY_MAX = 16;   // waits without a look: both ends must happen to look at once to find that it pays

  uint32_t skip_ = 0;
  uint32_t penalty_ = 1;
};

}  // namespace glovebox
