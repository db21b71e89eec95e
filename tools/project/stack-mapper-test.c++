#include "tools/project/stack-mapper.h"

#include <functional>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/async.h>

#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "tools/project/mapped-lines.h"

// Against a worker that answers what it likes: whoever controls a map may control the worker that reads it.

namespace glovebox::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Said {
  std::string answer = R"({"places":[["src/a.ts",10,20]]})";   // JSON
  std::optional<rpc::Ending::Code> ending;                      // instead
  std::string asked;
  int loads = 0, calls = 0;
};

class Mapper final: public rpc::Target::Server {
 public:
  explicit Mapper(Said& said): said_(said) {}
  kj::Promise<void> call(CallContext context) override {
    said_.calls++;
    said_.asked = stringifyJson(readInlinePayload(context.getParams().getOperation().getInvoke()).graph);
    if (said_.ending) {
      context.getResults().initEnded().setCode(*said_.ending);
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
    context.getResults().setEntrypoint(kj::heap<Mapper>(said_));
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

class StackMapperTest: public testing::Test {
 protected:
  ~StackMapperTest() noexcept override {}

  kj::EventLoop loop_;
  kj::WaitScope scope_{loop_};
  Said said_;
  StackMapper mapper_{kj::heap<FakeSupervisor>(said_), [] { return std::string("bundle"); }};
  cli::ModuleOrigins origins_ = [] {
    cli::ModuleFile module{"a.ts", cli::ModuleType::JS, "made", std::make_shared<cli::ModuleOrigin>(cli::ModuleOrigin{.module = "a.ts", .file = "src/a.ts", .source = "the source", .map = {}, .names = {}})};
    return cli::originsOf({module});
  }();

  std::string map(const std::string& text) {
    KJ_IF_MAYBE(mapping, mapper_.tryMap(text, origins_)) return mapping->wait(scope_);
    return text;
  }
  std::vector<std::string> places(const std::string& text) {
    std::vector<std::string> found;
    for (auto& place: findPlaces(text, origins_)) found.push_back(text.substr(place.begin, place.end - place.begin));
    return found;
  }
};

TEST_F(StackMapperTest, PlacesAreThoseOfKnownModulesOnLinesOfAStack) {
  EXPECT_THAT(places("Error: a.ts:9:9\n    at f (a.ts:1:2)\n    at a.ts:3:4\n    at async a.ts:5:6\n    at async g (a.ts:7:8) {\n  at a.ts:9:10 in h\n    at eval (eval at f (a.ts:11:12), <anonymous>:1:1)"),
              ElementsAre("a.ts:1:2", "a.ts:3:4", "a.ts:5:6", "a.ts:7:8", "a.ts:9:10", "a.ts:11:12"));
  EXPECT_THAT(places("    at b.ts:1:2\n    at f (xa.ts:1:2)\n    at f (a.ts:1)\n    at f (a.ts:0:1)\n    at f (a.ts:1:2x)\n    at f (a.ts:99999999999:1)\n at\n    at \nat a.ts:1:2"), ElementsAre());
}

TEST_F(StackMapperTest, TheTextStaysAndTheWorkerIsToldNothingOfItButNumbers) {
  EXPECT_EQ(map("Error: secret\n    at secret (a.ts:1:2)\n    at more"), "Error: secret\n    at secret (src/a.ts:10:20)\n    at more");
  EXPECT_THAT(said_.asked, HasSubstr("the source"));
  EXPECT_THAT(said_.asked, Not(HasSubstr("secret")));
  // The second time it knows the module.
  map("    at a.ts:1:2");
  EXPECT_THAT(said_.asked, Not(HasSubstr("the source")));
  EXPECT_EQ(said_.loads, 1);
}

TEST_F(StackMapperTest, NothingIsAskedWhereNoStackIs) {
  map("hello a.ts:1:2");
  EXPECT_EQ(mapper_.tryMap("    at a.ts:1:2", nullptr) == nullptr, true);
  EXPECT_EQ(said_.loads, 0);
}

TEST_F(StackMapperTest, WhatTheWorkerSaysIsAFilesNameInOneLineOrNothing) {
  const std::string stack = "    at a.ts:1:2";
  for (auto answer: {R"({"places":[["a\nfake: 200",1,1]]})", R"({"places":[["a\r",1,1]]})", R"({"places":[["\u001b[2J",1,1]]})", R"({"places":[["\u202e",1,1]]})", R"({"places":[["\u2028x",1,1]]})",
                     R"({"places":[["",1,1]]})", R"({"places":[["a",-1,1]]})", R"({"places":[["a",1.5,1]]})", R"({"places":[["a",1]]})", R"({"places":[null]})", R"({"places":[]})",
                     R"({"places":[["a",1,1],["b",1,1]]})", R"({"places":7})", R"([])", R"("text")", R"(null)"}) {
    said_.answer = answer;
    EXPECT_EQ(map(stack), stack) << answer;
  }
  said_.answer = "{\"places\":[[\"" + std::string(1025, 'a') + "\",1,1]]}";
  EXPECT_EQ(map(stack), stack);
  said_.answer = "{\"places\":[[\"" + std::string(1024, 'a') + "\",1,1]]}";
  EXPECT_EQ(map(stack), "    at " + std::string(1024, 'a') + ":1:1");
}

TEST_F(StackMapperTest, ModulesThatEndedTheWorkerAreNotAskedForAgain) {
  said_.ending = rpc::Ending::Code::EXCEEDED_CPU;
  EXPECT_EQ(map("    at a.ts:1:2"), "    at a.ts:1:2");
  EXPECT_EQ(map("    at a.ts:1:2"), "    at a.ts:1:2");
  EXPECT_EQ(said_.calls, 1);
}

TEST_F(StackMapperTest, AWorkerThatEndedBetweenTwoStacksIsReplaced) {
  map("    at a.ts:1:2");
  said_.answer = R"({"unknown":true})";
  EXPECT_EQ(map("    at a.ts:1:2"), "    at a.ts:1:2");
  EXPECT_EQ(said_.calls, 3);   // and given the module anew
  EXPECT_EQ(said_.loads, 2);
}

TEST_F(StackMapperTest, OfALongTextTheBeginningIsMapped) {
  std::string line = "    at a.ts:1:2\n", text;
  while (text.size() < STACK_BYTES_MAX) text += line;
  EXPECT_EQ(findPlaces(text, origins_).size(), PLACES_MAX);
  std::string filler(STACK_BYTES_MAX, 'x');
  EXPECT_EQ(findPlaces(filler + "\n" + line, origins_).size(), 0u);
  EXPECT_EQ(findPlaces("    at " + std::string(STACK_BYTES_MAX - 20, '('), origins_).size(), 0u);
  EXPECT_EQ(map("    at a.ts:1:2\n" + filler), "    at src/a.ts:10:20\n" + filler);
}

TEST_F(StackMapperTest, LinesKeepTheirOrderAndNoneIsLost) {
  std::vector<std::string> shown;
  auto show = [&](std::string text) { shown.push_back(std::move(text)); };
  MappedLines lines;
  lines.add("    at a.ts:1:2", origins_, show);
  EXPECT_THAT(shown, ElementsAre("    at a.ts:1:2"));   // nobody maps
  shown.clear();
  lines.mapWith(mapper_);
  lines.add("    at a.ts:1:2", origins_, show);
  lines.add("plain", origins_, show);
  EXPECT_THAT(shown, ElementsAre());
  lines.whenShown().wait(scope_);
  EXPECT_THAT(shown, ElementsAre("    at src/a.ts:10:20", "plain"));
  shown.clear();
  lines.add("    at a.ts:1:2", origins_, show);
  lines.mapNoMore();
  EXPECT_THAT(shown, ElementsAre("    at a.ts:1:2"));
}

}  // namespace
}  // namespace glovebox::project
