// How what crosses the membrane around a worker ends: it is revoked, a process dies, nobody holds it any more. The worker's part is
// played by the test.

#include "tests/membrane-world.h"

namespace glovebox::test {
namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Revocation and death

TEST_F(MembraneTest, RevocationEndsCallsBothWays) {
  Hanging tool, method;
  auto worker = world.load(method.onCall(), {{"TOOL", object(tool.onCall())}});
  auto inward = outcome(call(worker.entrypoint, "run"));
  auto outward = outcome(call(worker.inside->env.at("TOOL"), "use"));
  world.turnUntil([&]() { return tool.underWay() == 1 && method.underWay() == 1; });
  world.wait(worker.worker.revokeRequest().send().ignoreResult());
  EXPECT_TRUE(contains(world.wait(kj::mv(inward)), "ended revoked"));
  EXPECT_TRUE(world.turnUntil([&]() { return tool.underWay() == 0; }));   // the tool was told to stop
  EXPECT_TRUE(contains(wait(call(worker.entrypoint, "run")), "ended revoked"));
  world.wait(worker.worker.revokeRequest().send().ignoreResult());        // again
  EXPECT_TRUE(contains(wait(call(worker.worker.getEntrypointRequest().send().getEntrypoint(), "run")), "ended revoked"));
}

TEST_F(MembraneTest, RevocationDoesNotWaitForTheProcessToDie) {
  Hanging tool, method;
  auto worker = world.load(method.onCall(), {{"TOOL", object(tool.onCall())}});
  worker.inside->lingers = true;
  auto inward = outcome(call(worker.entrypoint, "run"));
  auto outward = outcome(call(worker.inside->env.at("TOOL"), "use"));
  world.turnUntil([&]() { return tool.underWay() == 1 && method.underWay() == 1; });
  world.wait(worker.worker.revokeRequest().send().ignoreResult());
  EXPECT_TRUE(contains(world.wait(kj::mv(inward)), "ended revoked"));
  EXPECT_TRUE(world.turnUntil([&]() { return tool.underWay() == 0; }));
  EXPECT_TRUE(contains(world.wait(kj::mv(outward)), "out of its reach"));
  EXPECT_TRUE(contains(wait(call(worker.inside->env.at("TOOL"), "use")), "out of its reach"));
  EXPECT_EQ(tool.underWay(), 0);
}

TEST_F(MembraneTest, RevocationReachesWhatHangsOnAPromisedResult) {
  Hanging inner;
  int after = 0;
  auto target = object([&](const std::string& method, CallContext context) {
    if (method == "late") after++;
    return inner.onCall()(method, context);
  });
  auto worker = world.load(nullptr, {{"TOOL", object(promising(target))}});
  auto first = call(worker.inside->env.at("TOOL"), "get");
  auto promised = first.getPipeline();
  auto second = outcome(call(promised, "early"));
  world.turnUntil([&]() { return inner.underWay() == 1; });
  world.core().kinship.workers().begin()->second->abandon();
  auto third = outcome(call(promised, "late"));
  EXPECT_TRUE(world.turnUntil([&]() { return inner.underWay() == 0; }));
  world.settle();
  EXPECT_EQ(after, 0);
}

TEST_F(MembraneTest, ACallQueuedBehindAPromiseIsNotDeliveredAfterRevocation) {
  // Cap'n Proto itself would deliver it when the promise resolves.
  int delivered = 0;
  auto paf = kj::newPromiseAndFulfiller<rpc::Target::Client>();
  auto inside = world.expectLoad();
  auto request = world.localLoader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("m.js");
  code.initModules(1)[0].setName("m.js");
  auto env = code.initEnv();
  env.initValue().initNodes(1)[0].initObject(0);
  auto external = env.initExternals(1)[0];
  external.setLabel("TOOL");
  external.setStub(kj::mv(paf.promise));
  auto worker = request.send().getWorker();
  world.turnUntil([&]() { return inside->started; });
  auto pending = outcome(call(inside->env.at("TOOL"), "late"));
  world.settle();
  world.wait(worker.revokeRequest().send().ignoreResult());
  paf.fulfiller->fulfill(object([&](const std::string&, CallContext) -> kj::Promise<void> {
    delivered++;
    return kj::READY_NOW;
  }));
  world.settle();
  EXPECT_EQ(delivered, 0);
}

TEST_F(MembraneTest, ACallThatWaitsForAnotherWorkersProcessIsNotDeliveredAfterRevocation) {
  int delivered = 0;
  auto a = world.load();
  auto hold = world.holdLoads();
  auto b = world.load([&](const std::string&, CallContext) -> kj::Promise<void> {
    delivered++;
    return kj::READY_NOW;
  });
  a.inside->onCall = [inside = a.inside](const std::string&, CallContext context) {
    auto other = capabilitiesOf(context).at(0);
    return call(other, "late").ignoreResult();
  };
  auto pending = outcome(call(a.entrypoint, "run", {b.entrypoint}));
  world.settle();
  world.wait(a.worker.revokeRequest().send().ignoreResult());
  hold->fulfill();
  world.turnUntil([&]() { return b.inside->started; });
  world.settle();
  EXPECT_EQ(delivered, 0);
}

TEST_F(MembraneTest, AWorkerRevokedBeforeItHasAProcessGetsNoCode) {
  auto hold = world.holdLoads();
  auto worker = world.load(answering(""));
  auto pending = outcome(call(worker.entrypoint, "run"));
  world.settle();
  world.wait(worker.worker.revokeRequest().send().ignoreResult());
  EXPECT_TRUE(contains(world.wait(kj::mv(pending)), "ended revoked"));
  hold->fulfill();
  world.settle();
  EXPECT_FALSE(worker.inside->started);
}

// How it was: what others had asked of the process waited for it, and so did what should happen to the worker once there was
// a process, though the worker was gone by then.
TEST_F(MembraneTest, OneThatIsLetGoBeforeItHasAProcessIsForgotten) {
  enum class How { LET_GO, REVOKED, DISCONNECTED };
  for (auto how: {How::LET_GO, How::REVOKED, How::DISCONNECTED}) {
    auto hold = world.holdLoads();
    {
      auto worker = world.load(answering(""), {{"TOOL", object(answering(""))}});
      auto pending = outcome(call(worker.entrypoint, "run"));
      world.settle();
      auto other = worker.worker.getEntrypointRequest().send().getEntrypoint();
      auto second = outcome(call(other, "run"));
      if (how == How::REVOKED) world.wait(worker.worker.revokeRequest().send().ignoreResult());
      if (how == How::DISCONNECTED) world.dropClient();
    }
    EXPECT_TRUE(world.turnUntil([&]() { return world.core().kinship.workers().empty(); }));
    hold->fulfill();
    world.settle();
  }
}

TEST_F(MembraneTest, AWorkerThatCannotBeStartedSaysSo) {
  auto hold = world.holdLoads();
  auto worker = world.load(answering(""));
  auto pending = outcome(call(worker.entrypoint, "run"));
  world.settle();
  hold->reject(KJ_EXCEPTION(FAILED, "no room"));
  EXPECT_EQ(world.wait(kj::mv(pending)), "ended startFailed No worker could be started: no room");
  EXPECT_EQ(wait(call(worker.entrypoint, "run")), "ended startFailed No worker could be started: no room");
}

TEST_F(MembraneTest, DeathEndsCallsBothWays) {
  Hanging tool, method;
  auto worker = world.load(method.onCall(), {{"TOOL", object(tool.onCall())}});
  auto inward = outcome(call(worker.entrypoint, "run"));
  auto outward = outcome(call(worker.inside->env.at("TOOL"), "use"));
  world.turnUntil([&]() { return tool.underWay() == 1 && method.underWay() == 1; });
  worker.inside->die();
  EXPECT_EQ(world.wait(kj::mv(inward)), "ended crashed it died");
  EXPECT_TRUE(world.turnUntil([&]() { return tool.underWay() == 0; }));
  EXPECT_EQ(wait(call(worker.entrypoint, "run")), "ended crashed it died");
}

TEST_F(MembraneTest, AToolThatIsGoneIsAnErrorOfTheCall) {
  std::shared_ptr<ScriptedWorker> inside;
  auto broken = rpc::Target::Client(KJ_EXCEPTION(DISCONNECTED, "no more"));
  auto worker = world.load(nullptr, {{"GONE", broken}, {"BAD", object([](const std::string&, CallContext) -> kj::Promise<void> {
                                        return KJ_EXCEPTION(FAILED, "on purpose");
                                      })}});
  EXPECT_EQ(wait(call(worker.inside->env.at("GONE"), "x")), "thrown Whoever provided this capability is gone.");
  EXPECT_TRUE(contains(wait(call(worker.inside->env.at("BAD"), "x")), "thrown The call failed: remote exception: on purpose"));
}

TEST_F(MembraneTest, AClientThatGoesTakesItsWorkersWithIt) {
  auto worker = world.load();
  auto inside = worker.inside;
  worker.worker = nullptr;
  worker.entrypoint = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return inside->gone; }));
}

