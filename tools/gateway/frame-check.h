#pragma once
// What a frame of the other side's must look like before kj-http gets to see it. kj-http 0.9 takes frames with a mask and without, control frames
// of any size, reserved bits and fragments without end; here is only yes or no, to the letter of RFC 6455.
//
// Runs in the gateway on bytes of strangers, and in the egress process on those of servers. Sees the headers; what is in a text or a close is checked when all of it is there.

#include <cstdint>
#include <string_view>
#include <variant>

namespace glovebox::gateway {

// Why a connection is closed.
struct FrameRefusal {
  uint16_t code;
  std::string_view words;   // a constant
};

// A client's frames are masked, a server's are not.
enum class FramesOf { CLIENT, SERVER };

class FrameCheck {
 public:
  FrameCheck(uint64_t messageBytesMax, FramesOf whose): messageBytesMax_(messageBytesMax), whose_(whose) {}

  struct Incomplete {};
  struct Frame {
    size_t headerBytes;   // of a client's the mask is the last of it
    uint64_t payloadBytes;
    bool control;
    bool first;   // of a message
    bool last;
    bool ping, pong;
  };
  // The frame that `bytes` begin with. What is a frame counts: the next bytes are behind it.
  std::variant<Incomplete, Frame, FrameRefusal> next(std::string_view bytes);

  // A message has begun and not ended.
  bool isInMessage() const { return inMessage_; }
  // Of the close that came: kj-http tells none and 1005, which may not be sent, alike.
  bool closeHasCode() const { return closeHasCode_; }

 private:
  const uint64_t messageBytesMax_;
  const FramesOf whose_;
  bool inMessage_ = false, closeHasCode_ = false;
  uint64_t messageBytes_ = 0;   // of this message so far
};

// Whether a close frame may have this code: those that are sent, as far as they are assigned.
bool isCloseCode(unsigned code);

}  // namespace glovebox::gateway
