#pragma once
// What a tail is told of a call, as Cloudflare's tail workers are: a TraceItem. It is written here value by value, out of the
// supervisor's own books; nothing of the worker's values is read for it.

#include "ipc/value-graph.h"
#include "supervisor/account.h"
#include "supervisor/said.h"

namespace glovebox {

// The arguments of `tail(events)`, with one event: of a call, whose books are closed.
ValueGraph traceCall(const Run& run, kj::StringPtr scriptName, bool truncated);

// Of what a worker said while there was no call: `event` is null. A worker without a name has an empty one.
struct TraceRest {
  const Said& said;
  double time;          // milliseconds since the epoch
  kj::Duration cpu, wall;
};
ValueGraph traceRest(const TraceRest& rest, kj::StringPtr scriptName, bool truncated);

}  // namespace glovebox
