#pragma once
// What a worker logs, on standard error, a line each; under the worker's name, where there are several.

#include <string>

#include "ipc/call.capnp.h"
#include "tools/cli/terminal.h"
#include "tools/project/mapped-lines.h"

namespace glovebox::cli {

class NamedConsole final: public rpc::Console::Server {
 public:
  // Empty: no name. `origins`: what stacks are mapped to. `lines` outlives it.
  NamedConsole(project::MappedLines& lines, const std::string& name, ModuleOrigins origins)
      : lines_(lines), begin_(name.empty() ? "" : name + ": "), origins_(std::move(origins)) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      auto text = message.getText();
      // What a worker that it has loaded is made of is nobody's knowledge here.
      auto origins = message.getWorkers().size() == 0 ? origins_ : nullptr;
      lines_.add(std::string(text.begin(), text.size()), origins, [begin = begin_](std::string mapped) {
        auto line = begin + forStandardError(mapped) + "\n";
        fwrite(line.data(), 1, line.size(), stderr);
      });
    }
    return kj::READY_NOW;
  }

 private:
  project::MappedLines& lines_;
  const std::string begin_;
  const ModuleOrigins origins_;
};

}  // namespace glovebox::cli
