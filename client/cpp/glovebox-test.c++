// The client against a real supervisor with real jailed workers: over a socket, as a client of a daemon does.

#include "client/cpp/glovebox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <unistd.h>

#include "ipc/connection.h"
#include "ipc/listener.h"
#include "supervisor/supervisor.h"

namespace glovebox::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A supervisor and its listener on the loop of the test.
class World: private kj::TaskSet::ErrorHandler {
 public:
  World()
      : port_(loop_.get()),
        supervisor_(Supervisor::start(port_, findInstallation(), {}).wait(port_.waitScope())),
        socketPath_("/tmp/glovebox-client-test-" + std::to_string(getpid())),
        listener_(port_, socketPath_.c_str()),
        connections_(*this),
        client_(connect()) {}

  Client connect() {
    connections_.add(listener_.accept().then([this](kj::AutoCloseFd fd) {
      auto waiter = kj::heap<UvFdObserver>(port_, fd.get());
      auto connection = kj::heap<RpcConnection>(RpcConnection::End::SUPERVISOR_OF_CLIENT, kj::mv(fd), kj::mv(waiter),
                                                capnp::Capability::Client(supervisor_->client()));
      auto ended = connection->onDisconnect();
      return ended.attach(kj::mv(connection));
    }));
    return Client::connect(port_, socketPath_);
  }

  // `body` are the methods of the default export.
  Worker load(const std::string& body, Value env = Value::object(), Limits limits = {}) {
    return client_.load(
        {.compatibilityDate = "2026-03-01",
         .modules = {{"m.js",
                      "import { RpcTarget } from 'cloudflare:workers';\n"
                      "let disposed = 0;\n"
                      "class Counter extends RpcTarget {\n"
                      "  n = 0; inc(by) { return this.n += by ?? 1; } [Symbol.dispose]() { disposed++; }\n"
                      "}\n"
                      "export default {\n" +
                          body + "\n};"}},
         .env = std::move(env),
         .limits = limits,
         .console = [this](const LogLine& line) { logs.push_back(line.text); }});
  }
  std::vector<std::string> logs;

  Client& client() { return client_; }
  Supervisor& supervisor() { return *supervisor_; }
  UvEventPort& port() { return port_; }
  kj::WaitScope& waitScope() { return port_.waitScope(); }

  // Turns the loop until the condition holds; a test that waits in vain ends by its own timeout.
  template <typename Condition>
  void turnUntil(Condition&& condition) {
    while (!condition()) port_.getTimer().afterDelay(2 * kj::MILLISECONDS).wait(port_.waitScope());
  }

 private:
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<Supervisor> supervisor_;
  std::string socketPath_;
  UnixListener listener_;
  kj::TaskSet connections_;
  Client client_;

  void taskFailed(kj::Exception&& exception) override { KJ_LOG(ERROR, exception); }
};

// One for the whole file: starting one takes longer than all of these calls.
World& world() {
  static auto* world = new World();
  return *world;
}

// How a call came out, for EXPECT_EQ.
std::string outcome(Call call) {
  try {
    return call.wait(world().waitScope()).toJson();
  } catch (const Thrown& thrown) {
    return "thrown " + thrown.name + ": " + thrown.message + (thrown.code.empty() ? "" : " (" + thrown.code + ")");
  } catch (const Ended& ended) {
    return "ended " + ended.name;
  }
}

Tool calculator() {
  Tool tool;
  tool.method("add", [](Arguments arguments) -> Value { return arguments[0].asNumber() + arguments[1].asNumber(); });
  return tool;
}

Value envWith(const char* name, Tool tool) { return Value::object({{name, kj::mv(tool).serve()}}); }

// ---------------------------------------------------------------------------------------------------------------------

TEST(Client, LoadsAndCalls) {
  auto worker = world().load("async myAgent(input) { return { doubled: input.value * 2 }; }");
  EXPECT_EQ(outcome(worker.entrypoint().call("myAgent", {Value::object({{"value", 21}})})), R"({"doubled":42})");
}

TEST(Client, WorksOnASupervisorInItsOwnProcess) {
  Client embedded(world().supervisor().client());
  auto worker = embedded.load(
      {.compatibilityDate = "2026-03-01", .modules = {{"m.js", "export default { run() { return 'here'; } }"}}});
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), R"("here")");
}

