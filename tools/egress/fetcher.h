#pragma once
// What workers' requests arrive at: a Target whose `fetch` becomes a request of HTTP, if the policy allows it, and whose answer is the
// response, or a WebSocket where it asked for one; `connect` is answered by tunnel.h. Redirects are handed back, and come again as requests of their own.

#include <kj/compat/http.h>

#include "ipc/call.capnp.h"
#include "tools/egress/connector.h"
#include "tools/egress/tunnel.h"
#include "tools/gateway/answer-body.h"
#include "tools/gateway/http-message.h"
#include "tools/gateway/open-socket.h"

namespace glovebox::egress {

class Fetcher final: public rpc::Target::Server, private kj::TaskSet::ErrorHandler {
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
  uint32_t sockets_ = 0;    // asked for or open
  const gateway::GatewayLimits socketLimits_;
  gateway::SharedBySockets sharedBySockets_;
  kj::TaskSet socketTasks_;

  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::egress
