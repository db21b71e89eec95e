#pragma once
// The fork source of workers: V8 started, the runtime's snapshot loaded, warmed up, shut in, and never used for user code.
// Speaks ipc/zygote-protocol.h with the supervisor on descriptor 3; each SPAWN makes one worker. Its parent is the warden,
// which is also the parent of every worker. Single-threaded from beginning to end; trusted.

#include <string>

namespace glovebox {

// Returns the exit code: 0 when the supervisor has closed the socket. In a forked worker it never returns.
int runZygote(const std::string& snapshotPath);

// A worker without a zygote and without a jail, serving descriptor 3: for tests, and for measuring what the jail costs.
// Never given untrusted code.
int runUnjailed(const std::string& snapshotPath);

}  // namespace glovebox
