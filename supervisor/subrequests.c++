#include "supervisor/subrequests.h"

#include <algorithm>

namespace glovebox {

Subrequests::Place Subrequests::begin(uint32_t limit) {
  calls_.push_back({nextSerial_++, count_, limit});
  lower(calls_.back());
  return std::prev(calls_.end());
}

void Subrequests::end(Place call) {
  bool wasLowest = call->first + call->limit == ceiling_;
  calls_.erase(call);
  if (!wasLowest) return;
  ceiling_ = UINT64_MAX;
  for (auto& other: calls_) lower(other);
}

kj::Maybe<uint32_t> Subrequests::add() {
  if (++count_ <= ceiling_) return nullptr;
  for (auto& call: calls_) {
    if (call.first + call.limit == ceiling_) return call.limit;
  }
  KJ_UNREACHABLE;
}

void Subrequests::lower(const Call& call) { ceiling_ = std::min(ceiling_, call.first + call.limit); }

}  // namespace glovebox
