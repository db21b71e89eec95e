// Trace ids through a supervisor, with a hostile worker's part played by the test.

#include <gtest/gtest.h>
#include <kj/debug.h>

#include "ipc/trace.h"
#include "supervisor/membrane-limits.h"
#include "tests/scripted-worker.h"

namespace glovebox::test {
namespace {

constexpr uint64_t HIGH = 0x0af7651916cd43dd, LOW = 0x8448eb211c80319c, CALLER = 0xb7ad6b7169203331;

// A console of a client's that keeps what it hears.
class Heard final: public rpc::Console::Server {
 public:
  struct Line { std::string text; Trace trace; std::vector<std::string> workers; };
  explicit Heard(std::vector<Line>& lines): lines_(lines) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      Line line{message.getText().cStr(), readTrace(message.getTrace()), {}};
      for (auto name: message.getWorkers()) line.workers.push_back(name.cStr());
      lines_.push_back(std::move(line));
    }
    return kj::READY_NOW;
  }

 private:
  std::vector<Line>& lines_;
};

class Traces: public testing::Test {
 protected:
  ScriptedWorld world;
  ~Traces() noexcept override {}

  using Claim = kj::Function<void(rpc::Trace::Builder)>;
  static capnp::RemotePromise<rpc::Return> ask(rpc::Target::Client target, Claim claim) {
    auto request = target.callRequest();
    request.initPath(1).set(0, "use");
    request.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
    claim(request.initTrace());
    return request.send();
  }
  static Claim client() {
    return [](rpc::Trace::Builder trace) { writeTrace({HIGH, LOW, CALLER, 0, 1}, trace); };
  }
  static Claim span(uint64_t number) {
    return [number](rpc::Trace::Builder trace) { trace.setSpan(number); };
  }
  ScriptedWorld::Loaded loadWithConsole(rpc::Console::Client console) {
    auto inside = world.expectLoad();
    auto request = world.loader().loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("m.js");
    auto module = code.initModules(1)[0];
    module.setName("m.js");
    module.setJs("export default {}");
    request.setConsole(kj::mv(console));
    auto worker = request.send().getWorker();
    ScriptedWorld::Loaded loaded{worker, worker.getEntrypointRequest().send().getEntrypoint(), inside};
    world.turnUntil([&]() { return inside->started; });
    return loaded;
  }
  // Keeps the traces of the calls that it gets.
  static OnCall keeping(std::vector<Trace>& traces) {
    return [&traces](const std::string&, CallContext context) -> kj::Promise<void> {
      traces.push_back(readTrace(context.getParams().getTrace()));
      answer(context, "");
      return kj::READY_NOW;
    };
  }
};

TEST_F(Traces, ACallOnAWorkerIsASpanBelowItsCallers) {
  auto worker = world.load();
  std::vector<Trace> seen;
  worker.inside->onCall = keeping(seen);
  for (int i = 0; i < 2; i++) world.wait(ask(worker.entrypoint, client()));
  world.wait(call(worker.entrypoint, "plain"));
  ASSERT_EQ(seen.size(), 3u);
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(seen[i].high, HIGH);
    EXPECT_EQ(seen[i].low, LOW);
    EXPECT_EQ(seen[i].parent, CALLER);
    EXPECT_EQ(seen[i].flags, 1);
    EXPECT_NE(seen[i].span, 0u);
    EXPECT_NE(seen[i].span, CALLER);
  }
  EXPECT_NE(seen[0].span, seen[1].span);
  EXPECT_FALSE(seen[2].exists());
}

TEST_F(Traces, AWorkersCallIsInTheTraceOfTheCallThatItNames) {
  std::vector<Trace> seen, tool;
  auto worker = world.load(nullptr, {{"TOOL", object(keeping(tool))}});
  worker.inside->onCall = keeping(seen);
  world.wait(ask(worker.entrypoint, client()));
  world.wait(ask(worker.entrypoint, [](rpc::Trace::Builder trace) { writeTrace({1, 2, 3, 0, 0}, trace); }));
  auto& held = worker.inside->env.at("TOOL");
  // Also when it has been answered: what it began may go on.
  world.wait(ask(held, span(seen[0].span)));
  world.wait(ask(held, span(seen[1].span)));
  ASSERT_EQ(tool.size(), 2u);
  EXPECT_EQ(tool[0].high, HIGH);
  EXPECT_EQ(tool[0].span, seen[0].span);
  EXPECT_EQ(tool[0].parent, CALLER);
  EXPECT_EQ(tool[1].low, 2u);
  EXPECT_EQ(tool[1].span, seen[1].span);
}

