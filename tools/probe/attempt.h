#pragma once
// One attempt to get out of the jail, as native code that has taken over a worker would make it. The tables in
// attempts-*.c++ list them; glovebox-probe carries out one at a time.
//
// An attempt runs after the seal: it may not allocate, lock, or rely on anything but raw system calls, because the
// first wrong call is the last. What it writes it must clean up, because outside the jail it runs as a control.

#include <sys/types.h>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

namespace glovebox::probe {

enum class Group : uint8_t { FILES, EXECUTION, NETWORK, PROCESSES, KERNEL, IPC, RESOURCES, CLOCKS };
std::string_view groupName(Group group);

enum class Outcome : uint32_t {
  MET = 1,      // the goal was reached
  REFUSED = 2,  // an answer instead of the goal: an errno, or 0 if what came back was empty
  REACHED = 3,  // the kernel ran the call although no filter allows it, to no effect
};

struct Result {
  Outcome outcome;
  int32_t error;
};
inline Result met() { return {Outcome::MET, 0}; }
inline Result refused(int error = errno) { return {Outcome::REFUSED, error}; }
inline Result metIf(bool goal) { return goal ? met() : refused(); }

// Who else is there. In the jail: the warden stands for everything trusted that has a pid there, and the sibling is
// another sealed worker of the same zygote. Outside: two forks of the probe.
struct Surroundings {
  pid_t trusted = 0;
  pid_t sibling = 0;
};

// An honest remark on an attempt that does not end as refused, and is not a hole.
enum class Known : uint8_t {
  NOTHING,           // must be refused
  KERNEL_EXCEPTION,  // the kernel runs this number before it asks any filter
  PROFILE_DEFAULT,   // the default profile grants it, WebAssembly needs it; refused in the others
  CLOCK,             // a high-resolution clock is there unless the policy takes it away
};

struct Attempt {
  std::string_view name;
  Group group;
  std::string_view goal;  // "opens /etc/passwd for reading"
  Result (*run)(const Surroundings&);
  std::string_view control;  // why it is not run outside the jail; empty: harmless there
  Known known = Known::NOTHING;
  std::string_view remark;  // for what is known: why

  bool harmless() const { return control.empty(); }
};

// All of them; an attempt's id in the protocol is its index plus FIRST_ATTEMPT_ID.
std::span<const Attempt> allAttempts();
const Attempt* tryFindAttempt(std::string_view name);

constexpr uint64_t SIBLING_ID = 0;  // a spawn that attempts nothing: the victim next door
constexpr uint64_t FIRST_ATTEMPT_ID = 1;

// What each file of attempts contributes.
std::span<const Attempt> fileAttempts();
std::span<const Attempt> executionAttempts();
std::span<const Attempt> networkAttempts();
std::span<const Attempt> processAttempts();
std::span<const Attempt> kernelAttempts();
std::span<const Attempt> privilegeAttempts();
std::span<const Attempt> gateAttempts();
std::span<const Attempt> ipcAttempts();
std::span<const Attempt> resourceAttempts();

}  // namespace glovebox::probe
