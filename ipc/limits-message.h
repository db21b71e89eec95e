#pragma once
// WorkerLimits in a message.

#include "ipc/worker-limits.h"
#include "ipc/worker.capnp.h"

namespace glovebox {

WorkerLimits readLimits(rpc::Limits::Reader from);
void writeLimits(const WorkerLimits& from, rpc::Limits::Builder to);

}  // namespace glovebox
