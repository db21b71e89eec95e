#pragma once
// Samples of one measured thing and what is reported of them.

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace glovebox::bench {

inline double nowMicroseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class Samples {
 public:
  void add(double microseconds) { values_.push_back(microseconds); }
  size_t size() const { return values_.size(); }

  // Nearest rank; 0 for the minimum. 0 if there are no samples.
  double percentile(double percent) {
    if (values_.empty()) return 0;
    std::sort(values_.begin(), values_.end());
    auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(values_.size()));
    return values_[std::min(rank, values_.size() - 1)];
  }

 private:
  std::vector<double> values_;
};

}  // namespace glovebox::bench
