#pragma once
// connect(): connections whose bytes are the worker's own business, in TCP or TLS. The policy must allow them by name, with the method CONNECT:
// over one a worker may write another Host than the one that it was allowed, which fetch() does not let it.
//
// A connection lives as long as somebody holds one of its two streams.

#include "ipc/call.capnp.h"
#include "tools/egress/connector.h"

namespace glovebox::egress {

class Tunnels {
 public:
  // `network` outlives it, and it all connections.
  explicit Tunnels(Network& network): network_(network) {}
  KJ_DISALLOW_COPY(Tunnels);

  using CallContext = capnp::CallContext<rpc::Call, rpc::Return>;

  // Answers a call of `connect` with [readable, writable, address]. What cannot be is thrown a TypeError.
  kj::Promise<void> open(CallContext context);

 private:
  Network& network_;
  uint32_t open_ = 0;   // or being opened
};

}  // namespace glovebox::egress
