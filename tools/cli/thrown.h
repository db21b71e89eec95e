#pragma once
// What a worker threw, in words: an error as a JavaScript program would print it, with its causes; anything else as JSON.
// The graph was checked by decodeValue(); its text is still the worker's and goes through forStandardError().

#include <string>

#include "ipc/value-graph.h"

namespace glovebox::cli {

std::string describeThrown(const ValueGraph& graph);

}  // namespace glovebox::cli
