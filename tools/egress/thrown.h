#pragma once
// What a worker is told of what it may not or cannot do: a TypeError, as fetch() throws it.

#include <string>

#include "ipc/call.capnp.h"

namespace glovebox::egress {

inline void answerThrown(rpc::Return::Builder result, const std::string& message) {
  auto nodes = result.initThrown().initValue().initNodes(2);
  auto error = nodes[0].initError();
  error.setPrototype(rpc::Error::Prototype::TYPE_ERROR);
  error.setHasMessage(true);
  error.setMessage(1);
  nodes[1].setText(message.c_str());
}

}  // namespace glovebox::egress
