#pragma once
// What a worker may have open at once on its line. A worker that reaches one of these is broken or hostile: an honest one
// stays far below (ipc/guard-test.c++ holds that), and the supervisor has at most IN_FLIGHT_CALLS_MAX calls under way.

#include <cstddef>
#include <cstdint>

#include "ipc/wire-limits.h"

namespace glovebox::guard {

// What the supervisor promises: the limits below leave room for it.
constexpr uint32_t IN_FLIGHT_CALLS_MAX = 1'000;

// What the worker's runtime promises: it keeps at most so many calls to others open and lets the rest wait. A call is open
// until its answer has been read, pulled bytes included.
constexpr uint32_t WORKER_CALLS_MAX = 256;

// Questions of the worker that are not yet both finished by it and answered by us, the answer having left. It needs one
// (Console.write); each costs the supervisor about 5 kB and the whole of its message.
constexpr uint32_t QUESTIONS_MAX = 64;

// The messages of those questions together: the supervisor keeps a call's message until it has answered.
constexpr uint64_t QUESTION_BYTES_MAX = 2u << 20;

// Answers that the worker has not finished with, together. Console.write answers nothing.
constexpr uint64_t ANSWER_BYTES_MAX = 1u << 20;

// The worker is served nothing by name: what it may use is handed to it in `start`.
constexpr uint32_t BOOTSTRAPS_MAX = 0;

// Capabilities in one message. Our own methods carry at most one; the rest is for those of a later schema.
constexpr uint32_t CAPABILITIES_PER_MESSAGE_MAX = 16;

// Different capabilities of the worker that the supervisor holds at once: one LargeValue for each call in flight, the
// entrypoints, and as much again for releases that are still on their way. About 0.5 kB each.
constexpr uint32_t EXPORTS_MAX = 4 * IN_FLIGHT_CALLS_MAX + 96;

// Resolves for promises that the supervisor released in the meantime. They cross on the wire, so some must be allowed;
// each makes the supervisor write a Release.
constexpr uint32_t LATE_RESOLVES_MAX = 1'024;

// Embargoes that the worker asked for and that we have not answered. Needed once for each of our promises that resolves
// to one of the worker's own objects.
constexpr uint32_t DISEMBARGOES_MAX = 8;

// A message may be walked through four times (the guard, Cap'n Proto, the membrane's copy, and one to spare). Pointers
// that overlap make a message seem larger than it is; this bounds by how much.
constexpr uint64_t TRAVERSAL_WORDS_MAX = 4 * wire::WORKER_MESSAGE_BYTES_MAX / 8;

// Pointers on top of each other. The deepest honest message (Message, Return, Payload, Return, Value, Node, Error,
// properties) has ten.
constexpr int NESTING_MAX = 24;

}  // namespace glovebox::guard
