#include "tools/egress/fetcher.h"

#include <kj/debug.h>
#include <sys/random.h>

#include "ipc/payload.h"
#include "supervisor/cancellation.h"
#include "tools/egress/checked-stream.h"
#include "tools/egress/limits.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/request-body.h"
#include "tools/gateway/thrown.h"

namespace glovebox::egress {

namespace {

using gateway::Body;
using gateway::Field;
using gateway::NoBody;
using gateway::RequestBody;
using gateway::StreamedBody;
using gateway::WholeBody;
using gateway::answerThrown;

std::string textOf(kj::StringPtr text) { return {text.begin(), text.size()}; }

std::string wordsOf(const kj::Exception& exception) {
  auto words = textOf(exception.getDescription());
  return words.empty() ? "it failed" : words;
}

class Counted {
 public:
  explicit Counted(uint32_t& count): count_(count) { count_++; }
  ~Counted() { count_--; }
  KJ_DISALLOW_COPY(Counted);

 private:
  uint32_t& count_;
};

class KernelsEntropy final: public kj::EntropySource {
 public:
  void generate(kj::ArrayPtr<kj::byte> buffer) override {
    ssize_t got;
    KJ_SYSCALL(got = getrandom(buffer.begin(), buffer.size(), 0));
    KJ_ASSERT(static_cast<size_t>(got) == buffer.size());   // of so few bytes it gives all
  }
};
KernelsEntropy kernelsEntropy;

// "a, b", as the worker wrote them: what is not a token is never answered.
std::vector<std::string> splitProtocols(std::string_view list) {
  std::vector<std::string> protocols;
  while (true) {
    auto comma = list.find(',');
    auto one = list.substr(0, comma);
    while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
    while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
    if (gateway::isToken(one)) protocols.emplace_back(one);
    if (comma == std::string_view::npos) return protocols;
    list.remove_prefix(comma + 1);
  }
}

// One for each request. A server that sends more than its answer would have said what the next request on the same connection is answered:
// kj-http reads ahead and cannot tell. A handshake is the price.
// A server may answer before it has the whole request, so sending that goes on for as long as somebody reads the answer.
struct Connection {
  kj::Own<Counted> counted;
  kj::Own<kj::AsyncIoStream> stream;
  kj::Own<kj::HttpClient> client;
  kj::Own<kj::AsyncOutputStream> requestBody;
  kj::Own<kj::PromiseFulfiller<kj::HttpClient::Response>> bodyFailed;
  kj::Promise<void> sending = nullptr;
};

// A server's body, with a bound on its silences.
class PatientStream final: public kj::AsyncInputStream {
 public:
  PatientStream(kj::Timer& timer, kj::Own<kj::AsyncInputStream> inner, kj::Own<Connection> connection)
      : timer_(timer), connection_(kj::mv(connection)), inner_(kj::mv(inner)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    return timer_.timeoutAfter(BODY_TIMEOUT, inner_->tryRead(buffer, min, max));
  }
  kj::Maybe<uint64_t> tryGetLength() override { return inner_->tryGetLength(); }

 private:
  kj::Timer& timer_;
  kj::Own<Connection> connection_;
  kj::Own<kj::AsyncInputStream> inner_;
};

}  // namespace

// One request and its response, until the response's head is there: its body belongs to whoever reads it.
class Fetcher::Exchange {
 public:
  Exchange(Fetcher& fetcher, CallContext context): fetcher_(fetcher), context_(context), counted_(kj::heap<Counted>(fetcher.requests_)) {}
  KJ_DISALLOW_COPY(Exchange);

