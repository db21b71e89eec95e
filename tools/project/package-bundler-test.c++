#include "tools/project/package-bundler.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async.h>
#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "tools/project/request-writer.h"

// Against a worker that answers what it likes: whoever controls a package may control the worker that reads it.

namespace glovebox::project {
namespace {

namespace fs = std::filesystem;
using cli::ModuleFile;
using cli::ModuleType;
using testing::HasSubstr;

struct Said {
  std::vector<std::string> answers;                      // JSON, the last one again and again
  std::optional<ValueGraph> graph;                       // instead
  std::optional<rpc::Ending::Code> ending;               // instead
  std::string asked;                                     // the last request, as JSON
  size_t registries = 0;                                 // capabilities in it
  size_t calls = 0;
  int loads = 0;
  WorkerLimits limits;
};

class Bundler final: public rpc::Target::Server {
 public:
  explicit Bundler(Said& said): said_(said) {}
  kj::Promise<void> call(CallContext context) override {
    auto received = readInlinePayload(context.getParams().getOperation().getInvoke());
    said_.registries = received.capabilities.size();
    // JSON has no word for a capability.
    for (auto& node: received.graph.nodes) {
      if (node.kind != ValueNode::Kind::EXTERNAL) continue;
      node = ValueNode();
      node.kind = ValueNode::Kind::NIL;
    }
    said_.asked = stringifyJson(received.graph);
    auto n = said_.calls++;
    if (said_.ending) {
      auto ended = context.getResults().initEnded();
      ended.setCode(*said_.ending);
      ended.setMessage("the words of the ending");
    } else if (said_.graph) {
      writePayload(*said_.graph, context.getResults().initValue());
    } else {
      writePayload(parseJson(said_.answers[std::min(n, said_.answers.size() - 1)]), context.getResults().initValue());
    }
    return kj::READY_NOW;
  }

 private:
  Said& said_;
};

class FakeWorker final: public rpc::Worker::Server {
 public:
  explicit FakeWorker(Said& said): said_(said) {}
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    context.getResults().setEntrypoint(kj::heap<Bundler>(said_));
    return kj::READY_NOW;
  }

 private:
  Said& said_;
};

class FakeLoader final: public rpc::Loader::Server {
 public:
  explicit FakeLoader(Said& said): said_(said) {}
  kj::Promise<void> load(LoadContext context) override {
    said_.loads++;
    said_.limits.memoryMb = context.getParams().getCode().getLimits().getMemoryMb();
    context.getResults().setWorker(kj::heap<FakeWorker>(said_));
    return kj::READY_NOW;
  }

 private:
  Said& said_;
};

class FakeSupervisor final: public rpc::Supervisor::Server {
 public:
  explicit FakeSupervisor(Said& said): said_(said) {}
  kj::Promise<void> loader(LoaderContext context) override {
    context.getResults().setLoader(kj::heap<FakeLoader>(said_));
    return kj::READY_NOW;
  }

 private:
  Said& said_;
};

class Bundles: public ::testing::Test {
 public:
  Bundles() {
    char path[] = "/tmp/glovebox-bundles-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    top_ = path;
    config_.name = "app";
    config_.folder = top_;
    config_.main = "index.ts";
    file("index.ts", "main");
    file("script", "the script");
    file("wasm", "the wasm");
    file("node_modules/a/index.js", "a");
    file("secret.txt.key", "secret");
  }
  ~Bundles() noexcept override { fs::remove_all(top_); }

 protected:
  fs::path top_;
  ProjectConfig config_;
  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  Said said_;
  int starts_ = 0;
  kj::Maybe<kj::Own<PackageBundler>> bundler_;

