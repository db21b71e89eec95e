#pragma once
// The one argument of a call on one of our own workers (worker/typescript/, worker/bundler/), as a graph of values.

#include <string_view>
#include <utility>
#include <vector>

#include "ipc/value-graph.h"

namespace glovebox::project {

class RequestWriter {
 public:
  RequestWriter() { graph_.nodes.emplace_back(); }

  NodeRef text(std::string_view text) {
    ValueNode node;
    node.kind = ValueNode::Kind::TEXT;
    node.bytes = text;
    return add(std::move(node));
  }
  // A Uint8Array.
  NodeRef bytes(std::string_view bytes) {
    ValueNode buffer, view;
    buffer.kind = ValueNode::Kind::ARRAY_BUFFER;
    buffer.bytes = bytes;
    view.kind = ValueNode::Kind::VIEW;
    view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
    view.length = bytes.size();
    view.ref = add(std::move(buffer));
    return add(std::move(view));
  }
  NodeRef number(double value) {
    ValueNode node;
    node.kind = ValueNode::Kind::NUMBER;
    node.number = value;
    return add(std::move(node));
  }
  NodeRef boolean(bool value) {
    ValueNode node;
    node.kind = ValueNode::Kind::BOOLEAN;
    node.flag = value;
    return add(std::move(node));
  }
  NodeRef nil() {
    ValueNode node;
    node.kind = ValueNode::Kind::NIL;
    return add(std::move(node));
  }
  // Capabilities are the graph's externals, in their order.
  NodeRef stub(std::string label) { return external(ValueExternal::Kind::STUB, std::move(label)); }
  NodeRef stream(std::string label) { return external(ValueExternal::Kind::READABLE, std::move(label)); }
  NodeRef array(std::vector<NodeRef> items) { return add(arrayOf(std::move(items))); }
  NodeRef object(std::vector<ValueProperty> properties) {
    ValueNode node;
    node.kind = ValueNode::Kind::OBJECT;
    node.properties = std::move(properties);
    return add(std::move(node));
  }
  // `root` itself; nothing else refers to it.
  ValueGraph value(NodeRef root) && {
    graph_.nodes[0] = std::move(graph_.nodes[root]);
    graph_.nodes[root] = ValueNode();
    return std::move(graph_);
  }
  ValueGraph arguments(NodeRef only) && {
    graph_.nodes[0] = arrayOf({only});
    return std::move(graph_);
  }

 private:
  ValueGraph graph_;

  NodeRef external(ValueExternal::Kind kind, std::string label) {
    ValueNode node;
    node.kind = ValueNode::Kind::EXTERNAL;
    node.ref = static_cast<NodeRef>(graph_.externals.size());
    auto& external = graph_.externals.emplace_back();
    external.kind = kind;
    external.label = std::move(label);
    return add(std::move(node));
  }
  static ValueNode arrayOf(std::vector<NodeRef> items) {
    ValueNode node;
    node.kind = ValueNode::Kind::ARRAY;
    node.length = items.size();
    node.items = std::move(items);
    return node;
  }
  NodeRef add(ValueNode&& node) {
    graph_.nodes.push_back(std::move(node));
    return static_cast<NodeRef>(graph_.nodes.size() - 1);
  }
};

}  // namespace glovebox::project
