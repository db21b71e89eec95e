// The books of a call and what tails are told of it, with the worker's part played by the test. What the kernel says of a real
// process is in client/test/account.test.mjs.

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "ipc/wire-limits.h"
#include "supervisor/membrane-limits.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {
namespace {

using Response = capnp::Response<rpc::Return>;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

kj::Promise<void> say(ScriptedWorker& worker, const std::string& text, const std::string& thrown = "") {
  auto request = KJ_ASSERT_NONNULL(worker.console).writeRequest();
  auto message = request.initMessages(1)[0];
  message.setTime(1000);
  message.setLevel(rpc::LogMessage::Level::LOG);
  message.setText(text.c_str());
  if (!thrown.empty()) {
    auto exception = request.initExceptions(1)[0];
    exception.setName("Error");
    exception.setMessage(thrown.c_str());
  }
  return request.send().ignoreResult();
}

OnCall answering(const std::string& text) {
  return [text](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, text);
    return kj::READY_NOW;
  };
}

// Answers when the test says so.
struct Held {
  std::shared_ptr<std::map<std::string, kj::Own<kj::PromiseFulfiller<void>>>> open =
      std::make_shared<std::map<std::string, kj::Own<kj::PromiseFulfiller<void>>>>();
  OnCall onCall() const {
    return [open = open](const std::string& method, CallContext context) {
      auto paf = kj::newPromiseAndFulfiller<void>();
      (*open)[method] = kj::mv(paf.fulfiller);
      return paf.promise.then([context]() mutable { answer(context, "done"); });
    };
  }
  void finish(const std::string& method) { open->at(method)->fulfill(); }
};

class Accounts: public testing::Test {
 protected:
  ScriptedWorld world;
  ~Accounts() noexcept override {}

  kj::Promise<Response> ask(rpc::Target::Client target, const std::string& method) {
    auto request = target.callRequest();
    request.initPath(1).set(0, method.c_str());
    request.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
    request.setAccount(true);
    return request.send();
  }
  // A loaded worker with tails.
  ScriptedWorld::Loaded loadWithTails(OnCall onCall, std::vector<TargetRef> tails) {
    auto inside = world.expectLoad(std::move(onCall));
    auto request = world.loader().loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("m.js");
    auto module = code.initModules(1)[0];
    module.setName("m.js");
    module.setJs("export default {}");
    auto list = code.initTails(unsigned(tails.size()));
    for (unsigned i = 0; i < tails.size(); i++) list.set(i, tails[i]);
    auto worker = request.send().getWorker();
    auto entrypoint = worker.getEntrypointRequest();
    entrypoint.setName("Named");
    ScriptedWorld::Loaded loaded{worker, entrypoint.send().getEntrypoint(), inside};
    world.turnUntil([&]() { return inside->started; });
    return loaded;
  }
  std::string lastOutcome() {
    std::string last;
    world.core().recent.forEach([&](const Recent::Row& row) {
      last = std::string(row.method.data()) + " " + std::to_string(static_cast<int>(row.outcome));
    });
    return last;
  }
  static std::string row(const std::string& method, rpc::Ending::Code code) { return method + " " + std::to_string(static_cast<int>(code)); }
};

// Collects what it is told, as JSON.
struct Tail {
  std::shared_ptr<std::vector<std::string>> events = std::make_shared<std::vector<std::string>>();
  TargetRef target() const {
    return object([events = events](const std::string& method, CallContext context) -> kj::Promise<void> {
      events->push_back(method + stringifyJson(readInlinePayload(context.getParams().getOperation().getInvoke()).graph));
      answer(context, "");
      return kj::READY_NOW;
    });
  }
};

