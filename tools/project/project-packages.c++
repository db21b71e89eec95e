#include "tools/project/project-packages.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "tools/cli/failure.h"
#include "tools/project/project-files.h"

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using cli::Failure;

constexpr const char* PACKAGES = "node_modules";
constexpr std::string_view PNPM = "node_modules/.pnpm/";
constexpr int FOLDERS_DEEP_MAX = 32;
constexpr size_t FILES_OF_PACKAGE_MAX = 20'000;

fs::path folderOf(const ProjectConfig& config) { return config.folder.empty() ? fs::path(".") : fs::path(config.folder); }

// Declarations and source maps are half of many packages.
bool isWanted(std::string_view name) {
  for (auto ending: {".d.ts", ".d.mts", ".d.cts", ".map", ".md", ".markdown", ".flow"}) {
    if (name.ends_with(ending)) return false;
  }
  return true;
}

[[noreturn]] void unreadable(const fs::path& path, const std::error_code& error) {
  throw Failure(cli::EXIT_CODE_NO_INPUT, "cannot read '" + path.string() + "': " + error.message());
}

void list(const fs::path& folder, const std::string& name, int depth, std::vector<NamedFile>& files) {
  if (depth > FOLDERS_DEEP_MAX) throw Failure(cli::EXIT_CODE_USAGE, "'" + folder.string() + "': folders are nested deeper than " + std::to_string(FOLDERS_DEEP_MAX));
  std::error_code error;
  std::vector<fs::directory_entry> entries(fs::directory_iterator(folder, error), {});
  if (error) unreadable(folder, error);
  std::sort(entries.begin(), entries.end());
  for (auto& entry: entries) {
    auto file = entry.path().filename().string();
    // Links inside a package are nobody's: npm writes none.
    if (file[0] == '.' || entry.is_symlink(error)) continue;
    if (entry.is_directory(error)) {
      list(entry.path(), name + "/" + file, depth + 1, files);
    } else if (entry.is_regular_file(error) && isWanted(file)) {
      files.push_back({name + "/" + file, cli::readFile(entry.path().string())});
      if (files.size() > FILES_OF_PACKAGE_MAX) {
        throw Failure(cli::EXIT_CODE_USAGE, "the package '" + name + "' has more than " + std::to_string(FILES_OF_PACKAGE_MAX) + " files");
      }
    }
  }
}

}  // namespace

bool hasPackages(const ProjectConfig& config) {
  std::error_code error;
  return fs::is_directory(folderOf(config) / PACKAGES, error);
}

bool namesPackages(const ProjectConfig& config) {
  std::error_code error;
  return fs::is_regular_file(folderOf(config) / "package.json", error);
}

std::vector<NamedFile> readSources(const ProjectConfig& config) {
  auto below = fs::path(config.main).lexically_normal().parent_path();
  if (fs::path(config.main).is_absolute() || (!below.empty() && *below.begin() == "..")) {
    throw Failure(cli::EXIT_CODE_USAGE, config.file + ": main: '" + config.main + "' is not below the folder of this file, which a project with packages wants");
  }
  std::vector<NamedFile> files;
  for (auto& module: readProjectFiles(config)) files.push_back({(below / module.name).string(), std::move(module.content)});
  for (auto name: {"package.json", "tsconfig.json", "jsconfig.json"}) {
    std::error_code error;
    auto path = folderOf(config) / name;
    bool isThere = std::any_of(files.begin(), files.end(), [&](const NamedFile& file) { return file.name == name; });
    if (!isThere && fs::is_regular_file(path, error)) files.push_back({name, cli::readFile(path.string())});
  }
  return files;
}

std::vector<NamedFile> readLockFiles(const ProjectConfig& config) {
  std::vector<NamedFile> files;
  for (auto name: {"npm-shrinkwrap.json", "package-lock.json"}) {
    std::error_code error;
    auto path = folderOf(config) / name;
    if (fs::is_regular_file(path, error)) files.push_back({name, cli::readFile(path.string())});
  }
  return files;
}

bool isPackagePlace(std::string_view path) {
  // node_modules/.pnpm/NAME@VERSION/node_modules/NAME, and node_modules/.pnpm/node_modules/NAME
  if (path.starts_with(PNPM)) {
    auto rest = path.substr(PNPM.size());
    if (rest.starts_with("node_modules/")) return isPackagePlace(rest);
    auto end = rest.find('/');
    return end != std::string_view::npos && end > 0 && rest[0] != '.' && isPackagePlace(rest.substr(end + 1));
  }
  bool wantsName = false, inScope = false, hasName = false;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    auto part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part[0] == '.' || part.find('\0') != std::string_view::npos || part.size() > 255) return false;
    if (part == PACKAGES) {
      if (wantsName || inScope) return false;
      wantsName = true;
      hasName = false;
    } else if (wantsName) {
      wantsName = false;
      inScope = part[0] == '@';
      hasName = !inScope;
    } else if (inScope) {
      inScope = false;
      hasName = true;
    } else if (hasName) {
      // A folder inside a package: only packages below it are of interest.
      hasName = false;
    }
  }
  return hasName && path.size() <= 2048;
}

std::optional<std::string> findPackage(const ProjectConfig& config, const std::string& place) {
  std::error_code error;
  auto folder = fs::canonical(folderOf(config) / place, error);
  if (error || !fs::is_directory(folder, error)) return std::nullopt;
  auto project = fs::canonical(folderOf(config), error);
  if (error) unreadable(folderOf(config), error);
  auto real = folder.lexically_relative(project).string();
  if (!isPackagePlace(real)) {
    throw Failure(cli::EXIT_CODE_USAGE, "the package '" + place + "' is a link to '" + folder.string() + "', which is in no node_modules of the project's folder. Install it there: npm install --install-links");
  }
  return real;
}

std::optional<Package> readPackage(const ProjectConfig& config, const std::string& place) {
  auto real = findPackage(config, place);
  if (!real) return std::nullopt;
  Package package{*real, {}};
  list(folderOf(config) / *real, *real, 0, package.files);
  return package;
}

}  // namespace glovebox::project
