#include "worker/compatibility.h"

#include <algorithm>

namespace glovebox {
namespace {

bool isOn(const WorkerSource& source, const char* enable, const char* disable, const char* defaultFrom) {
  auto has = [&](const char* flag) {
    return std::find(source.compatibilityFlags.begin(), source.compatibilityFlags.end(), flag) != source.compatibilityFlags.end();
  };
  return has(enable) || (!has(disable) && source.compatibilityDate >= defaultFrom);
}

}  // namespace

bool stubsAreGivenAway(const WorkerSource& source) {
  // Rehearsals have no date.
  return !source.compatibilityDate.empty() && !isOn(source, "rpc_params_dup_stubs", "rpc_params_transfer_stubs", "2026-01-20");
}

unsigned nodeFeatures(const WorkerSource& source) {
  if (!isOn(source, "nodejs_compat", "no_nodejs_compat", "2026-08-04")) return 0;
  unsigned features = NODE_MODULES;
  if (isOn(source, "nodejs_compat_populate_process_env", "nodejs_compat_do_not_populate_process_env", "2025-04-01")) features |= NODE_PROCESS_ENV;
  if (isOn(source, "enable_nodejs_global_timers", "no_nodejs_global_timers", "2026-02-10")) features |= NODE_GLOBAL_TIMERS;
  return features;
}

}  // namespace glovebox
