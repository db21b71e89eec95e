#pragma once
// What a worker is told to run, as plain C++: between the server, which speaks RPC, and the script host, which speaks V8.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/value-graph.h"
#include "ipc/worker-limits.h"

namespace glovebox {

struct ModuleSource {
  enum class Kind : uint8_t { JS, CJS, TEXT, DATA, JSON, WASM };
  Kind kind = Kind::JS;
  std::string name;
  std::string body;   // UTF-8, or bytes for DATA and WASM
  std::string_view textInPlace = {};   // JS, CJS: instead of `body`, if not empty; stays where it is as long as the process lives
  std::string_view cache = {};   // JS, CJS: what ScriptHost::compile() made of the same text, or empty; the caller's until start() returns
  std::string keptCache = {};
};

struct WorkerSource {
  std::string compatibilityDate;
  std::vector<std::string> compatibilityFlags;
  std::string mainModule;
  std::vector<ModuleSource> modules;
  ValueGraph env;             // empty: {}
  uint32_t outbound = 0;      // where fetch() goes: which of env's externals, counted from 1; 0: nowhere
  ValueGraph tails;           // of a worker that a worker loads: its externals
  std::string problem;        // not empty: something of this was malformed, and the start fails with this text
  WorkerLimits limits;        // of a worker that a worker loads, what is asked for
};

}  // namespace glovebox
