#include "worker/timers.h"

#include <time.h>

#include <algorithm>
#include <cmath>

namespace glovebox {

uint32_t Timers::set(v8::Isolate* isolate, v8::Local<v8::Function> callback, double delayMs, bool repeat,
                     uint64_t invocation) {
  if (timers_.size() >= activeMax_) return 0;
  // As browsers do: what is not a sensible delay is 0, and more than 32 bits wrap to at once; an interval of 0 would
  // starve everything else.
  if (!(delayMs > 0) || delayMs > 0x7fffffff) delayMs = 0;
  double delay = std::trunc(delayMs);
  if (repeat) delay = std::max(delay, 1.0);
  while (nextId_ == 0 || timers_.contains(nextId_)) ++nextId_;
  uint32_t id = nextId_++;
  double deadline = nowMs() + delay;
  timers_.emplace(id, Timer{v8::Global<v8::Function>(isolate, callback),
                            v8::Global<v8::Data>(isolate, isolate->GetContinuationPreservedEmbedderDataV2()), deadline,
                            repeat ? delay : -1, invocation});
  queue_.insert({deadline, id});
  return id;
}

void Timers::clear(uint32_t id) {
  auto it = timers_.find(id);
  if (it == timers_.end()) return;
  queue_.erase({it->second.deadline, id});
  timers_.erase(it);
}

void Timers::clearOf(uint64_t invocation) {
  for (auto it = timers_.begin(); it != timers_.end();) {
    if (it->second.invocation == invocation) {
      queue_.erase({it->second.deadline, it->first});
      it = timers_.erase(it);
    } else {
      ++it;
    }
  }
}

void Timers::clearAll() {
  queue_.clear();
  timers_.clear();
}

bool Timers::takeDue(v8::Isolate* isolate, double nowMs, Due& due) {
  if (queue_.empty() || queue_.begin()->deadline > nowMs) return false;
  auto id = queue_.begin()->id;
  queue_.erase(queue_.begin());
  auto it = timers_.find(id);
  auto& timer = it->second;
  due = {timer.callback.Get(isolate), timer.continuation.Get(isolate), timer.invocation};
  if (timer.interval < 0) {
    timers_.erase(it);
  } else {
    timer.deadline = nowMs + timer.interval;
    queue_.insert({timer.deadline, id});
  }
  return true;
}

double Timers::nowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) / 1e6;
}

}  // namespace glovebox
