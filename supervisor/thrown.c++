#include "supervisor/thrown.h"

#include "ipc/payload.h"

namespace glovebox {

void setThrown(rpc::Return::Builder results, ErrorPrototype prototype, kj::StringPtr message) {
  ValueGraph graph;
  graph.nodes.resize(2);
  graph.nodes[0].kind = ValueNode::Kind::ERROR;
  graph.nodes[0].subkind = static_cast<uint8_t>(prototype);
  graph.nodes[0].ref = 1;
  graph.nodes[1].kind = ValueNode::Kind::TEXT;
  graph.nodes[1].bytes = std::string(message.begin(), message.size());
  writePayload(graph, results.initThrown());
}

}  // namespace glovebox
