#include "tools/gateway/body-framing.h"

#include <algorithm>

#include "tools/gateway/limits.h"

namespace glovebox::gateway {

namespace {

// Extensions of chunks and trailers are of use to nobody, and are where readers have differed.
constexpr Refusal MALFORMED{400, "The chunked body is malformed."};
constexpr Refusal TOO_LARGE{413, "The body is too large."};

}  // namespace

BodyFraming::BodyFraming(const RequestFacts& facts, uint64_t bodyBytesMax)
    : chunked_(facts.framing == Framing::CHUNKED), left_(facts.length), bytesMax_(bodyBytesMax) {
  switch (facts.framing) {
    case Framing::NONE: break;
    case Framing::LENGTH: state_ = State::DATA; break;
    case Framing::CHUNKED: state_ = State::SIZE; break;
  }
}

uint64_t BodyFraming::certain() const {
  if (ended()) return 0;
  return state_ == State::DATA || state_ == State::CHUNK ? left_ : 1;
}

std::variant<size_t, Refusal> BodyFraming::take(std::span<const char> bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !ended()) {
    if (state_ == State::DATA || state_ == State::CHUNK) {
      uint64_t now = std::min<uint64_t>(left_, bytes.size() - taken);
      taken += now;
      left_ -= now;
      if (left_ == 0) state_ = chunked_ ? State::CHUNK_CR : State::END;
    } else {
      if (auto refusal = step(bytes[taken])) {
        state_ = State::END;
        return *refusal;
      }
      taken++;
    }
  }
  return taken;
}

std::optional<Refusal> BodyFraming::step(char byte) {
  auto expect = [&](char wanted, State next) -> std::optional<Refusal> {
    if (byte != wanted) return MALFORMED;
    state_ = next;
    return std::nullopt;
  };
  switch (state_) {
    case State::SIZE:
      if (byte != '\r') return sizeDigit(byte);
      if (digits_ == 0) return MALFORMED;
      if (left_ > bytesMax_ - total_) return TOO_LARGE;
      total_ += left_;
      digits_ = 0;
      state_ = State::SIZE_LF;
      return std::nullopt;
    case State::SIZE_LF: return expect('\n', left_ == 0 ? State::LAST_CR : State::CHUNK);
    case State::CHUNK_CR: return expect('\r', State::CHUNK_LF);
    case State::CHUNK_LF: return expect('\n', State::SIZE);
    case State::LAST_CR: return expect('\r', State::LAST_LF);
    case State::LAST_LF: return expect('\n', State::END);
    case State::DATA:
    case State::CHUNK:
    case State::END: break;
  }
  return MALFORMED;
}

std::optional<Refusal> BodyFraming::sizeDigit(char byte) {
  unsigned digit;
  if (byte >= '0' && byte <= '9') digit = byte - '0';
  else if (byte >= 'a' && byte <= 'f') digit = byte - 'a' + 10;
  else if (byte >= 'A' && byte <= 'F') digit = byte - 'A' + 10;
  else return MALFORMED;
  if (++digits_ > CHUNK_SIZE_DIGITS_MAX) return MALFORMED;
  left_ = (digits_ == 1 ? 0 : left_) * 16 + digit;
  return std::nullopt;
}

}  // namespace glovebox::gateway
