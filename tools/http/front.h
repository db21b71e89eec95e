#pragma once
// Who answers a gateway's requests: passes each on to whoever there is when it comes, unread, and keeps that for as long as it takes.
// Each request is a span of a trace: of the one that it came with, or a new one. What it tells of a request is read off the values that pass by (tools/http/request-line.h).
//
// Runs in the command's process; what it is called with comes from a gateway, and what comes back from a worker.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include <string>

#include "ipc/call.capnp.h"
#include "ipc/trace.h"
#include "tools/cli/modules.h"
#include "tools/http/metrics-text.h"
#include "tools/http/request-line.h"

namespace glovebox::http {

struct Answered {
  RequestLine line;
  unsigned status = 0;        // 0: no Response
  rpc::Ending::Code outcome = rpc::Ending::Code::OK;   // OK also for what is no Response
  std::string words;          // what was thrown, or how the worker ended
  kj::Duration took = 0 * kj::SECONDS;
  Trace trace;                // its parent is whoever sent the request
  cli::ModuleOrigins origins; // of who answered
};

// Who is to answer now. `life` is let go of when the call has been answered.
struct Backend {
  rpc::Target::Client entrypoint;
  kj::Own<kj::Refcounted> life;
  cli::ModuleOrigins origins;
};

struct FrontHooks {
  RequestCounts& counts;
  kj::Function<Backend()> backend;
  kj::Function<void(Answered)> answered;   // not for calls that were given up
};

// `timer` and what the hooks refer to outlive it.
rpc::Target::Client newFront(kj::Timer& timer, FrontHooks hooks);

// What a worker threw, in words.
std::string describeThrown(rpc::Payload::Reader thrown);

}  // namespace glovebox::http
