#include "tools/egress/fetcher.h"

#include <kj/debug.h>

#include "ipc/payload.h"
#include "tools/egress/limits.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/request-body.h"

namespace glovebox::egress {

namespace {

using gateway::Body;
using gateway::Field;
using gateway::NoBody;
using gateway::RequestBody;
using gateway::StreamedBody;
using gateway::WholeBody;

void answerThrown(rpc::Return::Builder result, const std::string& message) {
  auto nodes = result.initThrown().initValue().initNodes(2);
  auto error = nodes[0].initError();
  error.setPrototype(rpc::Error::Prototype::TYPE_ERROR);
  error.setHasMessage(true);
  error.setMessage(1);
  nodes[1].setText(message.c_str());
}

std::string textOf(kj::StringPtr text) { return {text.begin(), text.size()}; }

// KJ puts where it was thrown before what was said.
std::string wordsOf(const kj::Exception& exception) {
  auto words = textOf(exception.getDescription());
  return words.empty() ? "it failed" : words;
}

// Its origin's client stays while there is one: kj-http's gives the connection back to it at the end.
class Lease {
 public:
  explicit Lease(uint32_t& count): count_(count) { count_++; }
  ~Lease() { count_--; }
  KJ_DISALLOW_COPY(Lease);

 private:
  uint32_t& count_;
};

// A server's body, with a bound on its silences.
class PatientStream final: public kj::AsyncInputStream {
 public:
  PatientStream(kj::Timer& timer, kj::Own<kj::AsyncInputStream> inner, kj::Own<Lease> lease)
      : timer_(timer), lease_(kj::mv(lease)), inner_(kj::mv(inner)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override {
    return timer_.timeoutAfter(BODY_TIMEOUT, inner_->tryRead(buffer, min, max));
  }
  kj::Maybe<uint64_t> tryGetLength() override { return inner_->tryGetLength(); }

 private:
  kj::Timer& timer_;
  kj::Own<Lease> lease_;
  kj::Own<kj::AsyncInputStream> inner_;
};

}  // namespace

// One request and its response, until the response's head is there: its body belongs to whoever reads it.
class Fetcher::Exchange {
 public:
  Exchange(Fetcher& fetcher, CallContext context): fetcher_(fetcher), context_(context) { fetcher_.requests_++; }
  ~Exchange() noexcept(false) { fetcher_.requests_--; }
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

    kj::HttpHeaders headers(*fetcher_.headers_);
    headers.set(kj::HttpHeaderId::HOST, kj::str(destination.hostField().c_str()));
    for (auto& field : outgoing.fields) {
      auto value = fetcher_.network_.policy.fillIn(field.value, destination);
      if (auto refused = std::get_if<Refused>(&value)) return refuse(refused->why);
      auto& filled = std::get<std::string>(value);
      headers.add(kj::heapString(field.name.data(), field.name.size()), kj::heapString(filled.data(), filled.size()));
    }
    auto& origin = fetcher_.originOf(destination);
    lease_ = kj::heap<Lease>(origin.users);
    return send(*origin.client, KJ_ASSERT_NONNULL(method), destination, headers, std::move(outgoing.body), kj::mv(received.capabilities));
  }

 private:
  Fetcher& fetcher_;
  CallContext context_;
  kj::Own<Lease> lease_;
  kj::Own<kj::AsyncOutputStream> requestBody_;
  kj::Own<kj::PromiseFulfiller<kj::HttpClient::Response>> bodyFailed_;
  kj::Promise<void> sending_ = nullptr;

  kj::Promise<void> refuse(const std::string& why) {
    answerThrown(context_.getResults(), why);
    return kj::READY_NOW;
  }

  kj::Promise<void> send(kj::HttpClient& client, kj::HttpMethod method, const Destination& destination, const kj::HttpHeaders& headers, Body body,
                         kj::Vector<capnp::Capability::Client> capabilities) {
    kj::Maybe<uint64_t> size;
    if (std::holds_alternative<NoBody>(body)) size = uint64_t{0};
    if (auto whole = std::get_if<WholeBody>(&body)) size = whole->bytes.size();
    auto request = client.request(method, kj::str(destination.target.c_str()), headers, size);
    requestBody_ = kj::mv(request.body);
    bool isSending = false;
    if (auto whole = std::get_if<WholeBody>(&body)) {
      auto held = kj::heap(std::move(whole->bytes));
      isSending = !held->empty();
      if (isSending) sending_ = requestBody_->write(held->data(), held->size()).attach(kj::mv(held));
    } else if (auto stream = std::get_if<StreamedBody>(&body)) {
      isSending = true;
      sending_ = gateway::sendStream(capabilities[stream->external].castAs<rpc::Target>(), *requestBody_, {}, fetcher_.largeChunks_);
    }
    // A body that fails on the worker's side is the request's failure; one that the server did not want is none, and its answer counts.
    auto failed = kj::newPromiseAndFulfiller<kj::HttpClient::Response>();
    bodyFailed_ = kj::mv(failed.fulfiller);
    if (!isSending) {
      requestBody_ = nullptr;
    } else {
      bool isStream = std::holds_alternative<StreamedBody>(body);
      sending_ = sending_.then([this]() { requestBody_ = nullptr; }, [this, isStream](kj::Exception&& e) {
        if (isStream && e.getType() != kj::Exception::Type::DISCONNECTED) bodyFailed_->reject(KJ_EXCEPTION(FAILED, "the request's body failed"));
      }).eagerlyEvaluate(nullptr);
    }
    return fetcher_.network_.timer.timeoutAfter(HEAD_TIMEOUT, request.response.exclusiveJoin(kj::mv(failed.promise)))
        .then([this](kj::HttpClient::Response&& response) { return answer(kj::mv(response)); },
              [this, destination](kj::Exception&& e) { return refuse("The request to " + destination.origin() + " failed: " + wordsOf(e) + "."); });
  }

