#pragma once
// What a supervisor counts, for monitoring: a copy of its books at one moment. Nothing in it was written by a worker, and its size
// does not depend on what workers do.

#include <kj/common.h>

#include <array>
#include <cstdint>

#include "supervisor/census.h"
#include "supervisor/code-cache.h"
#include "supervisor/pool.h"
#include "supervisor/warmth.h"

namespace glovebox {

class Core;

struct Metrics {
  Census census;
  PoolCounts pool;
  bool zygoteStands = false;
  CodeCache::Counts codeCache;
  kj::Duration workerCpu = 0 * kj::SECONDS;   // of all loaded workers that there have been
  uint64_t workerMemoryBytes = 0;             // of the live ones: resident and no file's
  kj::Maybe<uint64_t> cgroupMemoryBytes;      // of all processes, where there is such a cgroup
  uint64_t namedWorkers = 0, namedMemoryBytes = 0, namedBudgetBytes = 0;
  std::array<uint64_t, EVICTION_REASONS> evictions{};
};

// Asks the kernel about each live worker: some 10 us for each.
Metrics readMetrics(Core& core);

}  // namespace glovebox
