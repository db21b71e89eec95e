// The membrane around a worker, with the worker's part played by the test: what crosses is wrapped, counted, bounded and
// cut. The worker's and the client's lines are real, and so is everything between them.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <rapidjson/document.h>

#include "ipc/large-value.h"
#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/membrane-limits.h"
#include "supervisor/outward.h"
#include "supervisor/status.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A method that never answers, and tells whether it is still being asked.
class Hanging {
 public:
  int underWay() const { return *underWay_; }
  OnCall onCall() {
    return [underWay = underWay_](const std::string&, CallContext) {
      ++*underWay;
      return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([underWay]() { --*underWay; }));
    };
  }

 private:
  std::shared_ptr<int> underWay_ = std::make_shared<int>(0);   // the line outlives the test's variables
};

OnCall answering(const std::string& text) {
  return [text](const std::string& method, CallContext context) -> kj::Promise<void> {
    answer(context, text + method);
    return kj::READY_NOW;
  };
}

// A worker whose `run` does what the test says with its env.
OnCall relay(std::shared_ptr<ScriptedWorker>& inside, const std::string& tool) {
  return [&inside, tool](const std::string& method, CallContext context) {
    return call(inside->env.at(tool), method).then([context](capnp::Response<rpc::Return>&& response) mutable {
      context.setResults(response);
    });
  };
}

class MembraneTest: public testing::Test {
 protected:
  ScriptedWorld world;
  ~MembraneTest() noexcept override {}

  std::string wait(capnp::RemotePromise<rpc::Return>&& promise) { return world.wait(outcome(kj::mv(promise))); }
  uint64_t passed(ScriptedWorld::Loaded&) { return 0; }
  LoadedWorker& only() {
    auto& workers = world.core().kinship.workers();
    KJ_REQUIRE(workers.size() == 1);
    return *workers.begin()->second;
  }
};

// ---------------------------------------------------------------------------------------------------------------------
// Crossing

TEST_F(MembraneTest, AWorkerCallsAToolOfItsEnv) {
  std::shared_ptr<ScriptedWorker> inside;
  auto worker = world.load(nullptr, {{"TOOL", object(answering("tool:"))}});
  inside = worker.inside;
  inside->onCall = relay(inside, "TOOL");
  EXPECT_EQ(wait(call(worker.entrypoint, "run")), "value tool:run");
}

TEST_F(MembraneTest, AFunctionPassedAsAnArgumentIsCalledBack) {
  auto worker = world.load([](const std::string&, CallContext context) {
    auto callback = capabilitiesOf(context).at(0);
    return call(callback, "hello").then([context](capnp::Response<rpc::Return>&& response) mutable {
      answer(context, firstText(response.getValue()) + "!");
    });
  });
  EXPECT_EQ(wait(call(worker.entrypoint, "run", {object(answering("back:"))})), "value back:hello!");
}

TEST_F(MembraneTest, AWorkersFunctionIsCalledByATool) {
  std::shared_ptr<ScriptedWorker> inside;
  auto tool = object([](const std::string&, CallContext context) {
    return call(capabilitiesOf(context).at(0), "inner").then([context](capnp::Response<rpc::Return>&& response) mutable {
      answer(context, "tool saw " + firstText(response.getValue()));
    });
  });
  auto worker = world.load(nullptr, {{"TOOL", tool}});
  inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    return call(inside->env.at("TOOL"), "use", {object(answering("f:"))}).then([context](capnp::Response<rpc::Return>&& response) mutable {
      context.setResults(response);
    });
  };
  EXPECT_EQ(wait(call(worker.entrypoint, "run")), "value tool saw f:inner");
}

TEST_F(MembraneTest, ReturnedAndThrownCapabilitiesAreCalledUnderTheWorkersLimits) {
  Hanging hanging;
  for (bool thrown: {false, true}) {
    auto worker = world.load([&](const std::string&, CallContext context) -> kj::Promise<void> {
      auto results = context.getResults();
      auto payload = thrown ? results.initThrown() : results.initValue();
      payload.initValue().initNodes(1)[0].setExternal(0);
      payload.initExternals(1)[0].setStub(object(hanging.onCall()));
      return kj::READY_NOW;
    });
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "run")));
    auto returned = (thrown ? response.getThrown() : response.getValue()).getExternals()[0].getStub();
    auto pending = outcome(call(returned, "x"));
    world.turnUntil([&]() { return hanging.underWay() > 0; });
    worker.inside->die();
    EXPECT_EQ(world.wait(kj::mv(pending)), "ended crashed it died");
    world.settle();
  }
}