TEST_F(Traces, NoWorkerAppearsInATraceThatItWasNotCalledIn) {
  std::vector<Trace> seen, tool;
  auto other = world.load();
  other.inside->onCall = keeping(seen);
  world.wait(ask(other.entrypoint, client()));
  auto worker = world.load(nullptr, {{"TOOL", object(keeping(tool))}});
  worker.inside->onCall = [](const std::string&, CallContext context) -> kj::Promise<void> {
    answer(context, "");
    return kj::READY_NOW;
  };
  world.wait(call(worker.entrypoint, "plain"));
  auto& held = worker.inside->env.at("TOOL");
  world.wait(ask(held, span(seen[0].span)));   // of another worker's call
  world.wait(ask(held, client()));             // all of a trace that is there
  world.wait(ask(held, span(CALLER)));
  world.wait(ask(held, span(0)));
  ASSERT_EQ(tool.size(), 4u);
  for (auto& trace: tool) EXPECT_FALSE(trace.exists());
}

TEST_F(Traces, OfALogLineOnlyTheTextIsTheWorkers) {
  std::vector<Heard::Line> lines;
  std::vector<Trace> seen;
  auto worker = loadWithConsole(kj::heap<Heard>(lines));
  worker.inside->onCall = keeping(seen);
  world.wait(ask(worker.entrypoint, client()));
  auto say = [&](Claim claim) {
    auto request = KJ_ASSERT_NONNULL(worker.inside->console).writeRequest();
    auto message = request.initMessages(1)[0];
    message.setText("words");
    claim(message.initTrace());
    message.initWorkers(1).set(0, "somebody else");
    world.wait(request.send().ignoreResult());
  };
  say(span(seen[0].span));
  say([&](rpc::Trace::Builder trace) { writeTrace({1, 2, seen[0].span, 4, 5}, trace); });
  say(client());
  ASSERT_EQ(lines.size(), 3u);
  for (auto& line: lines) {
    EXPECT_EQ(line.text, "words");
    EXPECT_TRUE(line.workers.empty());
  }
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(lines[i].trace.high, HIGH);
    EXPECT_EQ(lines[i].trace.span, seen[0].span);
    EXPECT_EQ(lines[i].trace.parent, CALLER);
  }
  EXPECT_FALSE(lines[2].trace.exists());
}

TEST_F(Traces, AnAccountSaysWhichSpanItIsOf) {
  auto worker = world.load();
  std::vector<Trace> seen;
  worker.inside->onCall = keeping(seen);
  auto request = worker.entrypoint.callRequest();
  request.initPath(1).set(0, "use");
  request.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
  request.setAccount(true);
  writeTrace({HIGH, LOW, CALLER, 0, 0}, request.initTrace());
  auto response = world.wait(request.send());
  auto trace = readTrace(response.getAccount().getTrace());
  EXPECT_EQ(trace.low, LOW);
  EXPECT_EQ(trace.span, seen[0].span);
  EXPECT_EQ(trace.parent, CALLER);
}

TEST_F(Traces, AsManyCallsAreRememberedAsMayBeUnderWay) {
  std::vector<Trace> seen, tool;
  auto worker = world.load(nullptr, {{"TOOL", object(keeping(tool))}});
  worker.inside->onCall = keeping(seen);
  for (size_t i = 0; i < membrane::TRACES_MAX + 1; i++) world.wait(ask(worker.entrypoint, client()));
  for (size_t i: {size_t{0}, size_t{1}, membrane::TRACES_MAX}) world.wait(ask(worker.inside->env.at("TOOL"), span(seen[i].span)));
  ASSERT_EQ(tool.size(), 3u);
  EXPECT_FALSE(tool[0].exists());
  EXPECT_TRUE(tool[1].exists());
  EXPECT_TRUE(tool[2].exists());
}

}  // namespace
}  // namespace glovebox::test
