#pragma once
// Reads back, from outside, whether a process is shut in as policy/confine.h says. The supervisor asks before a worker may
// receive code: what a process says about itself is worth nothing, and a layer that silently did not take would be
// worse than one known to be missing.
//
// Reads /proc/PID of a process that is frozen in its seal but may already be hostile. Works as root and as an ordinary
// user, who owns the user namespace the process was executed in. About 0.1 ms.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "policy/layers.h"

namespace glovebox::policy {

// What is wrong with process `pid`, a sentence each; empty if the seal holds. `inForce` are the layers that the zygote
// reported beyond the required ones (a user id of its own, for now); `mayMiss` those that the user allowed to be absent.
//
// `pid` can be reused as soon as the process is dead and reaped, so an answer counts only if its pidfd shows it alive
// afterwards.
std::vector<std::string> findSealFlaws(pid_t pid, LayerSet inForce, LayerSet mayMiss = LayerSet());

// The pid behind a pidfd in this process' pid namespace; nothing if it is dead and reaped.
std::optional<pid_t> tryGetPid(int pidfd);

}  // namespace glovebox::policy
