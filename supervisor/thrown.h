#pragma once
// A JavaScript error that the supervisor itself throws at whoever calls.

#include <kj/string.h>

#include "ipc/call.capnp.h"
#include "ipc/value-graph.h"

namespace glovebox {

void setThrown(rpc::Return::Builder results, ErrorPrototype prototype, kj::StringPtr message);

}  // namespace glovebox
