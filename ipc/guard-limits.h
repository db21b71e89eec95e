#pragma once
// What a worker may have open at once on its line; at the end, what a gateway may. A worker that reaches one of these is broken or hostile: an honest one
// stays far below (ipc/connection-test.c++ holds that), and what its JavaScript can ask for too much of is answered with an
// error long before (supervisor/membrane-limits.h).
//
// Together they bound what one worker makes the supervisor remember: about 10 MB for questions, 26 MB for their messages,
// 26 MB for answers it does not finish with, 8 MB for its capabilities.

#include <cstddef>
#include <cstdint>

#include "ipc/wire-limits.h"

namespace glovebox::guard {

// What the supervisor promises: the limits below leave room for it.
constexpr uint32_t IN_FLIGHT_CALLS_MAX = 1'000;

// What the worker's runtime promises: it keeps at most so many calls to others open and lets the rest wait. A call is open
// until its answer has been read, pulled bytes included.
constexpr uint32_t WORKER_CALLS_MAX = 256;

// Questions of the worker that are not yet both finished by it and answered by us, the answer having left. Each of its
// calls may pull its answer by four reads at once; then there is the console, and questions whose Finish is on its way while
// the next ones are already asked. Each costs the supervisor about 5 kB and the whole of its message.
constexpr uint32_t QUESTIONS_MAX = 2'048;

// The messages of those questions together: the supervisor may have to keep a call's message until it has answered. As
// many calls as there may be, of the largest kind, and something for everything else.
constexpr uint64_t QUESTION_BYTES_MAX = uint64_t{WORKER_CALLS_MAX} * wire::WORKER_MESSAGE_BYTES_MAX + (2u << 20);

// Reads of large values that the supervisor answers before the worker has finished with any of them; more have to wait.
// Enough to keep one worker busy, and a worker that does not look at its line for a second stops here instead of being
// killed.
constexpr uint32_t READS_ANSWERED_MAX = 32;

// Answers that the worker has not finished with, together. What the supervisor answers to a call is as large as a message
// from a worker at most: INLINE_BYTES of value, and EXTERNALS_MAX capabilities.
constexpr uint64_t ANSWER_BYTES_MAX =
    uint64_t{WORKER_CALLS_MAX + READS_ANSWERED_MAX} * wire::WORKER_MESSAGE_BYTES_MAX + (1u << 20);

// The worker is served nothing by name: what it may use is handed to it.
constexpr uint32_t BOOTSTRAPS_MAX = 0;

// Capabilities in one message: those of one value, a source of bytes, a console, and some for a later schema.
constexpr uint32_t CAPABILITIES_PER_MESSAGE_MAX = wire::EXTERNALS_MAX + 16;

// Different capabilities of the worker that the supervisor holds at once. The membrane refuses more than 4,096 of them
// politely, but only after they have been read: this leaves room for what comes in between. About 0.5 kB each.
constexpr uint32_t EXPORTS_MAX = 16'384;

// Resolves for promises that the supervisor released in the meantime. They cross on the wire, so some must be allowed;
// each makes the supervisor write a Release.
constexpr uint32_t LATE_RESOLVES_MAX = 1'024;

// Embargoes that the worker asks for. It would need one for a promise of ours that resolves to an object of its own, and
// there is none: the membrane never hands a worker its own capabilities back as they are.
constexpr uint32_t DISEMBARGOES_MAX = 0;

// How a call on an answer that has not come yet names what it calls: one step, to one of the first two pointers of the
// answer (`Return.pipeline` is the second; `entrypoint` and `worker` of the others are the first). The RpcSystem remembers
// each name that was ever used for as long as the question is open.
constexpr uint32_t PIPELINE_STEPS_MAX = 1;
constexpr uint32_t PIPELINE_POINTER_MAX = 1;

// A message may be walked through four times (the guard and Cap'n Proto its envelope; the membrane all of it, to measure
// and to copy; and one to spare). Pointers that overlap make a message seem larger than it is; this bounds by how much.
constexpr uint64_t TRAVERSAL_WORDS_MAX = 4 * wire::WORKER_MESSAGE_BYTES_MAX / 8;

// Pointers on top of each other, elements of lists of structs included. The deepest honest message (Message, Call, Payload,
// LoadParams, WorkerCode, Payload, Value, nodes, Node, Error, properties, Property) has twelve.
constexpr int NESTING_MAX = 24;

// Of whichever line a guard stands on.
struct Limits {
  const char* peer;
  uint32_t questionsMax;
  uint32_t callsMax;      // of the questions, on Targets: each may be answered with INLINE_BYTES at once
  uint32_t readsMax;      // and on ByteSources
  uint64_t questionBytesMax;
  uint64_t answerBytesMax;
  uint32_t bootstrapsMax;
  uint32_t exportsMax;
  uint32_t disembargoesMax;
};
constexpr Limits WORKER_LIMITS{"the worker", QUESTIONS_MAX, QUESTIONS_MAX, QUESTIONS_MAX, QUESTION_BYTES_MAX, ANSWER_BYTES_MAX, BOOTSTRAPS_MAX, EXPORTS_MAX, DISEMBARGOES_MAX};

// A gateway carries the requests and WebSockets of many: by default so many at once (GatewayLimits), each request a call and a read of the
// answer's body, each socket a message and a close, and as many again as there are requests. What is pulled in chunks the gateway itself
// bounds (LARGE_CHUNKS_BYTES_MAX). Its calls are messages of a worker's size at most, and of its answers each may be a chunk. It asks once for
// its host. An embargo it needs only where an answer turns out to be a body of its own.
//
// Together they bound what it makes its parent remember: 300 MB for calls, and 600 MB for answers that it does not take.
constexpr uint32_t GATEWAY_REQUESTS_MAX = 1'000;
constexpr uint32_t GATEWAY_SOCKETS_MAX = 1'000;
constexpr uint32_t GATEWAY_CALLS_MAX = 3 * GATEWAY_REQUESTS_MAX + 2 * GATEWAY_SOCKETS_MAX;
constexpr uint32_t GATEWAY_READS_MAX = 2 * (2 * wire::PAYLOAD_BYTES_MAX / wire::CHUNK_BYTES);
constexpr Limits GATEWAY_LIMITS{"the gateway", GATEWAY_CALLS_MAX + GATEWAY_READS_MAX + 2 * GATEWAY_REQUESTS_MAX, GATEWAY_CALLS_MAX, GATEWAY_READS_MAX,
                                uint64_t{GATEWAY_REQUESTS_MAX + GATEWAY_SOCKETS_MAX} * wire::WORKER_MESSAGE_BYTES_MAX,
                                uint64_t{GATEWAY_REQUESTS_MAX} * wire::WORKER_MESSAGE_BYTES_MAX + 2 * wire::PAYLOAD_BYTES_MAX, 1, EXPORTS_MAX,
                                GATEWAY_REQUESTS_MAX};

}  // namespace glovebox::guard
