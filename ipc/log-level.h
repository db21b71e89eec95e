#pragma once
// What a level of logs is called: the schema's name for it.

#include <kj/string.h>

#include "ipc/call.capnp.h"

namespace glovebox {

// A number that the schema does not have is a plain log.
kj::StringPtr levelName(rpc::LogMessage::Level level);

}  // namespace glovebox
