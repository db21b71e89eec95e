#pragma once
// The traces that calls on one worker are part of. What the worker does names, by the span of one of these calls, which of them it is
// for; that is believed, because nobody else could know, but of no span that this worker was not given. So it can mix up its own
// calls, and appear in no trace that it was not called in.

#include <kj/common.h>

#include <deque>
#include <unordered_map>

#include "ipc/trace.h"
#include "supervisor/membrane-limits.h"

namespace glovebox {

class TraceBook {
 public:
  void add(const Trace& trace) {
    if (order_.size() >= membrane::TRACES_MAX) {
      traces_.erase(order_.front());
      order_.pop_front();
    }
    order_.push_back(trace.span);
    traces_[trace.span] = trace;
  }
  kj::Maybe<const Trace&> find(uint64_t span) const {
    auto found = traces_.find(span);
    if (found == traces_.end()) return nullptr;
    return found->second;
  }

 private:
  std::unordered_map<uint64_t, Trace> traces_;
  std::deque<uint64_t> order_;   // oldest first; also of calls that are over, because what they began may go on
};

}  // namespace glovebox
