#pragma once
// A status document as one screen: the workers there are, the last runs, how calls ended. For `glovebox status --watch`.

#include <rapidjson/document.h>

#include <string>

namespace glovebox::cli {

// Escaped (tools/cli/terminal.h): names and labels in it come from programs, methods from whoever called.
std::string liveView(const rapidjson::Value& status);

}  // namespace glovebox::cli
