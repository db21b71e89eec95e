#include "tools/cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;   // 0: malformed
};

CodePoint decode(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (length == 0 || text.size() < length) return {};
  uint32_t value = first & (0xff >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < LEAST[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return {};
  return {value, length};
}

bool isHarmless(uint32_t c) {
  if (c == '\n' || c == '\t') return true;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  // Bidirectional embeddings, overrides, isolates and marks; line and paragraph separators.
  if (c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069)) return false;
  return true;
}

}  // namespace

std::string escapeControls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto c = decode(text);
    char escape[16];
    if (c.length == 0) {
      snprintf(escape, sizeof(escape), "\\x%02x", static_cast<uint8_t>(text[0]));
      out += escape;
      c.length = 1;
    } else if (!isHarmless(c.value)) {
      snprintf(escape, sizeof(escape), c.value < 0x80 ? "\\x%02x" : "\\u{%x}", c.value);
      out += escape;
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

std::string forStandardError(std::string_view text) {
  return isatty(STDERR_FILENO) ? escapeControls(text) : std::string(text);
}

void writeOutput(std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Failure(EXIT_CODE_IO, std::string("cannot write to standard output: ") + strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace glovebox::cli