TEST(Client, ModulesOfEachKindAreImported) {
  auto worker = world().client().load(
      {.compatibilityDate = "2026-03-01",
       .modules = {
           {"m.js",
            "import t from 'a.txt'; import j from 'b.json'; import d from 'c.bin'; import { x } from 'lib/x.js';\n"
            "export default { run() { return [t, j.k, d.byteLength, x]; } }"},
           {"a.txt", "text", Module::Kind::TEXT},
           {"b.json", R"({"k": 1})", Module::Kind::JSON},
           {"c.bin", std::string("\0\1\2", 3), Module::Kind::DATA},
           {"lib/x.js", "export const x = 'x';"}}});
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), R"(["text",1,3,"x"])");
}

TEST(Client, NamedEntrypointsGetTheirProps) {
  auto worker = world().client().load({.compatibilityDate = "2026-03-01",
                                       .modules = {{"m.js",
                                                    "import { WorkerEntrypoint } from 'cloudflare:workers';\n"
                                                    "export class Greeter extends WorkerEntrypoint { greet(a, b) { "
                                                    "return this.ctx.props.hello + a + b; } }"}}});
  auto greeter = worker.entrypoint("Greeter", Value::object({{"hello", "hi "}}));
  EXPECT_EQ(outcome(greeter.call("greet", {"you", 2})), R"("hi you2")");
}

TEST(Client, APropertyIsRead) {
  auto worker = world().client().load(
      {.compatibilityDate = "2026-03-01",
       .modules = {{"m.js",
                    "import { WorkerEntrypoint } from 'cloudflare:workers';\n"
                    "export default class extends WorkerEntrypoint { get version() { return { major: 3 }; } }"}}});
  EXPECT_EQ(outcome(worker.entrypoint().read("version")), R"({"major":3})");
  EXPECT_EQ(outcome(worker.entrypoint().read({"version", "major"})), "3");
}

TEST(Client, LogsArriveBeforeTheResult) {
  world().logs.clear();
  auto worker = world().load("run() { console.log('a', { b: 1 }); return 1; }");
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "1");
  EXPECT_THAT(world().logs, testing::ElementsAre("a { b: 1 }"));
}

TEST(Client, TheStatusIsADocument) {
  EXPECT_THAT(world().client().status().wait(world().waitScope()), StartsWith("{"));
}

TEST(Client, WithoutADaemonItSaysWhatToDo) {
  auto exception = kj::runCatchingExceptions([&]() { Client::connect(world().port(), "/tmp/glovebox-nobody-is-here"); });
  EXPECT_THAT(KJ_ASSERT_NONNULL(exception).getDescription().cStr(), HasSubstr("glovebox serve"));
}

TEST(Client, AfterItsLineIsGoneStubsFailAsDisconnected) {
  kj::Maybe<Client> client = world().connect();
  auto worker = KJ_ASSERT_NONNULL(client).load(
      {.compatibilityDate = "2026-03-01", .modules = {{"m.js", "export default { run() {} }"}}});
  auto stub = worker.entrypoint();
  stub.call("run", {nullptr}).wait(world().waitScope());
  client = nullptr;
  auto exception = kj::runCatchingExceptions([&]() { stub.call("run", {nullptr}).wait(world().waitScope()); });
  EXPECT_EQ(KJ_ASSERT_NONNULL(exception).getType(), kj::Exception::Type::DISCONNECTED);
}

// ---------------------------------------------------------------------------------------------------------------------
// Failures

TEST(Failure, WhatTheCodeThrowsIsThrownHere) {
  auto worker = world().load(
      "run() { throw Object.assign(new RangeError('too far'), { code: 'E_FAR' }); }, text() { throw 'plain'; }");
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "thrown RangeError: too far (E_FAR)");
  EXPECT_EQ(outcome(worker.entrypoint().call("text", {nullptr})), "thrown : plain");
}

TEST(Failure, IsFoundInAPromise) {
  auto worker = world().load("run() { throw new TypeError('boom'); }");
  auto name = worker.entrypoint()
                  .call("run", {nullptr})
                  .then([](Value) { return std::string("returned"); },
                        [](kj::Exception&& exception) { return KJ_ASSERT_NONNULL(Thrown::from(exception)).name; });
  EXPECT_EQ(name.wait(world().waitScope()), "TypeError");
}

