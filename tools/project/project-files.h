#pragma once
// The files of a project as modules: everything below the main module's folder that a rule makes one. Which of them the main module
// reaches is not known here, because that takes a parser (tools/project/typescript.h).

#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/modules.h"
#include "tools/project/project-config.h"

namespace glovebox::project {

// The main module first, each named by its path below the folder of that ("index.ts", "lib/math.js"). Folders named node_modules
// and those whose name begins with a dot are left out, as are links to folders and declarations (.d.ts). Throws cli::Failure.
std::vector<cli::ModuleFile> readProjectFiles(const ProjectConfig& config);

// Every folder whose files count: of the configuration, of the main module, and those below that. None twice.
std::vector<std::string> foldersOf(const ProjectConfig& config);

// The type that the rules give a file of that path: the project's own, then wrangler's default ones. False: none does.
bool tryTypeByRules(const ProjectConfig& config, std::string_view path, cli::ModuleType& type);

// "**" is any number of folders; within one, as the shell has it.
bool matchesGlob(std::string_view glob, std::string_view path);

}  // namespace glovebox::project
