#pragma once
// A bundle as a bundler makes it out of a library and a little code of one's own: classes, functions, tables, templates, of
// which one call uses few.

#include <cstddef>
#include <string>

namespace glovebox::bench {

// At least `bytes` long, and different for each `seed`. Its default export has `myAgent` (callAgent() in agent.h).
std::string makeBundle(size_t bytes, unsigned seed);

}  // namespace glovebox::bench
