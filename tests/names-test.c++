// Names, with the workers' part played by the test: who is asked for code and when, who goes when memory is short, and that
// nothing that holds itself stays.

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "supervisor/loaded-worker.h"
#include "supervisor/membrane-limits.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {
namespace {

// Gives the smallest code there is, with these capabilities as env; or fails.
class Factory final: public rpc::WorkerFactory::Server {
 public:
  struct Script {
    int asked = 0;
    std::string failure;
    kj::Maybe<kj::ForkedPromise<void>> gate;   // it waits for this
    std::vector<std::pair<std::string, TargetRef>> env;
  };
  explicit Factory(std::shared_ptr<Script> script): script_(std::move(script)) {}

  kj::Promise<void> code(CodeContext context) override {
    script_->asked++;
    kj::Promise<void> ready = kj::READY_NOW;
    KJ_IF_MAYBE(gate, script_->gate) ready = gate->addBranch();
    return ready.then([this, context]() mutable -> kj::Promise<void> {
      if (!script_->failure.empty()) return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(script_->failure.c_str()));
      auto code = context.getResults().initCode();
      code.setCompatibilityDate("2026-03-01");
      code.setMainModule("m.js");
      auto module = code.initModules(1)[0];
      module.setName("m.js");
      module.setJs("export default {}");
      auto payload = code.initEnv();
      payload.initValue().initNodes(1)[0].initObject(0);
      auto externals = payload.initExternals(unsigned(script_->env.size()));
      for (auto i: kj::indices(externals)) {
        externals[i].setLabel(script_->env[i].first.c_str());
        externals[i].setStub(script_->env[i].second);
      }
      return kj::READY_NOW;
    });
  }

 private:
  std::shared_ptr<Script> script_;
};

OnCall answering(const std::string& text) {
  return [text](const std::string& method, CallContext context) -> kj::Promise<void> {
    answer(context, text + method);
    return kj::READY_NOW;
  };
}

rpc::Worker::Client get(rpc::Loader::Client loader, const std::string& name, std::shared_ptr<Factory::Script> script) {
  auto request = loader.getRequest();
  request.setName(name.c_str());
  request.setFactory(kj::heap<Factory>(std::move(script)));
  return request.send().getWorker();
}

rpc::Target::Client entrypoint(rpc::Worker::Client worker, kj::Maybe<rpc::Target::Client> props = nullptr) {
  auto request = worker.getEntrypointRequest();
  KJ_IF_MAYBE(target, props) {
    auto payload = request.initProps();
    payload.initValue().initNodes(1)[0].initObject(0);
    payload.initExternals(1)[0].setStub(*target);
  }
  return request.send().getEntrypoint();
}

class NamesTest: public testing::Test {
 protected:
  ~NamesTest() noexcept override {}
  explicit NamesTest(SupervisorOptions options = {}): world(options) {}

  ScriptedWorld world;
  std::shared_ptr<Factory::Script> script = std::make_shared<Factory::Script>();

  std::string wait(capnp::RemotePromise<rpc::Return>&& promise) { return world.wait(outcome(kj::mv(promise))); }
  size_t live() { return world.core().kinship.workers().size(); }
  rpc::Target::Client named(const std::string& name) { return entrypoint(get(world.loader(), name, script)); }
};

TEST_F(NamesTest, AFactoryIsAskedOnceForAllWhoWaitAndWhatItThrowsIsNotRemembered) {
  auto gate = kj::newPromiseAndFulfiller<void>();
  script->gate = gate.promise.fork();
  script->failure = "no such tenant";
  auto one = named("x"), two = named("x");
  auto first = outcome(call(one, "a")), second = outcome(call(two, "b"));
  world.turnUntil([&]() { return script->asked > 0; });
  world.settle();
  EXPECT_EQ(script->asked, 1);
  script->gate = nullptr;
  gate.fulfiller->fulfill();
  // The second has brought a factory of its own, which is asked for both before anybody is told.
  EXPECT_EQ(world.wait(kj::mv(first)), "thrown no such tenant");
  EXPECT_EQ(world.wait(kj::mv(second)), "thrown no such tenant");
  EXPECT_EQ(script->asked, 2);
  script->failure = "";
  world.expectLoad(answering("x:"));
  EXPECT_EQ(wait(call(one, "c")), "value x:c");
  EXPECT_EQ(wait(call(two, "d")), "value x:d");
  EXPECT_EQ(script->asked, 3);
}

