#include "tools/gateway/bridge.h"

#include <kj/debug.h>

#include "ipc/ending.h"
#include "ipc/payload.h"
#include "ipc/trace.h"
#include "tools/gateway/open-socket.h"

namespace glovebox::gateway {

namespace {

// What a client is told of an ending: its name, which the documentation explains. The words of endings are for those who run the
// worker, and name limits and signals.
unsigned statusOf(rpc::Ending::Code code) {
  using Code = rpc::Ending::Code;
  switch (code) {
    case Code::OVERLOADED:
    case Code::EVICTED:
    case Code::START_FAILED: return 503;
    case Code::EXCEEDED_WALL_TIME:
    case Code::HUNG: return 504;
    case Code::PROTOCOL_VIOLATION: return 502;
    default: return 500;
  }
}

bool mayHaveBody(kj::HttpMethod method) { return method != kj::HttpMethod::HEAD; }

std::vector<Field> fieldsOf(const kj::HttpHeaders& headers) {
  std::vector<Field> fields;
  std::string namedHopByHop = ",";   // what Connection says is for this hop alone
  headers.forEach([&](kj::StringPtr name, kj::StringPtr value) {
    auto lower = lowerCase({name.begin(), name.size()});
    if (lower == "connection") {
      for (char c : lowerCase({value.begin(), value.size()})) {
        if (c != ' ' && c != '\t') namedHopByHop += c;
      }
      namedHopByHop += ',';
    }
    if (isHopByHop(lower) || lower == "expect") return;
    fields.push_back({std::move(lower), std::string(value.begin(), value.size())});
  });
  std::erase_if(fields, [&](const Field& field) {
    // Not those that the request would be another one without.
    if (field.name == "host" || field.name == "content-length") return false;
    return namedHopByHop.find("," + field.name + ",") != std::string::npos;
  });
  return fields;
}

// Travels beside the request, because whoever passes it on gives it a span of its own. What is not valid is as if it were not there, and
// then what others keep beside it means nothing.
std::optional<Trace> takeTrace(std::vector<Field>& fields) {
  std::optional<Trace> trace;
  size_t count = 0;
  for (auto& field: fields) {
    if (field.name == "traceparent" && count++ == 0) trace = tryParseTraceparent(field.value);
  }
  if (count > 1) trace = std::nullopt;
  std::erase_if(fields, [&](const Field& field) { return field.name == "traceparent" || (field.name == "tracestate" && !trace); });
  return trace;
}

// Upgrade is for this hop, and what asks a worker for a WebSocket. Extensions are for who frames.
void prepareUpgrade(std::vector<Field>& fields) {
  std::erase_if(fields, [](const Field& field) { return field.name == "sec-websocket-extensions"; });
  fields.push_back({"upgrade", "websocket"});
}

// An answer of unknown length to a client that knows no chunks: it ends where the connection does. kj-http has no such thing, and
// closes a connection when it was never asked to answer.
class UntilClosed final: public kj::AsyncOutputStream {
 public:
  UntilClosed(RequestGate& gate, kj::String head): gate_(gate), head_(kj::mv(head)) {}

  kj::Promise<void> write(const void* buffer, size_t size) override {
    return withHead([this, buffer, size]() { return gate_.write(buffer, size); });
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    return withHead([this, pieces]() { return gate_.write(pieces); });
  }
  kj::Promise<void> whenWriteDisconnected() override { return gate_.whenWriteDisconnected(); }
  kj::Promise<void> sendHead() { return withHead([]() -> kj::Promise<void> { return kj::READY_NOW; }); }

 private:
  RequestGate& gate_;
  kj::String head_;   // empty once it is sent

