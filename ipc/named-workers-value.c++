#include "ipc/named-workers-value.h"

namespace glovebox {
namespace {

NodeRef add(ValueGraph& graph, ValueNode::Kind kind) {
  auto ref = static_cast<NodeRef>(graph.nodes.size());
  graph.nodes.emplace_back();
  graph.nodes.back().kind = kind;
  return ref;
}

NodeRef addText(ValueGraph& graph, kj::StringPtr text) {
  auto ref = add(graph, ValueNode::Kind::TEXT);
  graph.nodes[ref].bytes.assign(text.begin(), text.size());
  return ref;
}

NodeRef addBoolean(ValueGraph& graph, bool value) {
  auto ref = add(graph, ValueNode::Kind::BOOLEAN);
  graph.nodes[ref].flag = value;
  return ref;
}

NodeRef addNumber(ValueGraph& graph, uint64_t value) {
  auto ref = add(graph, ValueNode::Kind::NUMBER);
  graph.nodes[ref].number = static_cast<double>(value);
  return ref;
}

}  // namespace

ValueGraph booleanGraph(bool value) {
  ValueGraph graph;
  addBoolean(graph, value);
  return graph;
}

ValueGraph namedWorkersGraph(capnp::List<rpc::Loader::NamedWorker>::Reader workers) {
  ValueGraph graph;
  auto list = add(graph, ValueNode::Kind::ARRAY);
  graph.nodes[list].length = workers.size();
  NodeRef names[] = {addText(graph, "name"), addText(graph, "live"), addText(graph, "callsInFlight"), addText(graph, "memoryBytes"), addText(graph, "idleMs")};
  for (auto worker: workers) {
    auto object = add(graph, ValueNode::Kind::OBJECT);
    NodeRef values[] = {addText(graph, worker.getName()), addBoolean(graph, worker.getLive()), addNumber(graph, worker.getCallsInFlight()),
                        addNumber(graph, worker.getMemoryBytes()), addNumber(graph, worker.getIdleMs())};
    for (size_t i = 0; i < 5; i++) graph.nodes[object].properties.push_back({names[i], values[i]});
    graph.nodes[list].items.push_back(object);
  }
  return graph;
}

}  // namespace glovebox
