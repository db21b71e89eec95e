#include "tools/project/package-registry.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async.h>

#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "ipc/value-json.h"
#include "tools/cli/failure.h"
#include "tools/gateway/http-message.h"

// Asked by hostile code, answered by a hostile egress process.

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* URL = "https://packages.example/npm/";
// Of "body".
constexpr const char* INTEGRITY = "sha256-Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU=";

struct Said {
  unsigned status = 200;
  std::string body = "body";
  std::vector<gateway::Field> fields;
  std::vector<std::string> asked;
};

class Fetches final: public rpc::Target::Server {
 public:
  explicit Fetches(Said& said): said_(said) {}
  kj::Promise<void> call(CallContext context) override {
    auto read = gateway::readRequest(readInlinePayload(context.getParams().getOperation().getInvoke()).graph);
    auto& request = std::get<gateway::Outgoing>(read);
    said_.asked.push_back(request.method + " " + request.url);
    writePayload(gateway::writeResponse(said_.status, "", said_.fields, gateway::WholeBody{said_.body}), context.getResults().initValue());
    return kj::READY_NOW;
  }

 private:
  Said& said_;
};

class Registry: public ::testing::Test {
 public:
  Registry() {
    char path[] = "/tmp/glovebox-registry-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    folder_ = path;
    registry_ = kj::refcounted<PackageRegistry>(PackageCache(folder_ / "cache"), timer_, URL, false, [this]() { return rpc::Target::Client(kj::heap<Fetches>(said_)); });
  }
  ~Registry() noexcept override { fs::remove_all(folder_); }

 protected:
  fs::path folder_;
  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  kj::TimerImpl timer_{kj::origin<kj::TimePoint>()};
  Said said_;
  kj::Own<PackageRegistry> registry_;

  // "ok", or the words of what was thrown.
  std::string ask(const std::string& method, const std::string& arguments) {
    auto call = registry_->forWorker().callRequest();
    call.initPath(1).set(0, method.c_str());
    writePayload(parseJson(arguments), call.getOperation().initInvoke());
    auto outcome = call.send().then([](auto&& response) { return readReturn(kj::mv(response)); }).wait(scope_);
    if (outcome.is<CallValue>()) return "ok";
    auto& graph = outcome.get<CallThrown>().graph;
    return graph.nodes[graph.nodes[0].ref].bytes;
  }
  std::string tarball(const std::string& url = "null", const std::string& integrity = INTEGRITY) {
    return ask("tarball", R"(["@a/b","1.0.0",")" + integrity + "\"," + url + "]");
  }
};

