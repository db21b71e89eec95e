#include "tools/cli/modules.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

class ModuleFiles: public ::testing::Test {
 protected:
  std::string folder_ = "/tmp/glovebox-modules-XXXXXX";
  std::vector<std::string> made_;

  void SetUp() override { ASSERT_NE(mkdtemp(folder_.data()), nullptr); }
  void TearDown() override {
    for (auto& path: made_) unlink(path.c_str());
    rmdir(folder_.c_str());
  }
  std::string file(const std::string& name, const std::string& content) {
    made_.push_back(folder_ + "/" + name);
    std::ofstream(made_.back(), std::ios::binary) << content;
    return made_.back();
  }
  static ExitCode failureOf(const std::string& argument, const char* words) {
    try {
      readModule(argument);
    } catch (const Failure& failure) {
      EXPECT_NE(std::string(failure.what()).find(words), std::string::npos) << failure.what();
      return failure.code();
    }
    return EXIT_CODE_OK;
  }
};

TEST_F(ModuleFiles, MainModuleIsNamedAfterItsFile) {
  auto module = readMainModule(file("agent.js", "export default {}"));
  EXPECT_EQ(module.name, "agent.js");
  EXPECT_EQ(module.type, ModuleType::JS);
  EXPECT_EQ(module.content, "export default {}");
  EXPECT_EQ(readMainModule(file("old.cjs", "")).type, ModuleType::CJS);
  EXPECT_EQ(readMainModule(file("typed.ts", "")).type, ModuleType::TS);
}

TEST_F(ModuleFiles, TypeComesFromTheNameOrIsSaid) {
  auto path = file("content", std::string("\0asm", 4));
  EXPECT_EQ(readModule("a.wasm=" + path).type, ModuleType::WASM);
  EXPECT_EQ(readModule("data.json=" + path).type, ModuleType::JSON);
  EXPECT_EQ(readModule("bare=cjs:" + path).type, ModuleType::CJS);
  EXPECT_EQ(readModule("x.js=text:" + path).type, ModuleType::TEXT);
  for (auto name: {"a.ts", "a.tsx", "a.mts", "a.jsx"}) EXPECT_EQ(readModule(name + ("=" + path)).type, ModuleType::TS);
  EXPECT_EQ(readModule("a.ts=text:" + path).type, ModuleType::TEXT);
  EXPECT_EQ(readModule("bare=data:" + path).content, std::string("\0asm", 4));
}

TEST_F(ModuleFiles, WrongArgumentsSayWhatWasExpected) {
  auto path = file("content", "");
  EXPECT_EQ(failureOf("no-equals", "expects NAME=FILE"), EXIT_CODE_USAGE);
  EXPECT_EQ(failureOf("=x", "expects NAME=FILE"), EXIT_CODE_USAGE);
  EXPECT_EQ(failureOf("bare=" + path, "TYPE being js, cjs"), EXIT_CODE_USAGE);
  EXPECT_EQ(failureOf("a.cts=" + path, "TypeScript of CommonJS"), EXIT_CODE_CODE_ERROR);
  EXPECT_EQ(failureOf("a.js=" + folder_ + "/nowhere", "No such file"), EXIT_CODE_NO_INPUT);
  EXPECT_EQ(failureOf("a.js=" + folder_, "Is a directory"), EXIT_CODE_NO_INPUT);
}

TEST_F(ModuleFiles, TwoOfOneNameAreRefused) {
  std::vector<ModuleFile> modules{{"a.js", ModuleType::JS, ""}, {"a.js", ModuleType::TEXT, ""}};
  EXPECT_THROW(checkModules(modules), Failure);
  modules[1].name = "b.js";
  EXPECT_NO_THROW(checkModules(modules));
}

TEST_F(ModuleFiles, EachTypeTravelsInItsOwnField) {
  capnp::MallocMessageBuilder message;
  auto code = message.initRoot<rpc::WorkerCode>();
  setModules({{"a.js", ModuleType::JS, "1"}, {"b", ModuleType::WASM, std::string("\0asm", 4)}}, code);
  auto modules = code.asReader().getModules();
  ASSERT_EQ(modules.size(), 2u);
  EXPECT_TRUE(modules[0].isJs());
  EXPECT_EQ(modules[0].getJs(), "1");
  ASSERT_TRUE(modules[1].isWasm());
  EXPECT_EQ(modules[1].getWasm().size(), 4u);
}

}  // namespace
}  // namespace glovebox::cli
