#pragma once
// URL parsing and form encoding (ada). Input is user code's; ada is the parser Node itself trusts with it.

#include "worker/engine/native.h"

namespace glovebox {
std::span<const NativeFunction> urlNatives();
}