  template <typename Func>
  kj::Promise<void> withHead(Func&& then) {
    if (head_.size() == 0) return then();
    auto head = kj::mv(head_);
    auto sent = gate_.write(head.begin(), head.size());
    return sent.attach(kj::mv(head)).then(kj::fwd<Func>(then));
  }
};

}  // namespace

// One request and its answer. Lives as long as kj-http's promise for it: when the client is gone that is dropped, and the call with it.
class Bridge::Exchange {
 public:
  Exchange(Bridge& bridge, kj::HttpMethod method, Response& response)
      : shared_(bridge.shared_), gate_(bridge.gate_), method_(method), response_(response) {
    shared_.requests++;
  }
  ~Exchange() noexcept(false) {
    KJ_IF_MAYBE(body, requestBody_) (*body)->end();
    KJ_IF_MAYBE(socket, socket_) (*socket)->end();
    else shared_.requests--;
  }
  KJ_DISALLOW_COPY(Exchange);

  kj::Promise<void> run(uint8_t listener, kj::StringPtr url, const kj::HttpHeaders& headers, kj::AsyncInputStream& body) {
    auto& facts = gate_.facts();
    if (facts.close) close_ = true;
    if (gate_.refusal()) return fail(*gate_.refusal());
    if (shared_.requests > shared_.limits.requestsMax) {
      return fail({503, "Too many requests are under way."});
    }
    // kj-http forgets URL and headers with the first byte of the body.
    Prepared prepared{listener, facts.host.empty() ? "localhost" : facts.host, "", fieldsOf(headers)};
    prepared.trace = takeTrace(prepared.fields);
    if (facts.upgrade) prepareUpgrade(prepared.fields);
    prepared.url = "http://" + prepared.host + std::string(url.begin(), url.size());
    if (facts.framing == Framing::NONE) return call(kj::mv(prepared), NoBody());
    if (facts.framing == Framing::LENGTH && facts.length <= INLINE_BODY_BYTES && gate_.bodyIsHere()) {
      auto buffer = kj::heapArray<kj::byte>(facts.length);
      auto read = body.read(buffer.begin(), buffer.size());
      return read.then([this, buffer = kj::mv(buffer), prepared = kj::mv(prepared)]() mutable {
        return call(kj::mv(prepared), WholeBody{std::string(buffer.asChars().begin(), buffer.size())});
      });
    }
    requestBody_ = kj::refcounted<RequestBody>(body);
    return call(kj::mv(prepared), StreamedBody{0});
  }

 private:
  struct Prepared {
    uint8_t listener;
    std::string host, url;
    std::vector<Field> fields;
    std::optional<Trace> trace;
  };

  Shared& shared_;
  RequestGate& gate_;
  kj::HttpMethod method_;
  Response& response_;
  bool close_ = false;
  kj::Maybe<kj::Own<RequestBody>> requestBody_;
  kj::Maybe<kj::Own<kj::AsyncOutputStream>> out_;
  kj::Maybe<UntilClosed&> untilClosed_;   // `out_`, where it is one
  kj::Maybe<kj::Own<OpenSocket>> socket_;   // no request any more

  kj::Promise<void> call(Prepared prepared, Body body) {
    auto route = shared_.host.routeRequest();
    route.setHost(prepared.host.c_str());
    route.setListener(prepared.listener);
    auto routed = route.send();
    auto request = routed.getTarget().callRequest();
    request.initPath(1).set(0, "fetch");
    if (prepared.trace) writeTrace(*prepared.trace, request.initTrace());
    writePayload(writeRequest(kj::toCharSequence(method_).begin(), kj::mv(prepared.url), prepared.fields, kj::mv(body)),
                 request.getOperation().initInvoke(), wire::INLINE_BYTES,
                 [this](const ValueExternal&) -> capnp::Capability::Client { return KJ_ASSERT_NONNULL(requestBody_)->capability(); });
    auto answered = request.send().then(
        [this](capnp::Response<rpc::Return> answer) { return answerWith(kj::mv(answer)); },
        // Nobody serves this host, or the line is lost; the former is told by `routed`.
        [this](kj::Exception&&) { return fail({502, "The worker cannot be reached."}); });
    return routed.then(
        [this, answered = kj::mv(answered)](capnp::Response<rpc::GatewayHost::RouteResults> route) mutable -> kj::Promise<void> {
          if (!route.hasTarget()) return fail({404, "Nothing is served under this name."});
          return kj::mv(answered);
        },
        [this](kj::Exception&&) { return fail({502, "The worker cannot be reached."}); });
  }