TEST_F(Registry, WhatIsNoNameVersionOrHashIsRefusedAndNobodyAsked) {
  for (auto name: {R"("")", R"("../x")", R"("a/b")", R"("@a/b/c")", R"("@a")", R"("a b")", R"("a?b")", R"("a%2fb")", R"(".a")", R"("@a/..")", "5", "null", "[]"}) {
    EXPECT_THAT(ask("packument", std::string("[") + name + ",null]"), HasSubstr("is no name of a package")) << name;
    EXPECT_THAT(ask("tarball", std::string("[") + name + R"(,"1.0.0","sha512-x",null])"), HasSubstr("is no name of a package")) << name;
  }
  for (auto version: {"", "1", "1.0", "1.0.0/..", "1.0.0 ", "../1.0.0", "1.0.0-"}) {
    EXPECT_THAT(ask("tarball", std::string(R"(["a",")") + version + "\",\"" + INTEGRITY + "\",null]"), HasSubstr("is no version of a package")) << version;
  }
  for (auto integrity: {"", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-abcd", "sha256-../..", "md5-x"}) EXPECT_THAT(tarball("null", integrity), HasSubstr("is no integrity hash for @a/b@1.0.0")) << integrity;
  EXPECT_THAT(ask("fetch", "[\"a\"]"), HasSubstr("two methods"));
  EXPECT_THAT(said_.asked, ElementsAre());
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
}

TEST_F(Registry, OnlyTheRegistryIsAskedWhereverATarballIsSaidToBe) {
  said_.status = 404;
  const std::string usual = "GET https://packages.example/npm/@a/b/-/b-1.0.0.tgz";
  for (auto url: {"null", R"("https://elsewhere.example/x.tgz")", R"("https://packages.example/other/x.tgz")", R"("https://packages.example/npm/../other/x.tgz")",
                  R"("https://packages.example/npm/%2e%2e/x.tgz")", R"("http://packages.example/npm/x.tgz")", R"("https://packages.example/npm/x y")"}) {
    said_.asked.clear();
    EXPECT_THAT(tarball(url), HasSubstr("answered 404 when asked for the tarball of @a/b@1.0.0")) << url;
    EXPECT_THAT(said_.asked, ElementsAre(usual)) << url;
  }
  said_.asked.clear();
  tarball(R"("https://packages.example/npm/files/x.tgz")");
  ask("packument", R"(["@a/b",null])");
  EXPECT_THAT(said_.asked, ElementsAre("GET https://packages.example/npm/files/x.tgz", "GET https://packages.example/npm/@a%2fb"));
}

TEST_F(Registry, WhatFitsIsKeptAndWhatDoesNotIsNot) {
  said_.body = "another body";
  EXPECT_THAT(tarball(), HasSubstr("The tarball of @a/b@1.0.0 is not what was published"));
  said_.body = "body";
  EXPECT_EQ(tarball(), "ok");
  EXPECT_EQ(said_.asked.size(), 2u);
  EXPECT_EQ(tarball(), "ok");
  EXPECT_EQ(said_.asked.size(), 2u);
  for (auto& entry: fs::recursive_directory_iterator(folder_ / "cache")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "damaged";
  }
  EXPECT_EQ(tarball(), "ok");
  EXPECT_EQ(said_.asked.size(), 3u);
}

TEST_F(Registry, AnAnswerThatIsNoneOfItsKindIsRefused) {
  said_.status = 302;
  said_.fields = {{"location", "https://elsewhere.example/x"}};
  EXPECT_THAT(tarball(), HasSubstr(R"(on to "https://elsewhere.example/x", and redirects of a registry are not followed)"));
  said_.status = 200;
  said_.fields = {{"content-encoding", "gzip"}};
  EXPECT_THAT(ask("packument", R"(["a",null])"), HasSubstr("encoding \"gzip\", which was not asked for"));
  said_.fields = {};
  said_.status = 503;
  EXPECT_THAT(ask("packument", R"(["a",null])"), HasSubstr("answered 503"));
  EXPECT_FALSE(fs::exists(folder_ / "cache"));
}

TEST_F(Registry, WhoHoldsItForLongerIsRefused) {
  registry_->close();
  EXPECT_EQ(tarball(), "The registry is not asked any more.");
  EXPECT_THAT(said_.asked, ElementsAre());
}

TEST_F(Registry, ItsAddressIsWrittenOneWay) {
  EXPECT_EQ(checkRegistryUrl("HTTPS://Packages.Example:443/Npm", "--registry"), "https://packages.example/Npm/");
  EXPECT_EQ(checkRegistryUrl("http://[0:0::1]:80", "--registry"), "http://[::1]/");
  for (auto wrong: {"", "packages.example", "https://a@b.example/", "https://a.example/#x", "https://a.example/?x", "file:///x"}) EXPECT_THROW(checkRegistryUrl(wrong, "--registry"), cli::Failure) << wrong;
}

TEST(PackageCache, WhatWasNotUsedForLongestIsDeletedBeyondItsBound) {
  char path[] = "/tmp/glovebox-package-cache-XXXXXX";
  ASSERT_NE(mkdtemp(path), nullptr);
  PackageCache cache(path, 4000);
  const std::string kilobyte(1000, 'x');
  for (int i = 0; i < 4; i++) {
    cache.keepDocument("r/", "p" + std::to_string(i), "", i, kilobyte);
    // Each is older than the next.
    for (auto& entry: fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) fs::last_write_time(entry.path(), entry.last_write_time() - std::chrono::hours(1));
    }
  }
  auto isKept = [&](int i) { return cache.document("r/", "p" + std::to_string(i)).has_value(); };
  // Heads count, so that not all four fit; 3,000 is what is left at most.
  int kept = 0;
  for (int i = 0; i < 4; i++) kept += isKept(i);
  EXPECT_EQ(kept, 2);
  EXPECT_TRUE(isKept(3));
  EXPECT_EQ(cache.document("r/", "p3")->timeMs, 3);
  EXPECT_FALSE(cache.document("another/", "p3").has_value());
  fs::remove_all(path);
}

}  // namespace
}  // namespace glovebox::project