TEST_F(MembraneTest, PropsCrossTheMembrane) {
  auto worker = world.load();
  worker.inside->onCall = [](const std::string& method, CallContext context) -> kj::Promise<void> {
    answer(context, method);
    return kj::READY_NOW;
  };
  auto request = worker.worker.getEntrypointRequest();
  request.setName("Named");
  auto props = request.initProps();
  props.initValue().initNodes(1)[0].setExternal(0);
  props.initExternals(1)[0].setService(object(answering("prop:")));
  auto entrypoint = request.send().getEntrypoint();
  EXPECT_EQ(wait(call(entrypoint, "run")), "value Named.run");
  ASSERT_EQ(worker.inside->props.size(), 1u);
  EXPECT_EQ(wait(call(worker.inside->props[0], "x")), "value prop:x");
  EXPECT_EQ(only().membrane().ledger.outwardCapabilities.now(), 1u);
}

TEST_F(MembraneTest, ACapabilityHiddenInAValueIsAViolation) {
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    auto payload = context.getResults().initValue();
    capnp::AnyStruct::Builder any = kj::cp(payload);
    auto value = any.getPointerSection()[0].initAsAnyStruct(0, 2);   // where a later schema might have a capability
    value.getPointerSection()[0].initAs<capnp::List<rpc::Node>>(1);
    value.getPointerSection()[1].setAs<capnp::Capability>(object(answering("raw")));
    return kj::READY_NOW;
  });
  EXPECT_TRUE(contains(wait(call(worker.entrypoint, "run")), "ended protocolViolation"));
}

TEST_F(MembraneTest, ACapabilityHiddenInAPathOrALogIsRefused) {
  std::shared_ptr<ScriptedWorker> inside;
  auto worker = world.load(nullptr, {{"TOOL", object(answering("tool:"))}});
  inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    auto request = inside->env.at("TOOL").callRequest();
    capnp::AnyStruct::Builder any = rpc::Call::Builder(request);
    any.getPointerSection()[0].initAsListOfAnyStruct(0, 1, 1)[0].getPointerSection()[0].setAs<capnp::Capability>(object(answering("raw")));
    return outcome(request.send()).then([context](std::string text) mutable { answer(context, text); });
  };
  EXPECT_TRUE(contains(wait(call(worker.entrypoint, "run")), "value exception"));
}

TEST_F(MembraneTest, WhatAWorkerHandsOnDependsOnItsOwnerOnly) {
  // The tool goes through the worker and back to the client, and outlives the worker.
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    auto tool = capabilitiesOf(context).at(0);
    auto payload = context.getResults().initValue();
    payload.initValue().initNodes(1)[0].setExternal(0);
    payload.initExternals(1)[0].setStub(tool);
    return kj::READY_NOW;
  });
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "run", {object(answering("tool:"))})));
  auto returned = response.getValue().getExternals()[0].getStub();
  worker.inside->die();
  world.settle();
  EXPECT_EQ(wait(call(returned, "still")), "value tool:still");
}

TEST_F(MembraneTest, LabelsAreCleanedAndCut) {
  auto worker = world.load(nullptr, {{std::string(70, 'a'), object(answering(""))}, {"b\xff", object(answering(""))}});
  EXPECT_EQ(worker.inside->env.count(std::string(64, 'a')), 1u);
  EXPECT_EQ(worker.inside->env.count("b\xef\xbf\xbd"), 1u);
}

// ---------------------------------------------------------------------------------------------------------------------
// Pipelining

// An object whose `get` never returns but says at once what its result will be.
OnCall promising(rpc::Target::Client target) {
  return [result = TargetRef(target)](const std::string&, CallContext context) -> kj::Promise<void> {
    capnp::PipelineBuilder<rpc::Return> pipeline;
    pipeline.setPipeline(result);
    context.setPipeline(pipeline.build());
    return kj::NEVER_DONE;
  };
}

TEST_F(MembraneTest, ACallOnAResultThatHasNotComeReachesTheWorker) {
  auto worker = world.load(promising(object(answering("inner:"))));
  auto pending = call(worker.entrypoint, "get");
  EXPECT_EQ(wait(call(pending.getPipeline(), "hello")), "value inner:hello");
  EXPECT_FALSE(pending.poll(world.port().waitScope()));
}

