#pragma once
// What a worker logs, on standard error, a line each; under the worker's name, where there are several.

#include <string>

#include "ipc/call.capnp.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {

class NamedConsole final: public rpc::Console::Server {
 public:
  // Empty: no name.
  explicit NamedConsole(const std::string& name = {}): begin_(name.empty() ? "" : name + ": ") {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      auto text = message.getText();
      auto line = begin_ + forStandardError(std::string_view(text.begin(), text.size())) + "\n";
      fwrite(line.data(), 1, line.size(), stderr);
    }
    return kj::READY_NOW;
  }

 private:
  const std::string begin_;
};

}  // namespace glovebox::cli