  kj::Promise<void> answerWith(capnp::Response<rpc::Return> returned) {
    // The worker has heard only that the body ended early, and its answer is to that.
    if (gate_.bodyRefusal()) return fail(*gate_.bodyRefusal());
    switch (returned.which()) {
      case rpc::Return::VALUE: break;
      case rpc::Return::THROWN: return fail({500, "The worker threw an exception."});
      case rpc::Return::ENDED: {
        auto code = returned.getEnded().getCode();
        auto words = kj::str("The worker ended: ", endingName(code), ".");
        return failWith(statusOf(code), words);
      }
      default: return fail({502, "The worker's answer is of an unknown kind."});
    }
    auto payload = returned.getValue();
    if (!isInline(payload) && payload.getLarge().getSize() > ANSWER_BYTES_MAX) {
      return fail({502, "The worker's response is too large to come at once."});
    }
    return kj::evalNow([&]() { return readPayload(payload); }).then(
        [this, returned = kj::mv(returned)](ReceivedValue value) mutable -> kj::Promise<void> {
          auto answer = readAnswer(std::move(value.graph));
          if (auto refusal = std::get_if<Refusal>(&answer)) return fail(*refusal);
          auto& received = std::get<Answer>(answer);
          if (received.socket) return upgrade(received, value.capabilities[*received.socket].castAs<rpc::Target>());
          // The result's owner keeps it while `returned` is there.
          return send(std::move(std::get<Answer>(answer)), kj::mv(value.capabilities)).attach(kj::mv(returned));
        },
        [this](kj::Exception&&) { return fail({502, "The worker's response is malformed."}); });
  }

