#include "tools/gateway/request-gate.h"

#include <kj/debug.h>

#include <cstring>

namespace glovebox::gateway {

namespace {

constexpr std::string_view END_OF_HEAD = "\r\n\r\n";
constexpr std::string_view CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

// What kj-http is given in the place of a head that is refused.
constexpr std::string_view HARMLESS_HEAD = "GET / HTTP/1.1\r\nHost: refused\r\n\r\n";

constexpr size_t HEAD_READ_BYTES = 4096;

}  // namespace

RequestGate::RequestGate(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, const GatewayLimits& limits,
                         uint8_t listener)
    : socket_(kj::mv(socket)), timer_(timer), limits_(limits), listener_(listener) {}

bool RequestGate::bodyIsHere() const { return facts_.framing == Framing::LENGTH && pending_.size() >= facts_.length; }

bool RequestGate::waitsForContinue() const { return facts_.expectsContinue && !continued_; }

// -- Reading ------------------------------------------------------------------------------------------------------------

kj::Promise<size_t> RequestGate::tryRead(void* buffer, size_t minBytes, size_t maxBytes) {
  auto bytes = static_cast<char*>(buffer);
  return readSome(bytes, maxBytes).then([this, bytes, minBytes, maxBytes](size_t got) -> kj::Promise<size_t> {
    if (got == 0 || got >= minBytes) return got;
    return tryRead(bytes + got, minBytes - got, maxBytes - got).then([got](size_t more) { return got + more; });
  });
}

kj::Promise<size_t> RequestGate::readSome(char* buffer, size_t maxBytes) {
  if (headGiven_ < head_.size()) return giveHead(buffer, maxBytes);
  if (over_) return size_t(0);
  if (last_ && body_.ended()) return linger();
  return body_.ended() ? readHead(buffer, maxBytes) : readBody(buffer, maxBytes);
}

kj::Promise<size_t> RequestGate::readHead(char* buffer, size_t maxBytes) {
  head_.clear();
  headGiven_ = 0;
  return fillHead().then([this, buffer, maxBytes](bool there) { return there ? giveHead(buffer, maxBytes) : 0; });
}

kj::Promise<bool> RequestGate::fillHead() {
  if (over_) return false;
  if (tryFinishHead()) return true;
  if (!pending_.empty()) return finishHead();
  return readMore().exclusiveJoin(timer_.afterDelay(limits_.idleTimeout).then([]() { return false; }))
      .then([this](bool got) -> kj::Promise<bool> {
        over_ = over_ || !got;
        if (!got || tryFinishHead()) return got;
        return finishHead();
      });
}

// Each byte may come late, as long as all of them come in time.
kj::Promise<bool> RequestGate::finishHead() {
  return readUntilHead().exclusiveJoin(timer_.afterDelay(limits_.headerTimeout).then([this]() {
    refuse({408, "The request's headers did not arrive in time."});
    return true;
  }));
}

kj::Promise<bool> RequestGate::readUntilHead() {
  return readMore().then([this](bool got) -> kj::Promise<bool> {
    over_ = over_ || !got;
    if (!got || tryFinishHead()) return got;
    return readUntilHead();
  });
}

kj::Promise<bool> RequestGate::readMore() {
  if (!isReading_) {
    isReading_ = true;
    auto space = kj::heapArray<char>(HEAD_READ_BYTES);
    auto read = socket_->tryRead(space.begin(), 1, space.size());
    reading_ = read.then([this, space = kj::mv(space)](size_t got) {
      isReading_ = false;
      pending_.append(space.begin(), got);
      return got > 0;
    }, [this](kj::Exception&& e) -> bool {
      isReading_ = false;
      kj::throwFatalException(kj::mv(e));
    }).fork();
  }
  return KJ_ASSERT_NONNULL(reading_).addBranch();
}

kj::Promise<void> RequestGate::whenGone() {
  if (!body_.ended()) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    bodyWhole_ = kj::mv(paf.fulfiller);
    return paf.promise.then([this]() { return whenGone(); });
  }
  // Whoever has sent that much ahead of its turn is read from again when that comes.
  if (over_ || last_ || pending_.size() > HEAD_BYTES_MAX) return kj::NEVER_DONE;
  return readMore().then([this](bool got) -> kj::Promise<void> {
    over_ = over_ || !got;
    if (!got) return kj::READY_NOW;
    return whenGone();
  });
}

bool RequestGate::tryFinishHead() {
  if (scanned_ == pending_.size()) return false;
  bool forbidden = hasForbiddenByte(pending_, scanned_);
  size_t end = pending_.find(END_OF_HEAD, scanned_ < END_OF_HEAD.size() ? 0 : scanned_ - END_OF_HEAD.size() + 1);
  scanned_ = pending_.size();
  // What stands behind the end is a body or another request, and anything may be in a body.
  if (end != std::string::npos) forbidden = hasForbiddenByte(std::string_view(pending_).substr(0, end), 0);
  size_t size = end == std::string::npos ? pending_.size() : end + END_OF_HEAD.size();
  if (forbidden) {
    refuse({400, "The request is malformed."});
  } else if (size > HEAD_BYTES_MAX) {
    bool line = pending_.find('\n') == std::string::npos;
    refuse(line ? Refusal{414, "The request line is too long."} : Refusal{431, "The headers are too large."});
  } else if (end == std::string::npos) {
    return false;
  } else {
    auto checked = checkHead(std::string_view(pending_).substr(0, size), limits_.bodyBytesMax);
    if (auto refusal = std::get_if<Refusal>(&checked)) {
      refuse(*refusal);
      return true;
    }
    facts_ = std::move(std::get<RequestFacts>(checked));
    body_ = BodyFraming(facts_, limits_.bodyBytesMax);
    head_ = std::move(facts_.head);
    pending_.erase(0, size);
    if (pending_.empty()) pending_.shrink_to_fit();   // most connections are idle most of the time
    scanned_ = 0;
    continued_ = answered_ = false;
    bodyWaited_ = 0 * kj::SECONDS;
    bodyReceived_ = 0;
    bodyWhole_ = nullptr;
  }
  return true;
}

