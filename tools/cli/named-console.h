#pragma once
// What a worker logs, on standard error, a line each under the worker's name.

#include <string>

#include "ipc/call.capnp.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {

class NamedConsole final: public rpc::Console::Server {
 public:
  explicit NamedConsole(std::string name): name_(std::move(name)) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      auto text = message.getText();
      auto line = name_ + ": " + forStandardError(std::string_view(text.begin(), text.size())) + "\n";
      fwrite(line.data(), 1, line.size(), stderr);
    }
    return kj::READY_NOW;
  }

 private:
  const std::string name_;
};

}  // namespace glovebox::cli
