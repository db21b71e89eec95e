// The membrane around a worker, with the worker's part played by the test: what crosses is wrapped, in order, also before it has
// come. The worker's and the client's lines are real, and so is everything between them.

#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "tests/membrane-world.h"

namespace glovebox::test {
namespace {

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

}  // namespace
}  // namespace glovebox::test
