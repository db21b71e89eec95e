#include "supervisor/worker-code.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <string>

#include "ipc/wire-limits.h"

namespace glovebox {
namespace {

struct Code {
  capnp::MallocMessageBuilder message;
  rpc::WorkerCode::Builder builder = message.initRoot<rpc::WorkerCode>();

  Code() {
    builder.setCompatibilityDate("2026-03-01");
    builder.setMainModule("m.js");
    auto module = builder.initModules(1)[0];
    module.setName("m.js");
    module.setJs("export default {}");
  }

  std::string error() {
    KJ_IF_MAYBE(error, tryFindCodeError(builder.asReader())) return error->message.cStr();
    return "";
  }
};

TEST(WorkerCode, GoodCodeHasNoError) { EXPECT_EQ(Code().error(), ""); }

TEST(WorkerCode, NoModulesIsAnError) {
  Code code;
  code.builder.initModules(0);
  EXPECT_EQ(code.error(), "Dynamic Worker code must contain at least one module.");
}

TEST(WorkerCode, TwoModulesOfOneNameAreAnErrorAndTwoOfTwoNamesAreNot) {
  Code code;
  auto modules = code.builder.initModules(2);
  modules[0].setName("m.js");
  modules[1].setName("m.js");
  EXPECT_EQ(code.error(), "Two modules are named \"m.js\". Give each module its own name.");
  modules[1].setName("n.js");
  EXPECT_EQ(code.error(), "");
}

TEST(WorkerCode, DatesMustExist) {
  for (auto bad: {"", "yesterday", "2026-13-01", "2026-02-29", "2026-00-10", "2026-1-01", "2026-01-01 ", "20260101"}) {
    Code code;
    code.builder.setCompatibilityDate(bad);
    EXPECT_EQ(code.error(), std::string("Invalid compatibility date: ") + bad);
  }
  Code leap;
  leap.builder.setCompatibilityDate("2024-02-29");
  EXPECT_EQ(leap.error(), "");
}

TEST(WorkerCode, ADateAfterTheNewestIsRefused) {
  Code code;
  code.builder.setCompatibilityDate(COMPATIBILITY_DATE_NEWEST);
  EXPECT_EQ(code.error(), "");
  code.builder.setCompatibilityDate("2099-01-01");
  EXPECT_NE(code.error().find("requires compatibility date \"2099-01-01\""), std::string::npos);
}

TEST(WorkerCode, FlagsThatContradictEachOtherAreRefused) {
  Code code;
  auto flags = code.builder.initCompatibilityFlags(2);
  flags.set(0, "nodejs_compat");
  flags.set(1, "nodejs_als");
  EXPECT_EQ(code.error(), "");
  flags.set(1, "no_nodejs_compat");
  EXPECT_EQ(code.error(), "Compatibility flags are mutually contradictory: nodejs_compat vs no_nodejs_compat");
  flags.set(1, "No Such");
  EXPECT_EQ(code.error(), "No such compatibility flag: No Such");
}

TEST(WorkerCode, TheSumOfBodiesIsBounded) {
  Code code;
  auto modules = code.builder.initModules(2);
  modules[0].setName("a.bin");
  modules[1].setName("b.bin");
  modules[0].initData(wire::CODE_BYTES_MAX / 2);
  modules[1].initData(wire::CODE_BYTES_MAX / 2);
  EXPECT_EQ(code.error(), "");
  modules[1].initData(wire::CODE_BYTES_MAX / 2 + 1);
  EXPECT_EQ(code.error(), "Dynamic Worker code size (67108865 bytes) exceeds the maximum allowed size of 67108864 bytes.");
}

TEST(WorkerCode, TheEnvIsBounded) {
  Code code;
  auto node = code.builder.initEnv().initValue().initNodes(1)[0];
  node.initArrayBuffer().initBytes(wire::ENV_BYTES_MAX / 2);
  EXPECT_EQ(code.error(), "");
  node.initArrayBuffer().initBytes(wire::ENV_BYTES_MAX);
  EXPECT_NE(code.error().find("exceeds the maximum allowed size of 1048576 bytes."), std::string::npos);
}

}  // namespace
}  // namespace glovebox
