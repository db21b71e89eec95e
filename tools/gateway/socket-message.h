#pragma once
// What is said on a WebSocket as values: the arguments of `connect`, `message` and `close` (External.socket in ipc/call.capnp). What
// comes in is a worker's: nothing is what it should be until it was checked.

#include <cstdint>
#include <optional>
#include <string>

#include "ipc/value-graph.h"

namespace glovebox::gateway {

struct SocketMessage {
  bool isText;
  std::string bytes;   // of a text: valid UTF-8
};

struct SocketClose {
  uint16_t code;       // 1005: none
  std::string reason;  // at most 123 bytes
};

// External 0 is the socket.
ValueGraph writeSocketConnect();
ValueGraph writeSocketMessage(SocketMessage message);
ValueGraph writeSocketClose(const SocketClose& close);

// Nothing: it is none. Of a `connect` the external that is the socket.
std::optional<uint32_t> tryReadSocketConnect(const ValueGraph& graph);
std::optional<SocketMessage> readSocketMessage(ValueGraph graph);
std::optional<SocketClose> readSocketClose(ValueGraph graph);

}  // namespace glovebox::gateway
