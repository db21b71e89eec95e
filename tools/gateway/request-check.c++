#include "tools/gateway/request-check.h"

#include <kj/compat/http.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "tools/gateway/limits.h"

namespace glovebox::gateway {

namespace {

constexpr std::string_view CRLF = "\r\n";

bool isTokenByte(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool isVisible(char c) { return c > ' ' && c < 0x7f; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool isHost(std::string_view text) {
  if (text.empty() || text.size() > HOST_BYTES_MAX) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".-_:[]").find(c) != std::string_view::npos;
  });
}

// Digits and nothing else: no sign, no list, nothing that overflows.
std::optional<uint64_t> parseLength(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  uint64_t length;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

std::optional<Refusal> checkRequestLine(std::string_view line, RequestFacts& facts) {
  facts.head.append(line).append(CRLF);
  if (line.size() > REQUEST_LINE_BYTES_MAX) return Refusal{414, "The request line is too long."};
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refusal{400, "The request line is malformed."};
  auto method = line.substr(0, first), target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (!isToken(method) || target.empty() || !std::ranges::all_of(target, isVisible)) {
    return Refusal{400, "The request line is malformed."};
  }
  if (version == "HTTP/1.0") facts.http10 = true;
  else if (version != "HTTP/1.1") return Refusal{505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."};
  auto known = kj::tryParseHttpMethod(kj::heapString(method.data(), method.size()));
  if (known == nullptr || method == "CONNECT" || method == "TRACE") return Refusal{501, "This method is not served."};
  // A form with a host in it would be one more place to say which.
  if (target[0] != '/') return Refusal{400, "The request target must be a path."};
  return std::nullopt;
}

struct Seen {
  bool host = false, length = false, encoding = false;
  bool connectionUpgrade = false, webSocket = false, key = false;
  std::string version;   // Sec-WebSocket-Version
};

// 16 bytes in base64: their last 4 bits of padding are nothing.
bool isSocketKey(std::string_view value) {
  return value.size() == 24 && value.ends_with("==") && std::ranges::all_of(value.substr(0, 22), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
  });
}

bool hasListItem(std::string_view list, std::string_view lowerCaseItem) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    if (lowerCase(trimmed(list.substr(0, comma))) == lowerCaseItem) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

std::optional<Refusal> checkField(std::string_view line, RequestFacts& facts, Seen& seen) {
  size_t colon = line.find(':');
  // A line that begins with a space folds into the one before, for those who believe in it; not being a token it is refused.
  if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) return Refusal{400, "A header is malformed."};
  auto name = lowerCase(line.substr(0, colon));
  auto value = trimmed(line.substr(colon + 1));
  if (!isFieldValue(value)) return Refusal{400, "A header has a control character in it."};
  facts.head.append(line.substr(0, colon)).append(": ").append(value).append(CRLF);

  if (name == "host") {
    if (seen.host) return Refusal{400, "There is more than one Host."};
    if (!isHost(value)) return Refusal{400, "The Host is malformed."};
    seen.host = true;
    facts.host = lowerCase(value);
  } else if (name == "content-length") {
    if (seen.length) return Refusal{400, "There is more than one Content-Length."};
    auto length = parseLength(value);
    if (!length) return Refusal{400, "The Content-Length is not a number."};
    seen.length = true;
    facts.framing = Framing::LENGTH;
    facts.length = *length;
  } else if (name == "transfer-encoding") {
    if (seen.encoding || lowerCase(value) != "chunked") return Refusal{501, "The only Transfer-Encoding known here is chunked, once."};
    seen.encoding = true;
    facts.framing = Framing::CHUNKED;
  } else if (name == "connection") {
    if (hasListItem(value, "close")) facts.close = true;
    if (hasListItem(value, "upgrade")) seen.connectionUpgrade = true;
  } else if (name == "upgrade") {
    // Other protocols are not spoken here, and asking for one is asking in vain.
    if (hasListItem(value, "websocket")) seen.webSocket = true;
  } else if (name == "sec-websocket-key") {
    if (seen.key || !isSocketKey(value)) return Refusal{400, "The Sec-WebSocket-Key is malformed."};
    seen.key = true;
  } else if (name == "sec-websocket-version") {
    if (!seen.version.empty()) return Refusal{400, "There is more than one Sec-WebSocket-Version."};
    seen.version = value;
  } else if (name == "expect") {
    if (lowerCase(value) != "100-continue") return Refusal{417, "The only expectation known here is 100-continue."};
    facts.expectsContinue = true;
  }
  return std::nullopt;
}

}  // namespace

std::variant<RequestFacts, Refusal> checkHead(std::string_view head, uint64_t bodyBytesMax) {
  RequestFacts facts;
  Seen seen;
  size_t end = head.find(CRLF);
  if (end == std::string_view::npos) return Refusal{400, "The request line is malformed."};
  if (auto refusal = checkRequestLine(head.substr(0, end), facts)) return *refusal;
  head.remove_prefix(end + CRLF.size());
  size_t count = 0;
  while (!head.empty()) {
    end = head.find(CRLF);
    if (end == std::string_view::npos) return Refusal{400, "A header is malformed."};
    if (end == 0) break;
    if (++count > HEADERS_MAX) return Refusal{431, "There are too many headers."};
    if (auto refusal = checkField(head.substr(0, end), facts, seen)) return *refusal;
    head.remove_prefix(end + CRLF.size());
  }
  if (head != CRLF) return Refusal{400, "A header is malformed."};
  facts.head.append(CRLF);

  if (seen.length && seen.encoding) return Refusal{400, "Content-Length and Transfer-Encoding exclude each other."};
  if (facts.http10 && seen.encoding) return Refusal{400, "HTTP/1.0 has no Transfer-Encoding."};
  if (!facts.http10 && !seen.host) return Refusal{400, "There is no Host."};
  if (facts.length > bodyBytesMax) return Refusal{413, "The body is too large."};
  if (facts.http10) facts.close = true;
  if (facts.framing == Framing::LENGTH && facts.length == 0) facts.framing = Framing::NONE;
  if (facts.http10 || facts.framing == Framing::NONE) facts.expectsContinue = false;
  if (seen.webSocket && seen.connectionUpgrade && !facts.http10) {
    if (facts.head.substr(0, 4) != "GET " || facts.framing != Framing::NONE) return Refusal{400, "A WebSocket's handshake is a GET without a body."};
    if (seen.version != "13") return Refusal{426, "The only version of WebSockets spoken here is 13."};
    if (!seen.key) return Refusal{400, "There is no Sec-WebSocket-Key."};
    facts.upgrade = true;
  }
  return facts;
}

bool hasForbiddenByte(std::string_view head, size_t from) {
  for (size_t i = from; i < head.size(); i++) {
    if (head[i] == '\0') return true;
    if (head[i] == '\n' && (i == 0 || head[i - 1] != '\r')) return true;
    if (i > 0 && head[i - 1] == '\r' && head[i] != '\n') return true;
  }
  return false;
}

bool isToken(std::string_view text) { return !text.empty() && std::ranges::all_of(text, isTokenByte); }

bool isFieldValue(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
  });
}

bool isHopByHop(std::string_view name) {
  for (std::string_view known : {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
                                 "trailer", "transfer-encoding", "upgrade"}) {
    if (name == known) return true;
  }
  return false;
}

std::string lowerCase(std::string_view ascii) {
  std::string lower(ascii);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace glovebox::gateway
