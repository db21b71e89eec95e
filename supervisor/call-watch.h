#pragma once
// Holds one call to its CPU and wall-clock limits. When one is reached the worker is first asked to stop, until it does (it
// ends the JavaScript and stays usable); if the call is not over after a grace period of half the limit, the process is
// killed. So a call ends within twice its limit, whatever the code does.
//
// CPU time is the whole worker process's since the call began, by the kernel's account: calls that run at the same time
// in one worker are all charged what any of them uses. One thread uses at most one second of CPU a second, so a timer
// for what is left of the CPU limit never rings too late.

#include <kj/async.h>
#include <kj/timer.h>

#include "ipc/worker-limits.h"
#include "supervisor/worker-peer.h"

namespace glovebox {

struct CallLimits {
  uint32_t cpuMs;
  uint32_t wallMs;
  uint32_t subRequests = 0;   // not watched here: supervisor/subrequests.h
};

inline CallLimits callLimitsOf(const WorkerLimits& limits) { return {limits.cpuMs, limits.wallMs, limits.subRequests}; }

enum class AtLimit {
  ASK_THEN_KILL,
  KILL,   // where there is no call to go back to: while modules are evaluated
};

// Never resolves; dropping it ends the watch. `where` is for the message: "in this call". `worker` and `timer` outlive it.
kj::Promise<void> watchCall(kj::Timer& timer, WorkerPeer& worker, CallLimits limits, AtLimit atLimit, kj::StringPtr where);

// Asks the worker to stop and, if this is not dropped within the grace period of such a limit, kills it. Never resolves.
kj::Promise<void> stopWorker(kj::Timer& timer, WorkerPeer& worker, Outcome outcome, kj::Duration limit);

}  // namespace glovebox
