#include "tools/gateway/open-socket.h"

#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/value-check.h"
#include "tools/gateway/thrown.h"

namespace glovebox::gateway {

namespace {

kj::Exception lost(kj::StringPtr why) { return kj::Exception(kj::Exception::Type::DISCONNECTED, __FILE__, __LINE__, kj::str(why)); }

capnp::Capability::Client noCapability(const ValueExternal&) { KJ_FAIL_ASSERT("there is no capability in it"); }

}  // namespace

// What the worker holds of it.
class OpenSocket::WorkersEnd final: public rpc::Target::Server {
 public:
  explicit WorkersEnd(kj::Own<OpenSocket> socket): socket_(kj::mv(socket)) {}
  ~WorkersEnd() noexcept(false) { socket_->workerIsGone(); }

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto call = context.getParams();
    auto path = call.getPath();
    kj::StringPtr method = path.size() == 1 ? kj::StringPtr(path[0]) : kj::StringPtr("");
    kj::Promise<void> done = nullptr;
    if (call.getOperation().isInvoke() && method == "message") {
      done = socket_->workerSends(call.getOperation().getInvoke());
    } else if (call.getOperation().isInvoke() && method == "close") {
      done = socket_->workerCloses(call.getOperation().getInvoke());
    } else if (call.getOperation().isInvoke() && method == "connect") {
      done = socket_->workerConnects(call.getOperation().getInvoke());
    } else {
      answerThrown(context.getResults(), "A WebSocket answers connect, message and close.", rpc::Error::Prototype::ERROR);
      return kj::READY_NOW;
    }
    return done.then([context]() mutable { context.getResults().initValue().initValue().initNodes(1)[0].setUndefined(); },
                     [context](kj::Exception&&) mutable { answerThrown(context.getResults(), "The WebSocket is closed, or does not take this.", rpc::Error::Prototype::ERROR); });
  }

 private:
  kj::Own<OpenSocket> socket_;
};

OpenSocket::OpenSocket(kj::Own<kj::WebSocket> peer, RequestGate& gate, SharedBySockets& shared, kj::Maybe<rpc::Target::Client> worker)
    : peer_(kj::mv(peer)), worker_(kj::mv(worker)), gate_(gate), shared_(shared) {
  shared_.sockets.insert(this);
}

OpenSocket::~OpenSocket() noexcept(false) {}

void OpenSocket::end() {
  shared_.sockets.erase(this);
  if (!sending_.isEmpty()) sending_.cancel(lost("the connection is over"));
  peer_ = nullptr;
  worker_ = nullptr;
}

kj::Promise<void> OpenSocket::run() {
  auto slow = closing_.promise.then([this]() { return shared_.timer.afterDelay(CLOSE_TIME); }).then([this]() { return sendClose({1000, ""}); });
  return connect().then([this]() { return receive(); })
      .exclusiveJoin(kj::mv(lost_.promise)).exclusiveJoin(kj::mv(slow));
}

rpc::Target::Client OpenSocket::workersEnd() { return kj::heap<WorkersEnd>(kj::addRef(*this)); }

kj::Promise<void> OpenSocket::connect() {
  if (worker_ == nullptr) return kj::mv(connected_.promise);
  auto request = KJ_ASSERT_NONNULL(worker_).callRequest();
  request.initPath(1).set(0, "connect");
  writePayload(writeSocketConnect(), request.getOperation().initInvoke(), wire::INLINE_BYTES,
               [this](const ValueExternal&) -> capnp::Capability::Client { return workersEnd(); });
  return request.send().then([](capnp::Response<rpc::Return> answer) {
    if (!answer.isValue()) kj::throwFatalException(lost("the worker's WebSocket cannot be connected"));
  });
}

// -- From the peer ------------------------------------------------------------------------------------------------------

kj::Promise<void> OpenSocket::receive() {
  KJ_IF_MAYBE(peer, peer_) {
    // The gate has refused what is larger than it may be.
    return (*peer)->receive(shared_.limits.messageBytesMax + 1).then(
        [this](kj::WebSocket::Message message) { return take(kj::mv(message)); },
        [this](kj::Exception&& e) -> kj::Promise<void> {
          if (gate_.frameRefusal()) return refuse(*gate_.frameRefusal());
          return lost(e.getDescription());
        });
  }
  return kj::READY_NOW;
}

