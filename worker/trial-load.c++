#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/worker.capnp.h"
#include "worker/load-pages.h"

namespace glovebox {

namespace {

// As agents write it, and unlike what a worker rehearses (worker/rehearsal.c++).
constexpr const char* PROGRAM = R"(
  const LIMIT = 10;
  function describe(item, index) {
    return { index, label: `${item}:${index}`, size: String(item).length };
  }
  export default {
    async run(input, env, ctx) {
      const items = Array.isArray(input) ? input : Object.values(input ?? {});
      const result = [];
      for (const [index, item] of items.slice(0, LIMIT).entries()) {
        result.push(describe(item, index));
      }
      const total = result.reduce((sum, { size }) => sum + size, 0);
      await Promise.resolve();
      return { ok: total > 0, total, result, message: "done", at: Date.now() };
    },
  };
)";

class Console final: public rpc::Console::Server {
 protected:
  kj::Promise<void> write(WriteContext) override { return kj::READY_NOW; }
};

ValueGraph arguments() {
  using Kind = ValueNode::Kind;
  ValueGraph graph;
  graph.nodes.resize(4);
  graph.nodes[0].kind = Kind::ARRAY;
  graph.nodes[0].length = 1;
  graph.nodes[0].items = {1};
  graph.nodes[1].kind = Kind::OBJECT;
  graph.nodes[1].properties = {{2, 3}};
  graph.nodes[2].kind = Kind::TEXT;
  graph.nodes[2].bytes = "input";
  graph.nodes[3].kind = Kind::NUMBER;
  graph.nodes[3].number = 42;
  return graph;
}

}  // namespace

void tryLoad(int socket, const std::function<void()>& warmed, const std::function<void()>& called) {
  auto io = kj::setupAsyncIo();
  auto stream = io.lowLevelProvider->wrapSocketFd(socket, kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
  capnp::TwoPartyClient client(*stream);
  auto worker = client.bootstrap().castAs<rpc::WorkerProcess>();
  worker.warmRequest().send().wait(io.waitScope);
  warmed();

  auto start = worker.startRequest();
  start.setConsole(kj::heap<Console>());
  auto code = start.initCode();
  code.setCompatibilityDate("2026-01-01");
  code.setMainModule("agent.js");
  auto module = code.initModules(1)[0];
  module.setName("agent.js");
  module.setJs(PROGRAM);
  auto started = start.send();
  auto get = worker.getEntrypointRequest();
  auto call = get.send().getEntrypoint().callRequest();
  call.initPath(1).set(0, "run");
  writePayload(arguments(), call.getOperation().initInvoke());
  auto answer = call.send().wait(io.waitScope);
  KJ_REQUIRE(answer.isValue(), "the program on trial failed");
  called();
}

}  // namespace glovebox
