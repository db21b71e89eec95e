#include "tools/project/project-files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "tools/cli/failure.h"
#include "tools/project/project-types.h"

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using cli::ModuleType;
using testing::ElementsAre;
using testing::HasSubstr;

class ProjectFiles: public ::testing::Test {
 protected:
  fs::path folder_;
  ProjectConfig config_;

  void SetUp() override {
    char path[] = "/tmp/glovebox-project-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    folder_ = path;
    config_.file = folder_ / "wrangler.jsonc";
    config_.folder = folder_;
    config_.main = "src/index.ts";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void file(const std::string& name, const std::string& text = "") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (auto& module: readProjectFiles(config_)) names.push_back(module.name);
    return names;
  }
  static std::string failureOf(const std::function<void()>& act) {
    try {
      act();
    } catch (const cli::Failure& failure) {
      return failure.what();
    }
    return "";
  }
};

TEST_F(ProjectFiles, GlobsMatchWholePathsAndTwoStarsAnyFolders) {
  EXPECT_TRUE(matchesGlob("**/*.md", "a.md"));
  EXPECT_TRUE(matchesGlob("**/*.md", "x/y/a.md"));
  EXPECT_FALSE(matchesGlob("**/*.md", "x/a.mdx"));
  EXPECT_TRUE(matchesGlob("*.md", "a.md"));
  EXPECT_FALSE(matchesGlob("*.md", "x/a.md"));
  EXPECT_TRUE(matchesGlob("data/**", "data/x/y"));
  EXPECT_TRUE(matchesGlob("data/*/y", "data/x/y"));
  EXPECT_FALSE(matchesGlob("data/*/y", "data/y"));
  EXPECT_FALSE(matchesGlob("data/*", "other/x"));
  EXPECT_TRUE(matchesGlob("**/[ab]?.txt", "deep/a1.txt"));
  // Stars that could share a path in very many ways take no longer for it.
  std::string stars, path;
  for (int i = 0; i < 200; i++) stars += "**/a/", path += "a/";
  EXPECT_FALSE(matchesGlob(stars + "b", path + "c"));
}

TEST_F(ProjectFiles, MainComesFirstAndWhatIsNoModuleNotAtAll) {
  file("src/index.ts", "main");
  file("src/a.js");
  file("src/lib/b.tsx");
  file("src/page.html");
  file("src/data.json");
  file("src/notes.md");
  file("src/types.d.ts");
  file("src/node_modules/x/index.js");
  file("src/.hidden/x.js");
  file("outside.js");
  fs::create_directory_symlink(folder_, folder_ / "src/loop");
  EXPECT_THAT(names(), ElementsAre("index.ts", "a.js", "data.json", "lib/b.tsx", "page.html"));
  auto main = readProjectFiles(config_)[0];
  EXPECT_EQ(main.type, ModuleType::TS);
  EXPECT_EQ(main.content, "main");
}

TEST_F(ProjectFiles, AProjectsRulesComeBeforeTheDefaultOnes) {
  auto typeOf = [&](const char* path) {
    ModuleType type;
    return tryTypeByRules(config_, path, type) ? static_cast<int>(type) : -1;
  };
  EXPECT_EQ(typeOf("a.html"), static_cast<int>(ModuleType::TEXT));
  EXPECT_EQ(typeOf("a.md"), -1);
  config_.rules = {{ModuleType::TEXT, {"**/*.md"}, true}, {ModuleType::CJS, {"old/*.js"}, false}, {ModuleType::JS, {"typed/*"}, true}};
  EXPECT_EQ(typeOf("x/a.md"), static_cast<int>(ModuleType::TEXT));
  EXPECT_EQ(typeOf("a.html"), static_cast<int>(ModuleType::TEXT)) << "fallthrough leaves the default rule of that type";
  EXPECT_EQ(typeOf("old/a.js"), static_cast<int>(ModuleType::CJS));
  EXPECT_EQ(typeOf("a.js"), static_cast<int>(ModuleType::JS));
  EXPECT_EQ(typeOf("typed/a.ts"), static_cast<int>(ModuleType::TS));
  config_.rules[0].fallthrough = false;
  EXPECT_EQ(typeOf("a.html"), -1) << "without it the first rule of a type is the only one";
}

TEST_F(ProjectFiles, WhatIsMissingOrTooMuchIsNamed) {
  EXPECT_THAT(failureOf([&]() { readProjectFiles(config_); }), HasSubstr("wrangler.jsonc: main: there is no file '" + (folder_ / "src/index.ts").string() + "'"));
  file("src/index.ts");
  for (int i = 0; i <= 2000; i++) file("src/many/" + std::to_string(i) + ".js");
  EXPECT_THAT(failureOf([&]() { readProjectFiles(config_); }), HasSubstr("has more than 2000 files that could be modules"));
  EXPECT_THAT(failureOf([&]() { readProjectConfig(folder_); }), HasSubstr("there is no project in '" + folder_.string() + "'"));
}

TEST_F(ProjectFiles, OneOfTheThreeNamesIsFoundAndOthersAreNoProjects) {
  file("wrangler.toml", "main = \"b.js\"\ncompatibility_date = \"2026-04-15\"");
  EXPECT_EQ(readProjectConfig(folder_.string() + "/").main, "b.js");
  file("wrangler.jsonc", "{ \"main\": \"a.js\", \"compatibility_date\": \"2026-04-15\" }");
  EXPECT_EQ(readProjectConfig(folder_).main, "a.js");
  EXPECT_EQ(readProjectConfig(folder_ / "wrangler.toml").main, "b.js");
  EXPECT_TRUE(isProjectPath(folder_));
  EXPECT_TRUE(isProjectPath("x/wrangler.json"));
  EXPECT_FALSE(isProjectPath(folder_ / "a.js"));
}

TEST(ProjectTypes, APersonsOwnFileIsNotTakenForAGeneratedOne) {
  EXPECT_TRUE(isGenerated(describeEnv(parseProjectConfig("{ \"main\": \"a.js\", \"compatibility_date\": \"2026-04-15\" }", "wrangler.json"))));
  EXPECT_TRUE(isGenerated("/* eslint-disable */\n// Generated by Wrangler by running `wrangler types`"));
  EXPECT_FALSE(isGenerated("interface Env { MINE: string }"));
  EXPECT_FALSE(isGenerated(""));
}

}  // namespace
}  // namespace glovebox::project