kj::Promise<void> OpenSocket::take(kj::WebSocket::Message message) {
  if (message.is<kj::WebSocket::Close>()) return peerCloses(kj::mv(message.get<kj::WebSocket::Close>()));
  SocketMessage said{message.is<kj::String>(), {}};
  if (said.isText) {
    auto text = kj::mv(message.get<kj::String>());
    said.bytes.assign(text.begin(), text.size());
    if (!isUtf8(said.bytes)) return refuse({1007, "The message is not valid UTF-8."});
  } else {
    auto bytes = kj::mv(message.get<kj::Array<kj::byte>>());
    said.bytes.assign(bytes.asChars().begin(), bytes.size());
  }
  return deliver(writeSocketMessage(std::move(said))).then([this]() { return receive(); });
}

kj::Promise<void> OpenSocket::deliver(ValueGraph graph) {
  if (workerTold_) return kj::READY_NOW;
  auto request = KJ_ASSERT_NONNULL(worker_).callRequest();
  request.initPath(1).set(0, "message");
  ValueGraph again;
  bool small = payloadBytes(graph) <= wire::INLINE_BYTES;
  if (small) again = graph;   // of a large one there is no room for two
  writePayload(std::move(graph), request.getOperation().initInvoke(), wire::INLINE_BYTES, noCapability);
  graph = {};
  return request.send().then([this, small, again = std::move(again)](capnp::Response<rpc::Return> answer) mutable -> kj::Promise<void> {
    if (answer.isValue()) return kj::READY_NOW;
    // It has as much to do as it may: nothing was delivered.
    if (small && answer.isEnded() && answer.getEnded().getCode() == rpc::Ending::Code::OVERLOADED) {
      return shared_.timer.afterDelay(OVERLOADED_PAUSE).then([this, again = std::move(again)]() mutable { return deliver(std::move(again)); });
    }
    return lost("the worker did not take a message");
  });
}

kj::Promise<void> OpenSocket::peerCloses(kj::WebSocket::Close close) {
  peerClosed_ = true;
  SocketClose said{close.code, {close.reason.begin(), close.reason.size()}};
  if (gate_.closeHasCode() && !isCloseCode(said.code)) return refuse({1002, "The close has a code that may not be sent."});
  if (!isUtf8(said.reason)) return refuse({1007, "The reason is not valid UTF-8."});
  closing_.fulfiller->fulfill();
  return tellClose(kj::mv(said)).then([this]() -> kj::Promise<void> {
    if (closeSent_) return inTurn([]() -> kj::Promise<void> { return kj::READY_NOW; });   // when it has left
    // The worker answers it with a close of its own, perhaps behind some last messages. Or not, in time.
    return kj::NEVER_DONE;
  });
}

kj::Promise<void> OpenSocket::tellClose(SocketClose close) {
  if (workerTold_) return kj::READY_NOW;
  workerTold_ = true;
  KJ_IF_MAYBE(worker, worker_) {
    auto request = worker->callRequest();
    request.initPath(1).set(0, "close");
    writePayload(writeSocketClose(close), request.getOperation().initInvoke(), wire::INLINE_BYTES, noCapability);
    // Let go of only when all is over: its answer may come late.
    return request.send().then([](capnp::Response<rpc::Return>) {});
  }
  return kj::READY_NOW;
}

// Whoever breaks the rules is told how, and is gone for the worker.
kj::Promise<void> OpenSocket::refuse(FrameRefusal refusal) {
  worker_ = nullptr;
  workerTold_ = true;
  return sendClose({refusal.code, std::string(refusal.words)}).then([this]() { return gate_.endUpgraded(); });
}

// -- From the worker ----------------------------------------------------------------------------------------------------

template <typename Func>
kj::Promise<void> OpenSocket::inTurn(Func func) {
  auto done = kj::newPromiseAndFulfiller<void>();
  auto turn = kj::mv(last_);
  last_ = kj::mv(done.promise);
  return turn.then(kj::mv(func)).attach(kj::defer([fulfiller = kj::mv(done.fulfiller)]() mutable { fulfiller->fulfill(); }), kj::addRef(*this));
}