TEST(Failure, ALimitEndsTheCallAndIsNamed) {
  auto worker = world().load("run() { for (;;); }", Value::object(), {.cpuMs = 50});
  try {
    worker.entrypoint().call("run", {nullptr}).wait(world().waitScope());
    FAIL() << "it returned";
  } catch (const Ended& ended) {
    EXPECT_EQ(ended.code, rpc::Ending::Code::EXCEEDED_CPU);
    EXPECT_EQ(ended.name, "exceededCpu");
    EXPECT_THAT(ended.message, HasSubstr("50"));
  }
}

TEST(Failure, CodeThatCannotStartIsAnsweredToEachCall) {
  auto worker = world().client().load({.compatibilityDate = "2026-03-01", .modules = {{"m.js", "export default {"}}});
  for (int i = 0; i < 2; i++)
    EXPECT_THAT(outcome(worker.entrypoint().call("run", {nullptr})),
                StartsWith("thrown Error: Failed to start Worker:"));
}

TEST(Failure, ArgumentsThatCannotBeSentFailTheCall) {
  auto worker = world().load("run(x) { return x; }");
  auto exception = kj::runCatchingExceptions(
      [&]() { worker.entrypoint().call("run", {std::string(40 << 20, 'x')}).wait(world().waitScope()); });
  EXPECT_THAT(KJ_ASSERT_NONNULL(exception).getDescription().cStr(), HasSubstr("larger than values may be"));
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {1})), "1");
}

TEST(Failure, RevokingEndsWhatIsUnderWay) {
  Tool tool;
  bool isCalled = false;
  tool.method("wait", [&](Arguments) -> kj::Promise<Value> {
    isCalled = true;
    return kj::NEVER_DONE;
  });
  auto worker = world().load("async run(_, env) { await env.TOOL.wait(); }", envWith("TOOL", kj::mv(tool)));
  auto call = worker.entrypoint().call("run", {nullptr});
  world().turnUntil([&]() { return isCalled; });
  worker.revoke().wait(world().waitScope());
  EXPECT_EQ(outcome(kj::mv(call)), "ended revoked");
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "ended revoked");
}

// ---------------------------------------------------------------------------------------------------------------------
// Tools

TEST(Tool, IsCalledByTheAgentThatHasItInItsEnv) {
  auto worker = world().load("async run(input, env) { return { sum: await env.CALC.add(input, 2) }; }",
                             envWith("CALC", calculator()));
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {40})), R"({"sum":42})");
}

TEST(Tool, IsCalledByTheAgentThatGotItAsAnArgument) {
  auto worker = world().load("async run(calc) { return await calc.add(40, 2); }");
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {calculator().serve()})), "42");
}

TEST(Tool, MayAnswerLater) {
  Tool tool;
  tool.method("later", [](Arguments arguments) {
    return kj::evalLater([arguments]() { return Value::array({arguments[0], "later"}); });
  });
  auto worker =
      world().load("async run(input, env) { return await env.TOOL.later(input); }", envWith("TOOL", kj::mv(tool)));
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {Value::object({{"a", 1}})})), R"([{"a":1},"later"])");
}

TEST(Tool, ThatIsAFunctionIsCalledAsOne) {
  Tool function;
  function.method("", [](Arguments arguments) -> Value { return arguments.size(); });
  auto worker =
      world().load("async run(_, env) { return await env.COUNT('a', 'b', 'c'); }", envWith("COUNT", kj::mv(function)));
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "3");
}

TEST(Tool, FailuresAreErrorsInTheAgent) {
  Tool tool;
  tool.method("now", [](Arguments) -> Value { throw Thrown("RangeError", "too far", "E_FAR"); });
  tool.method("later", [](Arguments) {
    return kj::evalLater([]() -> Value { throw Thrown("RangeError", "too far", "E_FAR"); });
  });
  tool.method("standard", [](Arguments) -> Value { throw std::runtime_error("no such user"); });
  tool.method("typed", [](Arguments arguments) -> Value { return arguments[0].asNumber(); });
  auto worker = world().load(
      "async run(name, env) { try { await env.TOOL[name]('x'); } catch (e) {\n"
      "  return [e instanceof Error, e.constructor.name, e.name, e.message, e.code]; } }",
      envWith("TOOL", kj::mv(tool)));
  auto run = [&](const char* name) { return outcome(worker.entrypoint().call("run", {name})); };
  EXPECT_EQ(run("now"), R"([true,"RangeError","RangeError","too far","E_FAR"])");
  EXPECT_EQ(run("later"), R"([true,"RangeError","RangeError","too far","E_FAR"])");
  EXPECT_EQ(run("standard"), R"([true,"Error","Error","no such user",null])");
  EXPECT_EQ(run("typed"), R"([true,"TypeError","TypeError","expected a number, got a string",null])");
  EXPECT_EQ(run("nope"),
            R"([true,"TypeError","TypeError","The RPC receiver does not implement the method \"nope\".",null])");
}