  // The connection is a WebSocket's from here on.
  kj::Promise<void> upgrade(const Answer& answer, rpc::Target::Client worker) {
    if (!gate_.facts().upgrade) return fail({502, "The worker answered with a WebSocket, and nobody had asked for one."});
    if (shared_.draining || shared_.sockets.size() >= shared_.limits.socketsMax) return fail({503, "Too many WebSockets are open."});
    kj::HttpHeaders headers(shared_.headers);
    for (auto& field : answer.fields) {
      // What the handshake says is this side's to say.
      if (field.name.starts_with("sec-websocket-") && field.name != "sec-websocket-protocol") continue;
      headers.add(kj::heapString(field.name.data(), field.name.size()), kj::heapString(field.value.data(), field.value.size()));
    }
    gate_.upgrade(shared_.largeMessages);
    auto& socket = *socket_.emplace(kj::refcounted<OpenSocket>(response_.acceptWebSocket(headers), gate_, shared_, kj::mv(worker)));
    shared_.requests--;
    return socket.run().then([&socket]() { socket.end(); }, [&socket](kj::Exception&& e) {
      socket.end();
      kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "a WebSocket was lost", e.getDescription()));
    });
  }

  kj::Promise<void> send(Answer answer, kj::Vector<capnp::Capability::Client> capabilities) {
    bool hasBody = mayHaveBody(method_) && answer.mayHaveBody();
    std::optional<uint64_t> length = answer.contentLength;
    if (auto whole = std::get_if<WholeBody>(&answer.body)) {
      length = whole->bytes.size();
    } else if (std::holds_alternative<NoBody>(answer.body)) {
      if (hasBody && length.value_or(0) != 0) return fail({502, "The worker's response has a Content-Length and no body."});
      if (hasBody) length = 0;
    }
    kj::HttpHeaders headers(shared_.headers);
    for (auto& field : answer.fields) headers.add(kj::heapString(field.name.data(), field.name.size()),
                                                  kj::heapString(field.value.data(), field.value.size()));
    auto statusText = answer.statusText.empty() ? kj::str(reasonPhrase(answer.status))
                                                : kj::heapString(answer.statusText.data(), answer.statusText.size());
    auto& out = begin(answer.status, statusText, headers, length);
    if (!hasBody) return finish();
    if (auto whole = std::get_if<WholeBody>(&answer.body)) {
      auto held = kj::heap(kj::mv(whole->bytes));
      auto written = held->empty() ? kj::Promise<void>(kj::READY_NOW) : out.write(held->data(), held->size());
      return written.attach(kj::mv(held)).then([this]() { return finish(); });
    }
    if (auto stream = std::get_if<StreamedBody>(&answer.body)) {
      return sendStream(capabilities[stream->external].castAs<rpc::Target>(), out, length, shared_.largeChunks)
          .then([this]() { return finish(); },
                [this](kj::Exception&& e) -> kj::Promise<void> {
                  // kj-http would end the body in good order.
                  gate_.cut();
                  return KJ_EXCEPTION(DISCONNECTED, "the body of an answer ended early", e.getDescription());
                });
    }
    return finish();
  }

  kj::AsyncOutputStream& begin(unsigned status, kj::StringPtr text, kj::HttpHeaders& headers, std::optional<uint64_t> length) {
    if (gate_.waitsForContinue()) close_ = true;   // whether its body still comes, nobody knows
    if (shared_.draining) close_ = true;
    if (close_) gate_.endAfterThis();
    kj::Maybe<uint64_t> size;
    if (length) size = *length;
    if (gate_.facts().http10 && size == nullptr) return beginUntilClosed(status, text, headers);
    shared_.closeNext = close_;
    auto& out = *out_.emplace(response_.send(status, text, headers, size));
    shared_.closeNext = false;
    return out;
  }

  kj::AsyncOutputStream& beginUntilClosed(unsigned status, kj::StringPtr text, kj::HttpHeaders& headers) {
    kj::StringPtr connectionHeaders[kj::HttpHeaders::CONNECTION_HEADERS_COUNT];
    connectionHeaders[kj::HttpHeaders::BuiltinIndices::CONNECTION] = "close";
    auto out = kj::heap<UntilClosed>(gate_, headers.serializeResponse(status, text, connectionHeaders));
    untilClosed_ = *out;
    return *out_.emplace(kj::mv(out));
  }

  kj::Promise<void> finish() {
    KJ_IF_MAYBE(out, untilClosed_) return out->sendHead();   // there may have been no body
    out_ = nullptr;
    return kj::READY_NOW;
  }

  kj::Promise<void> fail(Refusal refusal) {
    // Whatever came of it.
    if (gate_.bodyRefusal()) {
      close_ = true;
      refusal = *gate_.bodyRefusal();
    }
    return failWith(refusal.status, kj::StringPtr(refusal.words.data()));
  }

  kj::Promise<void> failWith(unsigned status, kj::StringPtr words) {
    kj::HttpHeaders headers(shared_.headers);
    headers.set(kj::HttpHeaderId::CONTENT_TYPE, "text/plain; charset=utf-8");
    if (status == 426) headers.add("sec-websocket-version", "13");
    auto text = kj::str(words, "\n");
    auto& out = begin(status, reasonPhrase(status), headers, text.size());
    if (!mayHaveBody(method_)) return finish();
    auto written = out.write(text.begin(), text.size());
    return written.attach(kj::mv(text)).then([this]() { return finish(); });
  }
};

kj::Promise<void> Bridge::request(kj::HttpMethod method, kj::StringPtr url, const kj::HttpHeaders& headers,
                                  kj::AsyncInputStream& requestBody, Response& response) {
  auto exchange = kj::heap<Exchange>(*this, method, response);
  auto done = exchange->run(listener_, url, headers, requestBody);
  auto gone = gate_.whenGone().then([]() -> kj::Promise<void> { return KJ_EXCEPTION(DISCONNECTED, "the client is gone"); });
  return done.exclusiveJoin(kj::mv(gone)).attach(kj::mv(exchange));
}

}  // namespace glovebox::gateway
