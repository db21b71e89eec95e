#pragma once
// Which request a call is part of: W3C Trace Context, as the wire (`Trace` in ipc/call.capnp) and HTTP's `traceparent` have it.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ipc/call.capnp.h"

namespace glovebox {

struct Trace {
  uint64_t high = 0, low = 0;   // the trace's id; 0: there is none
  uint64_t span = 0;
  uint64_t parent = 0;          // 0: unknown
  uint8_t flags = 0;            // 1: whoever began it records it

  bool exists() const { return (high | low) != 0; }
};

Trace readTrace(rpc::Trace::Reader from);
void writeTrace(const Trace& trace, rpc::Trace::Builder to);

// The header's value, to the letter; of a later version what the first one has. What is not valid is none.
std::optional<Trace> tryParseTraceparent(std::string_view text);
std::string traceparent(const Trace& trace);

// In hexadecimal, as others show them.
std::string traceIdText(const Trace& trace);
std::string spanText(uint64_t span);

// Random numbers from the kernel, some at a time. Not 0.
class TraceIds {
 public:
  uint64_t next();

 private:
  std::array<uint64_t, 32> numbers_;
  size_t left_ = 0;
};

}  // namespace glovebox
