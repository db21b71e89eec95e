#pragma once
// A call's answer as a client reads it: an inline value decoded, a large one pulled chunk by chunk and decoded.
//
// The answer comes from a worker by way of the supervisor's membrane and is hostile until decoded: sizes are bounded
// before anything is allocated.

#include <kj/async.h>
#include <kj/one-of.h>
#include <kj/string.h>

#include "ipc/call.capnp.h"
#include "ipc/payload.h"

namespace glovebox {

// `graph` and `capabilities` as in ReceivedValue.
struct CallValue: ReceivedValue {};
struct CallThrown: ReceivedValue {};
struct CallEnded {
  rpc::Ending::Code code;
  kj::String name;      // "exceededCpu"
  kj::String message;
};
using CallOutcome = kj::OneOf<CallValue, CallThrown, CallEnded>;

// Rejects if the answer is malformed or the worker ended while a large result was pulled; the message says which.
kj::Promise<CallOutcome> readReturn(capnp::Response<rpc::Return>&& response);

}  // namespace glovebox
