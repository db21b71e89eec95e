#include "tools/project/project-files.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "tools/cli/failure.h"

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using cli::Failure;
using cli::ModuleFile;
using cli::ModuleType;

// Of those that rules make modules. A folder with more is not what somebody meant.
constexpr size_t FILES_MAX = 2'000;
constexpr int FOLDERS_DEEP_MAX = 32;
// Watched, that is. The kernel bounds it too, for all of a user (fs.inotify.max_user_watches).
constexpr size_t FOLDERS_MAX = 2'000;

// What wrangler has, and what its bundler would know.
const std::vector<ModuleRule>& defaultRules() {
  static const std::vector<ModuleRule> RULES{
      {ModuleType::TS, {"**/*.ts", "**/*.mts", "**/*.tsx", "**/*.jsx"}, true},
      {ModuleType::JS, {"**/*.js", "**/*.mjs"}, false},
      {ModuleType::CJS, {"**/*.cjs"}, false},
      {ModuleType::JSON, {"**/*.json"}, false},
      {ModuleType::TEXT, {"**/*.txt", "**/*.html", "**/*.sql"}, false},
      {ModuleType::DATA, {"**/*.bin"}, false},
      {ModuleType::WASM, {"**/*.wasm"}, false},
  };
  return RULES;
}

std::vector<std::string> segmentsOf(std::string_view path) {
  std::vector<std::string> segments;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) segments.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool isDeclaration(std::string_view name) { return name.ends_with(".d.ts") || name.ends_with(".d.mts"); }

[[noreturn]] void unreadable(const fs::path& path, const std::error_code& error) {
  throw Failure(cli::EXIT_CODE_NO_INPUT, "cannot read '" + path.string() + "': " + error.message());
}

// Paths below `top`, of files that a rule knows.
void list(const ProjectConfig& config, const fs::path& top, const std::string& below, int depth, std::vector<std::string>& paths) {
  if (depth > FOLDERS_DEEP_MAX) throw Failure(cli::EXIT_CODE_USAGE, "'" + (top / below).string() + "': folders are nested deeper than " + std::to_string(FOLDERS_DEEP_MAX));
  std::error_code error;
  fs::directory_iterator entries(top / below, error);
  if (error) unreadable(top / below, error);
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) unreadable(top / below, error);
    auto name = entries->path().filename().string();
    auto path = below.empty() ? name : below + "/" + name;
    if (entries->is_directory(error) && !entries->is_symlink(error)) {
      if (name != "node_modules" && name[0] != '.') list(config, top, path, depth + 1, paths);
      continue;
    }
    ModuleType type;
    if (!entries->is_regular_file(error) || isDeclaration(name) || !tryTypeByRules(config, path, type)) continue;
    paths.push_back(path);
    if (paths.size() > FILES_MAX) {
      throw Failure(cli::EXIT_CODE_USAGE, "'" + top.string() + "' has more than " + std::to_string(FILES_MAX) + " files that could be modules. "
                    "Put the worker's into a folder of their own, or bundle them first.");
    }
  }
}

void listFolders(const fs::path& folder, int depth, std::set<std::string>& folders) {
  if (folders.size() > FOLDERS_MAX || depth > FOLDERS_DEEP_MAX || !folders.insert(folder.string()).second) return;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    auto name = entry->path().filename().string();
    std::error_code ignored;
    if (name != "node_modules" && name[0] != '.' && entry->is_directory(ignored) && !entry->is_symlink(ignored)) {
      listFolders(entry->path(), depth + 1, folders);
    }
  }
}

}  // namespace

std::vector<std::string> foldersOf(const ProjectConfig& config) {
  auto main = (fs::path(config.folder) / config.main).lexically_normal();
  std::set<std::string> folders{config.folder.empty() ? "." : config.folder};
  std::set<std::string> below;
  listFolders(main.parent_path().empty() ? fs::path(".") : main.parent_path(), 0, below);
  folders.merge(below);
  return {folders.begin(), folders.end()};
}

bool matchesGlob(std::string_view glob, std::string_view path) {
  auto patterns = segmentsOf(glob), names = segmentsOf(path);
  // matches[j]: the patterns so far match the first j names.
  std::vector<bool> matches(names.size() + 1, false);
  matches[0] = true;
  for (auto& pattern: patterns) {
    std::vector<bool> next(names.size() + 1, false);
    if (pattern == "**") {
      for (size_t j = 0; j <= names.size(); j++) next[j] = matches[j] || (j > 0 && next[j - 1]);
    } else {
      for (size_t j = 1; j <= names.size(); j++) next[j] = matches[j - 1] && fnmatch(pattern.c_str(), names[j - 1].c_str(), 0) == 0;
    }
    matches = std::move(next);
  }
  return matches[names.size()];
}

bool tryTypeByRules(const ProjectConfig& config, std::string_view path, ModuleType& type) {
  std::set<ModuleType> settled;
  auto among = [&](const std::vector<ModuleRule>& rules) {
    for (auto& rule: rules) {
      if (settled.contains(rule.type)) continue;
      if (!rule.fallthrough) settled.insert(rule.type);
      for (auto& glob: rule.globs) {
        if (!matchesGlob(glob, path)) continue;
        // A rule says that it is a module; that it has types, its name says.
        type = rule.type == ModuleType::JS && cli::isTypeScript(path) ? ModuleType::TS : rule.type;
        return true;
      }
    }
    return false;
  };
  return among(config.rules) || among(defaultRules());
}

std::vector<ModuleFile> readProjectFiles(const ProjectConfig& config) {
  auto main = (fs::path(config.folder) / config.main).lexically_normal();
  auto top = main.parent_path().empty() ? fs::path(".") : main.parent_path();
  auto mainName = main.filename().string();
  std::error_code error;
  if (!fs::is_regular_file(main, error)) {
    throw Failure(cli::EXIT_CODE_NO_INPUT, config.file + ": main: there is no file '" + main.string() + "'");
  }
  std::vector<std::string> paths;
  list(config, top, "", 0, paths);
  std::sort(paths.begin(), paths.end());
  auto found = std::find(paths.begin(), paths.end(), mainName);
  if (found != paths.end()) paths.erase(found);

  std::vector<ModuleFile> modules;
  modules.push_back(cli::readMainModule(main.string()));
  for (auto& path: paths) {
    ModuleType type;
    if (!tryTypeByRules(config, path, type)) continue;
    modules.push_back({path, type, cli::readFile((top / path).string())});
  }
  // Stacks name files as they lie in the project's folder.
  auto below = fs::path(config.main).lexically_normal().parent_path();
  for (auto& module: modules) {
    auto origin = module.origin == nullptr ? std::make_shared<cli::ModuleOrigin>() : std::make_shared<cli::ModuleOrigin>(*module.origin);
    origin->file = (below / module.name).string();
    module.origin = std::move(origin);
  }
  return modules;
}

}  // namespace glovebox::project
