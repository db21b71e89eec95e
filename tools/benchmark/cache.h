#pragma once
// tools/bench cache: what the code cache (supervisor/code-cache.h) saves the second load of the same modules.

#include <string>
#include <vector>

namespace glovebox::bench {

struct CacheOptions {
  unsigned samples = 40;   // bundles of each size
  unsigned again = 3;      // further loads of each
  std::vector<unsigned> kilobytes{16, 64, 256, 1'000, 4'000};
  bool json = false;
  std::string glovebox;
};

// Prints its report.
void measureCache(const CacheOptions& options);

}  // namespace glovebox::bench
