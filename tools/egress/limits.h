#pragma once
// The bounds of the egress process, each with its reason.

#include <kj/time.h>

#include <cstddef>
#include <cstdint>

#include "policy/limits.h"
#include "tools/gateway/limits.h"

namespace glovebox::egress {

// Requests under way at once; more are refused. Each may hold a chunk in both directions.
constexpr uint32_t REQUESTS_MAX = 512;

// Responses of 1xx before the one that counts.
constexpr uint32_t INTERIM_ANSWERS_MAX = 8;
constexpr size_t HEAD_READ_BYTES = 4096;

// Addresses of one name that are tried, in the order of the name server's answer.
constexpr size_t ADDRESSES_MAX = 4;
constexpr kj::Duration CONNECT_TIMEOUT = 10 * kj::SECONDS;   // each
constexpr kj::Duration TLS_TIMEOUT = 10 * kj::SECONDS;

// c-ares asks each name server three times, waiting longer each time, and then gives up.
constexpr int NAME_TIMEOUT_MS = 2'000;
constexpr int NAME_TRIES = 3;

// From a request's end to the response's head. Models take their time.
constexpr kj::Duration HEAD_TIMEOUT = 300 * kj::SECONDS;
// For the next bytes of a response's body that somebody waits for.
constexpr kj::Duration BODY_TIMEOUT = 300 * kj::SECONDS;

// A response whose body is known to be no longer comes with its head.
constexpr size_t INLINE_BODY_BYTES = 32 * 1024;

// Connections of connect(), and how many writes of each may wait for the one before.
constexpr uint32_t TUNNELS_MAX = 256;
constexpr uint32_t TUNNEL_WRITES_MAX = 16;

// WebSockets open at once, apart from requests.
constexpr uint32_t SOCKETS_MAX = 256;

// What all of them hold of large messages of workers: one at a time. Whoever finds no room waits.
constexpr uint64_t SOCKET_CHUNKS_BYTES_MAX = wire::PAYLOAD_BYTES_MAX;

constexpr uint64_t DESCRIPTORS_MAX = 2 * REQUESTS_MAX + TUNNELS_MAX + SOCKETS_MAX + 256;

// RLIMIT_DATA: the program with its roots of trust, and a TLS connection (measured: 60 kB) and two chunks with
// their messages for each request and each connection of connect(). A WebSocket's small messages are fewer; and large ones are copied as in the gateway.
// Together less than what `glovebox audit` asks of a jail: 1 GiB.
constexpr uint64_t DATA_BYTES_MAX = 96 * policy::MIB + uint64_t{REQUESTS_MAX + TUNNELS_MAX} * 640 * 1024 + uint64_t{SOCKETS_MAX} * 384 * 1024 +
                                    4 * SOCKET_CHUNKS_BYTES_MAX + 2 * gateway::LARGE_MESSAGES_BYTES_MAX;

}  // namespace glovebox::egress
