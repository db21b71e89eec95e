#pragma once
// The native functions of crypto.subtle, one list for each file; worker/runtime/native.d.ts describes them.

#include "worker/engine/native.h"

namespace glovebox {
std::span<const NativeFunction> digestNatives();
std::span<const NativeFunction> cipherNatives();
std::span<const NativeFunction> keyNatives();         // asymmetric keys: made, read, written
std::span<const NativeFunction> keyUseNatives();      // ... and used
}
