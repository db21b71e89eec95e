#pragma once
// The limits of a worker and of the calls on it: the one list of their names. They are the same in the schema
// (worker.capnp), in JavaScript's `limits`, in the status document, and, with dashes, as flags of the command. Plain C++,
// because both sides of the worker include it.

#include <cstdint>

namespace glovebox {

// Units are in the names. 0: not said, so the policy counts; in a policy, 0 is no limit of that kind, which only those
// marked so may be.
struct WorkerLimits {
  uint32_t cpuMs = 0;
  uint32_t wallMs = 0;
  uint32_t subRequests = 0;
  uint32_t memoryMb = 0;
  uint32_t heapMb = 0;         // may be 0: the heap may fill all of memoryMb
  uint32_t startupCpuMs = 0;
  uint32_t callsInFlight = 0;
  uint32_t capabilities = 0;
  uint32_t timers = 0;
  uint32_t logBytes = 0;
  uint32_t resultBytes = 0;
  uint32_t idleMs = 0;         // may be 0
  uint32_t lifetimeMs = 0;     // may be 0

  bool operator==(const WorkerLimits&) const = default;
};

struct WorkerLimitInfo {
  const char* name;
  uint32_t WorkerLimits::* field;
  bool ofCall;        // may be given for an entrypoint, too
  const char* help;   // ends a sentence that begins "the most"
};

constexpr WorkerLimitInfo WORKER_LIMITS[] = {
    {"cpuMs", &WorkerLimits::cpuMs, true, "CPU time of a call, in milliseconds"},
    {"wallMs", &WorkerLimits::wallMs, true, "time of a call by the clock, in milliseconds"},
    {"subRequests", &WorkerLimits::subRequests, true, "calls of a worker to others during one call on it"},
    {"memoryMb", &WorkerLimits::memoryMb, false, "memory of a worker, in MiB"},
    {"heapMb", &WorkerLimits::heapMb, false, "of that for the JavaScript heap alone, in MiB; if not given, all of it"},
    {"startupCpuMs", &WorkerLimits::startupCpuMs, false, "CPU time for the evaluation of a worker's modules, in milliseconds"},
    {"callsInFlight", &WorkerLimits::callsInFlight, false, "calls under way in a worker at once"},
    {"capabilities", &WorkerLimits::capabilities, false, "capabilities that a worker holds at once, and of it that others hold"},
    {"timers", &WorkerLimits::timers, false, "timers set in a worker at once"},
    {"logBytes", &WorkerLimits::logBytes, false, "bytes of logs in a worker's life"},
    {"resultBytes", &WorkerLimits::resultBytes, false, "bytes of one result"},
    {"idleMs", &WorkerLimits::idleMs, false, "time without a call before a worker is evicted, in milliseconds; if not given, there is no end"},
    {"lifetimeMs", &WorkerLimits::lifetimeMs, false, "age of a worker, in milliseconds, before it is evicted; if not given, there is no end"},
};

// Of each the lower one; 0 asks for the other.
constexpr WorkerLimits lowerOf(const WorkerLimits& one, const WorkerLimits& other) {
  WorkerLimits lower;
  for (auto& limit: WORKER_LIMITS) {
    uint32_t a = one.*limit.field, b = other.*limit.field;
    lower.*limit.field = a == 0 ? b : b == 0 ? a : a < b ? a : b;
  }
  return lower;
}

}  // namespace glovebox
