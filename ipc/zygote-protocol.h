#pragma once
// The records that pass between the supervisor and the two processes of a zygote, over SOCK_SEQPACKET pairs:
//
//   supervisor - warden   the warden is pid 1 of the pid namespace. It reaps every worker, reports how each ended,
//                         and lives for as long as the supervisor keeps its end open: end-of-file means that the
//                         supervisor is gone, the warden exits, and the kernel kills the whole namespace.
//   supervisor - zygote   spawn requests with one socket each; answers with a pidfd each.
//
// All three are trusted: no byte here comes from a worker. Records are plain structs because both ends are built
// from the same tree in the same build; a version check stands in the first record all the same.

#include <cstdint>
#include <type_traits>

namespace glovebox::zygote {

constexpr uint32_t PROTOCOL_VERSION = 2;

// Well-known descriptors. The jailer receives these two and the standard three, nothing else.
constexpr int ZYGOTE_CONTROL_FD = 3;   // jailer and zygote: to the supervisor
constexpr int WARDEN_CONTROL_FD = 4;   // jailer and warden: to the supervisor
// In a worker, descriptor 3 is its one socket and nothing else is open.
constexpr int WORKER_SOCKET_FD = 3;

enum class RecordType : uint32_t {
  // jailer -> supervisor, on the warden socket
  WARDEN_STARTED = 1,     // WardenStarted
  JAILER_FAILED = 2,      // StepFailed
  // warden -> supervisor
  CHILD_ENDED = 3,        // ChildEnded
  // supervisor -> zygote
  CONFIGURE = 10,         // Configure, followed by `filterLength` sock_filter instructions in the same packet
  SPAWN = 11,             // Spawn, with one descriptor: the worker's end of its socket
  // zygote -> supervisor
  ZYGOTE_READY = 20,      // ZygoteReady
  ZYGOTE_FAILED = 21,     // StepFailed
  SPAWNED = 22,           // Spawned, with one descriptor: the worker's pidfd (absent if `error` is set)
  SPAWN_FAILED = 23,      // StepFailed with the spawn's id: the child could not finish its lock-down
};

struct WardenStarted {
  RecordType type = RecordType::WARDEN_STARTED;
  uint32_t version = PROTOCOL_VERSION;
  int32_t wardenPid = 0;        // in the supervisor's pid namespace; the warden is the supervisor's own child
  uint32_t uidMapped = 0;       // 1: the user namespace holds a range of ids for workers (copied into Configure)
  uint32_t firstWorkerUid = 0;  // inside the namespace
  uint32_t workerUidCount = 0;
  uint32_t outerUidOffset = 0;  // a worker's uid as the supervisor sees it, less its uid inside
  uint32_t layersInForce = 0;   // bit set over policy::Layer: the namespaces
};

struct ChildEnded {
  RecordType type = RecordType::CHILD_ENDED;
  int32_t innerPid = 0;    // in the warden's pid namespace; 2 is the zygote
  int32_t code = 0;        // siginfo si_code: CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int32_t status = 0;      // exit status or signal number
  uint64_t cpuUs = 0;      // of its whole life, user and system, as the kernel accounts for it (struct rusage)
  uint64_t peakBytes = 0;  // the most that it has had resident
};

struct StepFailed {
  RecordType type = RecordType::ZYGOTE_FAILED;
  uint32_t step = 0;       // policy::Step
  int32_t error = 0;       // errno
  uint32_t detail = 0;     // which of several (an rlimit's number, a namespace's bit), where a step has parts
  uint64_t spawnId = 0;
};

struct Configure {
  RecordType type = RecordType::CONFIGURE;
  uint32_t version = PROTOCOL_VERSION;
  uint32_t profile = 0;          // policy::Profile
  uint32_t uidMapped = 0;        // 1: workers get uids of their own, `firstWorkerUid` and up, inside the user namespace
  uint32_t firstWorkerUid = 0;
  uint32_t missingAllowed = 0;   // bit set over policy::Layer: layers that may be missing because the user said so
  uint32_t heapMbMax = 0;        // the most a worker of this zygote may ask for
  uint32_t filterLength = 0;     // instructions that follow
};

struct ZygoteReady {
  RecordType type = RecordType::ZYGOTE_READY;
  uint32_t layersInForce = 0;    // bit set over policy::Layer
  uint64_t hashSeedProbe = 0;    // a digest that differs between zygotes iff their V8 hash seeds differ (regression test)
  uint32_t loadPages = 0;        // that each worker has made before it loads (worker/load-pages.h); 0: none were learned
};

struct Spawn {
  RecordType type = RecordType::SPAWN;
  uint32_t workerUid = 0;        // inside the user namespace; ignored unless uidMapped
  uint64_t spawnId = 0;
  uint64_t dataBytesMax = 0;     // RLIMIT_DATA of the child
};

struct Spawned {
  RecordType type = RecordType::SPAWNED;
  int32_t error = 0;             // errno of the fork; 0 if there is a child
  uint64_t spawnId = 0;
  int32_t innerPid = 0;
  uint32_t reserved = 0;
};

static_assert(std::is_trivially_copyable_v<WardenStarted> && std::is_trivially_copyable_v<ChildEnded> &&
              std::is_trivially_copyable_v<Configure> && std::is_trivially_copyable_v<Spawn> &&
              std::is_trivially_copyable_v<Spawned> && std::is_trivially_copyable_v<StepFailed>);

// How a worker says that it ended itself. Only a hint (a hostile worker may use any of them); the supervisor words an
// ending from what it knows itself first.
enum WorkerExit : int {
  EXIT_DISCONNECTED = 0,    // end-of-file on its socket
  EXIT_OUT_OF_MEMORY = 90,  // V8 could not allocate
  EXIT_FATAL_ERROR = 91,    // V8 found itself broken
  EXIT_PROTOCOL = 92,       // the supervisor sent something the worker does not understand
  EXIT_LOCKDOWN = 93,       // lock-down failed; a SPAWN_FAILED record says where
  EXIT_ABORTED = 94,        // its code ended it (abortIsolate)
};

// The signal by which the supervisor asks a worker to stop the JavaScript that is running (a soft limit). What comes
// next, if the worker does not answer, is SIGKILL.
constexpr int TERMINATE_SIGNAL = 24;  // SIGXCPU

}  // namespace glovebox::zygote
