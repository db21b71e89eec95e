#include "tools/egress/tunnel.h"

#include <kj/refcount.h>

#include <variant>

#include "ipc/payload.h"
#include "supervisor/cancellation.h"
#include "tools/egress/limits.h"
#include "tools/gateway/http-message.h"
#include "tools/gateway/request-body.h"
#include "tools/gateway/thrown.h"

namespace glovebox::egress {

namespace {

using gateway::answerThrown;

using Kind = ValueNode::Kind;

class Counted {
 public:
  explicit Counted(uint32_t& count): count_(count) { count_++; }
  ~Counted() { count_--; }
  KJ_DISALLOW_COPY(Counted);

 private:
  uint32_t& count_;
};

// "host:port" and how it is to be secured, as ipc/js/connect.ts writes them; or why that is nothing to connect to.
std::variant<Destination, std::string> readArguments(const ValueGraph& graph) {
  auto& root = graph.nodes[0];
  if (root.kind != Kind::ARRAY || root.items.size() != 2 || root.items[0] == NO_NODE || root.items[1] == NO_NODE) {
    return std::string("connect() takes an address and how it is to be secured.");
  }
  auto& address = graph.nodes[root.items[0]];
  auto& secured = graph.nodes[root.items[1]];
  if (address.kind != Kind::TEXT || secured.kind != Kind::TEXT) return std::string("connect() takes an address and how it is to be secured.");
  if (secured.bytes == "starttls") return std::string("connect() cannot change to TLS on its way (\"starttls\"). Use { secureTransport: \"on\" }.");
  if (secured.bytes != "on" && secured.bytes != "off") return std::string("connect() knows \"on\" and \"off\" for secureTransport.");
  // No part of a URL but host and port.
  auto shown = address.bytes.substr(0, 200);
  auto colon = address.bytes.rfind(':');
  bool hasPort = colon != std::string::npos && colon + 1 < address.bytes.size() && address.bytes.find(']', colon) == std::string::npos;
  if (!hasPort || address.bytes.find_first_of("/?#") != std::string::npos) return "connect() expects an address such as \"db.example.com:5432\", got " + shown + ".";
  auto parsed = parseDestination((secured.bytes == "on" ? "https://" : "http://") + address.bytes);
  if (auto why = std::get_if<std::string>(&parsed)) return "The address of connect() " + *why + ": " + shown;
  return std::get<Destination>(parsed);
}

// What both streams of a connection hold.
class Tunnel final: public kj::Refcounted {
 public:
  Tunnel(kj::Own<kj::AsyncIoStream> stream, kj::Own<Counted> counted): counted_(kj::mv(counted)), stream_(kj::mv(stream)) {}

  kj::AsyncIoStream& stream() { return *stream_; }

 private:
  kj::Own<Counted> counted_;
  kj::Own<kj::AsyncIoStream> stream_;
};

class Incoming final: public kj::AsyncInputStream {
 public:
  explicit Incoming(kj::Own<Tunnel> tunnel): tunnel_(kj::mv(tunnel)) {}
  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override { return tunnel_->stream().tryRead(buffer, min, max); }

 private:
  kj::Own<Tunnel> tunnel_;
};

// Answers `write`, `close` and `abort` (ipc/js/streams.ts). A write is answered when the kernel has taken it, so that the worker's stream is as
// fast as the server reads.
class Outgoing final: public rpc::Target::Server {
 public:
  explicit Outgoing(kj::Own<Tunnel> tunnel): tunnel_(kj::mv(tunnel)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto call = context.getParams();
    auto path = call.getPath();
    kj::StringPtr method = path.size() == 1 ? kj::StringPtr(path[0]) : kj::StringPtr("");
    if (!call.getOperation().isInvoke()) method = "";
    if (method == "write") return write(context, call.getOperation().getInvoke());
    if (method == "close") {
      ended_ = true;
      return inTurn(context, [this]() -> kj::Promise<void> {
        tunnel_->stream().shutdownWrite();
        return kj::READY_NOW;
      });
    }
    // What was written before is sent, if there is somebody to take it, until the other stream is let go.
    if (method == "abort") ended_ = true;
    else answerThrown(context.getResults(), "A stream that is written to answers write, close and abort.");
    if (method == "abort") answerUndefined(context);
    return kj::READY_NOW;
  }

 private:
  kj::Own<Tunnel> tunnel_;
  kj::Promise<void> last_ = kj::READY_NOW;
  uint32_t waiting_ = 0;
  bool ended_ = false;

