#pragma once
// A server's connection, for one request, as kj-http may see it. kj-http reads heads generously (bare line feeds, folded lines, two lengths at
// once, a length beside chunks) and lets the sizes of chunks overflow; here head and chunks are to the letter of RFC 9112 or the request
// fails. Interim responses are left out, and so is what follows the last chunk.
//
// Runs in the egress process on bytes of hostile servers.

#include <kj/async-io.h>

#include <optional>
#include <string>
#include <string_view>

#include "tools/gateway/body-framing.h"

namespace glovebox::egress {

// What is wrong with a head, which ends with its empty line; nothing if it is well. A sentence's end: "has two lengths".
std::optional<std::string> findWrongInHead(std::string_view head, bool& chunked);

class CheckedStream final: public kj::AsyncIoStream {
 public:
  explicit CheckedStream(kj::Own<kj::AsyncIoStream> inner): inner_(kj::mv(inner)) {}

  kj::Promise<size_t> tryRead(void* buffer, size_t min, size_t max) override;
  kj::Promise<void> write(const void* buffer, size_t size) override { return inner_->write(buffer, size); }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override { return inner_->write(pieces); }
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override {}   // that is a system call which this process does not have

 private:
  kj::Own<kj::AsyncIoStream> inner_;
  std::string ahead_;           // read, and not yet handed on
  bool headDone_ = false;
  size_t headLeft_ = 0;         // of `ahead_`
  std::optional<gateway::BodyFraming> chunks_;   // of a body that comes in them
  uint32_t interims_ = 0;

  kj::Promise<void> readHead(size_t searched);
  kj::Promise<size_t> readBody(void* buffer, size_t min, size_t max);
};

}  // namespace glovebox::egress
