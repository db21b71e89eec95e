// Where code caches come from, with worker processes that the test plays: one that was never started gives them, once and for
// exactly its modules; one that was started has no say; what is wrong with an answer hurts nobody.

#include <capnp/any.h>
#include <capnp/message.h>
#include <gtest/gtest.h>

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {
namespace {

using Modules = std::vector<std::pair<std::string, std::string>>;   // name, text; ".txt" is text, the rest JavaScript

std::string large(const std::string& word) { return "//" + std::string(CodeCache::CODE_BYTES_MIN, ' ') + word; }
Modules one(const std::string& word = "one") { return {{"m.js", large(word)}}; }

kj::Promise<void> answerOk(const std::string&, CallContext context) {
  answer(context, "ok");
  return kj::READY_NOW;
}

// Answers `compile` with these caches.
void give(CompileContext context, const std::vector<std::string>& caches) {
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  auto list = message->initRoot<rpc::CodeCaches>().initModules(unsigned(caches.size()));
  for (auto i: kj::indices(caches)) {
    list.set(unsigned(i), capnp::Data::Reader(reinterpret_cast<const kj::byte*>(caches[i].data()), caches[i].size()));
  }
  offerLarge(kj::mv(message), context.getResults().initCaches());
}
std::function<kj::Promise<void>(CompileContext)> gives(std::vector<std::string> caches) {
  return [caches](CompileContext context) -> kj::Promise<void> {
    give(context, caches);
    return kj::READY_NOW;
  };
}

class CodeCompilerTest: public testing::Test {
 protected:
  ~CodeCompilerTest() noexcept override {}
  ScriptedWorld world;

  CodeCompiler::Counts counts() { return world.core().codeCompiler.counts(); }

  ScriptedWorld::Loaded load(const Modules& modules, rpc::Loader::Client loader) {
    auto inside = world.expectLoad(answerOk);
    // It would give any caches for any modules, if it were asked.
    inside->onCompile = gives({"a started worker's"});
    auto request = loader.loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule(modules[0].first.c_str());
    auto list = code.initModules(unsigned(modules.size()));
    for (auto i: kj::indices(modules)) {
      auto& [name, text] = modules[i];
      list[unsigned(i)].setName(name.c_str());
      if (name.ends_with(".txt")) list[unsigned(i)].setText(text.c_str());
      else list[unsigned(i)].setJs(text.c_str());
    }
    auto worker = request.send().getWorker();
    auto entrypoint = worker.getEntrypointRequest().send().getEntrypoint();
    world.turnUntil([&]() { return inside->started; });
    return {worker, entrypoint, inside};
  }
  ScriptedWorld::Loaded load(const Modules& modules) { return load(modules, world.loader()); }

  void callOnce(ScriptedWorld::Loaded& loaded) { EXPECT_EQ(world.wait(outcome(call(loaded.entrypoint, "run"))), "value ok"); }
  void untilCompiled() { EXPECT_TRUE(world.turnUntil([&]() { return counts().waiting == 0; })); }
  // A load that is called once, and all that comes of it.
  std::shared_ptr<ScriptedWorker> loadAndCall(const Modules& modules) {
    auto loaded = load(modules);
    callOnce(loaded);
    untilCompiled();
    return loaded.inside;
  }
};

TEST_F(CodeCompilerTest, OnlyAProcessThatNeverStartedCompilesAndTheNextLoadGetsExactlyItsBytes) {
  std::string cache("cache\0of one", 12);
  auto compiler = world.expectCompile(gives({cache}));
  auto first = loadAndCall(one());
  EXPECT_EQ(compiler->compiles, 1u);
  EXPECT_EQ(compiler->compiled, one());
  EXPECT_FALSE(compiler->started);
  EXPECT_TRUE(world.turnUntil([&]() { return compiler->gone; }));
  auto second = loadAndCall(one());
  EXPECT_TRUE(first->caches.empty());
  EXPECT_EQ(second->caches, std::vector<std::string>{cache});
  for (auto& started: {first, second}) EXPECT_EQ(started->compiles, 0u);
  EXPECT_EQ(counts().compiles, 1u);
  EXPECT_EQ(world.core().codeCache.counts().hits, 1u);
}

TEST_F(CodeCompilerTest, NothingIsCompiledBeforeTheFirstAnswer) {
  auto compiler = world.expectCompile(gives({"cache"}));
  auto loaded = load(one());
  world.settle();
  EXPECT_EQ(compiler->compiles, 0u);
  callOnce(loaded);
  EXPECT_TRUE(world.turnUntil([&]() { return compiler->compiles == 1; }));
  untilCompiled();
}

TEST_F(CodeCompilerTest, ALoadThatIsNeverCalledIsCompiledAfterItsEnd) {
  auto compiler = world.expectCompile(gives({"cache"}));
  load(one());
  EXPECT_TRUE(world.turnUntil([&]() { return compiler->compiles == 1; }));
  untilCompiled();
}

TEST_F(CodeCompilerTest, SmallLoadsAreNotCompiled) {
  auto compiler = world.expectCompile(gives({"cache"}));
  loadAndCall({{"m.js", "export default {}"}});
  world.settle();
  EXPECT_EQ(compiler->compiles, 0u);
  EXPECT_EQ(world.core().codeCache.counts().misses, 0u);
}

TEST_F(CodeCompilerTest, LoadsThatDifferShareNothing) {
  auto text = large("");
  int number = 0;
  for (auto& modules: std::vector<Modules>{{{"m.js", text}}, {{"n.js", text}}, {{"m.js", text}, {"b.js", ""}}, {{"m.js", text}, {"b.js", " "}}, {{"m.js", text}, {"c.js", " "}},
                                           {{"m.js", text}, {"b.txt", " "}}, {{"m.js", text + " "}}}) {
    std::vector<std::string> caches(modules.size());
    caches[0] = "cache " + std::to_string(number++);
    auto compiler = world.expectCompile(gives(caches));
    EXPECT_TRUE(loadAndCall(modules)->caches.empty()) << number;
    EXPECT_EQ(compiler->compiles, 1u) << number;
    EXPECT_EQ(loadAndCall(modules)->caches, caches) << number;
  }
}

TEST_F(CodeCompilerTest, WhatIsNoJavaScriptIsNotGivenToTheCompiler) {
  auto compiler = world.expectCompile(gives({"cache", ""}));
  loadAndCall({{"m.js", large("")}, {"secret.txt", "secret"}});
  EXPECT_EQ(compiler->compiled, (Modules{{"m.js", large("")}, {"secret.txt", ""}}));
}

// A later schema, or an attacker, may have more fields: Cap'n Proto copies them with a list.
TEST_F(CodeCompilerTest, ALoadCannotCarryCaches) {
  auto compiler = world.expectCompile([](CompileContext context) -> kj::Promise<void> {
    capnp::AnyStruct::Reader module = context.getParams().getModules()[0];
    EXPECT_EQ(module.getPointerSection().size(), 2u);   // a name and a text
    give(context, {"the compiler's"});
    return kj::READY_NOW;
  });
  capnp::MallocMessageBuilder message;
  auto list = message.getRoot<capnp::AnyPointer>().initAsListOfAnyStruct(1, 6, 1);
  for (unsigned pointer = 2; pointer < 6; pointer++) {
    list[0].getPointerSection()[pointer].setAs<capnp::Data>(kj::StringPtr("an attacker's").asBytes());
  }
  auto modules = message.getRoot<capnp::AnyPointer>().getAs<capnp::List<rpc::Module>>();
  modules[0].setName("m.js");
  modules[0].setJs(large("one").c_str());
  ASSERT_EQ(capnp::AnyStruct::Reader(modules.asReader()[0]).getPointerSection().size(), 6u);
  auto carry = [&](rpc::Loader::Client loader) {
    auto inside = world.expectLoad(answerOk);
    auto request = loader.loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("m.js");
    code.setModules(modules.asReader());
    auto worker = request.send().getWorker();
    auto entrypoint = worker.getEntrypointRequest().send().getEntrypoint();
    EXPECT_EQ(world.wait(outcome(call(entrypoint, "run"))), "value ok");
    return inside;
  };
  EXPECT_TRUE(carry(world.loader())->caches.empty());
  untilCompiled();
  EXPECT_EQ(compiler->compiles, 1u);
  EXPECT_EQ(carry(world.loader())->caches, std::vector<std::string>{"the compiler's"});
  // The same from inside a worker that was given a loader.
  auto parent = world.load(answerOk, {}, true);
  KJ_IF_MAYBE(loader, parent.inside->loader) {
    EXPECT_EQ(carry(*loader)->caches, std::vector<std::string>{"the compiler's"});
  } else {
    FAIL() << "the worker was given no loader";
  }
}

TEST_F(CodeCompilerTest, OneProcessCompilesAtATime) {
  auto held = kj::newPromiseAndFulfiller<void>();
  auto first = world.expectCompile([&](CompileContext context) {
    return held.promise.then([context]() mutable { give(context, {"one"}); });
  });
  auto second = world.expectCompile(gives({"two"}));
  auto a = load(one("one")), b = load(one("two"));
  callOnce(a);
  callOnce(b);
  EXPECT_TRUE(world.turnUntil([&]() { return first->compiles == 1; }));
  world.settle();
  EXPECT_EQ(second->compiles, 0u);
  held.fulfiller->fulfill();
  untilCompiled();
  EXPECT_EQ(second->compiles, 1u);
  EXPECT_EQ(counts().compiles, 2u);
}

TEST_F(CodeCompilerTest, LoadsOfTheSameAtOnceAreCompiledOnce) {
  auto compiler = world.expectCompile(gives({"cache"}));
  auto a = load(one()), b = load(one());
  callOnce(a);
  callOnce(b);
  untilCompiled();
  EXPECT_EQ(counts().compiles, 1u);
  EXPECT_EQ(counts().failures, 0u);
}

TEST_F(CodeCompilerTest, TextsThatWaitAreBounded) {
  Modules modules = {{"m.js", "//" + std::string(CodeCache::CODE_BYTES_MAX - 1'000, ' ')}};
  std::vector<ScriptedWorld::Loaded> loads;
  for (int i = 0; i < 4; i++) {
    modules[0].second[2] = char('a' + i);
    loads.push_back(load(modules));
  }
  EXPECT_EQ(counts().waiting, CodeCompiler::WAITING_BYTES_MAX / CodeCache::CODE_BYTES_MAX);
}

// Where none can be had, that is not the modules' fault: they are tried again.
TEST_F(CodeCompilerTest, WithoutAProcessNothingIsRemembered) {
  loadAndCall(one());
  EXPECT_EQ(counts().failures, 0u);
  EXPECT_EQ(world.core().codeCache.counts().entries, 0u);
  auto compiler = world.expectCompile(gives({"cache"}));
  loadAndCall(one());
  EXPECT_EQ(compiler->compiles, 1u);
}

// -- Hostile answers ---------------------------------------------------------------------------------------------------

class BadSource final: public rpc::ByteSource::Server {
  kj::Promise<void> read(ReadContext) override { KJ_FAIL_REQUIRE("no"); }
};

// Says that there are more bytes than it gives, or gives rubbish.
class RubbishSource final: public rpc::ByteSource::Server {
 public:
  explicit RubbishSource(kj::byte byte): byte_(byte) {}
  kj::Promise<void> read(ReadContext context) override {
    auto bytes = context.getResults().initBytes(context.getParams().getLength());
    memset(bytes.begin(), byte_, bytes.size());
    return kj::READY_NOW;
  }

 private:
  const kj::byte byte_;
};

void offer(CompileContext& context, uint64_t size, rpc::ByteSource::Client source) {
  auto large = context.getResults().initCaches();
  large.setSize(size);
  large.setSource(kj::mv(source));
}

TEST_F(CodeCompilerTest, ABadAnswerIsRefusedRememberedAndHurtsNobody) {
  struct Row {
    const char* what;
    std::function<kj::Promise<void>(CompileContext, ScriptedWorker&)> how;
  };
  auto now = [](auto&& does) {
    return [does](CompileContext context, ScriptedWorker& worker) mutable -> kj::Promise<void> {
      does(context, worker);
      return kj::READY_NOW;
    };
  };
  std::vector<Row> rows = {
      {"an exception", [](CompileContext, ScriptedWorker&) -> kj::Promise<void> { KJ_FAIL_REQUIRE("no"); }},
      {"its death", [](CompileContext, ScriptedWorker& worker) -> kj::Promise<void> {
         worker.die();
         return kj::NEVER_DONE;
       }},
      {"silence", [](CompileContext, ScriptedWorker& worker) -> kj::Promise<void> {
         worker.cpuTime = 60 * kj::SECONDS;
         return kj::NEVER_DONE;
       }},
      {"nothing", now([](CompileContext, ScriptedWorker&) {})},
      {"no caches", now([](CompileContext& context, ScriptedWorker&) { give(context, {}); })},
      {"only empty caches", now([](CompileContext& context, ScriptedWorker&) { give(context, {"", ""}); })},
      {"too many caches", now([](CompileContext& context, ScriptedWorker&) { give(context, {"a", "", "b"}); })},
      {"too few caches", now([](CompileContext& context, ScriptedWorker&) { give(context, {"a"}); })},
      {"a cache of a text", now([](CompileContext& context, ScriptedWorker&) { give(context, {"a", "b"}); })},
      {"too large", now([](CompileContext& context, ScriptedWorker&) { give(context, {std::string(CodeCache::ENTRY_BYTES_MAX + 8, 'a'), ""}); })},
      {"a size beyond all bounds", now([](CompileContext& context, ScriptedWorker&) { offer(context, ~uint64_t{7}, kj::heap<RubbishSource>(0)); })},
      {"a size that is no number of words", now([](CompileContext& context, ScriptedWorker&) { offer(context, 1'001, kj::heap<RubbishSource>(0)); })},
      {"no source", now([](CompileContext& context, ScriptedWorker&) { context.getResults().initCaches().setSize(1'000); })},
      {"a source that fails", now([](CompileContext& context, ScriptedWorker&) { offer(context, 1'000, kj::heap<BadSource>()); })},
      {"zeros", now([](CompileContext& context, ScriptedWorker&) { offer(context, 100'000, kj::heap<RubbishSource>(0)); })},
      {"ones", now([](CompileContext& context, ScriptedWorker&) { offer(context, 100'000, kj::heap<RubbishSource>(0xff)); })},
  };
  auto bystander = load({{"m.js", "export default {}"}});
  uint64_t failures = 0;
  for (auto& row: rows) {
    SCOPED_TRACE(row.what);
    Modules modules = {{"m.js", large(row.what)}, {"t.txt", "text"}};
    auto compiler = world.expectCompile(nullptr);
    compiler->onCompile = [&row, c = compiler.get()](CompileContext context) { return row.how(context, *c); };
    loadAndCall(modules);
    EXPECT_EQ(compiler->compiles, 1u);
    EXPECT_EQ(counts().failures, ++failures);
    EXPECT_TRUE(world.turnUntil([&]() { return compiler->gone; }));
    // Not tried again, and there is nothing to give. (There would be nobody to compile it: that would not count as a failure.)
    auto again = world.expectCompile(gives({"a", ""}));
    EXPECT_TRUE(loadAndCall(modules)->caches.empty());
    world.settle();
    EXPECT_EQ(again->compiles, 0u);
    callOnce(bystander);
    // The next row's process.
    loadAndCall({{"m.js", large("other than " + std::string(row.what))}, {"t.txt", "text"}});
    EXPECT_EQ(again->compiles, 1u);
  }
  EXPECT_EQ(counts().compiles, rows.size());
}

}  // namespace
}  // namespace glovebox::test
