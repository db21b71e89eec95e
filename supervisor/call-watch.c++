#include "supervisor/call-watch.h"

#include <algorithm>

namespace glovebox {
namespace {

// libuv's timers have a grain of a millisecond.
constexpr kj::Duration GRAIN = 1 * kj::MILLISECONDS;
constexpr kj::Duration GRACE_MIN = 5 * kj::MILLISECONDS;
constexpr kj::Duration GRACE_MAX = 500 * kj::MILLISECONDS;
constexpr int PATIENCE = 4;   // times the grace period, by the wall clock

// A worker cannot be stopped everywhere (worker/engine/interruption.h), so one signal may miss. Sent this often, some will
// not, even in the grace period of a short limit.
constexpr kj::Duration ASK_AGAIN = GRAIN;

// How often a long call's memory is looked at. The worker keeps to its limit by itself and RLIMIT_DATA holds it to a
// little more; this catches what neither counts (stack, page tables, code).
constexpr kj::Duration MEMORY_PERIOD = 100 * kj::MILLISECONDS;

struct Watch {
  kj::Timer& timer;
  WorkerPeer& worker;
  CallLimits limits;
  AtLimit atLimit;
  kj::StringPtr where;
  kj::TimePoint startTime;
  kj::Duration startCpu;

  kj::Promise<void> next() {
    auto cpuLimit = limits.cpuMs * kj::MILLISECONDS;
    auto wallLimit = limits.wallMs * kj::MILLISECONDS;
    auto cpu = worker.cpuTime() - startCpu;
    auto wall = timer.now() - startTime;
    if (cpu >= cpuLimit) return reached(exceededCpu(limits.cpuMs, where), cpuLimit);
    if (wall >= wallLimit) return reached(exceededWallTime(limits.wallMs, where), wallLimit);
    if (wall >= MEMORY_PERIOD && worker.exceedsMemory()) {
      worker.end(exceededMemory(worker.memoryMb()));
      return kj::NEVER_DONE;
    }
    auto left = std::max(std::min(cpuLimit - cpu, wallLimit - wall), GRAIN);
    return timer.afterDelay(std::min(left, MEMORY_PERIOD)).then([this]() { return next(); });
  }

  kj::Promise<void> reached(Outcome outcome, kj::Duration limit) {
    if (atLimit == AtLimit::KILL) {
      worker.end(kj::mv(outcome));
      return kj::NEVER_DONE;
    }
    return stopWorker(timer, worker, kj::mv(outcome), limit);
  }
};

// The grace period is of CPU time, so that a worker which does not get the processor is not killed for it, but not of
// CPU time alone, so that one which sleeps through the signal does not live for ever.
kj::Promise<void> killAfter(kj::Timer& timer, WorkerPeer& worker, kj::Duration cpuDeadline, kj::TimePoint deadline, Outcome outcome) {
  return timer.afterDelay(ASK_AGAIN).then([&timer, &worker, cpuDeadline, deadline, outcome = kj::mv(outcome)]() mutable -> kj::Promise<void> {
    if (worker.cpuTime() < cpuDeadline && timer.now() < deadline) {
      worker.softStop(outcome.clone());
      return killAfter(timer, worker, cpuDeadline, deadline, kj::mv(outcome));
    }
    worker.end(kj::mv(outcome));
    return kj::NEVER_DONE;
  });
}

}  // namespace

kj::Promise<void> watchCall(kj::Timer& timer, WorkerPeer& worker, CallLimits limits, AtLimit atLimit, kj::StringPtr where) {
  auto watch = kj::heap<Watch>(Watch{timer, worker, limits, atLimit, where, timer.now(), worker.cpuTime()});
  auto promise = watch->next();
  return promise.attach(kj::mv(watch));
}

kj::Promise<void> stopWorker(kj::Timer& timer, WorkerPeer& worker, Outcome outcome, kj::Duration limit) {
  worker.softStop(outcome.clone());
  auto grace = std::min(std::max(limit / 2, GRACE_MIN), GRACE_MAX);
  return killAfter(timer, worker, worker.cpuTime() + grace, timer.now() + grace * PATIENCE, kj::mv(outcome));
}

}  // namespace glovebox
