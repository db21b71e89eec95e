// What a worker (unjailed) does when it is told to stop, and when its memory is used up.

#include <gtest/gtest.h>

#include "ipc/zygote-protocol.h"
#include "worker/worker-under-test.h"

namespace glovebox {
namespace {

using Answer = WorkerUnderTest::Answer;

class Limits: public testing::Test {
 protected:
  WorkerUnderTest worker;

  // Calls and, once the worker says by a log line that it is inside, tells it to stop. Console.write is sent only when
  // JavaScript returns to the loop, so what loops is told by CPU time instead: the signal is repeated until it is heard.
  Answer callAndStop(std::string name) {
    auto answer = worker.callLater(name, {number(1)});
    kj::Promise<void> nag = nagForEver();
    return answer.exclusiveJoin(nag.then([]() { return Answer{"never", ""}; })).wait(worker.io.waitScope);
  }
  kj::Promise<void> nagForEver() {
    return worker.io.provider->getTimer().afterDelay(20 * kj::MILLISECONDS).then([this]() {
      worker.sendSignal(zygote::TERMINATE_SIGNAL);
      return nagForEver();
    });
  }
};

TEST_F(Limits, WhateverLoopsIsStoppedAndTheWorkerGoesOn) {
  ASSERT_TRUE(worker.start(R"(
    const never = () => new Promise(() => {});
    export default {
      loop(x) { for (;;); },
      catches(x) { for (;;) { try { for (;;); } catch { } finally { continue; } } },
      async microtasks(x) { for (;;) await null; },
      regexp(x) { return /^(a+)+$/.test("a".repeat(40) + "b"); },
      sort(x) { return new Array(1e6).fill(0).sort(() => { for (;;); }); },
      async timer(x) { setTimeout(() => { for (;;); }, 0); await never(); },
      async idle(x) { setTimeout(() => {}, 1e9); await never(); },
      getter(x) { return { get a() { for (;;); } }; },
      ok(x) { return "ok"; },
    };
  )"));
  for (auto name: {"loop", "catches", "microtasks", "regexp", "sort", "timer", "idle", "getter"}) {
    EXPECT_EQ(callAndStop(name), (Answer{"terminated", ""})) << name;
    EXPECT_EQ(worker.call("ok", {number(1)}), (Answer{"value", "\"ok\""})) << "after " << name;
  }
}

TEST_F(Limits, EveryCallInFlightIsAnsweredWhenOneIsStopped) {
  ASSERT_TRUE(worker.start(R"(export default {
    wait(x) { return new Promise((resolve) => setTimeout(resolve, 1e9)); },
    loop(x) { for (;;); },
  })"));
  auto waiting = worker.callLater("wait", {number(1)});
  EXPECT_EQ(callAndStop("loop"), (Answer{"terminated", ""}));
  EXPECT_EQ(waiting.wait(worker.io.waitScope), (Answer{"terminated", ""}));
}

TEST_F(Limits, HeapArrayBuffersAndWebAssemblyMemoryEndTheCallAndNotTheWorker) {
  ASSERT_TRUE(worker.start({{"m.js", R"(export default {
    heap(x) { const all = []; for (;;) all.push(new Array(1000).fill({})); },
    strings(x) { let all = []; for (let i = 0;; i++) all.push("text " + i); },
    catches(x) { const all = []; for (;;) { try { for (;;) all.push({ a: 1 }); } catch { } } },
    buffers(x) { const all = []; for (;;) all.push(new Uint8Array(1 << 20)); },
    wasm(x) { const all = []; for (;;) all.push(new WebAssembly.Memory({ initial: 100 })); },
    ok(x) { return "ok"; },
  })"}}, {}, 64));
  for (auto name: {"heap", "strings", "catches", "buffers", "wasm"}) {
    EXPECT_EQ(worker.call(name, {number(1)}), (Answer{"exceededMemory", ""})) << name;
    EXPECT_EQ(worker.call("ok", {number(1)}), (Answer{"value", "\"ok\""})) << "after " << name;
  }
}

TEST_F(Limits, ABufferAboveTheLimitIsARangeErrorThatCodeMayCatch) {
  ASSERT_TRUE(worker.start({{"m.js", R"(export default {
    caught(x) { try { new ArrayBuffer(1 << 30); } catch (e) { return `${e}`; } },
    uncaught(x) { new ArrayBuffer(1 << 30); },
  })"}}, {}, 64));
  EXPECT_EQ(worker.call("caught", {number(1)}), (Answer{"value", "\"RangeError: Array buffer allocation failed\""}));
  EXPECT_EQ(worker.call("uncaught", {number(1)}), (Answer{"exceededMemory", ""}));
}

TEST_F(Limits, CompressionStreamsCountAndThoseThatAreDroppedGiveTheirMemoryBack) {
  ASSERT_TRUE(worker.start({{"m.js", R"(export default {
    held(x) { const all = []; for (;;) all.push(new CompressionStream("gzip")); },
    caught(x) { const all = []; try { for (;;) all.push(new CompressionStream("gzip")); } catch (e) { return e.name + " " + (all.length > 50); } },
    // Until it has started a stream is held by the job that starts it.
    async dropped(x) { for (let i = 0; i < 2000; i++) { new CompressionStream("gzip"); await null; } return "ok"; },
    async bomb(x) {
      const reader = repeated(new Uint8Array(1 << 20), 200, new CompressionStream("deflate")).pipeThrough(new DecompressionStream("deflate")).getReader();
      let total = 0;
      for (let next; !(next = await reader.read()).done;) total += next.value.length;
      return total;
    },
  };
  function repeated(chunk, times, stream) {
    const writer = stream.writable.getWriter();
    void (async () => { for (let i = 0; i < times; i++) await writer.write(chunk); await writer.close(); })();
    return stream.readable;
  })"}}, {}, 64));
  EXPECT_EQ(worker.call("dropped", {number(1)}), (Answer{"value", "\"ok\""}));
  EXPECT_EQ(worker.call("caught", {number(1)}), (Answer{"value", "\"RangeError true\""}));
  EXPECT_EQ(worker.call("held", {number(1)}), (Answer{"exceededMemory", ""}));
  EXPECT_EQ(worker.call("dropped", {number(1)}), (Answer{"value", "\"ok\""}));
  EXPECT_EQ(worker.call("bomb", {number(1)}), (Answer{"value", "209715200"}));
}

TEST_F(Limits, EndlessRecursionIsARangeErrorOfTheCall) {
  ASSERT_TRUE(worker.start("export default { deep(x) { return this.deep(x) + 1; } }"));
  EXPECT_EQ(worker.call("deep", {number(1)}), (Answer{"thrown", "RangeError: Maximum call stack size exceeded"}));
}

TEST_F(Limits, ATopLevelThatUsesUpItsMemoryAnswersEachCallWithThat) {
  EXPECT_FALSE(worker.start({{"m.js", "const all = []; for (;;) all.push(new Array(1000).fill({}));"}}, {}, 64));
  EXPECT_EQ(worker.call("any", {number(1)}), (Answer{"exceededMemory", ""}));
  EXPECT_EQ(worker.call("any", {number(1)}), (Answer{"exceededMemory", ""}));
}

}  // namespace
}  // namespace glovebox
