#pragma once
// What the programs that shut themselves in have in common at their start: they complain to whoever started them, and to nobody once they
// are shut in. One for a process's life, in its only thread.

#include <kj/exception.h>

#include <string>
#include <vector>

#include "policy/confine.h"

namespace glovebox::gateway {

constexpr int EXIT_USAGE = 64;
constexpr int EXIT_LOCKDOWN = 71;   // as of the zygote

class JailedProgram {
 public:
  // "glovebox-gateway": what its complaints begin with.
  explicit JailedProgram(const char* name): name_(name) {}
  JailedProgram(const JailedProgram&) = delete;

  [[noreturn]] void fail(int code, const std::string& words) const;

  // Of --allow-missing.
  policy::LayerSet parseLayers(const std::vector<std::string>& names) const;

  // Descriptor 3 is a line to whoever started it.
  void expectLine() const;

  // Nothing from `firstUnneeded` on is inherited, and nobody's terminal: the standard three are /dev/null.
  void keepOnlyWhatIsNeeded(unsigned firstUnneeded);

  // A step of the jail that failed ends the process, with the layer and the fix.
  void must(policy::StepResult result) const;

  // From here on nothing is said.
  void fallSilent();

 private:
  const char* name_;
  int complaints_ = 2;
};

int socketOption(int fd, int option);   // -1: it has none

// KJ would look up the lines of a stack trace with another program, and write to stderr.
class Silence final: public kj::ExceptionCallback {
 public:
  StackTraceMode stackTraceMode() override { return StackTraceMode::NONE; }
  void logMessage(kj::LogSeverity, const char*, int, int, kj::String&&) override {}
};

}  // namespace glovebox::gateway
