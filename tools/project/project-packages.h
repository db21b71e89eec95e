#pragma once
// The files of a project and of the packages in its node_modules, as bytes for a bundler (tools/project/package-bundler.h). Nothing is parsed here.

#include <optional>
#include <string>
#include <vector>

#include "tools/project/project-config.h"

namespace glovebox::project {

struct NamedFile {
  std::string name;   // relative to the project's folder: "src/index.ts", "node_modules/hono/package.json"
  std::string content;
};

// It has a node_modules.
bool hasPackages(const ProjectConfig& config);
// It has a package.json.
bool namesPackages(const ProjectConfig& config);

// Those below the main module's folder that could be modules, the main one first, and what a bundler wants to know beside the configuration
// (package.json, tsconfig.json). Throws cli::Failure.
std::vector<NamedFile> readSources(const ProjectConfig& config);

// By which versions of packages are chosen: npm-shrinkwrap.json and package-lock.json. Throws cli::Failure.
std::vector<NamedFile> readLockFiles(const ProjectConfig& config);

// A place of a package, and of nothing else: "node_modules/@scope/name", "node_modules/a/node_modules/b", and below "node_modules/.pnpm/".
bool isPackagePlace(std::string_view path);

struct Package {
  std::string place;              // where it lies: another than the one asked for, if that is a link, as with pnpm
  std::vector<NamedFile> files;   // named below that place
};

// All files of a package but those that nothing imports (declarations, source maps), with the packages inside, which are its own. A link may lead to
// another place of a package in the project's folder, and nowhere else. Nothing: there is no such package. Throws cli::Failure.
std::optional<Package> readPackage(const ProjectConfig& config, const std::string& place);

// The place alone.
std::optional<std::string> findPackage(const ProjectConfig& config, const std::string& place);

}  // namespace glovebox::project
