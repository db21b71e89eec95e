#pragma once
// Where a request's body ends. kj-http knows too; this says no to what it would take generously, and lets the gateway hand it
// the bytes of one request at a time, so that what was checked as a head is what is parsed as one.
//
// Runs in the gateway on bytes of strangers.

#include <cstdint>
#include <optional>
#include <span>

#include "tools/gateway/request-check.h"

namespace glovebox::gateway {

class BodyFraming {
 public:
  BodyFraming() = default;   // no body
  BodyFraming(const RequestFacts& facts, uint64_t bodyBytesMax);

  bool ended() const { return state_ == State::END; }
  // Bytes that certainly belong to the body: at least 1 until it has ended.
  uint64_t certain() const;

  // How many of the bytes belong to the body; fewer than all only at its end. Or why it is not taken: then it is over.
  std::variant<size_t, Refusal> take(std::span<const char> bytes);

 private:
  enum class State : uint8_t { DATA, SIZE, SIZE_LF, CHUNK, CHUNK_CR, CHUNK_LF, LAST_CR, LAST_LF, END };

  State state_ = State::END;
  bool chunked_ = false;
  uint64_t left_ = 0;        // DATA, CHUNK
  uint64_t total_ = 0;       // of all chunks
  uint64_t bytesMax_ = 0;
  size_t digits_ = 0;

  std::optional<Refusal> step(char byte);
  std::optional<Refusal> sizeDigit(char byte);
};

}  // namespace glovebox::gateway