TEST_F(NamesTest, ADeadOneIsMadeAgainByTheNextCallAndCallsStayInOrder) {
  std::vector<std::string> heard;
  auto hearing = [&](const std::string& method, CallContext context) -> kj::Promise<void> {
    heard.push_back(method);
    answer(context, method);
    return kj::READY_NOW;
  };
  auto inside = world.expectLoad(hearing);
  auto target = named("x");
  EXPECT_EQ(wait(call(target, "0")), "value 0");
  inside->die();
  world.expectLoad(hearing);
  std::vector<kj::Promise<std::string>> calls;
  std::vector<std::string> expected = {"0"};
  for (int i = 1; i <= 30; i++) {
    calls.push_back(outcome(call(target, std::to_string(i))));
    expected.push_back(std::to_string(i));
    if (i % 10 == 0) world.port().getTimer().afterDelay(1 * kj::MILLISECONDS).wait(world.port().waitScope());
  }
  for (size_t i = 0; i < calls.size(); i++) EXPECT_EQ(world.wait(kj::mv(calls[i])), "value " + std::to_string(i + 1));
  EXPECT_EQ(heard, expected);
  EXPECT_EQ(script->asked, 2);
}

TEST_F(NamesTest, ACallThatWasUnderWayFailsAndIsNotRepeated) {
  int heard = 0;
  auto inside = world.expectLoad([&](const std::string&, CallContext) {
    heard++;
    return kj::Promise<void>(kj::NEVER_DONE);
  });
  auto target = named("x");
  auto pending = outcome(call(target, "run"));
  world.turnUntil([&]() { return heard > 0; });
  inside->die();
  EXPECT_EQ(world.wait(kj::mv(pending)), "ended crashed it died");
  world.expectLoad(answering("again:"));
  EXPECT_EQ(wait(call(target, "run")), "value again:run");
  EXPECT_EQ(heard, 1);
}

TEST_F(NamesTest, OneThatFailedToStartIsForgottenWhenThoseWhoWaitedHaveBeenTold) {
  auto inside = world.expectLoad(answering("failed:"));
  inside->failsToStart = true;
  auto target = named("x");
  auto first = outcome(call(target, "a")), second = outcome(call(target, "b"));
  EXPECT_EQ(world.wait(kj::mv(first)), "value failed:a");    // a real one throws: only it knows what
  EXPECT_EQ(world.wait(kj::mv(second)), "value failed:b");
  EXPECT_EQ(script->asked, 1);
  world.turnUntil([&]() { return inside->gone; });
  EXPECT_TRUE(inside->gone);
  world.expectLoad(answering("good:"));
  EXPECT_EQ(wait(call(target, "c")), "value good:c");
}

TEST_F(NamesTest, WhatStandsInPropsIsGivenToEachThatIsMade) {
  auto inside = world.expectLoad(answering(""));
  auto target = entrypoint(get(world.loader(), "x", script), object(answering("tool:")));
  for (int round = 0; round < 3; round++) {
    EXPECT_EQ(wait(call(target, "run")), "value run");
    ASSERT_EQ(inside->props.size(), 1u);
    EXPECT_EQ(wait(call(inside->props[0], "use")), "value tool:use");
    inside->die();
    inside = world.expectLoad(answering(""));
  }
  EXPECT_EQ(wait(call(target, "run")), "value run");
}

