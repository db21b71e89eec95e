#pragma once
// What workers' requests arrive at: a Target whose `fetch` becomes a request of HTTP, if the policy allows it, and whose answer is the
// response; `connect` is answered by tunnel.h. Redirects are handed back, and come again as requests of their own.

#include <kj/compat/http.h>

#include "ipc/call.capnp.h"
#include "tools/egress/connector.h"
#include "tools/egress/tunnel.h"
#include "tools/gateway/answer-body.h"
#include "tools/gateway/http-message.h"

namespace glovebox::egress {

class Fetcher final: public rpc::Target::Server {
 public:
  // `network` outlives it.
  explicit Fetcher(Network& network);
  ~Fetcher() noexcept(false);

 protected:
  kj::Promise<void> call(CallContext context) override;

 private:
  class Exchange;

  Network& network_;
  kj::Own<kj::HttpHeaderTable> headers_;
  gateway::ChunkBudget largeChunks_;
  Tunnels tunnels_;
  uint32_t requests_ = 0;   // under way, until the response's body is let go
};

}  // namespace glovebox::egress
