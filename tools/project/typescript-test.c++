#include "tools/project/typescript.h"

#include <functional>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async.h>

#include "ipc/payload.h"
#include "ipc/value-json.h"

// Against a worker that answers what it likes: whoever controls a text may control the worker that reads it.

namespace glovebox::project {
namespace {

using cli::ModuleFile;
using cli::ModuleType;
using testing::HasSubstr;

struct Said {
  std::string answer = "{}";                             // JSON
  std::optional<rpc::Ending::Code> ending;               // instead
  std::string asked;                                     // the last request, as JSON
  int loads = 0;
};

class Stripper final: public rpc::Target::Server {
 public:
  explicit Stripper(Said& said): said_(said) {}
  kj::Promise<void> call(CallContext context) override {
    said_.asked = stringifyJson(readInlinePayload(context.getParams().getOperation().getInvoke()).graph);
    if (said_.ending) {
      auto ended = context.getResults().initEnded();
      ended.setCode(*said_.ending);
      ended.setMessage("the words of the ending");
    } else {
      writePayload(parseJson(said_.answer), context.getResults().initValue());
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
    context.getResults().setEntrypoint(kj::heap<Stripper>(said_));
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

class Types: public ::testing::Test {
 public:
  ~Types() noexcept override {}

 protected:
  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  Said said_;
  TypeStripper stripper_{kj::heap<FakeSupervisor>(said_), "the bundle"};
  const std::vector<ModuleFile> modules_{{"main.ts", ModuleType::TS, "typed"}, {"b.js", ModuleType::JS, "plain"}, {"c.txt", ModuleType::TEXT, "text"}};

  StrippedModules strip() { return stripper_.strip(modules_).wait(scope_); }
  StrippedModules link() { return stripper_.link(modules_).wait(scope_); }
  static std::string inWords(const StrippedModules& result) {
    if (result.is<cli::Failure>()) return result.get<cli::Failure>().what();
    std::string words;
    for (auto& module: result.get<std::vector<ModuleFile>>()) words += module.name + "=" + std::to_string(static_cast<int>(module.type)) + ":" + module.content + ";";
    return words;
  }
};

TEST_F(Types, OnlyTypeScriptIsStrippedAndInAProjectJavaScriptIsReadAsWell) {
  said_.answer = R"({"code":["stripped"],"others":[]})";
  EXPECT_EQ(inWords(strip()), "main.ts=0:stripped;b.js=0:plain;c.txt=2:text;");
  EXPECT_EQ(said_.asked, R"([{"sources":[["main.ts","typed"]],"others":["b.js","c.txt"],"main":null}])");
  said_.answer = R"({"code":["stripped",null],"others":["c.txt"]})";
  EXPECT_EQ(inWords(link()), "main.ts=0:stripped;c.txt=2:text;");
  EXPECT_EQ(said_.asked, R"([{"sources":[["main.ts","typed"],["b.js","plain"]],"others":["c.txt"],"main":"main.ts"}])");
  EXPECT_EQ(said_.loads, 1) << "the worker stays";
}

TEST_F(Types, NobodyIsAskedWhereThereIsNothingToStrip) {
  EXPECT_EQ(inWords(stripper_.strip({{"b.js", ModuleType::JS, "plain"}}).wait(scope_)), "b.js=0:plain;");
  EXPECT_EQ(said_.loads, 0);
}

TEST_F(Types, AnAnswerAddsNoModuleAndChangesNoKind) {
  for (auto answer: {"{}", "[]", "null", "\"x\"", R"({"code":[]})", R"({"code":["a","b"],"others":[]})", R"({"code":[null],"others":[]})", R"({"code":[{}],"others":[]})",
                     R"({"code":["a"],"others":5})", R"({"code":["a"]})", R"({"problem":5})", R"({"problem":[]})"}) {
    said_.answer = answer;
    EXPECT_EQ(inWords(strip()), "the worker that strips types gave no usable answer") << answer;
  }
  // Names that were not asked for, and those of modules that are code.
  said_.answer = R"({"code":["a",null],"others":["evil.js","b.js",7,"c.txt"]})";
  EXPECT_EQ(inWords(link()), "main.ts=0:a;c.txt=2:text;");
  // Without its main module it is no project.
  said_.answer = R"({"code":[null,"b"],"others":[]})";
  EXPECT_EQ(inWords(link()), "the worker that strips types gave no usable answer");
}

TEST_F(Types, AProblemIsShownWithItsPlaceWhateverItSays) {
  said_.answer = R"({"problem":{"module":"main.ts","line":2,"column":3,"message":"Oh.","text":"\tab"}})";
  EXPECT_EQ(inWords(strip()), "main.ts:2:3: Oh.\n    \tab\n    \t ^");
  said_.answer = R"({"problem":{"module":"main.ts","line":2,"column":4000000000,"message":"Oh.","text":"ab"}})";
  EXPECT_THAT(inWords(strip()), HasSubstr("main.ts:2:4000000000: Oh.\n    ab\n      ^"));
  said_.answer = R"({"problem":{"line":-1,"column":{},"message":[]}})";
  EXPECT_EQ(inWords(strip()), ": ");
}

TEST_F(Types, AWorkerThatMetALimitIsReplaced) {
  said_.ending = rpc::Ending::Code::EXCEEDED_CPU;
  auto failed = strip();
  EXPECT_EQ(inWords(failed), "the types of 'main.ts' could not be stripped: the words of the ending (exceededCpu)");
  EXPECT_EQ(failed.get<cli::Failure>().code(), cli::EXIT_CODE_LIMIT);
  said_.ending = std::nullopt;
  said_.answer = R"({"code":["stripped"],"others":[]})";
  EXPECT_THAT(inWords(strip()), HasSubstr("main.ts=0:stripped"));
  EXPECT_EQ(said_.loads, 2);
}

TEST_F(Types, TextThatIsNoTextOrTooMuchIsRefusedBefore) {
  EXPECT_EQ(inWords(stripper_.strip({{"a.ts", ModuleType::TS, "\xff"}}).wait(scope_)), "'a.ts' is not UTF-8");
  EXPECT_THAT(inWords(stripper_.strip({{"a.ts", ModuleType::TS, std::string((4 << 20) + 1, ' ')}}).wait(scope_)), HasSubstr("may have 4 MiB; this has 4194305 bytes"));
  EXPECT_EQ(said_.loads, 0);
}

}  // namespace
}  // namespace glovebox::project