TEST_F(MembraneTest, AWorkerIsNotBlamedForWhatBecomesOfItsTools) {
  // Its result is another worker's entrypoint, so what is called on the result goes there.
  Hanging hanging;
  auto other = world.load(hanging.onCall());
  auto worker = world.load(nullptr, {{"OTHER", other.entrypoint}});
  worker.inside->onCall = [inside = worker.inside.get()](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, inside->env.at("OTHER"));
    return kj::READY_NOW;
  };
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "get")));
  auto pending = outcome(call(response.getPipeline(), "late"));
  world.turnUntil([&]() { return hanging.underWay() == 1; });
  other.inside->die();
  EXPECT_EQ(world.wait(kj::mv(pending)), "ended crashed it died");
  EXPECT_EQ(worker.inside->ending, "");
}

// ---------------------------------------------------------------------------------------------------------------------
// Who holds whom

TEST_F(MembraneTest, AWorkerThatHoldsItselfEndsWithItsClient) {
  rpc::Target::Client kept = nullptr;
  auto worker = world.load([&](const std::string&, CallContext context) -> kj::Promise<void> {
    auto given = capabilitiesOf(context);
    if (!given.empty()) kept = given[0];
    answer(context, object(answering("mine")));
    return kj::READY_NOW;
  });
  {
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "make")));
    wait(call(worker.entrypoint, "take", {response.getValue().getExternals()[0].getStub()}));
  }
  auto inside = worker.inside;
  worker.worker = nullptr;
  worker.entrypoint = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return inside->gone; }));
  kept = nullptr;
}

