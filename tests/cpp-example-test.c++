// examples/cpp/tools.c++ as a reader would run it: a program of its own at a daemon's socket.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <string>

#include "tools/daemon-process.h"

namespace glovebox::test {
namespace {

std::string environmentVariable(const char* name) {
  auto value = getenv(name);
  KJ_REQUIRE(value != nullptr, "set by tests/meson.build", name);
  return value;
}

struct Ended {
  int code;
  std::string output;   // and errors
};

Ended runShell(const std::string& command) {
  auto pipe = popen((command + " 2>&1").c_str(), "r");
  KJ_REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (auto bytes = fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, bytes);
  return {WEXITSTATUS(pclose(pipe)), output};
}

Ended runExample(const std::string& socketPath) {
  return runShell("'" + environmentVariable("GLOVEBOX_EXAMPLE") + "' '" + socketPath + "'");
}

TEST(CppExample, PrintsWhatItsAgentDidWithItsTools) {
  DaemonProcess daemon(environmentVariable("GLOVEBOX_COMMAND"), {});
  auto ended = runExample(daemon.socketPath());
  EXPECT_EQ(ended.output,
            "log: it comes to 5.5\n"
            "result: {\"total\":5.5}\n"
            "note: Bought apple and pear\n"
            "thrown: RangeError: we have no moon (E_UNKNOWN)\n");
  EXPECT_EQ(ended.code, 0);
}

TEST(CppExample, SaysWhatToDoWithoutADaemon) {
  auto ended = runExample("/tmp/glovebox-nobody-is-here");
  EXPECT_THAT(ended.output, testing::HasSubstr("glovebox serve --socket"));
  EXPECT_EQ(ended.code, 1);
}

// README's command; linking is the part that a list of archives could get wrong.
TEST(CppExample, BuildsOutsideOfTheTree) {
  if (runShell("c++ --version && pkg-config --version").code != 0) GTEST_SKIP() << "there is no c++ or no pkg-config on the PATH";
  auto ended = runShell("c++ -x c++ '" + environmentVariable("GLOVEBOX_EXAMPLE_SOURCE") +
                        "' -o /dev/null -x none $(PKG_CONFIG_PATH='" + environmentVariable("GLOVEBOX_PKG_CONFIG") +
                        "' pkg-config --cflags --libs glovebox-client)");
  EXPECT_EQ(ended.code, 0) << ended.output;
}

}  // namespace
}  // namespace glovebox::test
