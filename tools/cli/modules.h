#pragma once
// Files as the modules of a Worker.

#include <string>
#include <string_view>
#include <vector>

#include "ipc/worker.capnp.h"

namespace glovebox::cli {

// TS: TypeScript or JSX, which no worker takes; its types are stripped first (tools/project/typescript.h).
enum class ModuleType { JS, CJS, TEXT, DATA, JSON, WASM, TS };

struct ModuleFile {
  std::string name;
  ModuleType type;
  std::string content;
};

// The main module. "-" is standard input, named "stdin.js". Throws Failure.
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
