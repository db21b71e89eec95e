#pragma once
// The connections: accepts them, as many as there may be, gives each to kj-http with a gate before it and a bridge behind it, and
// lets what is under way finish when it is told to end.
//
// One for the gateway's life, in its only thread.

#include <kj/async-io.h>
#include <kj/compat/http.h>
#include <kj/timer.h>

#include "ipc/gateway.capnp.h"
#include "tools/gateway/bridge.h"

namespace glovebox::gateway {

class Server final: private kj::HttpServerErrorHandler, private kj::HttpServerCallbacks, private kj::TaskSet::ErrorHandler {
 public:
  // `timer` and `limits` outlive it.
  Server(kj::Timer& timer, const GatewayLimits& limits, rpc::GatewayHost::Client host);
  KJ_DISALLOW_COPY(Server);

  // Accepts on this socket from now on until drain(). `index` is what routes are asked with.
  void listen(kj::Own<kj::ConnectionReceiver> socket, uint8_t index);

  // No new connection and no new request; returns when those under way have their answer, or after the drain timeout.
  kj::Promise<void> drain();

 private:
  struct Listener {
    kj::Own<kj::ConnectionReceiver> socket;
    uint8_t index;
  };

  kj::Timer& timer_;
  const GatewayLimits& limits_;
  kj::Own<kj::HttpHeaderTable> headers_;
  Shared shared_;
  kj::HttpServer http_;
  uint32_t connections_ = 0;
  kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> waiting_;   // listeners that found no room
  kj::TaskSet connectionTasks_;
  kj::Maybe<kj::Own<kj::TaskSet>> listenerTasks_;

  kj::Promise<void> acceptLoop(kj::Own<Listener> listener);
  kj::Promise<void> whenThereIsRoom();
  void serve(kj::Own<kj::AsyncIoStream> socket, uint8_t index);

  kj::Promise<void> handleClientProtocolError(kj::HttpHeaders::ProtocolError error, kj::HttpService::Response& response) override;
  kj::Promise<void> handleApplicationError(kj::Exception exception, kj::Maybe<kj::HttpService::Response&> response) override;
  kj::Promise<void> handleNoResponse(kj::HttpService::Response& response) override;
  bool shouldClose() override { return shared_.closeNext; }
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::gateway
