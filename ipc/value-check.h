#pragma once
// The rules of ipc/value.capnp that concern a graph as a whole: every reference in range and of the kind its place
// demands, every size in bounds. Both directions of the codec go through it.

#include <string_view>

#include "ipc/value-graph.h"

namespace glovebox {

// 2^20 bits: what V8 can hold.
constexpr size_t BIGINT_WORDS_MAX = 16'384;

// JavaScript's largest safe integer; also the bound of every ArrayBuffer's length.
constexpr uint64_t BUFFER_LENGTH_MAX = (uint64_t(1) << 53) - 1;

// Those of the web platform are shorter.
constexpr size_t INTERFACE_NAME_BYTES_MAX = 32;

// Throws kj::Exception naming the node and what is wrong with it.
void checkValueGraph(const ValueGraph& graph);

// Bytes of one element; 1 for DATA_VIEW.
size_t elementSize(ViewKind kind);

// Whether it may be the name of a platform object's interface.
bool isInterfaceName(std::string_view name);

bool isString(const ValueNode& node);

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text);

}  // namespace glovebox
