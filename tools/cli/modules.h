#pragma once
// Files as the modules of a Worker.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/worker.capnp.h"

namespace glovebox::cli {

// TS: TypeScript or JSX, which no worker takes; its types are stripped first (tools/project/typescript.h).
enum class ModuleType { JS, CJS, TEXT, DATA, JSON, WASM, TS };

// What a module was made of, kept unread for whoever shows its stacks (tools/project/stack-mapper.h).
struct ModuleOrigin {
  enum class Made { AS_IS, STRIPPED, LINKED };   // by worker/typescript/, alone or as part of a project
  Made made = Made::AS_IS;
  std::string module;   // its name, where it was stripped or linked
  std::string file;     // how it is shown; a map's sources are relative to it
  std::string source;   // empty, where the map is all there is
  std::string map;      // a source map, or empty
  std::shared_ptr<const std::vector<std::string>> names;   // of all modules, where it was stripped or linked
};

struct ModuleFile {
  std::string name;
  ModuleType type;
  std::string content;
  std::shared_ptr<const ModuleOrigin> origin = nullptr;   // null: it is what its author wrote
};

// Of one worker, by the names of its modules. Null: nothing is known.
using ModuleOrigins = std::shared_ptr<const std::map<std::string, std::shared_ptr<const ModuleOrigin>, std::less<>>>;
ModuleOrigins originsOf(const std::vector<ModuleFile>& modules);

// The main module, with the source map that lies beside it (FILE.map) or is in its text. "-" is standard input, named "stdin.js". Throws Failure.
ModuleFile readMainModule(const std::string& file);

// "NAME=FILE", the type being told by NAME's ending, or "NAME=TYPE:FILE". Throws Failure.
ModuleFile readModule(const std::string& argument);

// Sum of the contents within Worker Loader's limit, names unique. Throws Failure.
void checkModules(const std::vector<ModuleFile>& modules);

bool isTypeScript(std::string_view name);

// Of a file; at most as much as the code of a worker may have. Throws Failure.
std::string readFile(const std::string& path);

void setModules(const std::vector<ModuleFile>& modules, rpc::WorkerCode::Builder code);

}  // namespace glovebox::cli
