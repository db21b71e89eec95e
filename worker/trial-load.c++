#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/worker.capnp.h"
#include "worker/load-pages.h"

namespace glovebox {

namespace {

// As agents write it, with tools, and unlike what a worker rehearses (worker/rehearsal.c++). A larger program touches more pages, which each worker
// then holds.
constexpr const char* PROGRAM = R"(
  import { WorkerEntrypoint } from "cloudflare:workers";
  const LIMIT = 10;
  function describe(item, index) {
    return { index, label: `${item}:${index}`, size: String(item).length };
  }
  export default class Agent extends WorkerEntrypoint {
    async run(tools, input) {
      const lines = [];
      console.log = (...words) => { lines.push(words.map(String).join(" ")); };
      const toolbox = new Proxy({}, {
        get: (target, name) => async (...args) => JSON.parse(await tools.toolbox.call(String(name), JSON.stringify(args))).result,
      });
      const program = async () => {
        const result = Object.values(input ?? {}).slice(0, LIMIT).map(describe);
        let total = result.reduce((sum, { size }) => sum + size, 0);
        for (let i = 1; i <= 2; i++) total = await toolbox.add({ a: total, b: i });
        console.log("added", total);
        return { ok: total > 0, total, result, at: Date.now() };
      };
      const late = new Promise((resolve, reject) => setTimeout(() => reject(new Error("too late")), 60000));
      return { result: await Promise.race([program(), late]), lines };
    }
  }
)";

class Console final: public rpc::Console::Server {
 protected:
  kj::Promise<void> write(WriteContext) override { return kj::READY_NOW; }
};

class Tool final: public rpc::Target::Server {
 protected:
  kj::Promise<void> call(CallContext context) override {
    context.getResults().initValue().initValue().initNodes(1)[0].setText(R"({"result":3})");
    return kj::READY_NOW;
  }
};

// ({ toolbox: the tool }, { input: 42 })
ValueGraph arguments() {
  using Kind = ValueNode::Kind;
  ValueGraph graph;
  graph.nodes.resize(7);
  auto& nodes = graph.nodes;
  nodes[0].kind = Kind::ARRAY;
  nodes[0].length = 2;
  nodes[0].items = {1, 2};
  nodes[1].kind = Kind::OBJECT;
  nodes[1].properties = {{3, 4}};
  nodes[2].kind = Kind::OBJECT;
  nodes[2].properties = {{5, 6}};
  nodes[3].kind = Kind::TEXT;
  nodes[3].bytes = "toolbox";
  nodes[4].kind = Kind::EXTERNAL;
  nodes[4].ref = 0;
  nodes[5].kind = Kind::TEXT;
  nodes[5].bytes = "input";
  nodes[6].kind = Kind::NUMBER;
  nodes[6].number = 42;
  graph.externals.push_back({ValueExternal::Kind::STUB, false, 0, ""});
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
  code.initCompatibilityFlags(1).set(0, "nodejs_compat");
  code.setMainModule("agent.js");
  auto module = code.initModules(1)[0];
  module.setName("agent.js");
  module.setJs(PROGRAM);
  auto started = start.send();
  auto get = worker.getEntrypointRequest();
  auto call = get.send().getEntrypoint().callRequest();
  call.initPath(1).set(0, "run");
  writePayload(arguments(), call.getOperation().initInvoke(), wire::PAYLOAD_BYTES_MAX,
               [](const ValueExternal&) -> capnp::Capability::Client { return rpc::Target::Client(kj::heap<Tool>()); });
  auto answer = call.send().wait(io.waitScope);
  KJ_REQUIRE(answer.isValue(), "the program on trial failed");
  called();
}

}  // namespace glovebox
