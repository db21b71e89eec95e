#pragma once
// The worker's end of its socket: ipc/worker.capnp served by a ScriptHost. This header knows neither KJ nor V8, so that
// both sides of the worker may include it.

#include <functional>

namespace glovebox {

class ScriptHost;

// Serves until the line drops; then the process is to end. `seal` is called once, when warming up is done and before that
// is answered; what runs after it has only the system calls of policy/syscalls.h.
void serveWorker(int socket, ScriptHost& host, const std::function<void()>& seal);

}  // namespace glovebox