  kj::Promise<void> run(ReceivedValue received) {
    auto read = gateway::readRequest(std::move(received.graph));
    if (auto refusal = std::get_if<gateway::Refusal>(&read)) return refuse(std::string(refusal->words));
    auto& outgoing = std::get<gateway::Outgoing>(read);
    auto parsed = parseDestination(outgoing.url);
    if (auto why = std::get_if<std::string>(&parsed)) return refuse("The URL of a request " + *why + ": " + outgoing.url.substr(0, 200));
    auto& destination = std::get<Destination>(parsed);
    if (auto refused = fetcher_.network_.policy.check(destination, outgoing.method)) return refuse(refused->why);
    auto method = kj::tryParseHttpMethod(kj::str(outgoing.method.c_str()));
    if (method == nullptr) return refuse("Requests with the method " + outgoing.method.substr(0, 64) + " cannot be sent.");

    if (outgoing.upgrade) {
      if (outgoing.method != "GET" || !std::holds_alternative<NoBody>(outgoing.body)) return refuse("A WebSocket is asked for with GET and without a body.");
      if (fetcher_.sockets_ >= SOCKETS_MAX) return refuse("Too many WebSockets are open: " + std::to_string(SOCKETS_MAX) + " at most.");
      counted_ = kj::heap<Counted>(fetcher_.sockets_);
    }
    auto headers = kj::heap<kj::HttpHeaders>(*fetcher_.headers_);
    headers->set(kj::HttpHeaderId::HOST, kj::str(destination.hostField().c_str()));
    if (!outgoing.upgrade) headers->set(kj::HttpHeaderId::CONNECTION, kj::str("close"));
    std::vector<std::string> protocols;
    for (auto& field : outgoing.fields) {
      // What the handshake says is this side's to say.
      if (outgoing.upgrade && field.name.starts_with("sec-websocket-") && field.name != "sec-websocket-protocol") continue;
      auto value = fetcher_.network_.policy.fillIn(field.value, destination);
      if (auto refused = std::get_if<Refused>(&value)) return refuse(refused->why);
      auto& filled = std::get<std::string>(value);
      if (outgoing.upgrade && field.name == "sec-websocket-protocol") {
        for (auto& one : splitProtocols(filled)) protocols.push_back(std::move(one));
      }
      headers->add(kj::heapString(field.name.data(), field.name.size()), kj::heapString(filled.data(), filled.size()));
    }
    return connectTo(fetcher_.network_, destination).then(
        [this, method = KJ_ASSERT_NONNULL(method), destination, headers = kj::mv(headers), body = std::move(outgoing.body), upgrade = outgoing.upgrade, protocols = std::move(protocols),
         capabilities = kj::mv(received.capabilities)](kj::Own<kj::AsyncIoStream> stream) mutable {
          auto checked = kj::heap<CheckedStream>(kj::mv(stream));
          auto& received = *checked;
          kj::HttpClientSettings settings;
          settings.entropySource = kernelsEntropy;
          auto client = kj::newHttpClient(*fetcher_.headers_, *checked, kj::mv(settings));
          connection_ = kj::heap<Connection>(Connection{kj::mv(counted_), kj::mv(checked), kj::mv(client), {}, {}, nullptr});
          if (upgrade) {
            received.expect({std::move(protocols), fetcher_.network_.timer, kernelsEntropy, fetcher_.sharedBySockets_});
            return askForSocket(destination, *headers, received);
          }
          return send(method, destination, *headers, std::move(body), kj::mv(capabilities));
        },
        [this, destination](kj::Exception&& e) { return fail(destination, e); });
  }

 private:
  Fetcher& fetcher_;
  CallContext context_;
  kj::Own<Counted> counted_;
  kj::Own<Connection> connection_;

  kj::Promise<void> refuse(const std::string& why) {
    answerThrown(context_.getResults(), why);
    return kj::READY_NOW;
  }

  kj::Promise<void> fail(const Destination& destination, const kj::Exception& e) {
    return refuse("The request to " + destination.origin() + " failed: " + wordsOf(e) + ".");
  }

