// Calls into a real worker process (unjailed), over its socket: handlers, entrypoints, what they may reach and how they
// fail. The texts are Worker Loader's; programs match on them.

#include <gtest/gtest.h>

#include "ipc/zygote-protocol.h"
#include "worker/worker-under-test.h"

namespace glovebox {
namespace {

using Answer = WorkerUnderTest::Answer;

class Calls: public testing::Test {
 protected:
  WorkerUnderTest worker;
};

Answer value(std::string shown) { return {"value", std::move(shown)}; }
Answer thrown(std::string shown) { return {"thrown", std::move(shown)}; }
Answer ended(std::string kind) { return {std::move(kind), ""}; }

TEST_F(Calls, TheSeedsFirstAgentDoublesItsInput) {
  ASSERT_TRUE(worker.start({{"agent.js", R"(
      export default {
        async myAgent(input, env, ctx) {
          return { doubled: input.value * 2, ts: Date.now() };
        }
      }
    )"}}));
  auto answer = worker.call("myAgent", {objectOf({{"value", number(21)}})});
  EXPECT_EQ(answer.kind, "value");
  EXPECT_TRUE(answer.shown.starts_with(R"({"doubled":42,"ts":1)")) << answer;
}

TEST_F(Calls, AHandlerGetsItsArgumentThenEnvThenCtx) {
  ASSERT_TRUE(worker.start({{"m.js", R"(
    export default {
      three(arg, env, ctx) { return [arg, env.NAME, typeof ctx.waitUntil, ctx.props, this === self_()]; },
      rest(...all) { return all.length; },
      none() { return arguments.length; },
      nested: { deep(arg, env) { return env.NAME + arg; } },
      value: 5,
    };
    import me from "./m.js";
    function self_() { return me; }
  )"}}, objectOf({{"NAME", text("n")}})));
  EXPECT_EQ(worker.call("three", {number(1)}), value(R"([1,"n","function",{},true])"));
  EXPECT_EQ(worker.call("rest", {number(1)}), value("3"));
  EXPECT_EQ(worker.call("none", {number(1)}), value("3"));
  EXPECT_EQ(worker.call("nested.deep", {number(1)}), value("\"n1\""));
  EXPECT_EQ(worker.get("value"), value("5"));
}

TEST_F(Calls, AHandlerOfTheWrongArityOrWithTheWrongNumberOfArgumentsIsRefused) {
  ASSERT_TRUE(worker.start("export default { four(a, b, c, d) {}, one(a) { return a } }"));
  EXPECT_EQ(worker.call("four", {number(1)}),
            thrown("TypeError: Cannot call handler function \"four\" over RPC because it has the wrong number of arguments. A "
                   "simple function handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where "
                   "only the first argument comes from the client. To support multi-argument RPC functions, use class-based "
                   "syntax (extending WorkerEntrypoint) instead."));
  for (auto arguments: {std::vector<ValueGraph>{}, std::vector<ValueGraph>{number(1), number(2)}}) {
    EXPECT_EQ(worker.call("one", arguments),
              thrown("TypeError: Attempted to call RPC function \"one\" with the wrong number of arguments. When calling a "
                     "top-level handler function that is not declared as part of a class, you must always send exactly one "
                     "argument. In order to support variable numbers of arguments, the server must use class-based syntax "
                     "(extending WorkerEntrypoint) instead."));
  }
}

TEST_F(Calls, AnEntrypointClassIsMadeForEachCallAndShowsOnlyItsPrototype) {
  ASSERT_TRUE(worker.start({{"m.js", R"(
    import { WorkerEntrypoint, RpcTarget } from "cloudflare:workers";
    class Base extends WorkerEntrypoint { inherited() { return "yes"; } }
    class Sub extends RpcTarget { own = 1; method() { return "sub"; } }
    export class Named extends Base {
      count = 0;
      secret = "own";
      add(a, b, c) { return [++this.count, a, b, c, this.env.NAME, this.ctx.props]; }
      get sub() { return new Sub(); }
      fetch() { return 1; }
    }
    export class Plain { m() {} }
    export const number = 5;
  )"}}, objectOf({{"NAME", text("n")}})));
  EXPECT_EQ(worker.call("add", {number(1), number(2)}, "Named"), value(R"([1,1,2,undefined,"n",{}])"));
  EXPECT_EQ(worker.call("add", {}, "Named"), value(R"([1,undefined,undefined,undefined,"n",{}])"));
  EXPECT_EQ(worker.call("inherited", {}, "Named"), value("\"yes\""));
  EXPECT_EQ(worker.call("sub.method", {}, "Named"), value("\"sub\""));
  for (auto name: {"secret", "env", "ctx", "toString", "hasOwnProperty", "nothing", "sub.own"}) {
    std::string last = std::string(name) == "sub.own" ? "own" : name;
    EXPECT_EQ(worker.call(name, {}, "Named"),
              thrown("TypeError: The RPC receiver does not implement the method \"" + last + "\"."));
  }
  EXPECT_EQ(worker.call("fetch", {}, "Named"), thrown("TypeError: fetch() of an entrypoint is called with one Request."));
  EXPECT_EQ(worker.call("connect", {}, "Named"), thrown("TypeError: connect() of an entrypoint is called with an address and how it is to be secured."));
  for (auto name: {"alarm", "constructor", "dup"}) {
    EXPECT_EQ(worker.call(name, {}, "Named"),
              thrown("TypeError: '" + std::string(name) + "' is a reserved method and cannot be called over RPC."));
  }
  EXPECT_EQ(worker.callLater("add", {}, "Named", objectOf({{"p", number(7)}})).wait(worker.io.waitScope),
            value(R"([1,undefined,undefined,undefined,"n",{"p":7}])"));
  EXPECT_EQ(worker.call("x", {}, "Nope"), thrown("Error: Worker has no such entrypoint: Nope"));
  EXPECT_EQ(worker.call("x", {}, "number"), thrown("Error: Worker has no such entrypoint: number"));
  EXPECT_EQ(worker.call("x", {}), thrown("Error: Worker has no default entrypoint."));
  EXPECT_EQ(worker.call("m", {}, "Plain").kind, "thrown");
}

TEST_F(Calls, WhatIsThrownArrivesWithNameMessagePropertiesAndCause) {
  ASSERT_TRUE(worker.start(R"(
    class MyError extends Error { name = "MyError"; code = 7; }
    export default {
      own(x) { throw new MyError("boom", { cause: new RangeError("why") }); },
      async text(x) { throw "str"; },
      missing: 5,
      symbol(x) { return Symbol("s"); },
      instance(x) { return new MyClass(); },
    };
    class MyClass {}
  )"));
  EXPECT_EQ(worker.call("own", {number(1)}), thrown(R"(MyError: boom {"code":7} caused by RangeError: why)"));
  EXPECT_EQ(worker.call("text", {number(1)}), thrown("\"str\""));
  EXPECT_EQ(worker.call("missing", {number(1)}), thrown("TypeError: \"missing\" is not a function."));
  EXPECT_EQ(worker.call("absent", {number(1)}), thrown("TypeError: The RPC receiver does not implement the method \"absent\"."));
  EXPECT_EQ(worker.call("symbol", {number(1)}), thrown("DataCloneError: Symbol(s) could not be cloned."));
  EXPECT_EQ(worker.call("instance", {number(1)}),
            thrown("DataCloneError: Could not serialize object of type \"MyClass\". This type does not support serialization."));
}

TEST_F(Calls, ALargeResultIsPulledAndATooLargeOneIsAnError) {
  ASSERT_TRUE(worker.start("export default { text(n) { return 'x'.repeat(n); } }"));
  EXPECT_EQ(worker.call("text", {number(5'000'000)}).shown.size(), 5'000'002u);
  auto answer = worker.call("text", {number(40 << 20)});
  EXPECT_EQ(answer.kind, "thrown");
  EXPECT_NE(answer.shown.find("Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: "),
            std::string::npos) << answer;
}

TEST_F(Calls, WhatCanNeverSettleEndsAsHungAndATimerIsSomethingToWaitFor) {
  ASSERT_TRUE(worker.start(R"(export default {
    never(x) { return new Promise(() => {}); },
    later(x) { return new Promise((resolve) => setTimeout(resolve, 1, "done")); },
  })"));
  EXPECT_EQ(worker.call("never", {number(1)}), ended("hung"));
  EXPECT_EQ(worker.call("later", {number(1)}), value("\"done\""));
}

TEST_F(Calls, CallsOnOneWorkerInterleaveAndShareItsState) {
  ASSERT_TRUE(worker.start(R"(
    let release, count = 0;
    export default {
      wait(x) { count++; return new Promise((r) => { release = r; setTimeout(() => {}, 10_000_000); }); },
      release(x) { release("released"); return count; },
    };
  )"));
  auto waiting = worker.callLater("wait", {number(1)});
  EXPECT_EQ(worker.call("release", {number(1)}), value("1"));
  EXPECT_EQ(waiting.wait(worker.io.waitScope), value("\"released\""));
}

// Both calls arrive in one read. The second never returns, and used to take the answer of the first with it.
TEST_F(Calls, AnAnswerLeavesBeforeTheNextCallRuns) {
  ASSERT_TRUE(worker.start("export default { ok(x) { return x; }, loop(x) { for (;;); } }"));
  auto first = worker.callLater("ok", {number(1)});
  auto second = worker.callLater("loop", {number(1)}).eagerlyEvaluate(nullptr);
  EXPECT_EQ(first.wait(worker.io.waitScope), value("1"));
}

TEST_F(Calls, TimersDieWithTheirInvocationUnlessWaitUntilKeepsIt) {
  ASSERT_TRUE(worker.start(R"(
    import { waitUntil } from "cloudflare:workers";
    const seen = [];
    const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    export default {
      bare(x) { setTimeout(() => seen.push("bare"), 1); },
      kept(x, env, ctx) { ctx.waitUntil(after(1).then(() => seen.push("kept"))); },
      async imported(x) { await null; waitUntil(after(1).then(() => seen.push("imported"))); },
      async seen(x) { await after(20); return seen; },
    };
  )"));
  worker.call("bare", {number(1)});
  worker.call("kept", {number(1)});
  worker.call("imported", {number(1)});
  EXPECT_EQ(worker.call("seen", {number(1)}), value(R"(["kept","imported"])"));
}

TEST_F(Calls, MoreThanTenThousandTimersAreRefused) {
  ASSERT_TRUE(worker.start(R"(export default { many(n) { for (let i = 0; i < n; i++) setTimeout(() => {}, 1e6); return n; } })"));
  EXPECT_EQ(worker.call("many", {number(10'000)}), value("10000"));
  auto answer = worker.call("many", {number(10'001)});
  EXPECT_EQ(answer.kind, "thrown");
  EXPECT_NE(answer.shown.find("You have exceeded the number of active timeouts you may set. max active timeouts: 10000"),
            std::string::npos) << answer;
}

TEST_F(Calls, EvalAndWebAssemblyCompilationAreForTheTopLevelOnly) {
  ASSERT_TRUE(worker.start(R"(
    const early = eval("1 + 1");
    const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const module = new WebAssembly.Module(bytes);
    export default {
      early() { return early; },
      eval(x) { return eval("1"); },
      fn(x) { return new Function("return 1")(); },
      async compile(x) { return WebAssembly.compile(bytes); },
      instance(x) { return typeof new WebAssembly.Instance(module).exports; },
    };
  )"));
  EXPECT_EQ(worker.call("early", {number(1)}), value("2"));
  EXPECT_EQ(worker.call("eval", {number(1)}), thrown("EvalError: Code generation from strings disallowed for this context"));
  EXPECT_EQ(worker.call("fn", {number(1)}), thrown("EvalError: Code generation from strings disallowed for this context"));
  EXPECT_EQ(worker.call("compile", {number(1)}),
            thrown("CompileError: WebAssembly.compile(): Wasm code generation disallowed by embedder"));
  EXPECT_EQ(worker.call("instance", {number(1)}), value("\"object\""));
}

TEST_F(Calls, AMalformedPathIsAnErrorOfTheCall) {
  ASSERT_TRUE(worker.start("export default {}"));
  std::string deep = "a";
  for (int i = 0; i < 64; ++i) deep += ".a";
  EXPECT_EQ(worker.call(deep, {number(1)}), thrown("Error: RPC pipelined property path is too deep (max 64)."));
}

TEST_F(Calls, LogsArriveBeforeTheReturnTheyPrecedeAndAFloodIsBounded) {
  ASSERT_TRUE(worker.start(R"(export default {
    one(x) { console.log("hello", { a: 1 }); Promise.reject(new Error("unseen")); return 1; },
    flood(n) { for (let i = 0; i < n; i++) console.warn("x".repeat(100)); return n; },
  })"));
  EXPECT_EQ(worker.call("one", {number(1)}), value("1"));
  ASSERT_GE(worker.logs.size(), 1u);
  EXPECT_TRUE(worker.logs[0].starts_with("log hello")) << worker.logs[0];
  ASSERT_EQ(worker.logs.size(), 2u);
  EXPECT_TRUE(worker.logs[1].starts_with("error Uncaught Error: unseen\n  at m.js:2:")) << worker.logs[1];
  worker.logs.clear();
  EXPECT_EQ(worker.call("flood", {number(100'000)}), value("100000"));
  EXPECT_LT(worker.logs.size(), 5'000u);
  EXPECT_NE(worker.logs.back().find("messages dropped"), std::string::npos) << worker.logs.back();
}

TEST_F(Calls, AnEmptyLineEndsTheProcess) {
  ASSERT_TRUE(worker.start("export default {}"));
  EXPECT_EQ(worker.join(), zygote::EXIT_DISCONNECTED);
}

}  // namespace
}  // namespace glovebox
