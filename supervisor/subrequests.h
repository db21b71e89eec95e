#pragma once
// Counts the calls of one worker to others, for the limit that each call on it has. Which of several calls under way made
// one the supervisor cannot know, and does not believe the worker: each is charged with all that were made since it began,
// as it is with CPU time.

#include <kj/common.h>

#include <cstdint>
#include <list>

namespace glovebox {

class Subrequests {
 public:
  struct Call {
    uint64_t serial;   // in order of beginning
    uint64_t first;    // the count when it began
    uint32_t limit;
  };
  using Place = std::list<Call>::iterator;

  Place begin(uint32_t limit);
  void end(Place call);

  // One more. The limit that it exceeds, if it does.
  kj::Maybe<uint32_t> add();

  uint64_t count() const { return count_; }
  // Calls under way that began before `serial` had been given.
  bool anyBefore(uint64_t serial) const { return !calls_.empty() && calls_.front().serial < serial; }
  uint64_t nextSerial() const { return nextSerial_; }

 private:
  std::list<Call> calls_;
  uint64_t count_ = 0;
  uint64_t ceiling_ = UINT64_MAX;   // of all calls under way the lowest
  uint64_t nextSerial_ = 0;

  void lower(const Call& call);
};

}  // namespace glovebox