  static void answerUndefined(CallContext& context) { context.getResults().initValue().initValue().initNodes(1)[0].setUndefined(); }

  kj::Promise<void> write(CallContext context, rpc::Payload::Reader payload) {
    // Larger pieces would have to be pulled, and the runtime makes none.
    if (!isInline(payload)) return thrown(context, "A socket takes at most 60 KiB at once.");
    if (ended_) return thrown(context, "This WritableStream has been closed.");
    if (waiting_ >= TUNNEL_WRITES_MAX) return thrown(context, "Too many writes wait for their turn.");
    auto arguments = readInlinePayload(payload).graph;
    auto& root = arguments.nodes[0];
    if (root.kind != Kind::ARRAY || root.items.size() != 1 || root.items[0] == NO_NODE) return thrown(context, "write() takes one chunk of bytes.");
    auto bytes = gateway::tryUint8Array(arguments, root.items[0]);
    if (!bytes) return thrown(context, "A socket takes bytes: a Uint8Array.");
    context.releaseParams();
    auto chunk = kj::heap(std::move(*bytes));
    return inTurn(context, [this, &chunk = *chunk]() { return tunnel_->stream().write(chunk.data(), chunk.size()); }).attach(kj::mv(chunk));
  }

  kj::Promise<void> thrown(CallContext& context, const char* words) {
    answerThrown(context.getResults(), words);
    return kj::READY_NOW;
  }

  // One after the other; one that its caller has given up leaves a half-written stream, of which nothing more is sent.
  template <typename Act>
  kj::Promise<void> inTurn(CallContext context, Act&& act) {
    allowCancellation(context);
    waiting_++;
    auto done = kj::newPromiseAndFulfiller<void>();
    auto turn = kj::mv(last_);
    last_ = kj::mv(done.promise);
    auto fulfiller = kj::mv(done.fulfiller);
    return turn.then([act = kj::mv(act)]() mutable { return act(); })
        .then([context, &fulfiller = *fulfiller]() mutable {
                answerUndefined(context);
                fulfiller.fulfill();
              },
              [this, context](kj::Exception&&) mutable {
                ended_ = true;
                answerThrown(context.getResults(), "The connection is lost.");
              })
        .attach(kj::mv(fulfiller), kj::defer([this]() { waiting_--; }));
  }
};

}  // namespace

kj::Promise<void> Tunnels::open(CallContext context) {
  auto refuse = [context](const std::string& why) mutable -> kj::Promise<void> {
    answerThrown(context.getResults(), why);
    return kj::READY_NOW;
  };
  auto payload = context.getParams().getOperation().getInvoke();
  if (!isInline(payload)) return refuse("connect() takes an address and how it is to be secured.");
  auto parsed = readArguments(readInlinePayload(payload).graph);
  if (auto why = std::get_if<std::string>(&parsed)) return refuse(*why);
  auto& destination = std::get<Destination>(parsed);
  if (auto refused = network_.policy.check(destination, "CONNECT")) return refuse(refused->why);
  if (open_ >= TUNNELS_MAX) return refuse("Too many connections are open: " + std::to_string(TUNNELS_MAX) + " at most.");
  allowCancellation(context);
  auto counted = kj::heap<Counted>(open_);
  auto name = destination.host + ":" + std::to_string(destination.port);
  return connectTo(network_, destination).then(
      [context, name, counted = kj::mv(counted)](kj::Own<kj::AsyncIoStream> stream) mutable {
        auto tunnel = kj::refcounted<Tunnel>(kj::mv(stream), kj::mv(counted));
        auto payload = context.getResults().initValue();
        auto nodes = payload.initValue().initNodes(4);
        auto items = nodes[0].initArray();
        items.setLength(3);
        auto list = items.initItems(3);
        for (unsigned i = 0; i < 3; i++) list.set(i, i + 1);
        nodes[1].setExternal(0);
        nodes[2].setExternal(1);
        nodes[3].setText(name.c_str());
        auto externals = payload.initExternals(2);
        auto body = kj::refcounted<gateway::RequestBody>(kj::heap<Incoming>(kj::addRef(*tunnel)), "The connection is lost."_kj);
        externals[0].setReadable(body->capability());
        externals[1].setWritable(kj::heap<Outgoing>(kj::mv(tunnel)));
      },
      [context](kj::Exception&& e) mutable {
        auto words = e.getDescription();
        answerThrown(context.getResults(), "connect(): " + std::string(words.begin(), words.size()) + ".");
      });
}

}  // namespace glovebox::egress
