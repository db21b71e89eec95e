#pragma once
// The warden: pid 1 of the workers' pid namespace and child of the supervisor. It starts the zygote, reaps every worker
// and reports how each ended. It hears nothing from any of them, and nothing from the supervisor but end-of-file; then it
// exits, and the kernel kills whatever is left in the namespace. It is sealed like a worker, with a filter of its own.

#include <linux/filter.h>

#include <vector>

#include "policy/confine.h"

namespace glovebox {

struct WardenTask {
  char** command;                   // the zygote's, null-terminated
  policy::IdMap ids;
  policy::LayerSet mayMiss;
  std::vector<sock_filter> filter;  // of supervisor/jailer/warden-syscalls.h
};

// On descriptors 3 and 4 as the jailer got them.
[[noreturn]] void runWarden(const WardenTask& task);

// Tells the supervisor on the warden socket which step failed, and exits.
[[noreturn]] void failJailer(policy::StepResult result);

}  // namespace glovebox
