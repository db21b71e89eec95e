#pragma once
// What workers' requests arrive at: a Target whose `fetch` becomes a request of HTTP, if the policy allows it, and whose answer is the
// response. Redirects are handed back, and come again as requests of their own.

#include <kj/compat/http.h>

#include <list>
#include <string>
#include <unordered_map>

#include "ipc/call.capnp.h"
#include "tools/egress/connector.h"
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

  // Connections of one origin that are kept for its next request.
  struct Origin {
    std::string name;
    kj::Own<kj::NetworkAddress> address;
    kj::Own<kj::HttpClient> client;
    uint32_t users = 0;   // requests, and bodies of responses
  };

  Network& network_;
  kj::Own<kj::HttpHeaderTable> headers_;
  gateway::ChunkBudget largeChunks_;
  std::list<Origin> origins_;   // latest used first
  std::unordered_map<std::string, std::list<Origin>::iterator> byName_;
  uint32_t requests_ = 0;       // under way

  Origin& originOf(const Destination& destination);
};

}  // namespace glovebox::egress