TEST(Tool, LargeValuesCrossBothWays) {
  Tool tool;
  tool.method("grow", [](Arguments arguments) -> Value { return arguments[0].asString() + std::string(1 << 20, 'b'); });
  auto worker = world().load(
      "async run(_, env) { const s = await env.TOOL.grow('a'.repeat(1 << 20)); return s.replace('b', '-') + 'c'; }",
      envWith("TOOL", kj::mv(tool)));
  auto result = worker.entrypoint().call("run", {nullptr}).wait(world().waitScope()).asString();
  EXPECT_EQ(result.size(), (2u << 20) + 1);
  EXPECT_EQ(result.substr((1 << 20) - 1, 3), "a-b");
}

TEST(Tool, CallsBeginInOrderWhateverTheirSize) {
  std::string order;
  Tool tool;
  tool.method("note", [&](Arguments arguments) -> Value {
    order += arguments[0].asString().substr(0, 1);
    return nullptr;
  });
  auto worker = world().load(
      "async run(_, env) { await Promise.all(['a'.repeat(1 << 20), 'b', 'c'.repeat(1 << 18), 'd'].map((s) => "
      "env.TOOL.note(s))); }",
      envWith("TOOL", kj::mv(tool)));
  worker.entrypoint().call("run", {nullptr}).wait(world().waitScope());
  EXPECT_EQ(order, "abcd");
}

TEST(Tool, AResultsPropertiesAreReachedBeforeItIsThere) {
  Tool tool;
  tool.method("user", [](Arguments arguments) -> Value {
    return Value::object(
        {{"name", arguments[0]}, {"calc", calculator().serve()}, {"pet", Value::object({{"age", 3}})}});
  });
  tool.method("calculator", [](Arguments) -> Value { return calculator().serve(); });
  auto worker = world().load(
      "async run(_, env) { const u = env.DB.user('ann'); return Promise.all([u.name, u.pet.age, u.calc.add(1, 2), "
      "env.DB.calculator().add(3, 4),\n"
      "  u.nope().catch((e) => e.message), u.name().catch((e) => e.message)]); }",
      envWith("DB", kj::mv(tool)));
  EXPECT_EQ(
      outcome(worker.entrypoint().call("run", {nullptr})),
      R"(["ann",3,3,7,"The RPC receiver does not implement the method \"nope\".","\"name\" is not a function."])");
}

TEST(Tool, IsReleasedWhenTheWorkerIsGone) {
  int released = 0;
  auto tool = calculator();
  tool.onRelease([&]() { released++; });
  kj::Maybe<Worker> worker =
      world().load("async run(_, env) { return await env.CALC.add(1, 2); }", envWith("CALC", kj::mv(tool)));
  EXPECT_EQ(outcome(KJ_ASSERT_NONNULL(worker).entrypoint().call("run", {nullptr})), "3");
  EXPECT_EQ(released, 0);
  worker = nullptr;
  world().turnUntil([&]() { return released > 0; });
  EXPECT_EQ(released, 1);
}

TEST(Tool, CallsAreDroppedWithTheirCaller) {
  bool isCalled = false, isDropped = false;
  Tool tool;
  tool.method("wait", [&](Arguments) -> kj::Promise<Value> {
    isCalled = true;
    return kj::Promise<Value>(kj::NEVER_DONE).attach(kj::defer([&]() { isDropped = true; }));
  });
  auto worker = world().load("async run(_, env) { await env.TOOL.wait(); }", envWith("TOOL", kj::mv(tool)));
  auto call = worker.entrypoint().call("run", {nullptr});
  world().turnUntil([&]() { return isCalled; });
  EXPECT_FALSE(isDropped);
  worker.revoke().wait(world().waitScope());
  world().turnUntil([&]() { return isDropped; });
}

// ---------------------------------------------------------------------------------------------------------------------
// Stubs of the agent's

