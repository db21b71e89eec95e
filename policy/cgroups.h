#pragma once
// One group for all workers of a supervisor, so that together they cannot take the machine's memory, processes or
// processors. What one worker may take is bounded by its rlimits and by the supervisor's watch; a cgroup for each worker
// was rejected on purpose: moving a process takes a lock of the whole machine, and was seen to stall for 14 ms.
//
// Either the unified hierarchy, if this process' own cgroup was delegated to it, or, as root, the hierarchies of version 1.
// What cannot be had is not an error but a reason, for the status output. Runs in the supervisor, before the first zygote.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "policy/layers.h"

namespace glovebox::policy {

// 0: no limit of this kind is asked for.
struct CgroupLimits {
  uint64_t memoryBytesMax = 0;
  uint32_t processesMax = 0;
  uint32_t cpuPercentMax = 0;  // of one processor: 150 is one and a half
};

class WorkerCgroups {
 public:
  struct Missing {
    Layer layer;
    std::string reason;
  };

  explicit WorkerCgroups(const CgroupLimits& limits);
  WorkerCgroups(const WorkerCgroups&) = delete;

  // Removes the folders; every process of theirs must be reaped before. (A supervisor that was killed leaves empty ones
  // behind; the next one to start removes them.)
  ~WorkerCgroups();

  LayerSet inForce() const { return inForce_; }
  const std::vector<Missing>& missing() const { return missing_; }

  // For the jailer, which joins before it forks, so that the zygote and every worker are born inside.
  const std::vector<std::string>& procsFiles() const { return procsFiles_; }

  // Bytes in use by all workers; 0 without the memory layer.
  uint64_t memoryBytes() const;

 private:
  void tryUnified(const CgroupLimits& limits);
  void tryVersion1(const CgroupLimits& limits);
  void setUp(const std::string& folder, Layer layer, const std::string& controller, const std::string& file,
             const std::string& value);
  std::string makeFolder(const std::string& parent);
  void miss(Layer layer, std::string reason);

  LayerSet inForce_;
  std::vector<Missing> missing_;
  std::vector<std::string> folders_;
  std::vector<std::string> procsFiles_;
  std::string memoryUsageFile_;
  std::string supervisorHome_, supervisorLeaf_;  // unified: where this process was, and where it had to go
};

}  // namespace glovebox::policy
