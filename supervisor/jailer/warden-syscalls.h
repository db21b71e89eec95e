#pragma once
// What the warden may ask the kernel for once it is sealed: wait, reap, report, end.

#include <asm/unistd.h>

#include "policy/rule.h"

namespace glovebox {

// Where it keeps its two descriptors.
constexpr int WARDEN_SOCKET = 4;
constexpr int WARDEN_SIGNALS = 5;

inline constexpr auto WARDEN_SYSCALLS = [] {
  using namespace policy;
  using namespace policy::words;
#define CALL GLOVEBOX_CALL
#define IS GLOVEBOX_IS
  return std::to_array<Rule>({
    {CALL(exit_group), {}, ALLOW, ALL_PROFILES, "ends when the supervisor is gone, and the kernel ends the namespace"},
#ifdef __NR_poll
    {CALL(poll), {IS(1, 2)}, ALLOW, ALL_PROFILES, "waits for an ended child or the end of the supervisor"},
#else
    {CALL(ppoll), {IS(1, 2), IS(3, 0)}, ALLOW, ALL_PROFILES, "waits for an ended child or the end of the supervisor"},
#endif
    {CALL(read), {IS(0, WARDEN_SOCKET, WARDEN_SIGNALS)}, ALLOW, ALL_PROFILES, "hears end-of-file, takes SIGCHLD"},
    {CALL(restart_syscall), {}, ALLOW, ALL_PROFILES, "resumes a poll interrupted by a stop, a freeze or a suspend"},
    {CALL(waitid), {}, ALLOW, ALL_PROFILES, "reaps workers and the zygote"},
    {CALL(write), {IS(0, WARDEN_SOCKET)}, ALLOW, ALL_PROFILES, "reports how each child ended"},
  });
#undef CALL
#undef IS
}();

static_assert(policy::isSound(WARDEN_SYSCALLS));

}  // namespace glovebox