  void file(const std::string& name, const std::string& content) {
    fs::create_directories((top_ / name).parent_path());
    std::ofstream(top_ / name, std::ios::binary) << content;
  }
  std::string bundle(std::vector<std::string> answers = {"{}"}) {
    said_.answers = std::move(answers);
    said_.calls = 0;
    if (bundler_ == nullptr) {
      bundler_ = kj::heap<PackageBundler>([this]() { starts_++; return rpc::Supervisor::Client(kj::heap<FakeSupervisor>(said_)); }, top_ / "script", top_ / "wasm");
    }
    result_ = KJ_ASSERT_NONNULL(bundler_)->bundle(config_).wait(scope_);
    if (result_.is<cli::Failure>()) return result_.get<cli::Failure>().what();
    std::string words;
    for (auto& module: result_.get<std::vector<ModuleFile>>()) words += module.name + "=" + std::to_string(static_cast<int>(module.type)) + ":" + module.content + ";";
    return words;
  }
  StrippedModules result_ = std::vector<ModuleFile>();
};

constexpr const char* UNUSABLE = "the worker that bundles gave no usable answer";
constexpr const char* MADE = R"({"mainModule":"bundle.js","modules":[["t.txt","text","text"],["bundle.js","js","code"]],"warnings":[]})";

TEST_F(Bundles, PackagesAreGivenAsTheyAreNeededAndTheNextTimeAtOnce) {
  EXPECT_EQ(bundle({R"({"needed":["node_modules/a","node_modules/b"]})", MADE}), "bundle.js=0:code;t.txt=2:text;");
  EXPECT_EQ(said_.calls, 2u);
  EXPECT_THAT(said_.asked, HasSubstr(R"("files":[["index.ts","main"],["node_modules/a/index.js","a"]],"entryPoint":"index.ts")"));
  EXPECT_THAT(said_.asked, HasSubstr(R"("registry":null,"absent":["node_modules/b"])"));
  EXPECT_THAT(bundle({MADE}), HasSubstr("bundle.js"));
  EXPECT_THAT(said_.asked, HasSubstr(R"(["node_modules/a/index.js","a"])"));
  EXPECT_EQ(said_.loads, 1);
  EXPECT_EQ(starts_, 1);
  EXPECT_EQ(said_.limits.memoryMb, BUNDLER_LIMITS.memoryMb);
}

TEST_F(Bundles, NothingIsGivenButPackages) {
  for (auto place: {"secret.txt.key", "../etc", "/etc/passwd", "node_modules/../secret.txt.key", "node_modules", "src"}) {
    EXPECT_EQ(bundle({std::string(R"({"needed":[")") + place + "\"]}", MADE}), UNUSABLE) << place;
    EXPECT_EQ(said_.calls, 1u);
  }
  // The same again, and without end.
  EXPECT_EQ(bundle({R"({"needed":["node_modules/a"]})"}), UNUSABLE);
  EXPECT_EQ(said_.calls, 2u);
  EXPECT_EQ(bundle({R"({"needed":[]})"}), UNUSABLE);
}

TEST_F(Bundles, WhatIsMissingIsAskedForWithTheRegistryOnceAndNotBefore) {
  constexpr const char* MISSING = R"({"missing":["b"]})";
  EXPECT_EQ(bundle({MISSING, MADE}), UNUSABLE);   // there is none
  file("package-lock.json", "locked");
  int registries = 0;
  bool fails = false;
  KJ_ASSERT_NONNULL(bundler_)->installFrom([&]() {
    registries++;
    if (fails) throw cli::Failure(cli::EXIT_CODE_UNAVAILABLE, "no registry");
    return rpc::Target::Client(kj::heap<Bundler>(said_));
  });
  EXPECT_THAT(bundle({MADE}), HasSubstr("bundle.js"));
  EXPECT_EQ(registries, 0);
  EXPECT_THAT(bundle({MISSING, MADE}), HasSubstr("bundle.js"));
  EXPECT_EQ(registries, 1);
  EXPECT_EQ(said_.registries, 1u);
  EXPECT_THAT(said_.asked, HasSubstr(R"(["package-lock.json","locked"])"));
  EXPECT_EQ(bundle({MISSING}), UNUSABLE);
  EXPECT_EQ(said_.calls, 2u);
  fails = true;
  EXPECT_EQ(bundle({MISSING, MADE}), "no registry");
}

TEST_F(Bundles, AnAnswerIsModulesInTheRightFormOrNone) {
  for (auto answer: {"{}", "[]", "null", "5", R"({"mainModule":"a.js","modules":[]})", R"({"mainModule":"a.js","modules":[["b.js","js",""]]})", R"({"mainModule":"a.js","modules":[["a.js","js"]]})",
                     R"({"mainModule":"a.js","modules":[["a.js","cjs",""]]})", R"({"mainModule":"a.js","modules":[["a.js","wasm","text"]]})", R"({"mainModule":"a.js","modules":[["a.js","text",""]]})",
                     R"({"mainModule":"a.js","modules":[[5,"js",""]]})", R"({"mainModule":"a.js","modules":["a.js"]})", R"({"mainModule":5,"modules":[["a.js","js",""]]})", R"({"problems":[]})"}) {
    EXPECT_EQ(bundle({answer}), UNUSABLE) << answer;
  }
  RequestWriter writer;
  auto property = [&](const char* name, NodeRef value) { return ValueProperty{writer.text(name), value}; };
  auto module = writer.array({writer.text("m.wasm"), writer.text("wasm"), writer.bytes(std::string_view("\0asm", 4))});
  auto main = writer.array({writer.text("bundle.js"), writer.text("js"), writer.text("code")});
  auto root = writer.object({property("mainModule", writer.text("bundle.js")), property("modules", writer.array({module, main}))});
  auto graph = std::move(writer).arguments(root);
  graph.nodes[0] = graph.nodes[root];
  said_.graph = std::move(graph);
  EXPECT_EQ(bundle(), std::string("bundle.js=0:code;m.wasm=5:") + std::string("\0asm", 4) + ";");
}

TEST_F(Bundles, ProblemsAreShownWithTheirPlacesWhateverTheySay) {
  EXPECT_EQ(bundle({R"({"problems":[{"text":"Oh.","file":"a.ts","line":2,"column":3,"lineText":"\tab"},{"text":"And.","file":"","line":0,"column":0,"lineText":""}]})"}),
            "a.ts:2:3: Oh.\n    \tab\n    \t ^\nAnd.");
  EXPECT_THAT(bundle({R"({"problems":[{"text":"Oh.","file":"a.ts","line":2,"column":4000000000,"lineText":"ab"}]})"}), HasSubstr("    ab\n      ^"));
  EXPECT_EQ(bundle({R"({"problems":[{"text":[],"line":-1,"column":1e300}]})"}), UNUSABLE);
}

TEST_F(Bundles, AWorkerThatMetALimitIsReplaced) {
  said_.ending = rpc::Ending::Code::EXCEEDED_MEMORY;
  EXPECT_EQ(bundle(), "'app' could not be bundled: the words of the ending (exceededMemory)");
  EXPECT_EQ(result_.get<cli::Failure>().code(), cli::EXIT_CODE_LIMIT);
  said_.ending = std::nullopt;
  EXPECT_THAT(bundle({MADE}), HasSubstr("bundle.js"));
  EXPECT_EQ(said_.loads, 2);
  EXPECT_EQ(starts_, 1);
}

TEST_F(Bundles, WhatIsTooMuchIsRefusedBefore) {
  file("node_modules/large/index.js", std::string(31 << 20, ' '));
  EXPECT_THAT(bundle({R"({"needed":["node_modules/large"]})", MADE}), HasSubstr("have more than 30 MiB"));
  EXPECT_EQ(said_.calls, 1u);
}

}  // namespace
}  // namespace glovebox::project