TEST_F(MembraneTest, ACallOnAResultThatHasNotComeReachesTheTool) {
  auto worker = world.load(nullptr, {{"TOOL", object(promising(object(answering("inner:"))))}});
  auto pending = call(worker.inside->env.at("TOOL"), "get");
  EXPECT_EQ(wait(call(pending.getPipeline(), "hello")), "value inner:hello");
  EXPECT_FALSE(pending.poll(world.port().waitScope()));
}

TEST_F(MembraneTest, APipelineOfTwoWorkersIsOne) {
  // A's tool is an entrypoint of B.
  auto b = world.load(promising(object(promising(object(answering("innermost:"))))));
  auto a = world.load(nullptr, {{"B", b.entrypoint}});
  auto first = call(a.inside->env.at("B"), "get");
  auto second = call(first.getPipeline(), "get");
  EXPECT_EQ(wait(call(second.getPipeline(), "hello")), "value innermost:hello");
}

TEST_F(MembraneTest, CallsBeforeAndAfterTheResultStayInOrder) {
  std::vector<std::string> seen;
  auto target = object([&](const std::string& method, CallContext context) -> kj::Promise<void> {
    seen.push_back(method);
    answer(context, method);
    return kj::READY_NOW;
  });
  auto gate = kj::newPromiseAndFulfiller<void>();
  auto go = gate.promise.fork();
  OnCall later = [&](const std::string&, CallContext context) {
    return go.addBranch().then([context, target]() mutable { answer(context, target); });
  };
  for (bool outward: {false, true}) {
    seen.clear();
    gate = kj::newPromiseAndFulfiller<void>();
    go = gate.promise.fork();
    auto worker = outward ? world.load(nullptr, {{"TOOL", object(later)}}) : world.load(later);
    auto base = outward ? worker.inside->env.at("TOOL") : worker.entrypoint;
    auto pending = call(base, "get");
    auto promised = pending.getPipeline();
    kj::Vector<kj::Promise<std::string>> calls;
    for (int i = 0; i < 10; i++) {
      calls.add(outcome(call(promised, std::to_string(i))));
      if (i == 4) gate.fulfiller->fulfill();
      if (i > 4) world.port().getTimer().afterDelay(1 * kj::MILLISECONDS).wait(world.port().waitScope());
      if (i == 8) {
        auto response = pending.wait(world.port().waitScope());
        promised = response.getPipeline();
      }
    }
    for (auto& promise: calls) world.wait(kj::mv(promise));
    EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"})) << outward;
  }
}

TEST_F(MembraneTest, CallsThatWaitForAnEmbeddersPromiseStayInOrder) {
  std::vector<std::string> seen;
  auto target = object([&](const std::string& method, CallContext context) -> kj::Promise<void> {
    seen.push_back(method);
    answer(context, method);
    return kj::READY_NOW;
  });
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
  kj::Vector<kj::Promise<std::string>> calls;
  for (int i = 0; i < 5; i++) calls.add(outcome(call(inside->env.at("TOOL"), std::to_string(i))));
  world.settle();
  EXPECT_TRUE(seen.empty());
  paf.fulfiller->fulfill(kj::cp(target));
  for (int i = 5; i < 10; i++) calls.add(outcome(call(inside->env.at("TOOL"), std::to_string(i))));
  for (auto& promise: calls) world.wait(kj::mv(promise));
  EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

TEST_F(MembraneTest, ACallOnAResultThatIsNoObjectFailsAndHarmsNobody) {
  auto worker = world.load(answering("text:"));
  auto pending = call(worker.entrypoint, "get");
  EXPECT_TRUE(contains(wait(call(pending.getPipeline(), "hello")), "exception"));
  EXPECT_EQ(wait(kj::mv(pending)), "value text:get");
  EXPECT_EQ(wait(call(worker.entrypoint, "again")), "value text:again");
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, AResultsDisposerIsToldOf) {
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, object(answering("")));
    context.getResults().setDisposable(true);
    return kj::READY_NOW;
  });
  EXPECT_TRUE(world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "run"))).getDisposable());
}

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

// ---------------------------------------------------------------------------------------------------------------------
// Counts and bounds

TEST_F(MembraneTest, WhatPassesACapabilityIsCounted) {
  auto worker = world.load(nullptr, {{"TOOL", object(answering("tool:"))}});
  for (int i = 0; i < 3; i++) wait(call(worker.inside->env.at("TOOL"), "use", {"0123456789"}));
  auto& outward = only().membrane().outward();
  ASSERT_EQ(outward.size(), 1u);
  auto& row = *outward.begin()->second;
  EXPECT_EQ(std::string(row.label().cStr()), "TOOL");
  EXPECT_EQ(row.traffic().calls, 3u);
  EXPECT_GT(row.traffic().bytesOut, 30u);
  EXPECT_GT(row.traffic().bytesIn, 24u);
  EXPECT_EQ(only().membrane().ledger.outwardCalls.now(), 0u);
  EXPECT_EQ(only().membrane().ledger.outwardBytes.now(), 0u);
}

