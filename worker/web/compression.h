#pragma once
// gzip, zlib, raw deflate and brotli, both ways, a step at a time (the engine's libraries). The bytes are user code's; a step reads and writes
// a bounded number of them, so that a small input which stands for a huge output costs no memory and can be stopped in between.

#include "worker/engine/native.h"

namespace glovebox {
std::span<const NativeFunction> compressionNatives();
}
