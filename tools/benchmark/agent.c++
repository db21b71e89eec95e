#include "tools/benchmark/agent.h"

#include <cstring>

#include <kj/debug.h>

#include "ipc/payload.h"

namespace glovebox::bench {

const char* const AGENT_MODULE = R"(
      export default {
        async myAgent(input, env, ctx) {
          return { doubled: input.value * 2, ts: Date.now() };
        }
      }
    )";

namespace {

ValueGraph arguments() {
  // [{value: 21}]
  ValueGraph graph;
  graph.nodes.resize(4);
  graph.nodes[0].kind = ValueNode::Kind::ARRAY;
  graph.nodes[0].length = 1;
  graph.nodes[0].items = {1};
  graph.nodes[1].kind = ValueNode::Kind::OBJECT;
  graph.nodes[1].properties = {{2, 3}};
  graph.nodes[2].kind = ValueNode::Kind::TEXT;
  graph.nodes[2].bytes = "value";
  graph.nodes[3].kind = ValueNode::Kind::NUMBER;
  graph.nodes[3].number = 21;
  return graph;
}

void check(rpc::Return::Reader result) {
  KJ_REQUIRE(result.isValue(), "the agent gave no value", result);
  auto graph = readInlinePayload(result.getValue()).graph;
  for (auto& property: graph.nodes[0].properties) {
    if (graph.nodes[property.key].bytes == "doubled") {
      KJ_REQUIRE(graph.nodes[property.value].number == 42, "the agent gave a wrong value");
      return;
    }
  }
  KJ_FAIL_REQUIRE("the agent's value has no `doubled`");
}

}  // namespace

LoadedAgent loadAgent(rpc::Loader::Client& loader, const char* text) {
  // A large text would be copied from one segment to the next.
  auto request = loader.loadRequest(capnp::MessageSize{strlen(text) / sizeof(capnp::word) + 256, 1});
  auto code = request.initCode();
  code.setCompatibilityDate("2026-03-01");
  code.setMainModule("agent.js");
  auto module = code.initModules(1)[0];
  module.setName("agent.js");
  module.setJs(text);
  auto worker = request.send().getWorker();
  auto entrypoint = worker.getEntrypointRequest().send().getEntrypoint();
  return {kj::mv(worker), kj::mv(entrypoint)};
}

kj::Promise<void> callAgent(rpc::Target::Client& entrypoint) {
  static const ValueGraph ARGUMENTS = arguments();
  auto request = entrypoint.callRequest();
  request.initPath(1).set(0, "myAgent");
  writePayload(ARGUMENTS, request.getOperation().initInvoke());
  return request.send().then([](capnp::Response<rpc::Return>&& response) { check(response); });
}

}  // namespace glovebox::bench