TEST_F(NamesTest, NamesThatHoldEachOtherEndWithTheirClient) {
  // Each has the other's entrypoint in its env, and one its own in the props of the other's.
  auto b = std::make_shared<Factory::Script>();
  auto insideA = world.expectLoad(answering("a:"));
  auto a = named("a");
  EXPECT_EQ(wait(call(a, "run")), "value a:run");
  b->env = {{"A", a}};
  auto insideB = world.expectLoad(answering("b:"));
  auto entryB = entrypoint(get(world.loader(), "b", b), a);
  EXPECT_EQ(wait(call(entryB, "run")), "value b:run");
  script->env = {{"B", entryB}};
  insideA->die();
  insideA = world.expectLoad(answering("a:"));
  EXPECT_EQ(wait(call(a, "run")), "value a:run");
  EXPECT_EQ(wait(call(insideA->env.at("B"), "run")), "value b:run");
  script->env.clear();
  b->env.clear();
  a = nullptr;
  entryB = nullptr;
  world.settle();
  EXPECT_EQ(live(), 2u);
  world.dropLoaders();
  EXPECT_TRUE(world.turnUntil([&]() { return live() == 0; }));
  EXPECT_TRUE(world.turnUntil([&]() { return insideA->gone && insideB->gone; }));
}

TEST_F(NamesTest, ANameStaysWarmWithoutStubsAndItsFactoryIsLetGo) {
  auto inside = world.expectLoad(answering("x:"));
  std::weak_ptr<Factory::Script> watched = script;
  {
    auto target = named("x");
    EXPECT_EQ(wait(call(target, "a")), "value x:a");
  }
  script = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return watched.expired(); }));
  EXPECT_FALSE(inside->gone);
  script = std::make_shared<Factory::Script>();
  EXPECT_EQ(wait(call(named("x"), "b")), "value x:b");
  EXPECT_EQ(script->asked, 0);
}

struct SmallBudget: public NamesTest {
  SmallBudget(): NamesTest([]() {
    SupervisorOptions options;
    options.namedMemoryMbMax = 10;
    return options;
  }()) {}

  std::shared_ptr<ScriptedWorker> expect(const std::string& text, uint64_t mb) {
    auto inside = world.expectLoad(answering(text));
    inside->memoryBytes = mb << 20;
    return inside;
  }
};

TEST_F(SmallBudget, WhoWasLeastRecentlyUsedGoesBeforeTheNextIsMade) {
  std::vector<std::shared_ptr<ScriptedWorker>> inside;
  std::vector<rpc::Target::Client> targets;
  for (auto name: {"a", "b", "c"}) {
    inside.push_back(expect(name, 3));
    targets.push_back(named(name));
    EXPECT_EQ(wait(call(targets.back(), "")), std::string("value ") + name);
  }
  world.settle();
  EXPECT_EQ(wait(call(targets[0], "!")), "value a!");   // "b" is the oldest now
  inside.push_back(expect("d", 3));
  targets.push_back(named("d"));
  EXPECT_EQ(wait(call(targets[3], "")), "value d");
  EXPECT_TRUE(world.turnUntil([&]() { return inside[1]->gone; }));
  EXPECT_FALSE(inside[0]->gone || inside[2]->gone || inside[3]->gone);
  EXPECT_LE(world.core().warmth.bytes(), uint64_t{10} << 20);
  EXPECT_EQ(world.core().warmth.evictions(EvictionReason::MEMORY), 1u);
  // It comes back, and "c" goes for it.
  expect("b again", 3);
  EXPECT_EQ(wait(call(targets[1], "")), "value b again");
  EXPECT_TRUE(world.turnUntil([&]() { return inside[2]->gone; }));
}

TEST_F(SmallBudget, OneThatHasGrownPushesOthersOutWhenItIsLookedAt) {
  auto small = expect("small", 1), large = expect("large", 1);
  auto a = named("a"), b = named("b");
  EXPECT_EQ(wait(call(a, "")), "value small");
  EXPECT_EQ(wait(call(b, "")), "value large");
  world.settle();
  large->memoryBytes = uint64_t{9} << 20;
  EXPECT_EQ(wait(call(b, "")), "value large");
  EXPECT_TRUE(world.turnUntil([&]() { return small->gone; }));
  EXPECT_FALSE(large->gone);
}

