#pragma once
// The bounds of the gateway, each with its reason. What a flag may change stands in GatewayLimits; the rest is fixed.

#include <cstddef>
#include <cstdint>

#include <kj/time.h>

#include "ipc/guard-limits.h"
#include "ipc/wire-limits.h"
#include "policy/limits.h"

namespace glovebox::gateway {

// -- Requests ----------------------------------------------------------------------------------------------------------

// What browsers and proxies keep to as well. Whole, together with the request line: a request with all of it must still travel
// inside one message (INLINE_BYTES).
constexpr size_t REQUEST_LINE_BYTES_MAX = 8 * 1024;
constexpr size_t HEAD_BYTES_MAX = 32 * 1024;
constexpr size_t HEADERS_MAX = 100;
constexpr size_t HOST_BYTES_MAX = 255;

// A chunk's size line: 16 digits would be 2^64.
constexpr size_t CHUNK_SIZE_DIGITS_MAX = 15;

// Given to a worker for one read(). It must fit, with its envelope, what a client may answer inline.
constexpr size_t BODY_CHUNK_BYTES = 60 * 1024;

// A connection that is closed before the client has sent all is read from a little longer: what arrives at a closed socket makes
// the kernel take back what was sent, and the client might not see its answer.
constexpr size_t LINGER_BYTES_MAX = 256 * 1024;
constexpr kj::Duration LINGER_TIME = 1 * kj::SECONDS;

// A body may come slowly, but not as slowly as it likes: beyond bodyTimeout a second is granted for each so many bytes.
constexpr uint64_t BODY_BYTES_PER_SECOND_MIN = 1024;

// A body that came with its head travels in the call itself, which saves a call back for each small POST.
constexpr size_t INLINE_BODY_BYTES = 16 * 1024;

// -- Answers, which come from workers ----------------------------------------------------------------------------------

constexpr size_t ANSWER_HEADERS_MAX = 256;
constexpr size_t ANSWER_HEAD_BYTES_MAX = 64 * 1024;
constexpr size_t STATUS_TEXT_BYTES_MAX = 256;

// Status, headers and a body that is there already; whatever is larger comes as a stream.
constexpr size_t ANSWER_BYTES_MAX = 256 * 1024;

// Chunks above INLINE_BYTES are pulled whole. All connections together hold this much of them; who finds no room waits.
constexpr size_t LARGE_CHUNKS_BYTES_MAX = 2 * wire::PAYLOAD_BYTES_MAX;

// -- WebSockets ---------------------------------------------------------------------------------------------------------

// A message and its envelope must be a value (PAYLOAD_BYTES_MAX).
constexpr size_t MESSAGE_BYTES_MAX = wire::PAYLOAD_BYTES_MAX - 1024;

// Larger ones are held by a budget: kj-http reserves a frame's size when it has seen its header. All connections together have
// this much room for them; who finds none waits.
constexpr size_t SMALL_MESSAGE_BYTES = wire::INLINE_BYTES;
constexpr size_t LARGE_MESSAGES_BYTES_MAX = wire::PAYLOAD_BYTES_MAX;

// So that nobody holds that room by sending slowly: beyond bodyTimeout a second is granted for each so many bytes of a message.
constexpr uint64_t MESSAGE_BYTES_PER_SECOND_MIN = 256 * 1024;

constexpr uint16_t NO_CLOSE_CODE = 1005;
constexpr size_t CLOSE_REASON_BYTES_MAX = 123;   // RFC 6455: a control frame has 125 bytes, the code two

// From the first close to the second.
constexpr kj::Duration CLOSE_TIME = 10 * kj::SECONDS;

// Until a worker that had too many calls under way is asked again.
constexpr kj::Duration OVERLOADED_PAUSE = 5 * kj::MILLISECONDS;

// -- What whoever starts it may choose ----------------------------------------------------------------------------------

struct GatewayLimits {
  uint32_t connectionsMax = 10'000;
  // Under way at once. More are answered with 503: each may hold a chunk in both directions.
  uint32_t requestsMax = 1'000;
  uint32_t socketsMax = 1'000;    // WebSockets open at once, apart from requests, which are short
  uint64_t bodyBytesMax = 100ull << 20;   // of a request
  uint64_t messageBytesMax = MESSAGE_BYTES_MAX;   // of a client's message on a WebSocket
  kj::Duration headerTimeout = 15 * kj::SECONDS;   // from a request's first byte to the end of its headers
  kj::Duration idleTimeout = 60 * kj::SECONDS;     // until the first byte of the next request; on a WebSocket until it is asked for a sign of life
  kj::Duration bodyTimeout = 30 * kj::SECONDS;     // for the next byte of a body that somebody waits for
  kj::Duration writeTimeout = 60 * kj::SECONDS;    // for a client to take what was written
  kj::Duration drainTimeout = 30 * kj::SECONDS;    // for what is under way when it is told to end
};

// The parent's guard counts on what is here by default.
static_assert(GatewayLimits().requestsMax == guard::GATEWAY_REQUESTS_MAX && GatewayLimits().socketsMax == guard::GATEWAY_SOCKETS_MAX);

constexpr uint64_t descriptorsMax(const GatewayLimits& limits) {
  return limits.connectionsMax + policy::GATEWAY_DESCRIPTORS_BESIDES;
}

// RLIMIT_DATA: the program itself, an idle connection's buffers and promises (measured: 16 kB), a request's chunks both ways
// with their messages, the large chunks twice, because reading one copies it, as large messages are; what an idle WebSocket has besides.
constexpr uint64_t dataBytesMax(const GatewayLimits& limits) {
  constexpr uint64_t PROGRAM = 64 * policy::MIB, CONNECTION = 24 * 1024, REQUEST = 384 * 1024, SOCKET = 24 * 1024;
  return PROGRAM + CONNECTION * limits.connectionsMax + REQUEST * limits.requestsMax + SOCKET * limits.socketsMax +
         4 * LARGE_CHUNKS_BYTES_MAX + 2 * LARGE_MESSAGES_BYTES_MAX;
}

}  // namespace glovebox::gateway