TEST_F(MembraneTest, TheStatusTellsWhatAWorkerHoldsInSoundJson) {
  std::vector<std::pair<std::string, TargetRef>> env;
  for (int i = 0; i < 40; i++) env.push_back({"T" + std::to_string(i) + "\"\n\xff", object(answering("tool:"))});
  auto worker = world.load(nullptr, env);
  wait(call(worker.inside->env.at("T0\"\n\xef\xbf\xbd"), "use"));
  auto& core = world.core();
  auto json = writeStatus({core.options, core.cgroups, core.census, core.pool.counts(), core.pool.zygote(), core.kinship, core.recent,
                           core.codeCache, core.codeCompiler.counts(), core.warmth});
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(json.cStr());
  ASSERT_FALSE(document.HasParseError());
  auto& row = document["workers"][0];
  EXPECT_EQ(row["liveCapabilities"].GetUint(), 42u);   // the worker and its entrypoint too
  ASSERT_EQ(row["capabilities"].Size(), membrane::STATUS_CAPABILITIES_MAX);
  EXPECT_EQ(std::string(row["capabilities"][0]["label"].GetString()), "T0\"\n\xef\xbf\xbd");
  EXPECT_EQ(row["capabilities"][0]["calls"].GetUint(), 1u);
  EXPECT_EQ(row["callsOut"]["calls"].GetUint(), 1u);
}

TEST_F(MembraneTest, APathThatIsTooDeepIsAnErrorOfTheCall) {
  auto worker = world.load(answering("worker:"), {{"TOOL", object(answering("tool:"))}});
  for (bool outward: {false, true}) {
    auto deep = [&](unsigned depth) {
      rpc::Target::Client target = outward ? worker.inside->env.at("TOOL") : worker.entrypoint;
      auto request = target.callRequest();
      auto path = request.initPath(depth);
      for (unsigned i = 0; i < depth; i++) path.set(i, "x");
      return wait(request.send());
    };
    EXPECT_TRUE(contains(deep(64), "x.x.x"));
    EXPECT_EQ(deep(65), "thrown RPC pipelined property path is too deep (max 64).");
  }
}