void RequestGate::refuse(Refusal refusal) {
  refusal_ = refusal;
  facts_ = {};
  facts_.close = true;
  body_ = {};
  head_ = HARMLESS_HEAD;
  pending_.clear();
  last_ = true;
}

kj::Promise<size_t> RequestGate::linger() {
  over_ = true;
  return kj::evalNow([this]() {
    socket_->shutdownWrite();
    return discard(LINGER_BYTES_MAX);
  }).exclusiveJoin(timer_.afterDelay(LINGER_TIME)).then([]() { return size_t(0); }, [](kj::Exception&&) { return size_t(0); });
}

kj::Promise<void> RequestGate::discard(size_t bytes) {
  return readMore().then([this, bytes](bool got) -> kj::Promise<void> {
    size_t now = pending_.size();
    pending_.clear();
    if (!got || now >= bytes) return kj::READY_NOW;
    return discard(bytes - now);
  });
}

size_t RequestGate::giveHead(char* buffer, size_t maxBytes) {
  size_t now = std::min(maxBytes, head_.size() - headGiven_);
  memcpy(buffer, head_.data() + headGiven_, now);
  headGiven_ += now;
  if (headGiven_ == head_.size()) {
    head_.clear();
    head_.shrink_to_fit();
    headGiven_ = 0;
  }
  return now;
}

kj::Promise<size_t> RequestGate::readBody(char* buffer, size_t maxBytes) {
  if (!pending_.empty()) {
    continued_ = true;
    size_t now = std::min(maxBytes, pending_.size());
    memcpy(buffer, pending_.data(), now);
    pending_.erase(0, now);
    return takeBody({buffer, now});
  }
  if (waitsForContinue() && !answered_) {
    continued_ = true;
    return sendContinue().then([this, buffer, maxBytes]() { return readBody(buffer, maxBytes); });
  }
  if (facts_.framing == Framing::LENGTH) maxBytes = std::min<uint64_t>(maxBytes, body_.certain());
  if (isReading_) return readMore().then([this, buffer, maxBytes](bool got) { return got ? readBody(buffer, maxBytes) : kj::Promise<size_t>(size_t(0)); });
  return receiveBody(buffer, maxBytes);
}

kj::Promise<size_t> RequestGate::receiveBody(char* buffer, size_t maxBytes) {
  // Long pauses are over after the timeout, and so is a body that comes in many short ones.
  auto left = limits_.bodyTimeout + bodyReceived_ / BODY_BYTES_PER_SECOND_MIN * kj::SECONDS - bodyWaited_;
  auto begin = timer_.now();
  return timer_.timeoutAfter(kj::min(left, limits_.bodyTimeout), socket_->tryRead(buffer, 1, maxBytes))
      .then([this, buffer, begin](size_t got) -> size_t {
              bodyWaited_ += timer_.now() - begin;
              bodyReceived_ += got;
              return got == 0 ? 0 : takeBody({buffer, got});
            },
            [this](kj::Exception&& e) -> size_t {
              if (e.getType() == kj::Exception::Type::OVERLOADED) {
                bodyRefusal_ = Refusal{408, "The request's body did not arrive in time."};
                body_ = {};
                last_ = true;
              }
              kj::throwFatalException(kj::mv(e));
            });
}

// `bytes` were read for the body; what belongs to the next request stays here.
size_t RequestGate::takeBody(std::span<char> bytes) {
  auto taken = body_.take(bytes);
  if (auto refusal = std::get_if<Refusal>(&taken)) {
    bodyRefusal_ = *refusal;
    last_ = true;
    pending_.clear();
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "the request's body was refused", kj::StringPtr(refusal->words.data())));
  }
  size_t size = std::get<size_t>(taken);
  if (size < bytes.size()) pending_.insert(0, bytes.data() + size, bytes.size() - size);
  if (body_.ended()) {
    KJ_IF_MAYBE(fulfiller, bodyWhole_) (*fulfiller)->fulfill();
    bodyWhole_ = nullptr;
  }
  return size;
}

// -- Writing ------------------------------------------------------------------------------------------------------------

kj::Promise<void> RequestGate::sendContinue() {
  // Nothing else is being written: the answer has not begun.
  return bounded(socket_->write(CONTINUE.data(), CONTINUE.size()));
}

kj::Promise<void> RequestGate::write(const void* buffer, size_t size) {
  if (cut_) return KJ_EXCEPTION(DISCONNECTED, "the answer was cut off");
  answered_ = true;
  return bounded(socket_->write(buffer, size));
}

kj::Promise<void> RequestGate::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  if (cut_) return KJ_EXCEPTION(DISCONNECTED, "the answer was cut off");
  answered_ = true;
  return bounded(socket_->write(pieces));
}

kj::Promise<void> RequestGate::bounded(kj::Promise<void> write) {
  return timer_.timeoutAfter(limits_.writeTimeout, kj::mv(write)).catch_([this](kj::Exception&& e) {
    cut_ = true;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the client is gone, or takes nothing", e.getDescription()));
  });
}

}  // namespace glovebox::gateway
