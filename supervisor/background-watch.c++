#include "supervisor/background-watch.h"

#include <algorithm>

#include <kj/debug.h>

namespace glovebox {
namespace {

// A worker that was idle and begins to loop is found this much too late at most.
constexpr kj::Duration WAIT_MAX = 1 * kj::SECONDS;
constexpr kj::Duration WAIT_MIN = 10 * kj::MILLISECONDS;

}  // namespace

BackgroundWatch::BackgroundWatch(kj::Timer& timer, WorkerPeer& worker, uint32_t cpuMs, kj::Function<Calls()> calls)
    : timer_(timer), worker_(worker), cpuMs_(cpuMs), calls_(kj::mv(calls)), startCpu_(worker.cpuTime()), looking_(nullptr) {
  looking_ = lookAfter(WAIT_MIN).eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

kj::Promise<void> BackgroundWatch::lookAfter(kj::Duration wait) {
  return timer_.afterDelay(wait).then([this, wait]() { return lookAfter(look(wait)); });
}

// How long to wait for the next look: one thread uses at most one second of CPU a second.
kj::Duration BackgroundWatch::look(kj::Duration waited) {
  auto limit = cpuMs_ * kj::MILLISECONDS;
  auto calls = calls_();
  auto cpu = worker_.cpuTime();
  bool wasIdle = cpu == lastCpu_;
  lastCpu_ = cpu;
  // What calls used that ended since the last look is not counted again.
  if (calls.inFlight > 0 || callsWereInFlight_ || calls.begun != callsBegun_) {
    callsBegun_ = calls.begun;
    startCpu_ = cpu;
  }
  callsWereInFlight_ = calls.inFlight > 0;
  auto used = cpu - startCpu_;
  if (used >= limit) {
    worker_.end(exceededCpu(cpuMs_, "after its calls were answered (timers, waitUntil)"_kj));
    return WAIT_MAX;
  }
  auto wait = wasIdle ? std::max(waited * 2, limit - used) : limit - used;
  return std::min(std::max(wait, WAIT_MIN), WAIT_MAX);
}

}  // namespace glovebox
