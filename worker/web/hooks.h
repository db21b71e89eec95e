#pragma once
// What the runtime (worker/runtime) hands back to C++: one object of functions, captured before user code exists, kept in the context
// and in the snapshot. User code never sees it. `interface Hooks` in worker/runtime/native.d.ts lists its members.

#include "worker/engine/native.h"

#include <span>
#include <v8.h>

namespace glovebox {

std::span<const NativeFunction> hookNatives();

// Never empty once the runtime has been evaluated.
v8::Local<v8::Object> runtimeHooks(v8::Local<v8::Context> context);

// Calls a hook. Empty: it threw, or execution is being terminated.
v8::MaybeLocal<v8::Value> callHook(v8::Local<v8::Context> context, const char* name, std::span<v8::Local<v8::Value>> args);

}  // namespace glovebox
