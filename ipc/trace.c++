#include "ipc/trace.h"

#include <kj/debug.h>
#include <sys/random.h>

#include <charconv>
#include <cstdio>

namespace glovebox {
namespace {

constexpr size_t SIZE = 55;   // 00-(32)-(16)-(2)

// Lower case only, all of it.
template <typename Number>
bool parseHex(std::string_view text, Number& number) {
  for (char c: text) {
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
  }
  return std::from_chars(text.data(), text.data() + text.size(), number, 16).ec == std::errc();
}

}  // namespace

Trace readTrace(rpc::Trace::Reader from) { return {from.getHigh(), from.getLow(), from.getSpan(), from.getParent(), from.getFlags()}; }

void writeTrace(const Trace& trace, rpc::Trace::Builder to) {
  to.setHigh(trace.high);
  to.setLow(trace.low);
  to.setSpan(trace.span);
  to.setParent(trace.parent);
  to.setFlags(trace.flags);
}

std::optional<Trace> tryParseTraceparent(std::string_view text) {
  if (text.size() < SIZE || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  uint8_t version;
  Trace trace;
  if (!parseHex(text.substr(0, 2), version) || version == 0xff) return std::nullopt;
  if (version == 0 ? text.size() != SIZE : text.size() > SIZE && text[SIZE] != '-') return std::nullopt;
  if (!parseHex(text.substr(3, 16), trace.high) || !parseHex(text.substr(19, 16), trace.low) || !parseHex(text.substr(36, 16), trace.span) ||
      !parseHex(text.substr(53, 2), trace.flags)) {
    return std::nullopt;
  }
  if (!trace.exists() || trace.span == 0) return std::nullopt;
  trace.flags &= 1;   // what the first version knows
  return trace;
}

std::string traceparent(const Trace& trace) {
  char flags[4];
  snprintf(flags, sizeof(flags), "-%02x", trace.flags);
  return "00-" + traceIdText(trace) + "-" + spanText(trace.span) + flags;
}

std::string traceIdText(const Trace& trace) { return spanText(trace.high) + spanText(trace.low); }

std::string spanText(uint64_t span) {
  char text[17];
  snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(span));
  return text;
}

uint64_t TraceIds::next() {
  for (;;) {
    if (left_ == 0) {
      auto size = static_cast<ssize_t>(sizeof(numbers_));   // at most 256 bytes come whole
      ssize_t got;
      KJ_SYSCALL(got = getrandom(numbers_.data(), sizeof(numbers_), 0));
      KJ_ASSERT(got == size);
      left_ = numbers_.size();
    }
    if (auto number = numbers_[--left_]) return number;
  }
}

}  // namespace glovebox
