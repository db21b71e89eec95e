#pragma once
// What passes through the capabilities that a worker holds: of each while it is held, and of each name for as long as the
// worker lives, so that the account of a call also knows what is gone by its end.

#include <kj/string.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "ipc/value-graph.h"

namespace glovebox {

struct Traffic {
  uint64_t calls = 0;
  uint64_t bytesOut = 0;   // from the worker
  uint64_t bytesIn = 0;    // to it

  void add(const Traffic& other) {
    calls += other.calls;
    bytesOut += other.bytesOut;
    bytesIn += other.bytesIn;
  }
  // Since it stood at `before`.
  Traffic since(const Traffic& before) const { return {calls - before.calls, bytesOut - before.bytesOut, bytesIn - before.bytesIn}; }
  bool isNothing() const { return calls == 0 && bytesOut == 0 && bytesIn == 0; }
};

class TrafficByName {
 public:
  struct Entry {
    kj::String label;   // empty: all of this kind that have none, or came when there were ACCOUNT_NAMES_MAX names already
    ValueExternal::Kind kind;
    Traffic traffic;
  };

  TrafficByName() = default;
  KJ_DISALLOW_COPY(TrafficByName);

  // Stays where it is. Labels are chosen by whoever hands something over, which may be the worker's own doing.
  Traffic& of(kj::StringPtr label, ValueExternal::Kind kind);

  // In order of their first appearance; none is ever removed.
  const std::deque<Entry>& entries() const { return entries_; }
  std::vector<Traffic> snapshot() const;

 private:
  std::deque<Entry> entries_;
};

// "stub", "service", "readable", "writable", "loader"; "none" for what is no capability of the code's, such as the bytes of a
// large value.
kj::StringPtr kindName(ValueExternal::Kind kind);

}  // namespace glovebox
