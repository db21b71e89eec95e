#include "supervisor/metrics.h"

#include "supervisor/core.h"
#include "supervisor/loaded-worker.h"

namespace glovebox {

Metrics readMetrics(Core& core) {
  Metrics metrics;
  metrics.census = core.census;
  metrics.pool = core.pool.counts();
  metrics.zygoteStands = core.pool.zygote() != nullptr;
  metrics.codeCache = core.codeCache.counts();
  metrics.workerCpu = core.census.cpuOfGone;
  for (auto& entry: core.kinship.workers()) {
    KJ_IF_MAYBE(peer, entry.second->peer()) {
      metrics.workerCpu += peer->cpuTime();
      metrics.workerMemoryBytes += peer->memoryBytes();
    }
  }
  if (core.cgroups.inForce().has(policy::Layer::CGROUP_MEMORY)) metrics.cgroupMemoryBytes = core.cgroups.memoryBytes();
  metrics.namedWorkers = core.warmth.workers();
  metrics.namedMemoryBytes = core.warmth.bytes();
  metrics.namedBudgetBytes = core.warmth.budgetBytes();
  for (size_t i = 0; i < EVICTION_REASONS; i++) metrics.evictions[i] = core.warmth.evictions(static_cast<EvictionReason>(i));
  return metrics;
}

}  // namespace glovebox
