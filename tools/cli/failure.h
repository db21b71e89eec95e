#pragma once
// Bad news for the user, on its way to main: what happened, where, what to do; and the exit code.

#include <stdexcept>
#include <string>

#include "tools/cli/exit-codes.h"

namespace glovebox::cli {

class Failure: public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& message): std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace glovebox::cli
