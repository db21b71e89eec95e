#pragma once
// The bounds of the wire between processes, each with its reason. Both ends include this; the supervisor
// enforces it (ipc/guard.h), because a worker's promise to keep to it is worth nothing.

#include <cstddef>
#include <cstdint>

namespace glovebox::wire {

// A worker's arguments or result up to this size travel inside their message; larger ones stay in the worker and are
// pulled in chunks. The same for what a client answers to a worker. Measured with hostile peers: at 1 MB inline, results
// that nobody reads stall the supervisor's loop for 150-200 ms; at 64 kB it stays under 25 ms.
constexpr size_t INLINE_BYTES = 64 * 1024;

// One ByteSource.read. Same reason.
constexpr size_t CHUNK_BYTES = 64 * 1024;

// The whole of one message from a worker: an inline result or a chunk, and its envelope.
constexpr size_t WORKER_MESSAGE_BYTES_MAX = 96 * 1024;

// Worker Loader's limit on one call or return, serialised.
constexpr size_t PAYLOAD_BYTES_MAX = 32u << 20;

// Capabilities and streams in one call or return. Each costs every process on its way an entry in a table.
constexpr size_t EXTERNALS_MAX = 256;

// External.label
constexpr size_t LABEL_BYTES_MAX = 64;

// One message from a client: 64 MiB of modules (Worker Loader's limit) or 32 MiB of arguments, and the envelope.
constexpr size_t CLIENT_MESSAGE_BYTES_MAX = 72u << 20;

// One Console.write.
constexpr size_t LOG_BATCH_BYTES = 32 * 1024;

// What an Account holds of logs and exceptions; a page of them. More is for a console or a tail.
constexpr size_t ACCOUNT_LOG_BYTES = 64 * 1024;

// The name of a worker in Loader.get: enough for a path, a hash and a tenant's id.
constexpr size_t NAME_BYTES_MAX = 1024;

// WorkerCode.tails
constexpr size_t TAILS_MAX = 8;

// Worker Loader: sum of module bodies, and of the serialised env.
constexpr size_t CODE_BYTES_MAX = 64u << 20;
constexpr size_t ENV_BYTES_MAX = 1u << 20;

// Worker Loader: property path of one call.
constexpr size_t PATH_DEPTH_MAX = 64;

}  // namespace glovebox::wire
