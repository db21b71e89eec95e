#include "tools/http/admin.h"

#include <arpa/inet.h>

#include <charconv>

#include "ipc/payload.h"
#include "tools/http/metrics-text.h"
#include "tools/http/page/page-files.h"
#include "tools/http/request-line.h"

namespace glovebox::http {
namespace {

constexpr std::string_view TEXT = "text/plain; charset=utf-8";
constexpr std::string_view JSON = "application/json; charset=utf-8";

// Of the page. Of other answers too: whoever opens one in a browser sees plain text.
struct Header { std::string_view name, value; };
constexpr Header GUARDS[]{
    {"cache-control", "no-store"},
    {"content-security-policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
    {"x-content-type-options", "nosniff"},
    {"x-frame-options", "DENY"},
    {"referrer-policy", "no-referrer"},
    // Pages of other origins, those that workers serve on this machine among them, may not embed it, read it or keep a window of it.
    {"cross-origin-resource-policy", "same-origin"},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-embedder-policy", "require-corp"},
    {"permissions-policy", "camera=(), clipboard-read=(), display-capture=(), geolocation=(), microphone=(), usb=()"},
};

struct File { std::string_view path, type; const std::string_view& bytes; };
constexpr File FILES[]{
    {"/", "text/html; charset=utf-8", PAGE_HTML},
    {"/page.css", "text/css; charset=utf-8", PAGE_CSS},
    {"/page.js", "text/javascript; charset=utf-8", PAGE_SCRIPT},
    {"/icon.svg", "image/svg+xml", PAGE_ICON},
};

constexpr std::string_view PATHS = "There are / (a page), /status.json, /logs.json?worker=ID, /metrics, /healthz and /readyz.\n";

const File* tryFindFile(std::string_view path) {
  for (auto& file: FILES) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

// As "worker=12", and nothing else.
kj::Maybe<uint64_t> tryReadWorker(std::string_view query) {
  constexpr std::string_view KEY = "worker=";
  if (!query.starts_with(KEY)) return nullptr;
  uint64_t worker;
  auto end = query.data() + query.size();
  auto [stopped, error] = std::from_chars(query.data() + KEY.size(), end, worker);
  if (error != std::errc() || stopped != end) return nullptr;
  return worker;
}

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
  std::vector<NodeRef> headers{text("content-type"), text(type)};
  for (auto& guard: GUARDS) {
    headers.push_back(text(guard.name));
    headers.push_back(text(guard.value));
  }
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
    auto mark = path.find('?');
    auto query = mark == std::string::npos ? "" : path.substr(mark + 1);
    path = path.substr(0, mark);
    if (method != "GET" && method != "HEAD") return answer(context, 405, TEXT, "Only GET and HEAD.\n", "GET, HEAD");
    if (auto file = tryFindFile(path)) return answer(context, 200, file->type, std::string(file->bytes));
    if (path == "/status.json") {
      return hooks_.status().then([this, context](std::string json) mutable { return answer(context, 200, JSON, std::move(json)); });
    }
    if (path == "/logs.json") return answerLogs(context, query);
    if (path == "/readyz") return answerReady(context);
    if (path == "/healthz") return answer(context, 200, TEXT, "ok\n");
    if (path == "/metrics") return answer(context, 200, METRICS_CONTENT_TYPE, hooks_.metrics());
    return answer(context, 404, TEXT, std::string(PATHS));
  }

 private:
  kj::Timer& timer_;
  AdminHooks hooks_;

  kj::Promise<void> answerLogs(CallContext& context, const std::string& query) {
    KJ_IF_MAYBE(worker, tryReadWorker(query)) {
      KJ_IF_MAYBE(logs, hooks_.logs(*worker)) return answer(context, 200, JSON, std::move(*logs));
      return answer(context, 404, TEXT, "Nothing is known of worker " + std::to_string(*worker) + ", or any more.\n");
    }
    return answer(context, 400, TEXT, "Expected /logs.json?worker=ID, with an id as in /status.json.\n");
  }

  kj::Promise<void> answerReady(CallContext& context) {
    auto late = timer_.afterDelay(READY_TIMEOUT).then([]() -> kj::Maybe<std::string> { return std::string("the worker does not answer"); });
    return kj::evalNow([&]() { return hooks_.notReady(); })
        .exclusiveJoin(kj::mv(late))
        .then([this, context](kj::Maybe<std::string> why) mutable {
          KJ_IF_MAYBE(words, why) return answer(context, 503, TEXT, "not ready: " + *words + "\n");
          return answer(context, 200, TEXT, "ready\n");
        });
  }

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
