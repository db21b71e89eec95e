#include "tools/http/admin.h"

#include <arpa/inet.h>

#include "ipc/payload.h"
#include "tools/http/metrics-text.h"
#include "tools/http/request-line.h"

namespace glovebox::http {
namespace {

constexpr const char* TEXT = "text/plain; charset=utf-8";

using Kind = ValueNode::Kind;

// A Response (ipc/value.capnp).
ValueGraph response(unsigned status, std::string_view type, std::string body, std::string_view allow) {
  ValueGraph graph;
  graph.nodes.emplace_back();
  auto add = [&](Kind kind) -> NodeRef {
    graph.nodes.emplace_back().kind = kind;
    return static_cast<NodeRef>(graph.nodes.size() - 1);
  };
  auto text = [&](std::string_view value) {
    auto ref = add(Kind::TEXT);
    graph.nodes[ref].bytes = value;
    return ref;
  };
  auto array = [&](std::vector<NodeRef> items) {
    auto ref = add(Kind::ARRAY);
    graph.nodes[ref].length = items.size();
    graph.nodes[ref].items = std::move(items);
    return ref;
  };
  auto statusRef = add(Kind::NUMBER);
  graph.nodes[statusRef].number = status;
  std::vector<NodeRef> headers{text("content-type"), text(type), text("cache-control"), text("no-store")};
  if (!allow.empty()) {
    headers.push_back(text("allow"));
    headers.push_back(text(allow));
  }
  auto bytes = add(Kind::ARRAY_BUFFER);
  auto size = body.size();
  graph.nodes[bytes].bytes = std::move(body);
  auto view = add(Kind::VIEW);
  graph.nodes[view].subkind = static_cast<uint8_t>(ViewKind::UINT8);
  graph.nodes[view].ref = bytes;
  graph.nodes[view].length = size;
  auto noText = text("");
  auto headersRef = array(std::move(headers));
  auto state = array({statusRef, noText, headersRef, view});
  graph.nodes[0].kind = Kind::PLATFORM;
  graph.nodes[0].bytes = "Response";
  graph.nodes[0].ref = state;
  return graph;
}

class Admin final: public rpc::Target::Server {
 public:
  Admin(kj::Timer& timer, AdminHooks hooks): timer_(timer), hooks_(kj::mv(hooks)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    context.allowCancellation();
    auto call = context.getParams();
    if (!call.getOperation().isInvoke()) return answer(context, 400, TEXT, "Not a request.\n");
    auto [method, path] = readRequestLine(call.getOperation().getInvoke());
    path = path.substr(0, path.find('?'));
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") return answer(context, 404, TEXT, "There are /metrics, /healthz and /readyz.\n");
    if (method != "GET" && method != "HEAD") return answer(context, 405, TEXT, "Only GET and HEAD.\n", "GET, HEAD");
    if (path == "/healthz") return answer(context, 200, TEXT, "ok\n");
    if (path == "/metrics") return answer(context, 200, METRICS_CONTENT_TYPE, hooks_.metrics());
    auto late = timer_.afterDelay(READY_TIMEOUT).then([]() -> kj::Maybe<std::string> { return std::string("the worker does not answer"); });
    return kj::evalNow([&]() { return hooks_.notReady(); })
        .exclusiveJoin(kj::mv(late))
        .then([this, context](kj::Maybe<std::string> why) mutable {
          KJ_IF_MAYBE(words, why) return answer(context, 503, TEXT, "not ready: " + *words + "\n");
          return answer(context, 200, TEXT, "ready\n");
        });
  }

 private:
  kj::Timer& timer_;
  AdminHooks hooks_;

  kj::Promise<void> answer(CallContext& context, unsigned status, std::string_view type, std::string body, std::string_view allow = {}) {
    writePayload(response(status, type, std::move(body), allow), context.getResults().initValue());
    return kj::READY_NOW;
  }
};

}  // namespace

rpc::Target::Client newAdmin(kj::Timer& timer, AdminHooks hooks) { return kj::heap<Admin>(timer, kj::mv(hooks)); }

bool isLoopbackHost(std::string_view host) {
  std::string name(host);
  auto colon = name.rfind(':');
  if (colon != std::string::npos && name.find(']', colon) == std::string::npos) name.resize(colon);
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
  if (name == "localhost") return true;
  in_addr four;
  in6_addr six;
  if (inet_pton(AF_INET, name.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return inet_pton(AF_INET6, name.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace glovebox::http