TEST(Stub, InAResultIsCalledAndDisposedOf) {
  auto worker = world().load("counter() { return new Counter(); }, disposed() { return disposed; }");
  auto agent = worker.entrypoint();
  {
    auto counter = agent.call("counter", {nullptr}).wait(world().waitScope()).asStub();
    EXPECT_EQ(outcome(counter.call("inc")), "1");
    EXPECT_EQ(outcome(counter.call("inc", {5})), "6");
    EXPECT_EQ(outcome(counter.read("n")), "thrown TypeError: The RPC receiver does not implement the method \"n\".");
    EXPECT_EQ(outcome(agent.call("disposed", {nullptr})), "0");
  }
  world().turnUntil([&]() { return outcome(agent.call("disposed", {nullptr})) == "1"; });
}

TEST(Stub, AResultWithADisposerIsDisposedOfWithItsLastPart) {
  auto worker = world().load(
      "result() { return { part: {}, [Symbol.dispose]() { disposed++; } }; }, disposed() { return disposed; }");
  auto agent = worker.entrypoint();
  kj::Maybe<Value> part = agent.call("result", {nullptr}).wait(world().waitScope())["part"];
  for (int i = 0; i < 3; i++) EXPECT_EQ(outcome(agent.call("disposed", {nullptr})), "0");
  part = nullptr;
  world().turnUntil([&]() { return outcome(agent.call("disposed", {nullptr})) == "1"; });
}

TEST(Stub, OfAResultIsCalledBeforeItIsThere) {
  auto worker = world().load("counter() { return new Counter(); }, plain() { return 1; }");
  EXPECT_EQ(outcome(worker.entrypoint().call("counter", {nullptr}).call("inc", {7})), "7");
  EXPECT_EQ(outcome(worker.entrypoint().call("counter", {nullptr}).call("nope")),
            "thrown TypeError: The RPC receiver does not implement the method \"nope\".");
}

TEST(Stub, InArgumentsOfAToolIsUsableBeyondTheCall) {
  kj::Maybe<Stub> kept;
  Tool tool;
  tool.method("keep", [&](Arguments arguments) -> Value {
    kept = arguments[0].asStub();
    return nullptr;
  });
  tool.method("use", [&](Arguments) -> kj::Promise<Value> { return KJ_ASSERT_NONNULL(kept).call({}, {20}); });
  auto worker = world().load("async run(_, env) { await env.TOOL.keep((x) => x + 1); return await env.TOOL.use(); }",
                             envWith("TOOL", kj::mv(tool)));
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "21");
  kept = nullptr;
}

TEST(Stub, OfOneWorkerIsPassedToAnother) {
  auto owner = world().load("counter() { return new Counter(); }");
  auto user = world().load("async run(counter) { await counter.inc(); return await counter.inc(); }");
  auto counter = owner.entrypoint().call("counter", {nullptr}).wait(world().waitScope());
  EXPECT_EQ(outcome(user.entrypoint().call("run", {counter})), "2");
  EXPECT_EQ(outcome(counter.asStub().call("inc")), "3");
}

TEST(Stub, AnEntrypointIsAServiceOfAnotherWorker) {
  auto server = world().load("double(x) { return 2 * x; }");
  auto user = world().load("async run(x, env) { return await env.SERVER.double(x); }",
                           Value::object({{"SERVER", server.entrypoint()}}));
  EXPECT_EQ(outcome(user.entrypoint().call("run", {21})), "42");
}