TEST_F(MembraneTest, CallsUnderWayAreBounded) {
  Hanging tool;
  auto worker = world.load(nullptr, {{"TOOL", object(tool.onCall())}});
  auto target = worker.inside->env.at("TOOL");
  kj::Vector<kj::Promise<std::string>> calls;
  for (uint32_t i = 0; i < membrane::OUTWARD_CALLS_MAX; i++) calls.add(outcome(call(target, "use")));
  EXPECT_EQ(wait(call(target, "use")),
            "thrown This worker has reached its limit of 1000 calls to others under way at once. Wait for some of them before you make more.");
  calls.clear();
  EXPECT_TRUE(world.turnUntil([&]() { return tool.underWay() == 0; }));
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, BytesUnderWayAreBounded) {
  Hanging tool;
  auto worker = world.load(nullptr, {{"TOOL", object(tool.onCall())}});
  auto target = worker.inside->env.at("TOOL");
  std::string most(90'000, 'x');
  kj::Vector<kj::Promise<std::string>> calls;
  auto fits = membrane::OUTWARD_BYTES_MAX / (most.size() + 200);
  for (uint64_t i = 0; i < fits; i++) calls.add(outcome(call(target, "use", {most.c_str()})));
  EXPECT_EQ(wait(call(target, "use", {most.c_str()})),
            "thrown This worker has reached its limit of 25165824 bytes of arguments in calls to others under way at once. "
            "Wait for some of them, or pass less at a time.");
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, AnHonestWorkersLargestCallsAndAnswersFit) {
  auto gate = kj::newPromiseAndFulfiller<void>();
  auto go = gate.promise.fork();
  std::string large(wire::INLINE_BYTES - 200, 'x');
  auto worker = world.load(nullptr, {{"TOOL", object([&](const std::string&, CallContext context) {
                                        return go.addBranch().then([context, &large]() mutable { answer(context, large); });
                                      })}});
  auto target = worker.inside->env.at("TOOL");
  kj::Vector<kj::Promise<std::string>> calls;
  for (uint32_t i = 0; i < guard::WORKER_CALLS_MAX; i++) calls.add(outcome(call(target, "use", {large.c_str()})));
  world.settle();
  gate.fulfiller->fulfill();
  for (auto& promise: calls) EXPECT_EQ(world.wait(kj::mv(promise)).size(), large.size() + 6);
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, CapabilitiesThatAWorkerHoldsAreBounded) {
  std::vector<TargetRef> kept;
  auto worker = world.load([&](const std::string&, CallContext context) -> kj::Promise<void> {
    for (auto& given: capabilitiesOf(context)) kept.push_back(given);
    answer(context, "kept");
    return kj::READY_NOW;
  });
  std::vector<Argument> many;
  for (size_t i = 0; i < wire::EXTERNALS_MAX; i++) many.push_back(object(answering("")));
  for (size_t i = 0; i < membrane::LIVE_CAPABILITIES_MAX / wire::EXTERNALS_MAX; i++) {
    EXPECT_EQ(wait(call(worker.entrypoint, "keep", many)), "value kept");
  }
  EXPECT_EQ(wait(call(worker.entrypoint, "keep", {object(answering(""))})),
            "thrown This worker has reached its limit of 4096 capabilities held at once. Dispose of stubs that are not needed any more.");
  kept.clear();
  world.settle();
  EXPECT_EQ(wait(call(worker.entrypoint, "keep", {object(answering(""))})), "value kept");
  kept.clear();
}

TEST_F(MembraneTest, CapabilitiesOfAWorkerThatOthersHoldAreBounded) {
  std::vector<TargetRef> kept;
  auto worker = world.load(nullptr, {{"TOOL", object([&](const std::string&, CallContext context) -> kj::Promise<void> {
                                        for (auto& given: capabilitiesOf(context)) kept.push_back(given);
                                        answer(context, "kept");
                                        return kj::READY_NOW;
                                      })}});
  auto target = worker.inside->env.at("TOOL");
  // The worker itself and its entrypoint count too.
  std::string last;
  for (size_t i = 0; i <= membrane::LIVE_CAPABILITIES_MAX / wire::EXTERNALS_MAX; i++) {
    std::vector<Argument> many;
    for (size_t j = 0; j < wire::EXTERNALS_MAX; j++) many.push_back(object(answering("")));
    last = wait(call(target, "keep", many));
  }
  EXPECT_EQ(last,
            "thrown This worker has reached its limit of 4096 capabilities of its own that others hold at once. Let their holders "
            "dispose of some, or hand over fewer functions and objects.");
  EXPECT_EQ(worker.inside->ending, "");
  kept.clear();
}

TEST_F(MembraneTest, AFunctionBouncedForEverMeetsTheBound) {
  rpc::Target::Client kept = nullptr;
  auto worker = world.load([&](const std::string&, CallContext context) -> kj::Promise<void> {
    auto given = capabilitiesOf(context);
    auto payload = context.getResults().initValue();
    payload.initValue().initNodes(1)[0].setExternal(0);
    payload.initExternals(1)[0].setStub(given.empty() ? TargetRef(object(answering(""))) : given[0]);
    return kj::READY_NOW;
  });
  rpc::Target::Client ball = nullptr;
  for (int i = 0; i < 3'000; i++) {
    std::vector<Argument> arguments;
    if (i > 0) arguments.push_back(ball);
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "bounce", arguments)));
    ASSERT_TRUE(response.isValue());
    ball = response.getValue().getExternals()[0].getStub();
  }
  // What it hands on is unwrapped, so the ball does not grow at all.
  EXPECT_LT(only().membrane().ledger.inwardCapabilities.now(), 10u);
}

TEST_F(MembraneTest, APromiseThatLeadsBackToItselfMeetsTheBound) {
  // The worker hands out a promise, is given it back, and resolves it to that: a call on it goes round and round.
  auto paf = kj::newPromiseAndFulfiller<rpc::Target::Client>();
  rpc::Target::Client promise = kj::mv(paf.promise);
  auto worker = world.load([&](const std::string& method, CallContext context) -> kj::Promise<void> {
    if (method == "take") {
      paf.fulfiller->fulfill(capabilitiesOf(context).at(0));
      answer(context, "taken");
    } else {
      auto payload = context.getResults().initValue();
      payload.initValue().initNodes(1)[0].setExternal(0);
      payload.initExternals(1)[0].setStub(promise);
    }
    return kj::READY_NOW;
  });
  rpc::Target::Client ball = nullptr;
  {
    auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.entrypoint, "make")));
    ball = response.getValue().getExternals()[0].getStub();
  }
  EXPECT_EQ(wait(call(worker.entrypoint, "take", {ball})), "value taken");
  world.settle();
  EXPECT_TRUE(contains(wait(call(ball, "round")), "overloaded Too many calls in flight on one worker: the limit is 1000"));
  EXPECT_EQ(worker.inside->ending, "");
  EXPECT_EQ(wait(call(worker.entrypoint, "take", {ball})), "value taken");
  promise = nullptr;
}

