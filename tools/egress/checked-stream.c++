#include "tools/egress/checked-stream.h"

#include <kj/debug.h>

#include <algorithm>
#include <cstring>

#include "tools/egress/limits.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/request-check.h"

namespace glovebox::egress {

namespace {

constexpr std::string_view END = "\r\n\r\n";
constexpr size_t LENGTH_DIGITS_MAX = 18;   // fits 64 bits

bool isDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view trimmed(std::string_view text) {
  auto isSpace = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && isSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && isSpace(text.back())) text.remove_suffix(1);
  return text;
}

// "HTTP/1.1 200 OK", of which the words may be missing.
bool isStatusLine(std::string_view line) {
  if (!line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.0 ")) return false;
  line.remove_prefix(9);
  if (line.size() < 3 || !isDigits(line.substr(0, 3))) return false;
  line.remove_prefix(3);
  return line.empty() || (line.front() == ' ' && gateway::isFieldValue(trimmed(line)));
}

// "keep-alive, Upgrade"
bool namesUpgrade(std::string_view list) {
  while (true) {
    auto comma = list.find(',');
    if (gateway::lowerCase(trimmed(list.substr(0, comma))) == "upgrade") return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

unsigned statusOf(std::string_view head) { return 100 * (head[9] - '0') + 10 * (head[10] - '0') + (head[11] - '0'); }

kj::Exception failure(const std::string& words) { return KJ_EXCEPTION(FAILED, kj::str(words.c_str())); }

}  // namespace

std::optional<std::string> findWrongInHead(std::string_view head, bool& chunked, const Handshake* handshake) {
  chunked = false;
  if (gateway::hasForbiddenByte(head, 0)) return "has a line that does not end as HTTP says";
  auto end = head.find("\r\n");
  if (!isStatusLine(head.substr(0, end))) return "does not begin as one of HTTP/1.1";
  auto status = statusOf(head);
  if (status < 100 || status > 599) return "has a status that there is not";
  bool upgrades = status == 101;
  if (upgrades && handshake == nullptr) return "changes to another protocol, which nobody asked for";
  bool isOld = head.starts_with("HTTP/1.0");
  size_t lengths = 0, codings = 0, fields = 0;
  size_t upgradeFields = 0, accepts = 0, protocols = 0;
  bool connectionUpgrades = false;
  for (size_t from = end + 2; from + 2 < head.size(); from = end + 2) {
    end = head.find("\r\n", from);
    auto line = head.substr(from, end - from);
    auto colon = line.find(':');
    if (colon == std::string_view::npos || !gateway::isToken(line.substr(0, colon)) || !gateway::isFieldValue(trimmed(line.substr(colon + 1)))) {
      return "has a header that HTTP does not allow";
    }
    if (++fields > gateway::ANSWER_HEADERS_MAX) return "has too many headers";
    auto name = gateway::lowerCase(line.substr(0, colon));
    auto value = trimmed(line.substr(colon + 1));
    if (name == "content-length") {
      lengths++;
      if (!isDigits(value) || value.size() > LENGTH_DIGITS_MAX) return "has a length that is no number";
    } else if (name == "transfer-encoding") {
      codings++;
      if (gateway::lowerCase(value) != "chunked") return "comes in a coding other than chunks";
    }
    if (!upgrades) continue;
    if (name == "upgrade") {
      upgradeFields++;
      if (gateway::lowerCase(value) != "websocket") return "changes to another protocol than a WebSocket's";
    } else if (name == "connection") {
      connectionUpgrades = connectionUpgrades || namesUpgrade(value);
    } else if (name == "sec-websocket-accept") {
      accepts++;
    } else if (name == "sec-websocket-extensions") {
      return "has an extension of WebSockets, of which none was offered";
    } else if (name == "sec-websocket-protocol") {
      protocols++;
      if (std::ranges::find(handshake->protocols, value) == handshake->protocols.end()) return "has a sub-protocol that was not offered";
    }
  }
  if (upgrades) {
    if (isOld || lengths > 0 || codings > 0) return "changes to a WebSocket and has a body";
    if (upgradeFields != 1 || !connectionUpgrades || accepts != 1 || protocols > 1) return "is not one to the handshake of a WebSocket";
    return std::nullopt;
  }
  if (lengths > 1) return "has several lengths";
  if (codings > 1 || (codings > 0 && isOld)) return "comes in a coding other than chunks";
  if (lengths > 0 && codings > 0) return "has a length and comes in chunks";
  chunked = codings > 0;
  return std::nullopt;
}

kj::Promise<size_t> CheckedStream::tryRead(void* buffer, size_t min, size_t max) {
  if (!headDone_) return readHead(0).then([this, buffer, min, max]() { return tryRead(buffer, min, max); });
  // A head is handed on as it is; only what follows it is body.
  if (headLeft_ > 0) {
    size_t now = std::min(max, headLeft_);
    memcpy(buffer, ahead_.data(), now);
    ahead_.erase(0, now);
    headLeft_ -= now;
    if (now >= min) return now;
    KJ_IF_MAYBE(frames, frames_) {
      return (*frames)->tryRead(static_cast<kj::byte*>(buffer) + now, min - now, max - now).then([now](size_t more) { return now + more; });
    }
    return readBody(static_cast<kj::byte*>(buffer) + now, min - now, max - now).then([now](size_t more) { return now + more; });
  }
  KJ_IF_MAYBE(frames, frames_) return (*frames)->tryRead(buffer, min, max);
  return readBody(buffer, min, max);
}

kj::Promise<size_t> CheckedStream::readBody(void* buffer, size_t min, size_t max) {
  if (chunks_ && chunks_->ended()) return size_t{0};
  kj::Promise<size_t> read = size_t{0};
  if (ahead_.empty()) {
    read = inner_->tryRead(buffer, 1, max);
  } else {
    size_t now = std::min(max, ahead_.size());
    memcpy(buffer, ahead_.data(), now);
    ahead_.erase(0, now);
    read = now;
  }
  return read.then([this, buffer, min, max](size_t got) -> kj::Promise<size_t> {
    if (got > 0 && chunks_) {
      auto taken = chunks_->take(std::span(static_cast<const char*>(buffer), got));
      if (std::holds_alternative<gateway::Refusal>(taken)) return failure("its answer has chunks that HTTP does not allow");
      got = std::get<size_t>(taken);
    }
    if (got == 0 || got >= min) return got;
    return readBody(static_cast<kj::byte*>(buffer) + got, min - got, max - got).then([got](size_t more) { return got + more; });
  });
}

kj::Promise<void> CheckedStream::readHead(size_t searched) {
  auto end = ahead_.find(END, searched);
  // What cannot become one is not waited for.
  if (gateway::hasForbiddenByte(std::string_view(ahead_).substr(0, end), 0)) return failure("its answer has a line that does not end as HTTP says");
  if (end != std::string::npos) {
    auto head = std::string_view(ahead_).substr(0, end + END.size());
    bool chunked = false;
    if (auto wrong = findWrongInHead(head, chunked, handshake_ ? &*handshake_ : nullptr)) return failure("its answer " + *wrong);
    if (statusOf(head) >= 200) {
      headDone_ = true;
      headLeft_ = head.size();
      gateway::RequestFacts facts;
      facts.framing = gateway::Framing::CHUNKED;
      if (chunked) chunks_.emplace(facts, UINT64_MAX);
      return kj::READY_NOW;
    }
    if (statusOf(head) == 101) {
      headDone_ = true;
      headLeft_ = head.size();
      auto& [protocols, timer, masks, shared] = *handshake_;
      frames_ = kj::heap<gateway::RequestGate>(kj::mv(inner_), timer, shared.limits, masks, ahead_.substr(headLeft_), shared.largeMessages);
      ahead_.resize(headLeft_);
      return kj::READY_NOW;
    }
    if (++interims_ > INTERIM_ANSWERS_MAX) return failure("its answer has no end of interim ones before it");
    ahead_.erase(0, end + END.size());
    return readHead(0);
  }
  if (ahead_.size() > gateway::ANSWER_HEAD_BYTES_MAX) return failure("its answer has too large a head");
  auto from = ahead_.size() < END.size() ? 0 : ahead_.size() - (END.size() - 1);
  auto piece = kj::heapArray<char>(HEAD_READ_BYTES);
  auto read = inner_->tryRead(piece.begin(), 1, piece.size());
  return read.then([this, from, piece = kj::mv(piece)](size_t got) -> kj::Promise<void> {
    if (got == 0) return failure(ahead_.empty() ? "it closed the connection without an answer" : "its answer ended early");
    ahead_.append(piece.begin(), got);
    return readHead(from);
  });
}

}  // namespace glovebox::egress
