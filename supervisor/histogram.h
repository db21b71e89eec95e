#pragma once
// How long things took, counted in classes whose bounds are fixed: as Prometheus has histograms.

#include <kj/time.h>

#include <array>
#include <cstdint>

namespace glovebox {

class Histogram {
 public:
  // Seconds. From a warm call, which takes 50 us, to the longest that a call may take by default.
  static constexpr std::array<double, 17> BOUNDS{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

  void note(kj::Duration took) {
    auto seconds = static_cast<double>(took / kj::NANOSECONDS) / 1e9;
    size_t i = 0;
    while (i < BOUNDS.size() && seconds > BOUNDS[i]) i++;
    counts_[i]++;
    sum_ += seconds;
  }

  // The last is of those above all bounds.
  const std::array<uint64_t, BOUNDS.size() + 1>& counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::array<uint64_t, BOUNDS.size() + 1> counts_{};
  double sum_ = 0;
};

}  // namespace glovebox
