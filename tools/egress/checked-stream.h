#pragma once
// A server's connection, for one request, as kj-http may see it. kj-http reads heads generously (bare line feeds, folded lines, two lengths at
// once, a length beside chunks) and lets the sizes of chunks overflow; here head and chunks are to the letter of RFC 9112 or the request
// fails. Interim responses are left out, and so is what follows the last chunk. Where a WebSocket was asked for, what follows the answer that grants
// it is frames, which are checked as those of the gateway's clients are (tools/gateway/frame-check.h).
//
// Runs in the egress process on bytes of hostile servers.

#include <kj/async-io.h>
#include <kj/debug.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/gateway/body-framing.h"
#include "tools/gateway/open-socket.h"

namespace glovebox::egress {

// A WebSocket that was asked for.
struct Handshake {
  std::vector<std::string> protocols;   // that were offered
  kj::Timer& timer;
  kj::EntropySource& masks;
  gateway::SharedBySockets& shared;
};

// What is wrong with a head, which ends with its empty line; nothing if it is well. A sentence's end: "has two lengths". Of a handshake's answer
// it is for kj-http to see whether it accepts the very key that was sent.
std::optional<std::string> findWrongInHead(std::string_view head, bool& chunked, const Handshake* handshake = nullptr);

class CheckedStream final: public kj::AsyncIoStream {
 public:
  explicit CheckedStream(kj::Own<kj::AsyncIoStream> inner): inner_(kj::mv(inner)) {}

  // The request that is sent asks for a WebSocket.
  void expect(Handshake handshake) { handshake_.emplace(std::move(handshake)); }
  // What the frames of a WebSocket that was granted come through.
  gateway::RequestGate& frames() { return *KJ_ASSERT_NONNULL(frames_); }

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override;
  kj::Promise<void> write(const void* buffer, size_t size) override { return to().write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override { return to().write(pieces); }
  kj::Promise<void> whenWriteDisconnected() override { return to().whenWriteDisconnected(); }
  void shutdownWrite() override { to().shutdownWrite(); }
  void abortRead() override {}   // that is a system call which this process does not have

 private:
  kj::Own<kj::AsyncIoStream> inner_;
  std::string ahead_;           // read, and not yet handed on
  bool headDone_ = false;
  size_t headLeft_ = 0;         // of `ahead_`
  std::optional<gateway::BodyFraming> chunks_;   // of a body that comes in them
  uint32_t interims_ = 0;
  std::optional<Handshake> handshake_;
  kj::Maybe<kj::Own<gateway::RequestGate>> frames_;   // owns what was `inner_`

  kj::AsyncIoStream& to() {
    KJ_IF_MAYBE(frames, frames_) return **frames;
    return *inner_;
  }

  kj::Promise<void> readHead(size_t searched);
  kj::Promise<size_t> readBody(void* buffer, size_t min, size_t max);
};

}  // namespace glovebox::egress
