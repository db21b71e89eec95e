// Limits of an entrypoint, and workers that a worker loads itself, with the parent's part played by the test.

#include "ipc/large-value.h"
#include "supervisor/membrane-limits.h"
#include "tests/membrane-world.h"

namespace glovebox::test {
namespace {

TEST_F(MembraneTest, AnEntrypointHasTheLowerOfItsLimitsAndTheWorkers) {
  Hanging method;
  capnp::MallocMessageBuilder message;
  auto own = message.initRoot<rpc::Limits>();
  own.setWallMs(100);
  auto loose = world.load(method.onCall());
  auto strict = world.load(method.onCall(), {}, false, own);
  auto run = [&](ScriptedWorld::Loaded& worker, uint32_t wallMs) {
    auto request = worker.worker.getEntrypointRequest();
    request.initLimits().setWallMs(wallMs);
    return wait(call(request.send().getEntrypoint(), "run"));
  };
  EXPECT_TRUE(contains(run(loose, 50), "limit of 50 ms in this call"));
  EXPECT_TRUE(contains(run(strict, 10'000), "limit of 100 ms in this call"));
}

struct Child {
  rpc::Worker::Client worker;
  rpc::Target::Client entrypoint;
};
Child loadWith(rpc::Loader::Client loader, uint32_t wallMs = 0, uint32_t memoryMb = 0) {
  auto request = loader.loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("child.js");
  auto module = code.initModules(1)[0];
  module.setName("child.js");
  module.setJs("export default {}");
  code.initLimits().setWallMs(wallMs);
  code.getLimits().setMemoryMb(memoryMb);
  auto worker = request.send().getWorker();
  return {worker, worker.getEntrypointRequest().send().getEntrypoint()};
}

TEST_F(MembraneTest, AWorkerWithALoaderLoadsUnderItsOwnLimits) {
  capnp::MallocMessageBuilder message;
  auto own = message.initRoot<rpc::Limits>();
  own.setWallMs(5'000);
  own.setMemoryMb(64);
  auto parent = world.load(nullptr, {}, true, own);
  auto inside = world.expectLoad(answering("child:"));
  auto child = loadWith(KJ_ASSERT_NONNULL(parent.inside->loader), 60'000, 32);
  EXPECT_EQ(wait(call(child.entrypoint, "run")), "value child:run");
  EXPECT_EQ(inside->mainModule, "child.js");
  EXPECT_EQ(inside->wallMs, 5'000u);
  EXPECT_EQ(inside->memoryMb, 32u);
}

TEST_F(MembraneTest, ChildrenEndWithTheirParent) {
  auto parent = world.load(nullptr, {}, true);
  auto inside = world.expectLoad(answering("child:"));
  std::vector<Child> children;
  children.push_back(loadWith(KJ_ASSERT_NONNULL(parent.inside->loader)));
  EXPECT_EQ(wait(call(children[0].entrypoint, "run")), "value child:run");
  parent.inside->die();
  EXPECT_TRUE(world.turnUntil([&]() { return inside->gone; }));
}

TEST_F(MembraneTest, AChildLivesOnIfItsEntrypointWasHandedOn) {
  std::vector<Child> children;
  auto parent = world.load(nullptr, {}, true);
  parent.inside->onCall = [&](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, children[0].entrypoint, ValueExternal::Kind::SERVICE);
    return kj::READY_NOW;
  };
  auto inside = world.expectLoad(answering("child:"));
  children.push_back(loadWith(KJ_ASSERT_NONNULL(parent.inside->loader)));
  wait(call(children[0].entrypoint, "warm"));
  rpc::Target::Client given = nullptr;
  {
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(parent.entrypoint, "give")));
    given = response.getValue().getExternals()[0].getService();
  }
  parent.inside->die();
  children.clear();
  world.settle();
  EXPECT_EQ(wait(call(given, "still")), "value child:still");
  given = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return inside->gone; }));
}

TEST_F(MembraneTest, ChildrenAreBounded) {
  auto parent = world.load(nullptr, {}, true);
  std::vector<Child> children;
  for (uint32_t i = 0; i < membrane::CHILDREN_MAX; i++) {
    world.expectLoad(answering("child:"));
    children.push_back(loadWith(KJ_ASSERT_NONNULL(parent.inside->loader)));
    EXPECT_EQ(wait(call(children.back().entrypoint, "run")), "value child:run");
  }
  auto refused = "thrown This worker has reached its limit of 16 live workers loaded by it and by those that it loaded. Dispose of some of them first.";
  auto extra = loadWith(KJ_ASSERT_NONNULL(parent.inside->loader));
  EXPECT_EQ(wait(call(extra.entrypoint, "run")), refused);
  children.pop_back();
  world.settle();
  world.expectLoad(answering("child:"));
  auto again = loadWith(KJ_ASSERT_NONNULL(parent.inside->loader));
  EXPECT_EQ(wait(call(again.entrypoint, "run")), "value child:run");
  children.clear();
}

TEST_F(MembraneTest, GrandchildrenCountWithTheGrandparent) {
  auto parent = world.load(nullptr, {}, true);
  auto insideChild = world.expectLoad(answering("child:"));
  auto request = KJ_ASSERT_NONNULL(parent.inside->loader).loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("child.js");
  code.initModules(1)[0].setName("child.js");
  auto env = code.initEnv();
  env.initValue().initNodes(1)[0].initObject(0);
  env.initExternals(1)[0].setLoader(KJ_ASSERT_NONNULL(parent.inside->loader));
  auto child = request.send().getWorker();
  world.turnUntil([&]() { return insideChild->started; });
  std::vector<Child> grandchildren;
  for (uint32_t i = 0; i + 1 < membrane::CHILDREN_MAX; i++) {
    world.expectLoad(answering("grandchild:"));
    grandchildren.push_back(loadWith(KJ_ASSERT_NONNULL(insideChild->loader)));
    EXPECT_EQ(wait(call(grandchildren.back().entrypoint, "run")), "value grandchild:run");
  }
  auto extra = loadWith(KJ_ASSERT_NONNULL(insideChild->loader));
  EXPECT_TRUE(contains(wait(call(extra.entrypoint, "run")), "limit of 16 live workers"));
  grandchildren.clear();
}

TEST_F(MembraneTest, ModulesOfAChildMayBePulled) {
  auto parent = world.load(nullptr, {}, true);
  auto inside = world.expectLoad(answering("child:"));
  auto bulk = kj::heap<capnp::MallocMessageBuilder>();
  auto modules = bulk->initRoot<rpc::WorkerCode>().initModules(2);
  modules[0].setName("m.js");
  modules[0].initJs(3'000'000);
  modules[1].setName("n.js");
  auto load = [&](uint64_t size) {
    auto request = KJ_ASSERT_NONNULL(parent.inside->loader).loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("m.js");
    if (size == 0) {
      offerLarge(kj::mv(bulk), request.initBulk());
    } else {
      class Liar final: public rpc::ByteSource::Server {};
      request.initBulk().setSize(size);
      request.getBulk().setSource(kj::heap<Liar>());
    }
    return request.send().getWorker();
  };
  auto worker = load(0);
  EXPECT_EQ(wait(call(worker.getEntrypointRequest().send().getEntrypoint(), "run")), "value child:run");
  EXPECT_EQ(inside->modules, 2u);
  EXPECT_TRUE(contains(wait(call(load(1ull << 30).getEntrypointRequest().send().getEntrypoint(), "run")),
                       "thrown Dynamic Worker code size (1073741824 bytes) exceeds"));
  EXPECT_EQ(parent.inside->ending, "");
}

TEST_F(MembraneTest, AWorkerCannotMakeALoader) {
  class FakeLoader final: public rpc::Loader::Server {};
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    auto payload = context.getResults().initValue();
    payload.initValue().initNodes(1)[0].setExternal(0);
    payload.initExternals(1)[0].setLoader(rpc::Loader::Client(kj::heap<FakeLoader>()));
    return kj::READY_NOW;
  });
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "run")));
  auto loader = response.getValue().getExternals()[0].getLoader().castAs<rpc::Loader>();
  auto answered = loader.loadRequest().send().ignoreResult().then([]() { return std::string(); }, [](kj::Exception&& exception) {
    return std::string(exception.getDescription().cStr());
  });
  EXPECT_TRUE(contains(world.wait(kj::mv(answered)), "a worker can hand on a loader that it was handed, but not make one"));
}

}  // namespace
}  // namespace glovebox::test