TEST_F(Accounts, AnAccountSaysWhatTheCallTookAndDid) {
  std::shared_ptr<ScriptedWorker> inside;
  auto worker = world.load(nullptr, {{"TOOL", object(answering("a result"))}});
  inside = worker.inside;
  inside->cpuTime = 1 * kj::SECONDS;
  inside->onCall = [&](const std::string&, CallContext context) {
    inside->cpuTime += 20 * kj::MILLISECONDS;
    inside->peakMemoryBytes = 7 << 20;
    return say(*inside, "hello", "it broke")
        .then([&]() { return call(inside->env.at("TOOL"), "use", {"some words"}).ignoreResult(); })
        .then([&]() { return call(inside->env.at("TOOL"), "use").ignoreResult(); })
        .then([&, context]() mutable {
          answer(context, "done");
          // Behind the answer on the line's queue, and yet before it for whoever asks.
          return say(*inside, "and good-bye");
        });
  };
  auto response = world.wait(ask(worker.entrypoint, "run"));
  ASSERT_TRUE(response.hasAccount());
  auto account = response.getAccount();
  EXPECT_EQ(account.getOutcome(), rpc::Ending::Code::OK);
  EXPECT_EQ(account.getCpuUs(), 20'000u);
  EXPECT_GT(account.getWallUs(), 0u);
  EXPECT_EQ(account.getPeakMemoryBytes(), 7u << 20);
  EXPECT_EQ(account.getSubRequests(), 2u);
  EXPECT_GT(account.getBytesIn(), 0u);
  EXPECT_GT(account.getBytesOut(), 0u);
  ASSERT_EQ(account.getCapabilities().size(), 1u);
  auto use = account.getCapabilities()[0];
  EXPECT_STREQ(use.getLabel().cStr(), "TOOL");
  EXPECT_STREQ(use.getKind().cStr(), "stub");
  EXPECT_EQ(use.getCalls(), 2u);
  EXPECT_GT(use.getBytesOut(), 16u);
  EXPECT_GT(use.getBytesIn(), 16u);
  ASSERT_EQ(account.getLogs().size(), 2u);
  EXPECT_STREQ(account.getLogs()[0].getText().cStr(), "hello");
  EXPECT_STREQ(account.getLogs()[1].getText().cStr(), "and good-bye");
  ASSERT_EQ(account.getExceptions().size(), 1u);
  EXPECT_STREQ(account.getExceptions()[0].getMessage().cStr(), "it broke");
  EXPECT_FALSE(account.getTruncated());
}

TEST_F(Accounts, TheNextCallIsNotChargedForTheLast) {
  auto worker = world.load(nullptr, {{"TOOL", object(answering("x"))}});
  auto inside = worker.inside;
  inside->onCall = [&](const std::string& method, CallContext context) -> kj::Promise<void> {
    if (method == "idle") {
      answer(context, "");
      return kj::READY_NOW;
    }
    inside->cpuTime += 5 * kj::MILLISECONDS;
    return call(inside->env.at("TOOL"), "use").then([context](Response&&) mutable { answer(context, ""); });
  };
  world.wait(ask(worker.entrypoint, "busy"));
  auto response = world.wait(ask(worker.entrypoint, "idle"));
  EXPECT_EQ(response.getAccount().getCpuUs(), 0u);
  EXPECT_EQ(response.getAccount().getCapabilities().size(), 0u);
}

TEST_F(Accounts, WhereCallsOverlapEachIsChargedWhatAnyUsed) {
  Held held;
  auto worker = world.load(held.onCall(), {{"TOOL", object(answering("x"))}});
  auto& inside = *worker.inside;
  auto first = ask(worker.entrypoint, "first");
  world.turnUntil([&]() { return held.open->count("first") > 0; });
  inside.cpuTime += 10 * kj::MILLISECONDS;
  auto second = ask(worker.entrypoint, "second");
  world.turnUntil([&]() { return held.open->count("second") > 0; });
  inside.cpuTime += 1 * kj::MILLISECONDS;
  world.wait(say(inside, "to both"));
  world.wait(call(inside.env.at("TOOL"), "use").ignoreResult());
  held.finish("first");
  auto one = world.wait(kj::mv(first));
  world.wait(say(inside, "to the second"));
  held.finish("second");
  auto two = world.wait(kj::mv(second));
  EXPECT_EQ(one.getAccount().getCpuUs(), 11'000u);
  EXPECT_EQ(two.getAccount().getCpuUs(), 1'000u);
  EXPECT_EQ(one.getAccount().getLogs().size(), 1u);
  EXPECT_EQ(two.getAccount().getLogs().size(), 2u);
  EXPECT_EQ(one.getAccount().getSubRequests(), 1u);
  EXPECT_EQ(two.getAccount().getSubRequests(), 1u);
}

TEST_F(Accounts, WhatWasReleasedMeanwhileCountsUnderItsName) {
  auto worker = world.load(nullptr, {{"GONE", object(answering("x"))}});
  auto inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    return call(inside->env.at("GONE"), "use").then([&, context](Response&&) mutable {
      inside->env.clear();
      // Its release is on the line before the answer.
      return kj::evalLast([context]() mutable { answer(context, ""); });
    });
  };
  auto response = world.wait(ask(worker.entrypoint, "run"));
  auto uses = response.getAccount().getCapabilities();
  ASSERT_EQ(uses.size(), 1u);
  EXPECT_STREQ(uses[0].getLabel().cStr(), "GONE");
  EXPECT_EQ(uses[0].getCalls(), 1u);
}

TEST_F(Accounts, NamesBeyondTheBoundAreCountedTogether) {
  std::vector<std::pair<std::string, TargetRef>> env;
  for (size_t i = 0; i < membrane::ACCOUNT_NAMES_MAX + 10; i++) env.push_back({"T" + std::to_string(i), object(answering("x"))});
  auto worker = world.load(nullptr, env);
  auto inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    kj::Vector<kj::Promise<void>> calls;
    for (auto& tool: inside->env) calls.add(call(tool.second, "use").ignoreResult());
    return kj::joinPromises(calls.releaseAsArray()).then([context]() mutable { answer(context, ""); });
  };
  auto response = world.wait(ask(worker.entrypoint, "run"));
  auto uses = response.getAccount().getCapabilities();
  EXPECT_EQ(uses.size(), membrane::ACCOUNT_NAMES_MAX + 1);
  uint64_t calls = 0;
  for (auto use: uses) calls += use.getCalls();
  EXPECT_EQ(calls, env.size());
  EXPECT_EQ(response.getAccount().getSubRequests(), env.size());
}

TEST_F(Accounts, ADeadWorkersAccountIsTheKernels) {
  Held held;
  auto worker = world.load(held.onCall());
  auto pending = ask(worker.entrypoint, "run");
  world.turnUntil([&]() { return held.open->count("run") > 0; });
  world.wait(say(*worker.inside, "last words"));
  worker.inside->cpuTime = 3 * kj::SECONDS;
  worker.inside->peakMemoryBytes = 100 << 20;
  worker.inside->die();
  auto response = world.wait(kj::mv(pending));
  ASSERT_TRUE(response.isEnded());
  auto account = response.getAccount();
  EXPECT_EQ(account.getOutcome(), rpc::Ending::Code::CRASHED);
  EXPECT_EQ(account.getCpuUs(), 3'000'000u);
  EXPECT_EQ(account.getPeakMemoryBytes(), 100u << 20);
  ASSERT_EQ(account.getLogs().size(), 1u);
}

TEST_F(Accounts, EndingsOfEveryKindHaveAnAccount) {
  auto thrower = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    context.getResults().initThrown().initValue().initNodes(1)[0].setText("no");
    return kj::READY_NOW;
  });
  auto thrown = world.wait(ask(thrower.entrypoint, "run"));
  EXPECT_TRUE(thrown.isThrown());
  EXPECT_EQ(thrown.getAccount().getOutcome(), rpc::Ending::Code::EXCEPTION);

  Held held;
  auto worker = world.load(held.onCall());
  auto pending = ask(worker.entrypoint, "run");
  world.turnUntil([&]() { return held.open->count("run") > 0; });
  world.wait(worker.worker.revokeRequest().send().ignoreResult());
  auto revoked = world.wait(kj::mv(pending));
  EXPECT_EQ(revoked.getAccount().getOutcome(), rpc::Ending::Code::REVOKED);
  // It never reached the worker.
  auto late = world.wait(ask(worker.entrypoint, "again"));
  EXPECT_EQ(late.getAccount().getOutcome(), rpc::Ending::Code::REVOKED);
  EXPECT_EQ(late.getAccount().getCpuUs(), 0u);
}