  kj::Promise<void> send(kj::HttpMethod method, const Destination& destination, const kj::HttpHeaders& headers, Body body,
                         kj::Vector<capnp::Capability::Client> capabilities) {
    kj::Maybe<uint64_t> size;
    if (std::holds_alternative<NoBody>(body)) size = uint64_t{0};
    if (auto whole = std::get_if<WholeBody>(&body)) size = whole->bytes.size();
    auto& connection = *connection_;
    auto request = connection.client->request(method, kj::str(destination.target.c_str()), headers, size);
    connection.requestBody = kj::mv(request.body);
    bool isSending = false;
    if (auto whole = std::get_if<WholeBody>(&body)) {
      auto held = kj::heap(std::move(whole->bytes));
      isSending = !held->empty();
      if (isSending) connection.sending = connection.requestBody->write(held->data(), held->size()).attach(kj::mv(held));
    } else if (auto stream = std::get_if<StreamedBody>(&body)) {
      isSending = true;
      connection.sending = gateway::sendStream(capabilities[stream->external].castAs<rpc::Target>(), *connection.requestBody, {}, fetcher_.largeChunks_);
    }
    // A body that fails on the worker's side is the request's failure; one that the server did not want is none, and its answer counts.
    auto failed = kj::newPromiseAndFulfiller<kj::HttpClient::Response>();
    connection.bodyFailed = kj::mv(failed.fulfiller);
    if (!isSending) {
      connection.requestBody = nullptr;
    } else {
      bool isStream = std::holds_alternative<StreamedBody>(body);
      connection.sending = connection.sending.then([&connection]() { connection.requestBody = nullptr; }, [&connection, isStream](kj::Exception&& e) {
        if (isStream && e.getType() != kj::Exception::Type::DISCONNECTED) connection.bodyFailed->reject(KJ_EXCEPTION(FAILED, "the request's body failed"));
      }).eagerlyEvaluate(nullptr);
    }
    return fetcher_.network_.timer.timeoutAfter(HEAD_TIMEOUT, request.response.exclusiveJoin(kj::mv(failed.promise)))
        .then([this](kj::HttpClient::Response&& response) { return answer(kj::mv(response)); },
              [this, destination](kj::Exception&& e) { return fail(destination, e); });
  }

  kj::Promise<void> askForSocket(const Destination& destination, const kj::HttpHeaders& headers, CheckedStream& stream) {
    auto opened = connection_->client->openWebSocket(kj::str(destination.target.c_str()), headers);
    return fetcher_.network_.timer.timeoutAfter(HEAD_TIMEOUT, kj::mv(opened))
        .then([this, &stream](kj::HttpClient::WebSocketResponse&& response) {
          if (response.webSocketOrBody.is<kj::Own<kj::WebSocket>>()) return open(kj::mv(response), stream);
          return answer({response.statusCode, response.statusText, response.headers, kj::mv(response.webSocketOrBody.get<kj::Own<kj::AsyncInputStream>>())});
        }, [this, destination](kj::Exception&& e) { return fail(destination, e); });
  }

  // The connection is a WebSocket's from here on, until it is over.
  kj::Promise<void> open(kj::HttpClient::WebSocketResponse response, CheckedStream& stream) {
    std::vector<Field> fields;
    if (auto wrong = readFields(*response.headers, fields)) return refuse(*wrong);
    auto socket = kj::refcounted<gateway::OpenSocket>(kj::mv(response.webSocketOrBody.get<kj::Own<kj::WebSocket>>()), stream.frames(), fetcher_.sharedBySockets_);
    auto end = socket->workersEnd();
    auto& running = *socket;
    fetcher_.socketTasks_.add(running.run().then([&running]() { running.end(); }, [&running](kj::Exception&&) { running.end(); })
                                  .attach(kj::mv(socket), kj::mv(connection_)));
    writePayload(gateway::writeUpgrade("Switching Protocols", fields), context_.getResults().initValue(), wire::INLINE_BYTES,
                 [&](const ValueExternal&) -> capnp::Capability::Client { return end; });
    return kj::READY_NOW;
  }

  // What is wrong with them, as a sentence.
  std::optional<std::string> readFields(const kj::HttpHeaders& headers, std::vector<Field>& fields) {
    size_t total = 0;
    bool good = true;
    headers.forEach([&](kj::StringPtr name, kj::StringPtr value) {
      auto lower = gateway::lowerCase({name.begin(), name.size()});
      total += name.size() + value.size() + 4;
      if (!gateway::isToken(lower) || !gateway::isFieldValue({value.begin(), value.size()})) good = false;
      if (gateway::isHopByHop(lower)) return;
      fields.push_back({std::move(lower), textOf(value)});
    });
    if (!good) return "The server's answer has a header that HTTP does not allow.";
    if (fields.size() > gateway::ANSWER_HEADERS_MAX || total > gateway::ANSWER_HEAD_BYTES_MAX) return "The server's answer has too many or too large headers.";
    return std::nullopt;
  }

