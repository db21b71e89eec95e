#pragma once
// What one worker may have open through its membrane, each with its reason. Reaching one of these is no crime: what would
// exceed it is answered with a JavaScript error that names the limit. The numbers that only a broken worker reaches stand
// in ipc/guard-limits.h and are higher.

#include <cstddef>
#include <cstdint>

#include "ipc/guard-limits.h"
#include "ipc/wire-limits.h"

namespace glovebox::membrane {

// Calls from outside under way in one worker. More help nobody: it has one thread. Bounds what its questions cost here.
constexpr uint32_t INWARD_CALLS_MAX = guard::IN_FLIGHT_CALLS_MAX;

// Calls of one worker to others under way. An honest worker keeps to guard::WORKER_CALLS_MAX by itself and never hears of
// this; about 5 kB each.
constexpr uint32_t OUTWARD_CALLS_MAX = 1'000;

// Answers that a worker was sent and has not finished with; further ones are replaced by an error, which is small. An
// honest worker has fewer calls open. Together with INLINE_BYTES this bounds what one that never reads its line makes us
// keep for it.
constexpr uint32_t UNREAD_ANSWERS_MAX = guard::WORKER_CALLS_MAX;

// Their arguments together. As much as WORKER_CALLS_MAX messages of the largest kind.
constexpr uint64_t OUTWARD_BYTES_MAX = uint64_t{guard::WORKER_CALLS_MAX} * wire::WORKER_MESSAGE_BYTES_MAX;

// Capabilities that one worker holds, and capabilities of one worker that others hold, each. About 1 kB each here, and a
// row in a table of the process at the other end. Also what ends a capability that is passed back and forth for ever.
constexpr uint32_t LIVE_CAPABILITIES_MAX = 4'096;

// Answers to one worker that are too large for a message and wait here to be pulled. Two of the largest.
constexpr uint64_t WAITING_ANSWER_BYTES_MAX = 2 * wire::PAYLOAD_BYTES_MAX;

// Live workers that one worker has loaded, and those that these have loaded. A worker with a loader is somebody's program
// with parts, not a hosting service; and a hostile one must leave room for others below SupervisorOptions.workersMax.
constexpr uint32_t CHILDREN_MAX = 16;

// Modules that are being pulled from one worker: one load of the largest kind. They are in memory at once.
constexpr uint64_t BULK_BYTES_MAX = wire::CODE_BYTES_MAX + (1u << 20);

// What the supervisor keeps of one worker's while others hold it: the props of entrypoints of named workers, which it gives to
// each worker that is made.
constexpr uint64_t KEPT_BYTES_MAX = 4u << 20;

// Names of one worker that live or are held. Each may cost a factory of the worker's and a question to it.
constexpr uint32_t NAMES_MAX = 1'024;

// Events that one worker's tails are being told and have not answered. Each has up to ACCOUNT_LOG_BYTES of text.
constexpr size_t TAIL_BYTES_MAX = 1 << 20;

// What list() tells a worker: of its names the latest used. As many answers as there may be questions stay below 32 MiB together.
constexpr size_t LIST_BYTES_MAX = 16 * 1024;

// Words of others that are quoted in an error.
constexpr size_t QUOTED_BYTES_MAX = 512;

// Names by which an account tells apart what a worker used; the rest of a kind stands together. A row of 100 bytes each.
constexpr size_t ACCOUNT_NAMES_MAX = 64;

// Calls on one tail under way, of one worker. A tail that falls behind is spared what comes meanwhile, and told that.
constexpr uint32_t TAIL_CALLS_MAX = 16;

// Tails that report to each other.
constexpr uint8_t TAIL_DEPTH_MAX = 4;

// In the status document.
constexpr size_t STATUS_WORKERS_MAX = 256;
constexpr size_t STATUS_CAPABILITIES_MAX = 32;
constexpr size_t STATUS_RECENT_RUNS = 64;

// Calls on a worker of which is remembered which trace they are part of: as many as may be under way at once by default.
constexpr size_t TRACES_MAX = 1'000;

}  // namespace glovebox::membrane