TEST_F(SmallBudget, NeitherOneWithACallUnderWayNorOneThatIsNeededGoes) {
  auto busy = world.expectLoad([](const std::string&, CallContext) { return kj::Promise<void>(kj::NEVER_DONE); });
  busy->memoryBytes = uint64_t{8} << 20;
  auto pending = outcome(call(named("busy"), "run"));
  auto needed = world.expectLoad([](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, object(answering("inner:")));
    return kj::READY_NOW;
  });
  needed->memoryBytes = uint64_t{8} << 20;
  auto target = named("needed");
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(target, "run")));
  auto inner = response.getValue().getExternals()[0].getStub();
  for (int i = 0; i < 5; i++) {
    expect("other", 8);
    EXPECT_EQ(wait(call(named("other " + std::to_string(i)), "")), "value other");
    world.settle();
  }
  EXPECT_FALSE(busy->gone || needed->gone);
  EXPECT_EQ(wait(call(inner, "x")), "value inner:x");
}

// ---------------------------------------------------------------------------------------------------------------------
// In a worker's hands

TEST_F(NamesTest, AWorkersNamesAreItsOwnAndEndWithIt) {
  auto parent = world.load(nullptr, {}, true);
  rpc::Loader::Client theirs = KJ_ASSERT_NONNULL(parent.inside->loader);
  auto child = world.expectLoad(answering("child:"));
  EXPECT_EQ(wait(call(entrypoint(get(theirs, "x", script)), "run")), "value child:run");
  auto mine = world.expectLoad(answering("mine:"));
  EXPECT_EQ(wait(call(named("x"), "run")), "value mine:run");
  world.wait(parent.worker.revokeRequest().send().ignoreResult());
  EXPECT_TRUE(world.turnUntil([&]() { return child->gone; }));
  EXPECT_FALSE(mine->gone);
}

TEST_F(NamesTest, AnIdleChildGoesRatherThanAnotherBeRefused) {
  auto parent = world.load(nullptr, {}, true);
  rpc::Loader::Client theirs = KJ_ASSERT_NONNULL(parent.inside->loader);
  std::vector<std::shared_ptr<ScriptedWorker>> children;
  std::vector<rpc::Target::Client> targets;
  for (uint32_t i = 0; i < membrane::CHILDREN_MAX + 2; i++) {
    children.push_back(world.expectLoad(answering("child:")));
    targets.push_back(entrypoint(get(theirs, "child " + std::to_string(i), script)));
    EXPECT_EQ(wait(call(targets.back(), "run")), "value child:run");
  }
  EXPECT_TRUE(world.turnUntil([&]() { return children[0]->gone && children[1]->gone; }));
  EXPECT_FALSE(children[2]->gone);
}

TEST_F(NamesTest, WhatAWorkerMakesTheSupervisorKeepIsBounded) {
  auto parent = world.load(nullptr, {}, true);
  rpc::Loader::Client theirs = KJ_ASSERT_NONNULL(parent.inside->loader);
  auto gate = kj::newPromiseAndFulfiller<void>();
  script->gate = gate.promise.fork();   // none of them gets its code
  std::vector<rpc::Worker::Client> held;
  for (uint32_t i = 0; i < membrane::NAMES_MAX; i++) {
    held.push_back(get(theirs, std::to_string(i), script));
    if (i % 64 == 0) world.settle();
  }
  world.settle();
  auto refused = wait(call(entrypoint(get(theirs, "one more", script)), "run"));
  EXPECT_NE(refused.find("This worker has reached its limit of 1024 named workers"), std::string::npos) << refused;
  EXPECT_FALSE(parent.inside->gone);
}

TEST_F(NamesTest, AFactoryThatLiesHarmsOnlyThoseWhoWait) {
  class Liar final: public rpc::WorkerFactory::Server {
   public:
    kj::Promise<void> code(CodeContext context) override {
      auto bulk = context.getResults().initBulk();
      bulk.setSize(uint64_t{1} << 40);
      return kj::READY_NOW;
    }
  };
  auto parent = world.load(nullptr, {}, true);
  auto request = KJ_ASSERT_NONNULL(parent.inside->loader).getRequest();
  request.setName("x");
  request.setFactory(kj::heap<Liar>());
  auto result = wait(call(entrypoint(request.send().getWorker()), "run"));
  EXPECT_NE(result.find("exceeds the maximum allowed size"), std::string::npos) << result;
  EXPECT_FALSE(parent.inside->gone);
}

}  // namespace
}  // namespace glovebox::test
