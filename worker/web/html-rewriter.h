#pragma once
// The WebAssembly behind HTMLRewriter: Cloudflare's lol-html out of the package html-rewriter-wasm. Its bytes lie in this library's own pages,
// which nobody reads before a worker makes its first HTMLRewriter; that worker compiles them then.

#include <cstdint>
#include <span>

#include "worker/engine/native.h"

namespace glovebox {

// Made by html-rewriter.mjs.
std::span<const uint8_t> htmlRewriterBytes();

std::span<const NativeFunction> htmlRewriterNatives();

}  // namespace glovebox
