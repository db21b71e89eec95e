#pragma once
// Native functions: the only way from the runtime's JavaScript (worker/runtime/) into C++. The snapshot builder puts
// them on one object, which the runtime receives as the parameter `native` and which user code never sees.
// worker/runtime/native.d.ts describes every one of them; a reviewer reads that file like a policy.

#include <v8.h>

#include <span>
#include <vector>

namespace glovebox {

struct NativeFunction {
  const char* name;
  v8::FunctionCallback callback;
};

// One line per source file that contributes natives; defined beside the functions. allNatives() joins them.
std::span<const NativeFunction> hostNatives();    // worker/host-natives.c++: timers, console, randomness
std::span<const NativeFunction> rpcNatives();     // worker/rpc-natives.c++: calls and capabilities
std::span<const NativeFunction> webNatives();     // worker/web/: URL, encodings, digests, structured clone, ...
std::span<const NativeFunction> nodeNatives();    // worker/node/: what Node.js's library needs of C++

// Every native function there is, in an order that is the same in each process of one build.
std::vector<NativeFunction> allNatives();

// Throws a JavaScript exception of the given kind; the native returns right after it.
void throwTypeError(v8::Isolate* isolate, const char* message);
void throwRangeError(v8::Isolate* isolate, const char* message);
void throwError(v8::Isolate* isolate, const char* message);

}  // namespace glovebox
