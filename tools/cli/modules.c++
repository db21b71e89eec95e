#include "tools/cli/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include <optional>
#include <set>

#include "ipc/wire-limits.h"
#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

struct TypeName {
  ModuleType type;
  std::string_view name;
};
constexpr TypeName TYPES[] = {
    {ModuleType::JS, "js"}, {ModuleType::CJS, "cjs"}, {ModuleType::TEXT, "text"},
    {ModuleType::DATA, "data"}, {ModuleType::JSON, "json"}, {ModuleType::WASM, "wasm"},
};
constexpr TypeName ENDINGS[] = {
    {ModuleType::JS, ".js"}, {ModuleType::JS, ".mjs"}, {ModuleType::CJS, ".cjs"}, {ModuleType::JSON, ".json"},
    {ModuleType::TEXT, ".txt"}, {ModuleType::TEXT, ".html"}, {ModuleType::TEXT, ".md"}, {ModuleType::TEXT, ".sql"},
    {ModuleType::WASM, ".wasm"}, {ModuleType::DATA, ".bin"},
};
constexpr std::string_view TYPESCRIPT[] = {".ts", ".mts", ".tsx", ".jsx"};

std::optional<ModuleType> tryParseType(std::string_view name) {
  for (auto& entry: TYPES) {
    if (entry.name == name) return entry.type;
  }
  return std::nullopt;
}

std::optional<ModuleType> tryTypeByEnding(std::string_view name) {
  for (auto& entry: ENDINGS) {
    if (name.ends_with(entry.name)) return entry.type;
  }
  return std::nullopt;
}

void refuseCommonTypeScript(std::string_view name) {
  if (!name.ends_with(".cts")) return;
  throw Failure(EXIT_CODE_CODE_ERROR, "'" + std::string(name) + "' is TypeScript of CommonJS, whose imports are not turned into anything here. "
                "Make it a module (.ts), or compile it first, for example: esbuild --bundle --format=esm " + std::string(name));
}

std::string readAll(int fd, const std::string& what) {
  std::string content;
  char buffer[64 * 1024];
  for (;;) {
    ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Failure(errno == EISDIR ? EXIT_CODE_NO_INPUT : EXIT_CODE_IO, "cannot read " + what + ": " + strerror(errno));
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
    if (content.size() > wire::CODE_BYTES_MAX) {
      throw Failure(EXIT_CODE_CODE_ERROR, what + " is larger than the code of a worker may be (" +
                    std::to_string(wire::CODE_BYTES_MAX >> 20) + " MiB)");
    }
  }
}

// Maps are several times as large as their code; what is larger is not kept, and stacks are shown as they are.
constexpr size_t MAP_BYTES_MAX = 16 << 20;
constexpr std::string_view INLINE_MAP = "//# sourceMappingURL=data:";

// Null: it comes without a map.
std::shared_ptr<const ModuleOrigin> readOrigin(const std::string& file, const std::string& content) {
  if (content.rfind(INLINE_MAP) != std::string::npos) {
    auto origin = std::make_shared<ModuleOrigin>();
    origin->file = file;
    origin->source = content;
    return origin;
  }
  struct stat found;
  auto path = file + ".map";
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) || static_cast<size_t>(found.st_size) > MAP_BYTES_MAX) return nullptr;
  auto origin = std::make_shared<ModuleOrigin>();
  origin->file = file;
  // Nobody asked for it, so it keeps nobody from running.
  try {
    origin->map = readFile(path);
  } catch (const Failure&) {
    return nullptr;
  }
  return origin;
}

capnp::Text::Reader text(const std::string& s) { return {s.data(), s.size()}; }
capnp::Data::Reader data(const std::string& s) { return {reinterpret_cast<const kj::byte*>(s.data()), s.size()}; }

}  // namespace

bool isTypeScript(std::string_view name) {
  for (auto ending: TYPESCRIPT) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

std::string readFile(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Failure(EXIT_CODE_NO_INPUT, "cannot open '" + path + "': " + strerror(errno));
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  return readAll(fd, "'" + path + "'");
}

ModuleOrigins originsOf(const std::vector<ModuleFile>& modules) {
  auto origins = std::make_shared<std::map<std::string, std::shared_ptr<const ModuleOrigin>, std::less<>>>();
  for (auto& module: modules) {
    if (module.origin != nullptr) origins->emplace(module.name, module.origin);
  }
  return origins->empty() ? nullptr : origins;
}

ModuleFile readMainModule(const std::string& file) {
  if (file == "-") return {"stdin.js", ModuleType::JS, readAll(STDIN_FILENO, "standard input")};
  auto name = file.substr(file.rfind('/') + 1);
  refuseCommonTypeScript(name);
  if (isTypeScript(name)) return {name, ModuleType::TS, readFile(file)};
  // Whatever it is called, what one runs is a module, unless it says CommonJS.
  ModuleFile module{name, name.ends_with(".cjs") ? ModuleType::CJS : ModuleType::JS, readFile(file)};
  module.origin = readOrigin(file, module.content);
  return module;
}

ModuleFile readModule(const std::string& argument) {
  auto equals = argument.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == argument.size()) {
    throw Failure(EXIT_CODE_USAGE, "--module expects NAME=FILE or NAME=TYPE:FILE; got '" + argument + "'");
  }
  auto name = argument.substr(0, equals);
  auto file = argument.substr(equals + 1);
  auto colon = file.find(':');
  if (colon != std::string::npos) {
    if (auto type = tryParseType(file.substr(0, colon))) return {name, *type, readFile(file.substr(colon + 1))};
  }
  refuseCommonTypeScript(name);
  if (isTypeScript(name)) return {name, ModuleType::TS, readFile(file)};
  auto type = tryTypeByEnding(name);
  if (!type) {
    throw Failure(EXIT_CODE_USAGE, "the type of module '" + name + "' cannot be told from its name. "
                  "Say it: --module " + name + "=TYPE:" + file + ", TYPE being js, cjs, text, data, json or wasm");
  }
  return {name, *type, readFile(file)};
}

void checkModules(const std::vector<ModuleFile>& modules) {
  size_t total = 0;
  std::set<std::string_view> names;
  for (auto& module: modules) {
    total += module.content.size();
    if (!names.insert(module.name).second) {
      throw Failure(EXIT_CODE_USAGE, "two modules are named '" + module.name + "'; give one of them another NAME in --module NAME=FILE");
    }
  }
  if (total > wire::CODE_BYTES_MAX) {
    throw Failure(EXIT_CODE_CODE_ERROR, "the modules together have " + std::to_string(total) + " bytes; a worker's code may have " +
                  std::to_string(wire::CODE_BYTES_MAX));
  }
}

void setModules(const std::vector<ModuleFile>& modules, rpc::WorkerCode::Builder code) {
  auto list = code.initModules(static_cast<unsigned>(modules.size()));
  for (unsigned i = 0; i < list.size(); i++) {
    auto& module = modules[i];
    list[i].setName(text(module.name));
    switch (module.type) {
      case ModuleType::JS: list[i].setJs(text(module.content)); break;
      case ModuleType::CJS: list[i].setCjs(text(module.content)); break;
      case ModuleType::TEXT: list[i].setText(text(module.content)); break;
      case ModuleType::DATA: list[i].setData(data(module.content)); break;
      case ModuleType::JSON: list[i].setJson(text(module.content)); break;
      case ModuleType::WASM: list[i].setWasm(data(module.content)); break;
      case ModuleType::TS: KJ_FAIL_ASSERT("types are stripped before", module.name.c_str());
    }
  }
}

}  // namespace glovebox::cli