TEST_F(MembraneTest, ALargeAnswerIsOfferedToBePulled) {
  std::string large(1'000'000, 'x');
  auto worker = world.load(nullptr, {{"TOOL", object(answering(large))}});
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.inside->env.at("TOOL"), "")));
  ASSERT_TRUE(response.getValue().isLarge());
  EXPECT_GT(only().membrane().ledger.waitingAnswerBytes.now(), large.size());
  EXPECT_EQ(world.wait(outcome(call(worker.inside->env.at("TOOL"), ""))), "value " + large);
  { auto gone = kj::mv(response); }
  EXPECT_TRUE(world.turnUntil([&]() { return only().membrane().ledger.waitingAnswerBytes.now() == 0; }));
}

TEST_F(MembraneTest, LargeAnswersThatNobodyPullsAreBounded) {
  std::string large(20'000'000, 'x');
  auto worker = world.load(nullptr, {{"TOOL", object(answering(large))}});
  std::vector<capnp::Response<rpc::Return>> kept;
  auto target = worker.inside->env.at("TOOL");
  for (int i = 0; i < 3; i++) kept.push_back(world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(target, ""))));
  EXPECT_EQ(wait(call(target, "")),
            "thrown This worker has reached its limit of 67108864 bytes of answers that wait to be read. Let it read some of them "
            "before it asks for more.");
  kept.clear();
  world.settle();
  EXPECT_EQ(wait(call(target, "")).size(), large.size() + 6);
}

TEST_F(MembraneTest, ManyPullsAtOnceArePacedAndNotPunished) {
  std::string large(1'000'000, 'x');
  auto worker = world.load(nullptr, {{"TOOL", object(answering(large))}});
  kj::Vector<kj::Promise<std::string>> pulls;
  for (int i = 0; i < 40; i++) pulls.add(outcome(call(worker.inside->env.at("TOOL"), "")));
  for (auto& pull: pulls) EXPECT_EQ(world.wait(kj::mv(pull)).size(), large.size() + 6);
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, ReadsThatAreNotFinishedWithWait) {
  std::string large(8'000'000, 'x');
  auto worker = world.load(nullptr, {{"TOOL", object(answering(large))}});
  auto response = world.wait(kj::Promise<capnp::Response<rpc::Return>>(call(worker.inside->env.at("TOOL"), "")));
  auto source = response.getValue().getLarge().getSource();
  // Answers that are kept are not finished with.
  std::vector<capnp::Response<rpc::ByteSource::ReadResults>> kept;
  size_t answered = 0;
  kj::Vector<kj::Promise<void>> reads;
  for (uint64_t i = 0; i < 100; i++) {
    auto request = source.readRequest();
    request.setOffset(i * wire::CHUNK_BYTES);
    request.setLength(wire::CHUNK_BYTES);
    reads.add(request.send().then([&](capnp::Response<rpc::ByteSource::ReadResults>&& chunk) {
      answered++;
      kept.push_back(kj::mv(chunk));
    }).eagerlyEvaluate(nullptr));
  }
  world.settle();
  EXPECT_EQ(answered, guard::READS_ANSWERED_MAX);
  while (answered < 100) {
    auto before = answered;
    kept.pop_back();
    world.settle();
    ASSERT_EQ(answered, before + 1);   // one for one
  }
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(MembraneTest, AnAnnouncedResultThatIsTooLargeEndsTheCall) {
  class Liar final: public rpc::ByteSource::Server {};
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    auto large = context.getResults().initValue().initLarge();
    large.setSize(1ull << 30);
    large.setSource(kj::heap<Liar>());
    return kj::READY_NOW;
  });
  EXPECT_TRUE(contains(wait(call(worker.entrypoint, "run")), "ended exceededResultSize"));
}

// ---------------------------------------------------------------------------------------------------------------------
// Limits of an entrypoint, and children

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
