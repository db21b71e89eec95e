#pragma once
// The declaration of a project's `env`, for TypeScript and editors: what `wrangler types` writes, of the bindings that there are here.

#include <string>

#include "tools/project/project-config.h"

namespace glovebox::project {

constexpr const char* TYPES_FILE = "worker-configuration.d.ts";

// The types named in it are those of @cloudflare/workers-types. Variables have their values' types, as there.
std::string describeEnv(const ProjectConfig& config);

// Whether it was written by a program, ours or wrangler: a person's own is not to be written over.
bool isGenerated(std::string_view text);

}  // namespace glovebox::project
