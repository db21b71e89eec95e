#pragma once
// A project's configuration in wrangler's words: wrangler.jsonc, wrangler.json or wrangler.toml. What Glovebox has a meaning for is
// here; what it has none for is a warning, and a binding to something that there is not (a database, say) is an error: the
// code would fail without it, later and in worse words.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/worker-limits.h"
#include "tools/cli/modules.h"
#include "tools/project/config-value.h"
#include "tools/project/egress-config.h"

namespace glovebox::project {

// Which files are modules of which type: a glob each, matched against a file's path below the main module's folder.
struct ModuleRule {
  cli::ModuleType type;
  std::vector<std::string> globs;
  bool fallthrough = false;   // later rules of the same type count as well
};

struct ServiceBinding {
  std::string binding;
  std::string service;      // the `name` of a project, perhaps of this one
  std::string entrypoint;   // empty: the default export
  ConfigValue props;        // an object, or NIL for none
  std::string where;        // for messages
};

struct ProjectConfig {
  std::string file;
  std::string folder;                  // of the file; what it names is relative to it
  std::string name;
  std::string main;
  std::string compatibilityDate;
  std::vector<std::string> compatibilityFlags;
  std::vector<std::string> workerLoaders;                       // bindings
  std::vector<ConfigMember> vars;
  std::vector<ServiceBinding> services;
  std::vector<ModuleRule> rules;                                // the file's own; the default ones come after them
  WorkerLimits limits;
  std::optional<EgressConfig> egress;                           // nothing: no way to the internet
  std::vector<std::string> warnings;                            // a line each
};

// Throws cli::Failure that names file, line and key.
ProjectConfig parseProjectConfig(std::string_view text, const std::string& file);

// A folder, or a file of that name.
bool isProjectPath(const std::string& path);

// `path`: the file, or the folder that it is in. Throws cli::Failure.
ProjectConfig readProjectConfig(const std::string& path);

}  // namespace glovebox::project
