#pragma once
// A JavaScript shell for the tests of the runtime: runs one file as a script in a fresh context from the snapshot, with
// `print(...)` and `fail(message)` added. Nothing is jailed here; never given untrusted code.

#include <string>

namespace glovebox {

class Engine;

// The exit code: 0, or 1 with the exception on standard error. Runs microtasks and due timers until none are left.
int runScript(Engine& engine, const std::string& path);

}  // namespace glovebox
