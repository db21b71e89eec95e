#pragma once
// Makes the startup snapshot at build time: a context in which the runtime (worker/runtime, one bundle) has run, so that a
// worker's whole JavaScript surface costs nothing at start.

#include <string>

namespace glovebox {

// Throws std::runtime_error with what went wrong, in words for whoever builds.
void buildSnapshot(const std::string& runtimePath, const std::string& outputPath);

}  // namespace glovebox
