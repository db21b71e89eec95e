// What passes the membrane around a worker is counted and bounded. The worker's part is played by the test.

#include <rapidjson/document.h>

#include "ipc/large-value.h"
#include "ipc/payload.h"
#include "supervisor/membrane-limits.h"
#include "supervisor/outward.h"
#include "supervisor/status.h"
#include "tests/membrane-world.h"

namespace glovebox::test {
namespace {

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

}  // namespace
}  // namespace glovebox::test
