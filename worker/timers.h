#pragma once
// setTimeout and setInterval of one isolate. Each timer belongs to the invocation that set it and is cancelled with it.
// Driven from outside: whoever owns the loop asks for the next deadline and calls runDue(). The code that sets timers is
// hostile: their number is bounded.

#include <v8.h>

#include <cstdint>
#include <limits>
#include <set>
#include <unordered_map>

namespace glovebox {

class Timers {
 public:
  static constexpr uint32_t ACTIVE_MAX = 10'000;   // Worker Loader's bound, unless another is set
  static constexpr double NEVER = std::numeric_limits<double>::infinity();

  void limit(uint32_t activeMax) { activeMax_ = activeMax; }

  // 0: there are as many as there may be.
  uint32_t set(v8::Isolate* isolate, v8::Local<v8::Function> callback, double delayMs, bool repeat, uint64_t invocation);
  void clear(uint32_t id);
  void clearOf(uint64_t invocation);
  void clearAll();

  bool empty() const { return timers_.empty(); }
  // On the clock of nowMs(), or NEVER.
  double nextDeadlineMs() const { return queue_.empty() ? NEVER : queue_.begin()->deadline; }

  // Takes the earliest timer that is due at `nowMs` off the queue (an interval is put back) and returns its callback;
  // empty if none is due. One at a time, because microtasks run after each.
  struct Due {
    v8::Local<v8::Function> callback;
    v8::Local<v8::Data> continuation;
    uint64_t invocation = 0;
  };
  bool takeDue(v8::Isolate* isolate, double nowMs, Due& due);

  // Monotonic, milliseconds.
  static double nowMs();

 private:
  struct Place {
    double deadline;
    uint32_t id;   // ids only grow: equal deadlines fire in the order they were set
    bool operator<(const Place& other) const {
      return deadline != other.deadline ? deadline < other.deadline : id < other.id;
    }
  };
  struct Timer {
    v8::Global<v8::Function> callback;
    v8::Global<v8::Data> continuation;   // the async context at the time it was set
    double deadline;
    double interval;   // negative: once
    uint64_t invocation;
  };

  uint32_t activeMax_ = ACTIVE_MAX;
  std::set<Place> queue_;
  std::unordered_map<uint32_t, Timer> timers_;
  uint32_t nextId_ = 1;
};

}  // namespace glovebox
