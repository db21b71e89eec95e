#pragma once
// What the shell adds to the global object for the runtime's tests (worker/runtime/tests/harness.js):
//
//   rpcClone(value, maxBytes?)   the value after a journey to another process, or the exception it causes
//   hostileGraph(index)          what comes of a graph no honest peer writes; undefined beyond the last one
//   takeLogs()                   [level, text, level, text, ...] of the console since the last call
//   hashSeedProbe()              a number that differs between two engines if their hash seeds do
//   hooks                        what main.ts exports to the host

#include <v8.h>

namespace glovebox {

class Engine;

void installShellTools(Engine& engine, v8::Local<v8::Context> context);

}  // namespace glovebox
