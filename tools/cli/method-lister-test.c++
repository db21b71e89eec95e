#include "tools/cli/method-lister.h"

#include <gtest/gtest.h>

#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

std::string wordsOf(const std::string& listed, ExitCode expected) {
  try {
    chooseMethod(listed, "a.js", "");
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), expected);
    return failure.what();
  }
  return "no failure";
}

TEST(MethodLister, QuotesTheNameOfTheModuleItWraps) {
  auto source = methodLister("odd\"; evil(); \".js").content;
  EXPECT_NE(source.find(R"(from "./odd\"; evil(); \".js";)"), std::string::npos) << source;
  EXPECT_EQ(source.find("USER"), std::string::npos);
}

TEST(MethodLister, TheOnlyMethodIsChosen) { EXPECT_EQ(chooseMethod(R"({"methods":["myAgent"]})", "a.js", ""), "myAgent"); }

TEST(MethodLister, SeveralMethodsAreNamed) {
  EXPECT_NE(wordsOf(R"({"methods":["one","two"]})", EXIT_CODE_USAGE).find("--call: one, two"), std::string::npos);
}

TEST(MethodLister, AMissingExportNamesThoseThereAre) {
  EXPECT_NE(wordsOf(R"({"exports":["Named"]})", EXIT_CODE_CODE_ERROR).find("it exports: Named"), std::string::npos);
}

TEST(MethodLister, AHostileAnswerIsRefusedAndDisarmed) {
  wordsOf("", EXIT_CODE_CODE_ERROR);
  wordsOf("[]", EXIT_CODE_CODE_ERROR);
  wordsOf(R"({"methods":[1,null]})", EXIT_CODE_CODE_ERROR);
  EXPECT_EQ(wordsOf(R"({"methods":["a\u001b[2J","b"]})", EXIT_CODE_USAGE).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace glovebox::cli