  kj::Promise<void> answer(kj::HttpClient::Response response) {
    if (response.statusCode < 200 || response.statusCode > 599) return refuse("The server answered with a status that there is not.");
    std::vector<Field> fields;
    if (auto wrong = readFields(*response.headers, fields)) return refuse(*wrong);
    auto status = response.statusCode;
    auto statusText = textOf(response.statusText);
    if (!gateway::isFieldValue(statusText) || statusText.size() > gateway::STATUS_TEXT_BYTES_MAX) statusText.clear();
    auto length = response.body->tryGetLength();
    KJ_IF_MAYBE(bytes, length) {
      if (*bytes <= INLINE_BODY_BYTES) {
        auto body = kj::heap<PatientStream>(fetcher_.network_.timer, kj::mv(response.body), kj::mv(connection_));
        auto buffer = kj::heapArray<kj::byte>(*bytes);
        auto read = body->tryRead(buffer.begin(), buffer.size(), buffer.size());
        return read.attach(kj::mv(body)).then(
            [this, status, statusText = std::move(statusText), fields = std::move(fields), buffer = kj::mv(buffer)](size_t got) mutable {
              if (got < buffer.size()) return refuse("The server's answer ended early.");
              Body whole = NoBody();
              if (got > 0) whole = WholeBody{std::string(buffer.asChars().begin(), got)};
              return reply(status, statusText, fields, std::move(whole), nullptr);
            },
            [this](kj::Exception&&) { return refuse("The server's answer ended early."); });
      }
    }
    auto stream = kj::heap<PatientStream>(fetcher_.network_.timer, kj::mv(response.body), kj::mv(connection_));
    auto body = kj::refcounted<RequestBody>(kj::mv(stream), "The response's body ended early."_kj);
    return reply(status, statusText, fields, StreamedBody{0}, body->capability());
  }

  kj::Promise<void> reply(unsigned status, const std::string& statusText, const std::vector<Field>& fields, Body body,
                          kj::Maybe<rpc::Target::Client> stream) {
    writePayload(gateway::writeResponse(status, statusText, fields, std::move(body)), context_.getResults().initValue(), wire::INLINE_BYTES,
                 [&](const ValueExternal&) -> capnp::Capability::Client { return KJ_ASSERT_NONNULL(stream); });
    return kj::READY_NOW;
  }
};

Fetcher::Fetcher(Network& network)
    : network_(network), headers_(kj::HttpHeaderTable::Builder().build()), largeChunks_(gateway::LARGE_CHUNKS_BYTES_MAX),
      tunnels_(network), sharedBySockets_(network.timer, socketLimits_, SOCKET_CHUNKS_BYTES_MAX), socketTasks_(*this) {}

void Fetcher::taskFailed(kj::Exception&&) {}   // the end of a socket: both sides were told

Fetcher::~Fetcher() noexcept(false) = default;

kj::Promise<void> Fetcher::call(CallContext context) {
  auto call = context.getParams();
  auto path = call.getPath();
  kj::StringPtr method = path.size() == 1 && call.getOperation().isInvoke() ? kj::StringPtr(path[0]) : kj::StringPtr("");
  if (method == "connect") return tunnels_.open(context);
  if (method != "fetch") {
    answerThrown(context.getResults(), "The way to the internet has two methods, fetch() and connect().");
    return kj::READY_NOW;
  }
  if (requests_ >= REQUESTS_MAX) {
    answerThrown(context.getResults(), "Too many requests are under way: " + std::to_string(REQUESTS_MAX) + " at most.");
    return kj::READY_NOW;
  }
  // A server that does not answer is waited for as long as somebody waits.
  allowCancellation(context);
  auto exchange = kj::heap<Exchange>(*this, context);
  auto read = readPayload(call.getOperation().getInvoke());
  return read.then([&exchange = *exchange](ReceivedValue value) { return exchange.run(kj::mv(value)); }).attach(kj::mv(exchange));
}

}  // namespace glovebox::egress
