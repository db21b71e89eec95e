#pragma once
// What Node.js's own JavaScript library, which the runtime carries (worker/runtime/node/), finds in C++ where Node has its own: the
// bytes of a Buffer, and what kind a value is. Unlike other natives these may be reached by user code with anything at all as `this` and
// arguments, because the library puts some of them on Buffer.prototype nearly as they are: each checks everything it is given.

#include <span>

#include "worker/engine/native.h"

namespace glovebox {

std::span<const NativeFunction> bufferNatives();       // buffer.c++
std::span<const NativeFunction> bufferTextNatives();   // buffer-text.c++
std::span<const NativeFunction> inspectionNatives();   // inspection.c++
std::span<const NativeFunction> hashingNatives();      // hashing.c++
std::span<const NativeFunction> cipheringNatives();    // ciphering.c++
std::span<const NativeFunction> deflatingNatives();    // deflating.c++
std::span<const NativeFunction> brotliNatives();       // brotli.c++

}  // namespace glovebox
