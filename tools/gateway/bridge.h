#pragma once
// One connection's requests as calls on workers: what kj-http has parsed becomes a call of `fetch`, and what comes back an answer.
//
// Owned by kj-http's connection, like the gate that it asks about each request. What clients send and what workers return are both
// hostile; neither may decide what the other gets beyond the bodies and the headers that are passed on.

#include <kj/compat/http.h>
#include <kj/timer.h>

#include "ipc/gateway.capnp.h"
#include "tools/gateway/http-message.h"
#include "tools/gateway/open-socket.h"
#include "tools/gateway/request-body.h"
#include "tools/gateway/request-gate.h"

namespace glovebox::gateway {

// What all connections share.
struct Shared: SharedBySockets {
  Shared(rpc::GatewayHost::Client host, kj::Timer& timer, const GatewayLimits& limits, const kj::HttpHeaderTable& headers)
      : SharedBySockets(timer, limits), host(kj::mv(host)), headers(headers) {}
  rpc::GatewayHost::Client host;
  const kj::HttpHeaderTable& headers;
  uint32_t requests = 0;     // under way
  bool draining = false;
  bool closeNext = false;    // what kj-http is told when it asks whether the answer that it begins is its connection's last
};

class Bridge final: public kj::HttpService {
 public:
  Bridge(Shared& shared, RequestGate& gate, uint8_t listener): shared_(shared), gate_(gate), listener_(listener) {}
  KJ_DISALLOW_COPY(Bridge);

  kj::Promise<void> request(kj::HttpMethod method, kj::StringPtr url, const kj::HttpHeaders& headers,
                            kj::AsyncInputStream& requestBody, Response& response) override;

 private:
  class Exchange;

  Shared& shared_;
  RequestGate& gate_;
  uint8_t listener_;
};

}  // namespace glovebox::gateway
