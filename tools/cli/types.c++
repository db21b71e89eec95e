// glovebox types: the declaration of a project's env, beside its configuration.

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/modules.h"
#include "tools/cli/terminal.h"
#include "tools/project/project-config.h"
#include "tools/project/project-types.h"

namespace glovebox::cli {

void writeWarnings(const std::vector<std::string>& warnings) {
  for (auto& warning: warnings) fprintf(stderr, "glovebox: warning: %s\n", forStandardError(warning).c_str());
}

int types(const TypesOptions& options) {
  auto config = project::readProjectConfig(options.project);
  writeWarnings(config.warnings);
  auto path = (config.folder == "." ? "" : config.folder + "/") + project::TYPES_FILE;
  if (access(path.c_str(), F_OK) == 0 && !project::isGenerated(readFile(path))) {
    throw Failure(EXIT_CODE_IO, "'" + path + "' is there already and was not written by a program. Move what is in it to a file of another name.");
  }
  std::ofstream file(path, std::ios::binary);
  file << project::describeEnv(config);
  file.close();
  if (!file) throw Failure(EXIT_CODE_IO, "'" + path + "' cannot be written");
  writeOutput("Wrote " + path + "\n");
  return EXIT_CODE_OK;
}

}  // namespace glovebox::cli
