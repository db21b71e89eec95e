#include "tools/project/project-packages.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cli/failure.h"

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class ProjectPackages: public ::testing::Test {
 public:
  ProjectPackages() {
    char path[] = "/tmp/glovebox-packages-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    top_ = path;
    config_.file = top_ / "project/wrangler.jsonc";
    config_.folder = top_ / "project";
    config_.main = "src/index.ts";
  }
  ~ProjectPackages() override { fs::remove_all(top_); }

 protected:
  fs::path top_;
  ProjectConfig config_;

  void file(const std::string& name, const std::string& content = "") {
    fs::create_directories((top_ / name).parent_path());
    std::ofstream(top_ / name, std::ios::binary) << content;
  }
  static std::vector<std::string> names(const std::vector<NamedFile>& files) {
    std::vector<std::string> names;
    for (auto& file: files) names.push_back(file.name);
    return names;
  }
};

TEST(PackagePlace, IsWhereAPackageLiesAndNothingElse) {
  for (auto place: {"node_modules/hono", "node_modules/@scope/name", "node_modules/a/node_modules/b", "node_modules/@s/a/node_modules/@s/b", "src/node_modules/a", "node_modules/a/lib/node_modules/b", "node_modules/.pnpm/a@1.0.0/node_modules/a", "node_modules/.pnpm/@s+a@1.0.0/node_modules/@s/a", "node_modules/.pnpm/node_modules/a"}) {
    EXPECT_TRUE(isPackagePlace(place)) << place;
  }
  for (auto place: {"", "src", "/etc", "node_modules", "node_modules/", "node_modules/@scope", "node_modules/..", "node_modules/../secrets", "node_modules/a/..", "../node_modules/a", "node_modules/.bin",
                    "node_modules//a", "node_modules/a/", "node_modules/a/lib", "node_modules/a/lib/deep", "node_modules/node_modules", "node_modules/a/node_modules", ".git/node_modules/a", "/node_modules/a",
                    "node_modules/.pnpm", "node_modules/.pnpm/a@1", "node_modules/.pnpm/a@1/b", "node_modules/.pnpm/../node_modules/a", "node_modules/.pnpm//node_modules/a", "node_modules/.pnpm/a/../node_modules/b"}) {
    EXPECT_FALSE(isPackagePlace(place)) << place;
  }
  EXPECT_FALSE(isPackagePlace(std::string_view("node_modules/a\0b", 16)));
}

TEST_F(ProjectPackages, APackageIsItsFilesAndPackagesWithoutWhatNothingImports) {
  file("project/node_modules/a/package.json", "{}");
  file("project/node_modules/a/lib/index.js", "code");
  for (auto other: {"index.d.ts", "index.js.map", "README.md", ".hidden", "node_modules/b/index.js"}) file(std::string("project/node_modules/a/") + other);
  auto files = readPackage(config_, "node_modules/a");
  ASSERT_TRUE(files);
  EXPECT_THAT(names(files->files), ElementsAre("node_modules/a/lib/index.js", "node_modules/a/node_modules/b/index.js", "node_modules/a/package.json"));
  EXPECT_EQ(files->place, "node_modules/a");
  EXPECT_EQ(files->files[0].content, "code");
  EXPECT_FALSE(readPackage(config_, "node_modules/none"));
}

TEST_F(ProjectPackages, LinksLeadNowhereButToTheProjectsOwnPackages) {
  file("secret/key.js", "secret");
  file("project/node_modules/.pnpm/a@1/node_modules/a/index.js", "a");
  file("project/.hidden/node_modules/c/index.js", "c");
  file("project/node_modules/b/index.js", "b");
  fs::create_directory_symlink(".pnpm/a@1/node_modules/a", top_ / "project/node_modules/a");
  fs::create_directory_symlink("../.hidden/node_modules/c", top_ / "project/node_modules/c");
  fs::create_directory_symlink(top_ / "secret", top_ / "project/node_modules/out");
  fs::create_directory_symlink(top_ / "secret", top_ / "project/node_modules/b/folder");
  fs::create_symlink(top_ / "secret/key.js", top_ / "project/node_modules/b/key.js");
  EXPECT_EQ(findPackage(config_, "node_modules/a"), "node_modules/.pnpm/a@1/node_modules/a");
  EXPECT_THAT(names(readPackage(config_, "node_modules/a")->files), ElementsAre("node_modules/.pnpm/a@1/node_modules/a/index.js"));
  EXPECT_THAT(names(readPackage(config_, "node_modules/b")->files), ElementsAre("node_modules/b/index.js"));
  EXPECT_THROW(readPackage(config_, "node_modules/out"), cli::Failure);
  EXPECT_THROW(readPackage(config_, "node_modules/c"), cli::Failure);
}

TEST_F(ProjectPackages, SourcesAreNamedFromTheProjectsFolder) {
  file("project/src/index.ts", "main");
  file("project/src/lib/a.ts");
  file("project/package.json", "{}");
  file("project/tsconfig.json", "{}");
  file("project/.env", "secret");
  file("project/other/b.ts");
  EXPECT_THAT(names(readSources(config_)), ElementsAre("src/index.ts", "src/lib/a.ts", "package.json", "tsconfig.json"));
  config_.main = "../outside.ts";
  EXPECT_THROW(readSources(config_), cli::Failure);
}

}  // namespace
}  // namespace glovebox::project
