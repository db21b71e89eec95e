#pragma once
// What a worker's compatibility date and flags change here. The supervisor has checked that they are well formed and do not
// contradict each other; names that mean nothing here are accepted there and without effect.

#include "worker/worker-source.h"

namespace glovebox {

// rpc_params_dup_stubs, on by default from 2026-01-20: who passes a stub keeps its own.
bool stubsAreGivenAway(const WorkerSource& source);

// As in worker/runtime/node/compatibility.ts, added up.
constexpr unsigned NODE_MODULES = 1, NODE_PROCESS_ENV = 2, NODE_GLOBAL_TIMERS = 4;
unsigned nodeFeatures(const WorkerSource& source);

}  // namespace glovebox