TEST(Client, ARunHasAnAccountWhateverComesOfIt) {
  Tool tool = calculator();
  auto worker = world().load(
      "async run(x, env) { console.log('said'); return await env.CALCULATOR.add(1, 2); },\n"
      "fail() { throw new RangeError('too far'); },\n"
      "spin() { for (;;); }",
      envWith("CALCULATOR", kj::mv(tool)), {.cpuMs = 100});
  auto entrypoint = worker.entrypoint();
  auto run = entrypoint.run("run", {nullptr}).wait(world().waitScope());
  EXPECT_EQ(run.outcome, "ok");
  EXPECT_EQ(KJ_ASSERT_NONNULL(run.value).toJson(), "3");
  auto& account = KJ_ASSERT_NONNULL(run.account);
  EXPECT_GT(account.cpuMs, 0);
  EXPECT_GE(account.wallMs, 0);
  EXPECT_GT(account.peakMemoryBytes, 1u << 20);
  ASSERT_EQ(account.capabilities.size(), 1u);
  EXPECT_EQ(account.capabilities[0].label, "CALCULATOR");
  EXPECT_EQ(account.capabilities[0].calls, 1u);
  ASSERT_EQ(account.logs.size(), 1u);
  EXPECT_EQ(account.logs[0].text, "said");

  auto failed = entrypoint.run("fail", {nullptr}).wait(world().waitScope());
  EXPECT_EQ(failed.outcome, "exception");
  EXPECT_EQ(KJ_ASSERT_NONNULL(Thrown::from(KJ_ASSERT_NONNULL(failed.failure))).message, "too far");
  ASSERT_EQ(KJ_ASSERT_NONNULL(failed.account).exceptions.size(), 1u);
  EXPECT_EQ(KJ_ASSERT_NONNULL(failed.account).exceptions[0].name, "RangeError");

  auto ended = entrypoint.run("spin", {nullptr}).wait(world().waitScope());
  EXPECT_EQ(ended.outcome, "exceededCpu");
  EXPECT_EQ(KJ_ASSERT_NONNULL(Ended::from(KJ_ASSERT_NONNULL(ended.failure))).name, "exceededCpu");
  EXPECT_GE(KJ_ASSERT_NONNULL(ended.account).cpuMs, 100);
}

TEST(Client, AToolIsToldOfCallsAsATail) {
  std::vector<std::string> events;
  Tool tool;
  tool.method("tail", [&](Arguments arguments) -> Value {
    events.push_back(arguments[0].toJson());
    return {};
  });
  auto worker = world().client().load({.compatibilityDate = "2026-03-01",
                                       .modules = {{"m.js", "export default { run() { return 1; } }"}},
                                       .tails = {kj::mv(tool).serve()}});
  EXPECT_EQ(outcome(worker.entrypoint().call("run", {nullptr})), "1");
  world().turnUntil([&]() { return !events.empty(); });
  EXPECT_THAT(events[0], HasSubstr("\"rpcMethod\":\"run\""));
}

TEST(Client, ANamedWorkerIsMadeWhenItIsNeededAndAgainWhenItIsGone) {
  int asked = 0;
  auto factory = [&]() {
    asked++;
    return Code{.compatibilityDate = "2026-03-01",
                .modules = {{"m.js",
                             "let n = 0;\n"
                             "export default { count: () => ++n, wait: () => new Promise((r) => setTimeout(r, 60_000)) };"}}};
  };
  auto& client = world().client();
  auto stub = client.get("tenant", factory).entrypoint();
  EXPECT_EQ(outcome(stub.call("count", {0})), "1");
  EXPECT_EQ(outcome(client.get("tenant", factory).entrypoint().call("count", {0})), "2");
  EXPECT_EQ(asked, 1);
  auto list = client.list().wait(world().waitScope());
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].name, "tenant");
  EXPECT_TRUE(list[0].live);

  auto waiting = stub.call("wait", {0});
  EXPECT_TRUE(client.abort("tenant").wait(world().waitScope()));
  EXPECT_EQ(outcome(kj::mv(waiting)), "ended aborted");
  EXPECT_EQ(outcome(stub.call("count", {0})), "1");
  EXPECT_EQ(asked, 2);

  EXPECT_TRUE(client.remove("tenant").wait(world().waitScope()));
  EXPECT_FALSE(client.remove("tenant").wait(world().waitScope()));
  EXPECT_EQ(outcome(stub.call("count", {0})), "ended revoked");
}

TEST(Client, WhatAFactoryThrowsIsThrownByTheCallsThatWaitAndNotRemembered) {
  bool broken = true;
  auto stub = world().client().get("broken", [&]() -> kj::Promise<Code> {
    if (broken) throw Thrown("RangeError", "no such tenant");
    return Code{.compatibilityDate = "2026-03-01", .modules = {{"m.js", "export default { x: () => 7 };"}}};
  }).entrypoint();
  EXPECT_THAT(outcome(stub.call("x", {0})), testing::AllOf(StartsWith("thrown Error: "), HasSubstr("no such tenant")));
  broken = false;
  EXPECT_EQ(outcome(stub.call("x", {0})), "7");
  EXPECT_TRUE(world().client().remove("broken").wait(world().waitScope()));
}

}  // namespace
}  // namespace glovebox::client
