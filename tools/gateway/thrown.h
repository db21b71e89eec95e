#pragma once
// What a worker is told of what it may not or cannot do, or of what failed.

#include <kj/string.h>

#include "ipc/call.capnp.h"

namespace glovebox::gateway {

// A TypeError is what fetch() throws.
inline void answerThrown(rpc::Return::Builder result, kj::StringPtr message, rpc::Error::Prototype prototype = rpc::Error::Prototype::TYPE_ERROR) {
  auto nodes = result.initThrown().initValue().initNodes(2);
  auto error = nodes[0].initError();
  error.setPrototype(prototype);
  error.setHasMessage(true);
  error.setMessage(1);
  nodes[1].setText(message);
}

}  // namespace glovebox::gateway