// Only a worker that was not asked may, and only once.
kj::Promise<void> OpenSocket::workerConnects(rpc::Payload::Reader arguments) {
  return kj::evalNow([&]() -> kj::Promise<void> {
    if (!isInline(arguments) || peer_ == nullptr || workerTold_ || worker_ != nullptr || !connected_.fulfiller->isWaiting()) return lost("not to be connected");
    auto received = readInlinePayload(arguments);
    auto external = tryReadSocketConnect(received.graph);
    if (!external) return lost("not a socket");
    worker_ = received.capabilities[*external].castAs<rpc::Target>();
    connected_.fulfiller->fulfill();
    return kj::READY_NOW;
  });
}

kj::Promise<void> OpenSocket::workerSends(rpc::Payload::Reader arguments) {
  return inTurn([this, arguments]() -> kj::Promise<void> {
    if (peer_ == nullptr || closeSent_ || workerClosed_) return lost("closed");
    if (isInline(arguments)) return sending_.wrap(sendNow(readInlinePayload(arguments)));
    auto bytes = arguments.getLarge().getSize();
    if (bytes > wire::PAYLOAD_BYTES_MAX) return lost("too large");
    return sending_.wrap(shared_.largeChunks.take(bytes).then([this, arguments](kj::Own<ChunkBudget::Room> room) {
      return readPayload(arguments).then([this](ReceivedValue value) { return sendNow(kj::mv(value)); }).attach(kj::mv(room));
    }));
  });
}

kj::Promise<void> OpenSocket::sendNow(ReceivedValue value) {
  auto message = readSocketMessage(std::move(value.graph));
  if (!message) return lost("not a message");
  auto held = kj::heap(kj::mv(*message));
  auto& peer = *KJ_ASSERT_NONNULL(peer_);
  auto sent = held->isText ? peer.send(kj::ArrayPtr<const char>(held->bytes.data(), held->bytes.size()))
                           : peer.send(kj::ArrayPtr<const kj::byte>(reinterpret_cast<const kj::byte*>(held->bytes.data()), held->bytes.size()));
  return sent.attach(kj::mv(held)).catch_([this](kj::Exception&& e) {
    lost_.fulfiller->reject(lost("the peer takes nothing"));
    kj::throwFatalException(kj::mv(e));
  });
}

kj::Promise<void> OpenSocket::workerCloses(rpc::Payload::Reader arguments) {
  if (!isInline(arguments)) return lost("not a close");
  return kj::evalNow([&]() -> kj::Promise<void> {
    auto close = readSocketClose(readInlinePayload(arguments).graph);
    if (!close) return lost("not a close");
    // Behind what it has sent before.
    auto sent = sendClose(kj::mv(*close));
    workerClosed_ = true;
    return sent.then([this]() {
      closing_.fulfiller->fulfill();
      if (peerClosed_) lost_.fulfiller->fulfill();   // over, in good order
    });
  });
}

void OpenSocket::workerIsGone() {
  if (workerClosed_ || closeSent_ || peer_ == nullptr) return;
  auto last = peerClosed_ ? sendClose({1000, ""}) : inTurn([]() -> kj::Promise<void> { return kj::READY_NOW; });
  // Behind what it has sent before.
  last.then([this, self = kj::addRef(*this)]() {
    if (peerClosed_) lost_.fulfiller->fulfill();
    else lost_.fulfiller->reject(lost("the worker is gone"));
  }).detach([](kj::Exception&&) {});
}

kj::Promise<void> OpenSocket::sendClose(SocketClose close) {
  return inTurn([this, close = kj::mv(close)]() mutable -> kj::Promise<void> {
    if (peer_ == nullptr || closeSent_) return kj::READY_NOW;
    closeSent_ = true;
    auto reason = kj::heapString(close.reason.data(), close.reason.size());
    auto sent = KJ_ASSERT_NONNULL(peer_)->close(close.code, reason);
    return sending_.wrap(sent.attach(kj::mv(reason)));
  });
}

void OpenSocket::goAway() {
  SocketClose close{1001, "The server is going away."};
  closing_.fulfiller->fulfill();
  sendClose(close).detach([](kj::Exception&&) {});
  tellClose(close).detach([](kj::Exception&&) {});
}

}  // namespace glovebox::gateway
