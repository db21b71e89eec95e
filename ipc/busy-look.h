#pragma once
// Whether it is worth looking again a few times before going to sleep, learned from whether it was.
//
// A wait of one processor for another is shorter awake than asleep: waking an idle one takes 35 to 90 us on a virtual
// machine. But where the peer has only this processor to run on, or takes long, looking only keeps it waiting.

#include <algorithm>
#include <cstdint>

namespace glovebox {

class BusyLook {
 public:
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
  static constexpr uint32_t PENALTY_MAX = 16;   // waits without a look: both ends must happen to look at once to find that it pays

  uint32_t skip_ = 0;
  uint32_t penalty_ = 1;
};

}  // namespace glovebox
