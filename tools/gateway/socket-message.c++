#include "tools/gateway/socket-message.h"

#include <cmath>

#include "tools/gateway/limits.h"

namespace glovebox::gateway {

namespace {

using Kind = ValueNode::Kind;

ValueNode nodeOf(Kind kind) {
  ValueNode node;
  node.kind = kind;
  return node;
}

// Node 0: an array of the nodes from 1 on.
ValueNode argumentsOf(std::vector<NodeRef> items) {
  auto node = nodeOf(Kind::ARRAY);
  node.length = items.size();
  node.items = std::move(items);
  return node;
}

ValueNode textOf(std::string text) {
  auto node = nodeOf(Kind::TEXT);
  node.bytes = std::move(text);
  return node;
}

// The arguments, if there are so many and nothing else.
const std::vector<NodeRef>* tryArguments(const ValueGraph& graph, size_t count) {
  if (graph.nodes.empty()) return nullptr;
  auto& root = graph.nodes[0];
  if (root.kind != Kind::ARRAY || root.length != count || root.items.size() != count || !root.properties.empty()) return nullptr;
  for (auto item : root.items) {
    if (item >= graph.nodes.size()) return nullptr;
  }
  return &root.items;
}

}  // namespace

ValueGraph writeSocketConnect() {
  ValueGraph graph;
  graph.nodes.push_back(argumentsOf({1}));
  graph.nodes.push_back(nodeOf(Kind::EXTERNAL));
  graph.nodes[1].ref = 0;
  graph.externals.push_back({ValueExternal::Kind::SOCKET, false, 0, ""});
  return graph;
}

ValueGraph writeSocketMessage(SocketMessage message) {
  ValueGraph graph;
  graph.nodes.push_back(argumentsOf({1}));
  if (message.isText) {
    graph.nodes.push_back(textOf(std::move(message.bytes)));
    return graph;
  }
  auto view = nodeOf(Kind::VIEW), buffer = nodeOf(Kind::ARRAY_BUFFER);
  view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
  view.ref = 2;
  view.length = message.bytes.size();
  buffer.bytes = std::move(message.bytes);
  graph.nodes.push_back(std::move(view));
  graph.nodes.push_back(std::move(buffer));
  return graph;
}

ValueGraph writeSocketClose(const SocketClose& close) {
  ValueGraph graph;
  graph.nodes.push_back(argumentsOf({1, 2}));
  auto code = nodeOf(Kind::NUMBER);
  code.number = close.code;
  graph.nodes.push_back(std::move(code));
  graph.nodes.push_back(textOf(close.reason));
  return graph;
}

std::optional<uint32_t> tryReadSocketConnect(const ValueGraph& graph) {
  auto arguments = tryArguments(graph, 1);
  if (arguments == nullptr) return std::nullopt;
  auto& socket = graph.nodes[(*arguments)[0]];
  if (socket.kind != Kind::EXTERNAL || socket.ref >= graph.externals.size()) return std::nullopt;
  if (graph.externals[socket.ref].kind != ValueExternal::Kind::SOCKET) return std::nullopt;
  return socket.ref;
}

std::optional<SocketMessage> readSocketMessage(ValueGraph graph) {
  auto arguments = tryArguments(graph, 1);
  if (arguments == nullptr) return std::nullopt;
  auto& data = graph.nodes[(*arguments)[0]];
  if (data.kind == Kind::TEXT) return SocketMessage{true, std::move(data.bytes)};
  if (data.kind != Kind::VIEW || data.subkind != static_cast<uint8_t>(ViewKind::UINT8) || data.flag || data.ref >= graph.nodes.size()) return std::nullopt;
  auto& buffer = graph.nodes[data.ref];
  if (buffer.kind != Kind::ARRAY_BUFFER || data.offset > buffer.bytes.size() || data.length > buffer.bytes.size() - data.offset) return std::nullopt;
  if (data.offset == 0 && data.length == buffer.bytes.size()) return SocketMessage{false, std::move(buffer.bytes)};
  return SocketMessage{false, buffer.bytes.substr(data.offset, data.length)};
}

std::optional<SocketClose> readSocketClose(ValueGraph graph) {
  auto arguments = tryArguments(graph, 2);
  if (arguments == nullptr) return std::nullopt;
  auto& code = graph.nodes[(*arguments)[0]];
  auto& reason = graph.nodes[(*arguments)[1]];
  // What a worker may say is more than what a client may: 1000 to 4999.
  if (code.kind != Kind::NUMBER || !(code.number >= 1000 && code.number <= 4999) || code.number != std::floor(code.number)) return std::nullopt;
  auto number = static_cast<uint16_t>(code.number);
  if (number == 1004 || number == 1006 || number == 1015) return std::nullopt;
  if (reason.kind != Kind::TEXT || reason.bytes.size() > CLOSE_REASON_BYTES_MAX) return std::nullopt;
  if (number == 1005 && !reason.bytes.empty()) return std::nullopt;
  return SocketClose{number, std::move(reason.bytes)};
}

}  // namespace glovebox::gateway
