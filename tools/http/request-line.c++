#include "tools/http/request-line.h"

#include <kj/common.h>

namespace glovebox::http {
namespace {

using Nodes = capnp::List<rpc::Node>::Reader;

kj::Maybe<rpc::Node::Reader> at(Nodes nodes, uint32_t index) {
  if (index >= nodes.size()) return nullptr;
  return nodes[index];
}

// The nth of an array's items.
kj::Maybe<rpc::Node::Reader> item(Nodes nodes, uint32_t array, uint32_t n) {
  KJ_IF_MAYBE(node, at(nodes, array)) {
    if (node->isArray() && n < node->getArray().getItems().size()) return at(nodes, node->getArray().getItems()[n]);
  }
  return nullptr;
}

kj::Maybe<uint32_t> stateOf(rpc::Node::Reader node, kj::StringPtr interface) {
  if (!node.isPlatform() || node.getPlatform().getInterface() != interface) return nullptr;
  return node.getPlatform().getState();
}

std::string textOf(kj::Maybe<rpc::Node::Reader> node) {
  KJ_IF_MAYBE(found, node) {
    if (found->isText()) return std::string(found->getText().begin(), found->getText().size());
  }
  return {};
}

std::string pathOf(const std::string& url) {
  auto host = url.find("://");
  auto path = host == std::string::npos ? 0 : url.find('/', host + 3);
  return path == std::string::npos ? "/" : url.substr(path, PATH_SHOWN_MAX);
}

}  // namespace

RequestLine readRequestLine(rpc::Payload::Reader arguments) {
  if (!arguments.isValue()) return {};
  auto nodes = arguments.getValue().getNodes();
  KJ_IF_MAYBE(request, item(nodes, 0, 0)) {
    KJ_IF_MAYBE(state, stateOf(*request, "Request")) return {textOf(item(nodes, *state, 0)), pathOf(textOf(item(nodes, *state, 1)))};
  }
  return {};
}

unsigned readStatus(rpc::Payload::Reader result) {
  if (!result.isValue()) return 0;
  auto nodes = result.getValue().getNodes();
  KJ_IF_MAYBE(root, at(nodes, 0)) {
    KJ_IF_MAYBE(state, stateOf(*root, "Response")) {
      KJ_IF_MAYBE(status, item(nodes, *state, 0)) {
        if (status->isNumber() && status->getNumber() >= 100 && status->getNumber() <= 999) return static_cast<unsigned>(status->getNumber());
      }
    }
  }
  return 0;
}

}  // namespace glovebox::http
