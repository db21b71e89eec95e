#pragma once
// For `glovebox run` without --call: which method is meant?
//
// Only a worker can tell what a module exports. So a small main module of ours goes in front of the user's, passes all its
// exports on, and adds an entrypoint that lists the methods. It runs jailed with the rest, and its answer is the worker's.

#include <string>
#include <string_view>

#include "tools/cli/modules.h"

namespace glovebox::cli {

constexpr const char* METHOD_LISTER_ENTRYPOINT = "gloveboxMethodLister";

ModuleFile methodLister(const std::string& mainModule);

// `listed` is the lister's answer as JSON. The only method; throws Failure, with their names, if there is none or several.
std::string chooseMethod(const std::string& listed, const std::string& mainModule, const std::string& entrypoint);

std::string quoteJson(std::string_view text);

}  // namespace glovebox::cli
