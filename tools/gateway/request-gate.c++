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

constexpr unsigned PING = 9, PONG = 10;
constexpr size_t MASK_BYTES = 4;

void applyMask(std::string& payload, const std::string& mask) {
  for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<char>(payload[i] ^ mask[i % MASK_BYTES]);
}

}  // namespace

RequestGate::RequestGate(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, const GatewayLimits& limits,
                         uint8_t listener)
    : socket_(kj::mv(socket)), timer_(timer), limits_(limits), listener_(listener), frames_(limits.messageBytesMax, FramesOf::CLIENT) {}

RequestGate::RequestGate(kj::Own<kj::AsyncIoStream> socket, kj::Timer& timer, const GatewayLimits& limits, kj::EntropySource& masks, std::string ahead,
                         ChunkBudget& room)
    : socket_(kj::mv(socket)), timer_(timer), limits_(limits), masks_(masks), pending_(std::move(ahead)), frames_(limits.messageBytesMax, FramesOf::SERVER) {
  upgrade(room);
}

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
  if (messageRooms_ != nullptr) return readFrames(buffer, maxBytes);
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
  if (over_ || last_ || messageRooms_ != nullptr || pending_.size() > HEAD_BYTES_MAX) return kj::NEVER_DONE;
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

// -- Frames -------------------------------------------------------------------------------------------------------------

void RequestGate::upgrade(ChunkBudget& room) {
  messageRooms_ = room;
  last_ = true;
}

struct RequestGate::Writing {
  explicit Writing(RequestGate& gate): gate_(&gate) { gate.writes_++; }
  ~Writing() { end(); }
  KJ_DISALLOW_COPY(Writing);
  void end() {
    if (gate_ != nullptr) gate_->wrote();
    gate_ = nullptr;
  }
  RequestGate* gate_;
};

// Only as far as the end of a frame that was checked.
kj::Promise<size_t> RequestGate::readFrames(char* buffer, size_t maxBytes) {
  if (frameLeft_ > 0) return readPayload(buffer, maxBytes);
  auto next = frames_.next(pending_);
  if (auto refusal = std::get_if<FrameRefusal>(&next)) {
    frameRefusal_ = *refusal;
    over_ = true;
    return KJ_EXCEPTION(FAILED, "a frame was refused", kj::StringPtr(refusal->words.data()));
  }
  auto frame = std::get_if<FrameCheck::Frame>(&next);
  if (frame == nullptr) {
    return whenMoreOfFrames().then([this, buffer, maxBytes]() { return readSome(buffer, maxBytes); });
  }
  if (frame->ping || frame->pong) return answerPing(*frame).then([this, buffer, maxBytes]() { return readSome(buffer, maxBytes); });
  frameLeft_ = frame->headerBytes + frame->payloadBytes;
  if (frame->control || !frame->first) return readPayload(buffer, maxBytes);
  messageRoom_ = nullptr;   // of the one before, which was given on
  messageWaited_ = 0 * kj::SECONDS;
  messageReceived_ = 0;
  if (frame->last && frame->payloadBytes <= SMALL_MESSAGE_BYTES) return readPayload(buffer, maxBytes);
  // How large one in fragments becomes nobody knows. Nobody waits for room who holds any.
  auto room = frame->last ? frame->payloadBytes : limits_.messageBytesMax;
  return KJ_ASSERT_NONNULL(messageRooms_).take(room).then([this, buffer, maxBytes](kj::Own<ChunkBudget::Room> taken) {
    messageRoom_ = kj::mv(taken);
    return readPayload(buffer, maxBytes);
  });
}

kj::Promise<size_t> RequestGate::readPayload(char* buffer, size_t maxBytes) {
  size_t now = std::min<uint64_t>(maxBytes, frameLeft_);
  if (!pending_.empty()) {
    now = std::min(now, pending_.size());
    memcpy(buffer, pending_.data(), now);
    pending_.erase(0, now);
    frameLeft_ -= now;
    return now;
  }
  if (isReading_) return whenMoreOfFrames().then([this, buffer, maxBytes]() { return readSome(buffer, maxBytes); });
  return inMessageTime(socket_->tryRead(buffer, 1, now)).then([this](size_t got) {
    messageReceived_ += got;
    frameLeft_ -= got;
    over_ = over_ || got == 0;
    return got;
  });
}

// What has begun is to come in time. Between messages there may be silence, as long as the client shows that it is there.
kj::Promise<void> RequestGate::whenMoreOfFrames() {
  auto arrived = [this](bool got) {
    over_ = over_ || !got;
    pinged_ = false;
  };
  if (!pending_.empty() || frameLeft_ > 0 || frames_.isInMessage()) {
    return inMessageTime(readMore()).then([this, arrived, before = pending_.size()](bool got) {
      messageReceived_ += pending_.size() - before;
      arrived(got);
    });
  }
  auto silence = timer_.afterDelay(limits_.idleTimeout).then([this]() -> kj::Promise<void> {
    if (pinged_) return KJ_EXCEPTION(DISCONNECTED, "the client gives no sign of life");
    pinged_ = true;
    return ping().then([this]() { return whenMoreOfFrames(); });
  });
  return readMore().then(kj::mv(arrived)).exclusiveJoin(kj::mv(silence));
}

