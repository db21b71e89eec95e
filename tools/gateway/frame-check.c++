#include "tools/gateway/frame-check.h"

namespace glovebox::gateway {

namespace {

constexpr FrameRefusal MALFORMED{1002, "A frame is malformed."};
constexpr FrameRefusal NOT_MASKED{1002, "A client's frames must be masked."};
constexpr FrameRefusal MASKED{1002, "A server's frames must not be masked."};
constexpr FrameRefusal BAD_CONTROL{1002, "A control frame is larger than 125 bytes or fragmented."};
constexpr FrameRefusal OUT_OF_ORDER{1002, "A fragment is out of order."};
constexpr FrameRefusal TOO_LARGE{1009, "The message is too large."};

constexpr unsigned CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
constexpr size_t MASK_BYTES = 4, CONTROL_BYTES_MAX = 125;

// What each fragment costs besides its bytes: an array of kj-http's.
constexpr uint64_t FRAGMENT_BYTES = 64;

}  // namespace

std::variant<FrameCheck::Incomplete, FrameCheck::Frame, FrameRefusal> FrameCheck::next(std::string_view bytes) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 2) return Incomplete{};
  bool last = (at(0) & 0x80) != 0;
  unsigned opcode = at(0) & 0x0f, length = at(1) & 0x7f;
  bool known = opcode == CONTINUATION || opcode == TEXT || opcode == BINARY || opcode == CLOSE || opcode == PING || opcode == PONG;
  if ((at(0) & 0x70) != 0 || !known) return MALFORMED;
  bool masked = (at(1) & 0x80) != 0;
  if (masked != (whose_ == FramesOf::CLIENT)) return masked ? MASKED : NOT_MASKED;
  bool control = opcode >= CLOSE;
  if (control) {
    if (!last || length > CONTROL_BYTES_MAX) return BAD_CONTROL;
    if (opcode == CLOSE && length == 1) return MALFORMED;   // half a code
  } else if ((opcode == CONTINUATION) != inMessage_) {
    return OUT_OF_ORDER;
  }

  size_t sizeBytes = length < 126 ? 0 : length == 126 ? 2 : 8;
  size_t headerBytes = 2 + sizeBytes + (masked ? MASK_BYTES : 0);
  if (bytes.size() < headerBytes) return Incomplete{};
  uint64_t payload = length;
  if (sizeBytes > 0) {
    payload = 0;
    for (size_t i = 0; i < sizeBytes; i++) payload = payload << 8 | at(2 + i);
    // The shortest form is the only one.
    if (payload < (sizeBytes == 2 ? 126u : 0x10000u) || payload >> 63 != 0) return MALFORMED;
  }
  if (opcode == CLOSE) closeHasCode_ = length > 0;
  if (control) return Frame{headerBytes, payload, true, false, false, opcode == PING, opcode == PONG};
  bool first = !inMessage_;
  if (first) messageBytes_ = 0;
  uint64_t cost = last && first ? 0 : FRAGMENT_BYTES;
  if (payload > messageBytesMax_ || messageBytes_ + cost > messageBytesMax_ - payload) return TOO_LARGE;
  messageBytes_ += payload + cost;
  inMessage_ = !last;
  return Frame{headerBytes, payload, false, first, last, false, false};
}

bool isCloseCode(unsigned code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) || (code >= 3000 && code <= 4999);
}

}  // namespace glovebox::gateway
