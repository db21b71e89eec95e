#pragma once
// What the tests of the gateway from outside share: a request, and workers that answer with what they were sent.

#include <optional>
#include <string>
#include <vector>

#include "tests/gateway-world.h"

namespace glovebox::test {

inline const std::string GET = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";

// A stream of these chunks.
inline NextChunk chunks(std::vector<std::string> list) {
  return [list = std::move(list), next = size_t(0)]() mutable -> kj::Promise<std::optional<std::string>> {
    if (next == list.size()) return std::optional<std::string>();
    return std::optional<std::string>(list[next++]);
  };
}

// Answers with what it was sent.
inline kj::Promise<void> echo(FetchContext context) {
  auto seen = seenRequest(context);
  if (seen.stream) {
    return seen.stream->all().then([context](std::string body) mutable { respond(context, {.stream = chunks({std::move(body)})}); });
  }
  respond(context, {.bytes = seen.bytes.value_or("no body")});
  return kj::READY_NOW;
}

}  // namespace glovebox::test
