#include "tools/gateway/server.h"

#include <kj/debug.h>

#include <vector>

#include "tools/gateway/open-socket.h"

namespace glovebox::gateway {

namespace {

// The gate keeps the times; these must not strike before it.
constexpr kj::Duration NEVER = 365 * kj::DAYS;

// When the machine has no descriptor or memory for another connection.
constexpr kj::Duration ACCEPT_AGAIN = 100 * kj::MILLISECONDS;

}  // namespace

Server::Server(kj::Timer& timer, const GatewayLimits& limits, rpc::GatewayHost::Client host)
    : timer_(timer),
      limits_(limits),
      headers_(kj::HttpHeaderTable::Builder().build()),
      shared_(kj::mv(host), timer, limits, *headers_),
      http_(timer, *headers_,
            [this](kj::AsyncIoStream& stream) -> kj::Own<kj::HttpService> {
              auto& gate = kj::downcast<RequestGate>(stream);
              return kj::heap<Bridge>(shared_, gate, gate.listener());
            },
            kj::HttpServerSettings{.headerTimeout = NEVER,
                                   .pipelineTimeout = NEVER,
                                   .errorHandler = static_cast<kj::HttpServerErrorHandler&>(*this),
                                   .callbacks = static_cast<kj::HttpServerCallbacks&>(*this)}),
      connectionTasks_(*this) {
  listenerTasks_ = kj::heap<kj::TaskSet>(static_cast<kj::TaskSet::ErrorHandler&>(*this));
}

void Server::listen(kj::Own<kj::ConnectionReceiver> socket, uint8_t index) {
  KJ_IF_MAYBE(tasks, listenerTasks_) (*tasks)->add(acceptLoop(kj::heap<Listener>(Listener{kj::mv(socket), index})));
}

kj::Promise<void> Server::acceptLoop(kj::Own<Listener> listener) {
  auto& l = *listener;
  return whenThereIsRoom()
      .then([&l]() { return l.socket->accept(); })
      .then([this, &l](kj::Own<kj::AsyncIoStream> socket) -> kj::Promise<void> {
        serve(kj::mv(socket), l.index);
        return kj::READY_NOW;
      }, [this](kj::Exception&& e) {
        KJ_LOG(WARNING, "a connection could not be accepted", e.getDescription());
        return timer_.afterDelay(ACCEPT_AGAIN);
      })
      .then([this, listener = kj::mv(listener)]() mutable { return acceptLoop(kj::mv(listener)); });
}

kj::Promise<void> Server::whenThereIsRoom() {
  if (connections_ < limits_.connectionsMax) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  waiting_.add(kj::mv(paf.fulfiller));
  return paf.promise.then([this]() { return whenThereIsRoom(); });
}

void Server::serve(kj::Own<kj::AsyncIoStream> socket, uint8_t index) {
  connections_++;
  connectionTasks_.add(kj::evalNow([&]() {
    auto gate = kj::heap<RequestGate>(kj::mv(socket), timer_, limits_, index);
    return http_.listenHttp(kj::mv(gate));
  }).attach(kj::defer([this]() {
    connections_--;
    for (auto& fulfiller : waiting_) fulfiller->fulfill();
    waiting_.clear();
  })));
}

kj::Promise<void> Server::drain() {
  listenerTasks_ = nullptr;
  shared_.draining = true;
  for (auto socket : std::vector<OpenSocket*>(shared_.sockets.begin(), shared_.sockets.end())) socket->goAway();
  auto late = timer_.afterDelay(limits_.drainTimeout);
  return http_.drain().exclusiveJoin(kj::mv(late));
}

// -- What kj-http asks --------------------------------------------------------------------------------------------------

// Of what kj-http itself does not understand nothing should get through the gate.
kj::Promise<void> Server::handleClientProtocolError(kj::HttpHeaders::ProtocolError error, kj::HttpService::Response& response) {
  return response.sendError(error.statusCode, error.statusMessage, *headers_);
}

// The client learns nothing of the exception.
kj::Promise<void> Server::handleApplicationError(kj::Exception exception, kj::Maybe<kj::HttpService::Response&> response) {
  if (exception.getType() == kj::Exception::Type::DISCONNECTED) return kj::READY_NOW;
  KJ_LOG(ERROR, "a request failed", exception);
  KJ_IF_MAYBE(r, response) return r->sendError(500, "Internal Server Error", *headers_);
  return kj::READY_NOW;
}

// Answered past kj-http (UntilClosed in bridge.c++); the connection is closed.
kj::Promise<void> Server::handleNoResponse(kj::HttpService::Response&) { return kj::READY_NOW; }

void Server::taskFailed(kj::Exception&& exception) {
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) KJ_LOG(WARNING, "a connection failed", exception.getDescription());
}

}  // namespace glovebox::gateway