  kj::Promise<void> answer(kj::HttpClient::Response response) {
    if (response.statusCode < 200 || response.statusCode > 599) return refuse("The server answered with a status that there is not.");
    std::vector<Field> fields;
    size_t total = 0;
    bool good = true;
    response.headers->forEach([&](kj::StringPtr name, kj::StringPtr value) {
      auto lower = gateway::lowerCase({name.begin(), name.size()});
      total += name.size() + value.size() + 4;
      if (!gateway::isToken(lower) || !gateway::isFieldValue({value.begin(), value.size()})) good = false;
      if (gateway::isHopByHop(lower)) return;
      fields.push_back({std::move(lower), textOf(value)});
    });
    if (!good) return refuse("The server's answer has a header that HTTP does not allow.");
    if (fields.size() > gateway::ANSWER_HEADERS_MAX || total > gateway::ANSWER_HEAD_BYTES_MAX) {
      return refuse("The server's answer has too many or too large headers.");
    }
    auto status = response.statusCode;
    auto statusText = textOf(response.statusText);
    if (!gateway::isFieldValue(statusText) || statusText.size() > gateway::STATUS_TEXT_BYTES_MAX) statusText.clear();
    auto length = response.body->tryGetLength();
    KJ_IF_MAYBE(bytes, length) {
      if (*bytes <= INLINE_BODY_BYTES) {
        auto body = kj::heap<PatientStream>(fetcher_.network_.timer, kj::mv(response.body), kj::mv(lease_));
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
    auto stream = kj::heap<PatientStream>(fetcher_.network_.timer, kj::mv(response.body), kj::mv(lease_));
    auto body = kj::refcounted<RequestBody>(kj::mv(stream), "The response's body ended early."_kj);
    return reply(status, statusText, fields, StreamedBody{0}, body->capability());
  }

  kj::Promise<void> reply(unsigned status, const std::string& statusText, const std::vector<Field>& fields, Body body,
                          kj::Maybe<rpc::Target::Client> stream) {
    writePayload(gateway::writeResponse(status, statusText, fields, std::move(body)), context_.getResults().initValue(), wire::PAYLOAD_BYTES_MAX,
                 [&](const ValueExternal&) -> capnp::Capability::Client { return KJ_ASSERT_NONNULL(stream); });
    return kj::READY_NOW;
  }
};

Fetcher::Fetcher(Network& network)
    : network_(network), headers_(kj::HttpHeaderTable::Builder().build()), largeChunks_(gateway::LARGE_CHUNKS_BYTES_MAX) {}

Fetcher::~Fetcher() noexcept(false) = default;

kj::Promise<void> Fetcher::call(CallContext context) {
  auto call = context.getParams();
  auto path = call.getPath();
  if (path.size() != 1 || path[0] != "fetch" || !call.getOperation().isInvoke()) {
    answerThrown(context.getResults(), "The way to the internet has one method, fetch().");
    return kj::READY_NOW;
  }
  if (requests_ >= REQUESTS_MAX) {
    answerThrown(context.getResults(), "Too many requests are under way: " + std::to_string(REQUESTS_MAX) + " at most.");
    return kj::READY_NOW;
  }
  auto exchange = kj::heap<Exchange>(*this, context);
  auto read = readPayload(call.getOperation().getInvoke());
  return read.then([&exchange = *exchange](ReceivedValue value) { return exchange.run(kj::mv(value)); }).attach(kj::mv(exchange));
}

Fetcher::Origin& Fetcher::originOf(const Destination& destination) {
  auto name = destination.origin();
  auto found = byName_.find(name);
  if (found != byName_.end()) {
    origins_.splice(origins_.begin(), origins_, found->second);
    return origins_.front();
  }
  for (auto last = origins_.end(); origins_.size() >= ORIGINS_MAX && last != origins_.begin();) {
    if ((--last)->users > 0) continue;
    byName_.erase(last->name);
    last = origins_.erase(last);
  }
  auto address = addressOf(network_, destination);
  kj::HttpClientSettings settings;
  settings.idleTimeout = IDLE_TIME;
  auto client = kj::newHttpClient(network_.timer, *headers_, *address, kj::mv(settings));
  origins_.push_front({name, kj::mv(address), kj::mv(client)});
  byName_[name] = origins_.begin();
  return origins_.front();
}

}  // namespace glovebox::egress