TEST_F(Accounts, ACallThatWasGivenUpIsCanceledAmongTheLastRuns) {
  Held held;
  auto worker = world.load(held.onCall());
  {
    auto pending = outcome(call(worker.entrypoint, "run"));
    world.turnUntil([&]() { return held.open->count("run") > 0; });
    EXPECT_EQ(lastOutcome(), "");
  }
  EXPECT_TRUE(world.turnUntil([&]() { return !lastOutcome().empty(); }));
  EXPECT_EQ(lastOutcome(), row("run", rpc::Ending::Code::CANCELED));
}

TEST_F(Accounts, TheLastRunsAreKeptAndNoMore) {
  auto worker = world.load(answering("x"));
  for (size_t i = 0; i < membrane::STATUS_RECENT_RUNS + 5; i++) world.wait(outcome(call(worker.entrypoint, "run" + std::to_string(i))));
  size_t count = 0;
  std::string first;
  world.core().recent.forEach([&](const Recent::Row& row) {
    if (count++ == 0) first = row.method.data();
  });
  EXPECT_EQ(count, membrane::STATUS_RECENT_RUNS);
  EXPECT_EQ(first, "run5");
  std::string longName(500, 'x');
  world.wait(outcome(call(worker.entrypoint, longName)));
  EXPECT_TRUE(contains(lastOutcome(), "xxx... "));
}

