#pragma once
// Text and bytes: UTF-8, base64 (simdutf), and the legacy encodings (ICU). The bytes are user code's.

#include "worker/engine/native.h"

namespace glovebox {
std::span<const NativeFunction> encodingNatives();
}