TEST_F(MembraneTest, WorkersThatHoldEachOtherEndWithTheirClient) {
  std::vector<TargetRef> kept;
  OnCall keep = [&](const std::string&, CallContext context) -> kj::Promise<void> {
    for (auto& given: capabilitiesOf(context)) kept.push_back(given);
    answer(context, "kept");
    return kj::READY_NOW;
  };
  auto a = world.load(keep), b = world.load(keep);
  EXPECT_EQ(wait(call(a.entrypoint, "keep", {b.entrypoint})), "value kept");
  EXPECT_EQ(wait(call(b.entrypoint, "keep", {a.entrypoint})), "value kept");
  auto insideA = a.inside, insideB = b.inside;
  a.worker = nullptr;
  a.entrypoint = nullptr;
  world.settle();
  EXPECT_FALSE(insideA->gone);   // b has it, and b is the client's
  b.worker = nullptr;
  b.entrypoint = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return insideA->gone && insideB->gone; }));
  kept.clear();
}

TEST_F(MembraneTest, AFunctionThatAClientHoldsKeepsTheWorkerAlive) {
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, object(answering("kept:")));
    return kj::READY_NOW;
  });
  rpc::Target::Client function = nullptr;
  {
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "make")));
    function = response.getValue().getExternals()[0].getStub();
  }
  worker.worker = nullptr;
  worker.entrypoint = nullptr;
  world.settle();
  EXPECT_EQ(wait(call(function, "x")), "value kept:x");
  function = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return worker.inside->gone; }));
}

}  // namespace
}  // namespace glovebox::test
