#pragma once
// Places in the text of a stack: "MODULE:LINE:COLUMN" on lines that begin with "at", as V8 and the runtime write them, of modules whose names are
// known. The text is a worker's, and may be anything: nothing is understood of it but names that are ours, and numbers.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tools/cli/modules.h"

namespace glovebox::project {

struct StackPlace {
  size_t begin, end;   // in the text
  const std::shared_ptr<const cli::ModuleOrigin>* origin;
  uint32_t line, column;
};

// In order, at most one of a line, PLACES_MAX in the first STACK_BYTES_MAX of the text.
std::vector<StackPlace> findPlaces(std::string_view text, const cli::ModuleOrigins& origins);

constexpr size_t STACK_BYTES_MAX = 64 << 10;
constexpr size_t PLACES_MAX = 200;

}  // namespace glovebox::project
