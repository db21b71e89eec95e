#pragma once
// The bounds the kernel holds for a worker, each with its reason. The supervisor's own bounds (pool, queues, times)
// stand with the supervisor; those of the wire in ipc/wire-limits.h.

#include <cstdint>

namespace glovebox::policy {

constexpr uint64_t MIB = 1024 * 1024;

// The only descriptor of a worker.
constexpr int WORKER_SOCKET = 3;

// -- Resource limits of a worker ---------------------------------------------------------------------------------------

// Descriptors 0 to 3 may exist, and only 3 does. No lower: RLIMIT_NOFILE bounds the number of the descriptor.
constexpr uint64_t WORKER_NOFILE_MAX = 4;

// No file can grow, no core is written, no page is locked, no lock, queue, timer or real-time priority is had. A worker
// has no use for any of it.
constexpr uint64_t WORKER_FSIZE_BYTES_MAX = 0;
constexpr uint64_t WORKER_CORE_BYTES_MAX = 0;
constexpr uint64_t WORKER_MEMLOCK_BYTES_MAX = 0;
constexpr uint64_t WORKER_LOCKS_MAX = 0;
constexpr uint64_t WORKER_MSGQUEUE_BYTES_MAX = 0;
constexpr uint64_t WORKER_SIGPENDING_MAX = 0;  // queued real-time signals; plain ones, like the supervisor's, need no slot
constexpr uint64_t WORKER_NICE_MAX = 0;
constexpr uint64_t WORKER_RTPRIO_MAX = 0;

// It is one process with one thread and stays so. (Counts per user id; where workers share the supervisor's id, 0 still
// stops them from making more, and hinders nobody else.)
constexpr uint64_t WORKER_NPROC_MAX = 0;

// V8 keeps JavaScript within 1 MiB; its parser and the C++ below it need some more. Beyond: SIGSEGV.
constexpr uint64_t WORKER_STACK_BYTES_MAX = 4 * MIB;

// V8 reserves address space it never touches (pointer tables, code range, guard regions: 1.1 GiB seen). More than this
// is only good for exhausting page tables, which no other limit counts.
constexpr uint64_t WORKER_ADDRESS_SPACE_BYTES_MAX = 4096 * MIB;

// RLIMIT_DATA is the hard limit on memory: private writable pages, counted when mapped. On top of what the
// worker may use there is what the engine has before any code runs.
constexpr uint64_t ENGINE_CODE_RANGE_BYTES = 64 * MIB;  // set by the worker; writable, so it counts whole
constexpr uint64_t ENGINE_IMAGE_BYTES = 24 * MIB;       // .data and .bss of the executable (10), libraries, warm heap
// Garbage collection copies: for a moment it holds live objects twice in the young generation and in evacuated pages.
// The heap limit inside V8 comes first; this one must not strike a worker that keeps to it.
constexpr uint64_t ENGINE_COLLECTION_BYTES = 32 * MIB;

constexpr uint64_t workerDataBytesMax(uint32_t memoryMb) {
  return ENGINE_CODE_RANGE_BYTES + ENGINE_IMAGE_BYTES + ENGINE_COLLECTION_BYTES + memoryMb * MIB;
}

// -- The gateway ---------------------------------------------------------------------------------------------------------

// The descriptors that it is born with: the line to its parent, and the listening sockets from GATEWAY_LISTENER on.
constexpr int GATEWAY_LINE = 3;
constexpr int GATEWAY_LISTENER = 4;
constexpr int GATEWAY_LISTENERS_MAX = 4;

// The one descriptor that the egress process is born with.
constexpr int EGRESS_LINE = GATEWAY_LINE;

// Besides connections: the three standard ones, line and listeners, and what KJ's event loop waits with.
constexpr uint64_t GATEWAY_DESCRIPTORS_BESIDES = 16;

// -- Ids inside the user namespace -----------------------------------------------------------------------------------------

// Nobody is 0: the namespace has no root user at all.
constexpr uint32_t WARDEN_UID = 1;
constexpr uint32_t ZYGOTE_UID = 2;
constexpr uint32_t FIRST_WORKER_UID = 16;
constexpr uint32_t MAPPED_IDS = 65'536;

// The ids outside. 1879048192 to 2147352575 are claimed by nobody (systemd's list of id ranges, subuid defaults end at
// 600,100,000); each zygote takes one slot of it, so that workers of two zygotes are different users too.
constexpr uint32_t OUTER_ID_FIRST = 0x7000'0000;
constexpr uint32_t OUTER_ID_SLOTS = 4'000;

// Inside a container a range that high may not exist. Then a part of the container's own ids is taken, if this many can be
// had; with fewer, workers share one id.
constexpr uint32_t MAPPED_IDS_MIN = 4'096;

// -- All workers of one supervisor, where cgroups can be had -----------------------------------------------------------

// Processes: the workers the supervisor allows, their zygotes and wardens, and a few that are being replaced.
constexpr uint32_t cgroupPidsMax(uint32_t workersMax) { return workersMax + 64; }

}  // namespace glovebox::policy
