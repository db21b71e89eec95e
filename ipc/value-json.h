#pragma once
// JSON text to and from a ValueGraph, by the rules of JSON.parse and JSON.stringify. Neither direction uses the stack in
// proportion to depth: the text may come from anybody, and a graph may come from a hostile worker.

#include <string>
#include <string_view>

#include "ipc/value-graph.h"

namespace glovebox {

struct JsonLimits {
  // JSON text, in or out. A value with shared references can be exponentially larger as JSON than as a graph.
  size_t bytesMax = 32u << 20;
};

// Throws kj::Exception naming the byte at which the text stops being JSON. A key that comes twice counts as its last, as
// in JavaScript; a number beyond a double is refused, where JavaScript would read Infinity.
ValueGraph parseJson(std::string_view text, const JsonLimits& limits = {});

// Throws kj::Exception for what JSON cannot say: a BigInt, a cycle, a root that is undefined; and for objects of the
// platform (a Response, ...), of which JavaScript would write nothing (`{}`).
std::string stringifyJson(const ValueGraph& graph, const JsonLimits& limits = {});

}  // namespace glovebox