TEST_F(Accounts, WhatAWorkerWritesAsAccountIsIgnored) {
  auto worker = world.load([](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, "x");
    context.getResults().initAccount().setCpuUs(123'456'789);
    return kj::READY_NOW;
  });
  auto plain = world.wait(kj::Promise<Response>(call(worker.entrypoint, "run")));
  EXPECT_FALSE(plain.hasAccount());
  auto response = world.wait(ask(worker.entrypoint, "run"));
  EXPECT_EQ(response.getAccount().getCpuUs(), 0u);
}

TEST_F(Accounts, AWorkerGetsNoAccountOfWhatItCalls) {
  auto other = world.load(answering("x"));
  bool gotOne = true;
  auto worker = world.load(nullptr, {{"OTHER", other.entrypoint}});
  auto inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    return ask(inside->env.at("OTHER"), "run").then([&, context](Response&& response) mutable {
      gotOne = response.hasAccount();
      answer(context, response.isValue() ? "answered" : "not");
    });
  };
  EXPECT_EQ(world.wait(outcome(call(worker.entrypoint, "run"))), "value answered");
  EXPECT_FALSE(gotOne);
}

TEST_F(Accounts, LogsAreBoundedAndLeaveRoomForWhatWasThrown) {
  auto worker = world.load();
  auto inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    kj::Promise<void> said = kj::READY_NOW;
    for (int i = 0; i < 10; i++) said = said.then([&]() { return say(*inside, std::string(20'000, 'x')); });
    return said.then([&]() { return say(*inside, "", "at last"); }).then([context]() mutable { answer(context, ""); });
  };
  auto response = world.wait(ask(worker.entrypoint, "run"));
  auto account = response.getAccount();
  EXPECT_EQ(account.getLogs().size(), 2u);
  ASSERT_EQ(account.getExceptions().size(), 1u);
  EXPECT_TRUE(account.getTruncated());
  EXPECT_LE(account.totalSize().wordCount * 8, wire::ACCOUNT_LOG_BYTES);
}

TEST_F(Accounts, WhatAWorkerSaysIsMadeSoundText) {
  auto worker = world.load();
  auto inside = worker.inside;
  inside->onCall = [&](const std::string&, CallContext context) {
    return say(*inside, "a\xff" "b").then([context]() mutable { answer(context, ""); });
  };
  auto response = world.wait(ask(worker.entrypoint, "run"));
  EXPECT_STREQ(response.getAccount().getLogs()[0].getText().cStr(), "a\xef\xbf\xbd" "b");
}

TEST_F(Accounts, WhereNobodyListensTheWorkerIsTold) {
  Held held;
  auto worker = world.load(held.onCall());
  auto wanted = [&]() {
    auto request = KJ_ASSERT_NONNULL(worker.inside->console).writeRequest();
    request.initMessages(1)[0].setText("x");
    return world.wait(request.send().then([](auto&& response) { return response.getWanted(); }));
  };
  EXPECT_FALSE(wanted());
  auto pending = ask(worker.entrypoint, "run");
  world.turnUntil([&]() { return held.open->count("run") > 0; });
  EXPECT_TRUE(wanted());
  held.finish("run");
  world.wait(kj::mv(pending));
  EXPECT_FALSE(wanted());
}

// ---------------------------------------------------------------------------------------------------------------------
// Tails

TEST_F(Accounts, ATailIsToldOfACallAfterItsCaller) {
  Tail tail;
  std::shared_ptr<ScriptedWorker> inside;
  auto worker = loadWithTails([&](const std::string&, CallContext context) {
    inside->cpuTime += 2 * kj::MILLISECONDS;
    return say(*inside, "hello", "broke").then([context]() mutable { answer(context, "done"); });
  }, {tail.target()});
  inside = worker.inside;
  EXPECT_EQ(world.wait(outcome(call(worker.entrypoint, "deep.run"))), "value done");
  EXPECT_TRUE(world.turnUntil([&]() { return !tail.events->empty(); }));
  ASSERT_EQ(tail.events->size(), 1u);
  auto& event = tail.events->front();
  EXPECT_TRUE(event.starts_with(R"(tail[[{"event":{"rpcMethod":"deep.run"},"eventTimestamp":)")) << event;
  for (auto part: {R"("logs":[{"timestamp":1000,"level":"log","message":["hello"]}])", R"("name":"Error","message":"broke","stack":"")",
                   R"("diagnosticsChannelEvents":[],"scriptName":null,"entrypoint":"Named")", R"("outcome":"ok")",
                   R"("executionModel":"stateless","truncated":false,"cpuTime":2,)"}) {
    EXPECT_TRUE(contains(event, part)) << part << " in " << event;
  }
}

TEST_F(Accounts, ATailIsToldOfDeathDisposalAndCallsGivenUp) {
  for (auto how: {"crashed", "revoked", "canceled"}) {
    Tail tail;
    Held held;
    auto worker = loadWithTails(held.onCall(), {tail.target()});
    auto pending = kj::Maybe<kj::Promise<std::string>>(outcome(call(worker.entrypoint, "run")));
    world.turnUntil([&]() { return held.open->count("Named.run") > 0; });
    if (how == std::string("crashed")) worker.inside->die();
    if (how == std::string("revoked")) world.wait(worker.worker.revokeRequest().send().ignoreResult());
    if (how == std::string("canceled")) pending = nullptr;
    EXPECT_TRUE(world.turnUntil([&]() { return !tail.events->empty(); })) << how;
    ASSERT_EQ(tail.events->size(), 1u);
    EXPECT_TRUE(contains(tail.events->front(), std::string(R"("outcome":")") + how + "\"")) << tail.events->front();
  }
}

TEST_F(Accounts, ATailIsToldEvenIfNothingOfTheWorkerIsLeft) {
  Tail tail;
  {
    auto worker = loadWithTails(answering("x"), {tail.target()});
    world.wait(outcome(call(worker.entrypoint, "run")));
  }
  EXPECT_TRUE(world.turnUntil([&]() { return !tail.events->empty(); }));
}

TEST_F(Accounts, WhatIsSaidBetweenCallsIsToldWithoutACall) {
  Tail tail;
  auto worker = loadWithTails(answering("x"), {tail.target()});
  world.wait(say(*worker.inside, "one"));
  world.wait(say(*worker.inside, "two"));
  EXPECT_TRUE(world.turnUntil([&]() { return !tail.events->empty(); }));
  ASSERT_EQ(tail.events->size(), 1u);
  EXPECT_TRUE(tail.events->front().starts_with(R"(tail[[{"event":null,)")) << tail.events->front();
  EXPECT_TRUE(contains(tail.events->front(), R"("message":["one"])"));
  EXPECT_TRUE(contains(tail.events->front(), R"("message":["two"])"));
  // At once, if there will be no later.
  world.wait(say(*worker.inside, "three"));
  worker.inside->die();
  world.turnUntil([&]() { return tail.events->size() > 1; });
  ASSERT_EQ(tail.events->size(), 2u);
  EXPECT_TRUE(contains(tail.events->back(), R"("message":["three"])"));
}

TEST_F(Accounts, ATailThatFallsBehindMissesEventsAndIsToldSo) {
  uint32_t asked = 0;
  std::vector<std::string> events;
  std::vector<kj::Own<kj::PromiseFulfiller<void>>> open;
  auto slow = object([&](const std::string&, CallContext context) {
    asked++;
    events.push_back(stringifyJson(readInlinePayload(context.getParams().getOperation().getInvoke()).graph));
    auto paf = kj::newPromiseAndFulfiller<void>();
    open.push_back(kj::mv(paf.fulfiller));
    return paf.promise.then([context]() mutable { answer(context, ""); });
  });
  auto worker = loadWithTails(answering("x"), {slow});
  for (uint32_t i = 0; i < membrane::TAIL_CALLS_MAX + 10; i++) EXPECT_EQ(world.wait(outcome(call(worker.entrypoint, "run"))), "value x");
  world.turnUntil([&]() { return asked >= membrane::TAIL_CALLS_MAX; });
  world.settle();
  EXPECT_EQ(asked, membrane::TAIL_CALLS_MAX);
  EXPECT_EQ(world.core().census.tailEventsDropped, 10u);
  for (auto& one: open) one->fulfill();
  world.settle();
  world.wait(outcome(call(worker.entrypoint, "run")));
  EXPECT_TRUE(world.turnUntil([&]() { return asked == membrane::TAIL_CALLS_MAX + 1; }));
  EXPECT_TRUE(contains(events.front(), R"("truncated":false)"));
  EXPECT_TRUE(contains(events.back(), R"("truncated":true)"));
  for (auto& one: open) one->fulfill();
  world.settle();
}

TEST_F(Accounts, AFailingTailIsCountedAndNobodyElsesBusiness) {
  auto failing = object([](const std::string&, CallContext context) -> kj::Promise<void> {
    context.getResults().initThrown().initValue().initNodes(1)[0].setText("no");
    return kj::READY_NOW;
  });
  auto worker = loadWithTails(answering("x"), {failing, rpc::Target::Client(KJ_EXCEPTION(FAILED, "no such thing"))});
  EXPECT_EQ(world.wait(outcome(call(worker.entrypoint, "run"))), "value x");
  EXPECT_TRUE(world.turnUntil([&]() { return world.core().census.tailCallsFailed == 2; }));
  EXPECT_EQ(worker.inside->ending, "");
}

TEST_F(Accounts, AWorkersEntrypointIsATailAndItsOwnTailsHearOfThat) {
  Tail outer;
  std::vector<std::string> heard;
  auto middle = loadWithTails([&](const std::string& method, CallContext context) -> kj::Promise<void> {
    heard.push_back(method);
    answer(context, "");
    return kj::READY_NOW;
  }, {outer.target()});
  auto worker = loadWithTails(answering("x"), {middle.entrypoint});
  world.wait(outcome(call(worker.entrypoint, "run")));
  EXPECT_TRUE(world.turnUntil([&]() { return !outer.events->empty(); }));
  EXPECT_EQ(heard, std::vector<std::string>{"Named.tail"});
  EXPECT_TRUE(contains(outer.events->front(), R"("rpcMethod":"tail")"));
}

TEST_F(Accounts, TailsThatReportToEachOtherComeToAnEndAndGoWithTheirClient) {
  // A promise makes a ring of two possible.
  auto ring = kj::newPromiseAndFulfiller<rpc::Target::Client>();
  int told = 0;
  auto count = [&](const std::string&, CallContext context) -> kj::Promise<void> {
    told++;
    answer(context, "");
    return kj::READY_NOW;
  };
  auto one = loadWithTails(count, {rpc::Target::Client(kj::mv(ring.promise))});
  auto two = loadWithTails(count, {one.entrypoint});
  ring.fulfiller->fulfill(rpc::Target::Client(two.entrypoint));
  world.settle();
  world.wait(outcome(call(one.entrypoint, "run")));
  world.settle();
  world.settle();
  EXPECT_EQ(told, 1 + membrane::TAIL_DEPTH_MAX);
  for (auto loaded: {&one, &two}) {
    loaded->worker = nullptr;
    loaded->entrypoint = nullptr;
  }
  EXPECT_TRUE(world.turnUntil([&]() { return world.core().census.liveWorkers == 0; }));
}

TEST_F(Accounts, AWorkerDoesNotSeeWhetherItHasTails) {
  Tail tail;
  auto worker = loadWithTails(answering("x"), {tail.target()});
  EXPECT_EQ(worker.inside->tails, 0u);
  EXPECT_TRUE(worker.inside->console != nullptr);
  EXPECT_TRUE(world.load(answering("x")).inside->console != nullptr);
}

TEST_F(Accounts, NineTailsAreRefused) {
  Tail tail;
  std::vector<TargetRef> tails(wire::TAILS_MAX + 1, tail.target());
  auto request = world.loader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("m.js");
  code.initModules(1)[0].setName("m.js");
  auto list = code.initTails(unsigned(tails.size()));
  for (unsigned i = 0; i < tails.size(); i++) list.set(i, tails[i]);
  auto entrypoint = request.send().getWorker().getEntrypointRequest().send().getEntrypoint();
  EXPECT_EQ(world.wait(outcome(call(entrypoint, "run"))), "thrown A worker may have 8 tails; this one has 9.");
}

}  // namespace
}  // namespace glovebox::test