template <typename T>
kj::Promise<T> RequestGate::inMessageTime(kj::Promise<T> read) {
  auto left = limits_.bodyTimeout + messageReceived_ / MESSAGE_BYTES_PER_SECOND_MIN * kj::SECONDS - messageWaited_;
  auto begin = timer_.now();
  return timer_.timeoutAfter(kj::max(kj::min(left, limits_.bodyTimeout), 0 * kj::SECONDS), kj::mv(read))
      .then([this, begin](T got) {
        messageWaited_ += timer_.now() - begin;
        return got;
      }, [this](kj::Exception&& e) -> T {
        over_ = true;
        if (e.getType() == kj::Exception::Type::OVERLOADED) frameRefusal_ = FrameRefusal{1008, "The message did not arrive in time."};
        kj::throwFatalException(kj::mv(e));
      });
}

// Here and not by kj-http, which keeps the answers to all pings for a client that takes none. Nothing is read before this one has left.
kj::Promise<void> RequestGate::answerPing(FrameCheck::Frame frame) {
  size_t size = frame.headerBytes + frame.payloadBytes;
  if (pending_.size() < size) return whenMoreOfFrames();
  auto payload = pending_.substr(frame.headerBytes, frame.payloadBytes);
  if (masks_ == nullptr) applyMask(payload, pending_.substr(frame.headerBytes - MASK_BYTES, MASK_BYTES));
  pending_.erase(0, size);
  if (frame.pong) return kj::READY_NOW;
  return sendBetweenFrames(controlFrame(PONG, std::move(payload)));
}

// Whoever is being written to needs none.
kj::Promise<void> RequestGate::ping() {
  if (writes_ > 0) return kj::READY_NOW;
  return sendBetweenFrames(controlFrame(PING, ""));
}

std::string RequestGate::controlFrame(unsigned opcode, std::string payload) {
  std::string frame{static_cast<char>(0x80 | opcode), static_cast<char>(payload.size())};
  KJ_IF_MAYBE(masks, masks_) {
    kj::byte mask[MASK_BYTES];
    masks->generate(mask);
    std::string text(reinterpret_cast<const char*>(mask), MASK_BYTES);
    applyMask(payload, text);
    frame[1] = static_cast<char>(0x80 | payload.size());
    frame += text;
  }
  return frame + payload;
}

kj::Promise<void> RequestGate::sendBetweenFrames(std::string frame) {
  if (writes_ > 0) {
    return whenWritten().then([this, frame = std::move(frame)]() mutable { return sendBetweenFrames(std::move(frame)); });
  }
  if (cut_) return KJ_EXCEPTION(DISCONNECTED, "the answer was cut off");
  auto held = kj::heap(std::move(frame));
  auto write = bounded(socket_->write(held->data(), held->size()));
  auto sent = write.attach(kj::mv(held)).fork();
  auto branch = sent.addBranch();
  pinging_ = kj::mv(sent);
  return branch;
}

template <typename Func>
kj::Promise<void> RequestGate::writeFrames(Func write) {
  KJ_IF_MAYBE(ping, pinging_) {
    auto sent = ping->addBranch();
    return sent.then([this, write = kj::mv(write)]() mutable {
      pinging_ = nullptr;
      return writeFrames(kj::mv(write));
    });
  }
  auto writing = kj::heap<Writing>(*this);
  auto& w = *writing;
  // kj-http looks at some of its writes only much later.
  return bounded(write()).then([&w]() { w.end(); }, [&w](kj::Exception&& e) {
    w.end();
    kj::throwFatalException(kj::mv(e));
  }).attach(kj::mv(writing)).eagerlyEvaluate(nullptr);
}

void RequestGate::wrote() {
  if (--writes_ > 0) return;
  KJ_IF_MAYBE(fulfiller, written_) (*fulfiller)->fulfill();
  written_ = nullptr;
}

kj::Promise<void> RequestGate::whenWritten() {
  if (writes_ == 0) return kj::READY_NOW;
  auto paf = kj::newPromiseAndFulfiller<void>();
  written_ = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

// -- Writing ------------------------------------------------------------------------------------------------------------

kj::Promise<void> RequestGate::sendContinue() {
  // Nothing else is being written: the answer has not begun.
  return bounded(socket_->write(CONTINUE.data(), CONTINUE.size()));
}

kj::Promise<void> RequestGate::write(const void* buffer, size_t size) {
  if (cut_) return KJ_EXCEPTION(DISCONNECTED, "the answer was cut off");
  answered_ = true;
  if (messageRooms_ != nullptr) return writeFrames([this, buffer, size]() { return socket_->write(buffer, size); });
  return bounded(socket_->write(buffer, size));
}

kj::Promise<void> RequestGate::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  if (cut_) return KJ_EXCEPTION(DISCONNECTED, "the answer was cut off");
  answered_ = true;
  if (messageRooms_ != nullptr) return writeFrames([this, pieces]() { return socket_->write(pieces); });
  return bounded(socket_->write(pieces));
}

kj::Promise<void> RequestGate::bounded(kj::Promise<void> write) {
  return timer_.timeoutAfter(limits_.writeTimeout, kj::mv(write)).catch_([this](kj::Exception&& e) {
    cut_ = true;
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the client is gone, or takes nothing", e.getDescription()));
  });
}

}  // namespace glovebox::gateway
