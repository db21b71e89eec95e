#pragma once
// What the runtime wants to know about values and cannot ask in JavaScript without running user code (a Proxy's traps, getters,
// patched prototypes): for console, structuredClone and crypto.

#include "worker/engine/native.h"

namespace glovebox {
std::span<const NativeFunction> valueNatives();
}
