#pragma once
// The few figures by which a test tells a distribution.

#include <algorithm>
#include <string>
#include <vector>

namespace glovebox::test {

class Percentiles {
 public:
  void add(double value) {
    values_.push_back(value);
    sorted_ = false;
  }
  void add(const Percentiles& others) {
    values_.insert(values_.end(), others.values_.begin(), others.values_.end());
    sorted_ = false;
  }
  size_t count() const { return values_.size(); }
  // `share` from 0, the least, to 1, the most. There must be a value.
  double at(double share) {
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
    return values_[static_cast<size_t>(share * static_cast<double>(values_.size() - 1) + 0.5)];
  }

 private:
  std::vector<double> values_;
  bool sorted_ = false;
};

}  // namespace glovebox::test
