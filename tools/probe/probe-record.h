#pragma once
// What a probe child writes to its one socket: exactly one of these per spawn, or nothing if the attempt ended it.

#include <cstdint>
#include <type_traits>

namespace glovebox::probe {

constexpr uint32_t PROBE_RECORD_MAGIC = 0x42584c47;  // "GLXB"

enum class ProbeRecordType : uint32_t {
  ATTEMPTED = 1,  // outcome and error hold the result
  WAITING = 2,    // the sibling is sealed and waits for end-of-file
  LOCKDOWN = 3,   // the lock-down failed after the control socket was gone: step and error
};

struct ProbeRecord {
  uint32_t magic = PROBE_RECORD_MAGIC;
  ProbeRecordType type = ProbeRecordType::ATTEMPTED;
  uint64_t spawnId = 0;
  uint32_t outcome = 0;  // probe::Outcome
  int32_t error = 0;     // errno
  uint32_t step = 0;     // policy::Step
  uint32_t reserved = 0;
};
static_assert(sizeof(ProbeRecord) == 32 && std::is_trivially_copyable_v<ProbeRecord>);

// How an attempt that replaced the program or made a process says that it got there: by the exit status.
constexpr int EXIT_GOAL_MET = 77;

}  // namespace glovebox::probe
