#include "tests/egress-world.h"

#include <arpa/inet.h>
#include <kj/debug.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/payload.h"
#include "ipc/wire-limits.h"
#include "tools/gateway/http-message.h"

namespace glovebox::test {

std::string Peer::some() {
  if (!ahead_.empty()) return std::exchange(ahead_, {});
  char buffer[16 * 1024];
  ssize_t got = recv(fd_, buffer, sizeof(buffer), 0);
  return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : std::string();
}

std::string Peer::until(const std::string& end) {
  std::string all;
  for (;;) {
    auto found = all.find(end);
    if (found != std::string::npos) {
      ahead_ = all.substr(found + end.size());
      return all.substr(0, found + end.size());
    }
    auto more = some();
    if (more.empty()) return all;
    all += more;
  }
}

bool Peer::send(const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    ssize_t now = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += static_cast<size_t>(now);
  }
  return true;
}

void Peer::waitForClose() {
  while (!some().empty()) {}
}

ScriptedServer::ScriptedServer(Serve serve): serve_(std::move(serve)) {
  KJ_SYSCALL(listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  KJ_SYSCALL(bind(listener_, reinterpret_cast<sockaddr*>(&name), sizeof(name)));
  KJ_SYSCALL(listen(listener_, 64));
  socklen_t size = sizeof(name);
  KJ_SYSCALL(getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size));
  port_ = ntohs(name.sin_port);
  accepting_ = std::thread([this]() {
    for (;;) {
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::lock_guard lock(mutex_);
      if (ended_) {
        ::close(fd);
        return;
      }
      auto place = open_.insert(open_.end(), fd);
      size_t number = connections_++;
      threads_.emplace_back([this, fd, place, number]() {
        Peer peer(fd);
        serve_(peer, number);
        std::lock_guard lock(mutex_);
        open_.erase(place);
        ::close(fd);
      });
    }
  });
}

ScriptedServer::~ScriptedServer() {
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    for (int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  for (auto& thread : threads_) thread.join();
  ::close(listener_);
}

EgressWorld::EgressWorld(Configure configure): port_(loop_.get()) {
  capnp::MallocMessageBuilder message;
  auto policy = message.initRoot<rpc::EgressPolicy>();
  if (configure) {
    configure(policy);
  } else {
    auto allow = policy.initAllow(2);
    for (unsigned i = 0; i < 2; i++) allow[i].setHost("127.0.0.1");
    allow[1].initMethods(1).set(0, "CONNECT");
    policy.initAllowPrivate(1).set(0, "127.0.0.1");
  }
  process_ = kj::heap<egress::EgressProcess>(port_, kj::StringPtr(getenv("GLOVEBOX_EGRESS")), nullptr, policy.asReader());
  wait(process_->whenStarted());
}

kj::Promise<capnp::Response<rpc::Return>> EgressWorld::call(rpc::Target::Client target, const char* method, ValueGraph arguments) {
  auto request = target.callRequest();
  request.initPath(1).set(0, method);
  writePayload(std::move(arguments), request.getOperation().initInvoke(), wire::PAYLOAD_BYTES_MAX,
               [](const ValueExternal&) -> capnp::Capability::Client { KJ_FAIL_REQUIRE("nothing is handed over"); });
  return request.send();
}

namespace {

std::string textOf(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

ValueGraph arrayOf(std::vector<ValueNode> items) {
  ValueGraph graph;
  graph.nodes.emplace_back();
  graph.nodes[0].kind = ValueNode::Kind::ARRAY;
  graph.nodes[0].length = items.size();
  for (auto& item : items) {
    graph.nodes[0].items.push_back(static_cast<NodeRef>(graph.nodes.size()));
    graph.nodes.push_back(std::move(item));
  }
  return graph;
}

ValueNode text(std::string bytes) {
  ValueNode node;
  node.kind = ValueNode::Kind::TEXT;
  node.bytes = std::move(bytes);
  return node;
}

// Empty: nothing was thrown.
std::string thrownBy(rpc::Return::Reader result) {
  if (!result.isThrown()) return "";
  auto nodes = result.getThrown().getValue().getNodes();
  return textOf(nodes[nodes[0].getError().getMessage()].getText());
}

}  // namespace

kj::Promise<Fetched> EgressWorld::startFetch(const std::string& url, const std::string& method, Headers headers, std::string body) {
  std::vector<gateway::Field> fields;
  for (auto& [name, value] : headers) fields.push_back({name, value});
  gateway::Body content = gateway::NoBody();
  if (!body.empty()) content = gateway::WholeBody{std::move(body)};
  return call(process_->outbound(), "fetch", gateway::writeRequest(method, url, fields, std::move(content)))
      .then([](capnp::Response<rpc::Return>&& result) -> Fetched {
        Fetched fetched;
        fetched.thrown = thrownBy(result);
        if (!fetched.thrown.empty()) return fetched;
        auto received = readInlinePayload(result.getValue());
        auto read = gateway::readAnswer(std::move(received.graph));
        if (auto refusal = std::get_if<gateway::Refusal>(&read)) KJ_FAIL_REQUIRE("not a Response", std::string(refusal->words).c_str());
        auto& answer = std::get<gateway::Answer>(read);
        fetched.status = answer.status;
        for (auto& field : answer.fields) fetched.headers.emplace_back(field.name, field.value);
        if (auto whole = std::get_if<gateway::WholeBody>(&answer.body)) fetched.body = whole->bytes;
        if (auto stream = std::get_if<gateway::StreamedBody>(&answer.body)) {
          fetched.stream = received.capabilities[stream->external].castAs<rpc::Target>();
        }
        return fetched;
      });
}

Tunneled EgressWorld::connect(const std::string& address, const std::string& secured) {
  auto result = wait(call(process_->outbound(), "connect", arrayOf({text(address), text(secured)})));
  Tunneled tunneled;
  tunneled.thrown = thrownBy(result);
  if (!tunneled.thrown.empty()) return tunneled;
  auto payload = result.getValue();
  tunneled.readable = payload.getExternals()[0].getReadable();
  tunneled.writable = payload.getExternals()[1].getWritable();
  auto nodes = payload.getValue().getNodes();
  tunneled.remote = textOf(nodes[nodes[0].getArray().getItems()[2]].getText());
  return tunneled;
}

kj::Promise<std::optional<std::string>> EgressWorld::read(rpc::Target::Client stream) {
  return call(stream, "read", arrayOf({})).then([](capnp::Response<rpc::Return>&& result) -> std::optional<std::string> {
    auto thrown = thrownBy(result);
    if (!thrown.empty()) kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str(thrown.c_str())));
    auto chunk = gateway::readChunk(readInlinePayload(result.getValue()).graph);
    if (auto bytes = std::get_if<std::string>(&chunk)) return std::move(*bytes);
    return std::nullopt;
  });
}

std::string EgressWorld::readAll(rpc::Target::Client stream) {
  std::string all;
  while (auto chunk = wait(read(stream))) all += *chunk;
  return all;
}

kj::Promise<void> EgressWorld::write(rpc::Target::Client stream, std::string bytes) {
  ValueNode view, buffer;
  view.kind = ValueNode::Kind::VIEW;
  view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
  view.length = bytes.size();
  view.ref = 2;
  buffer.kind = ValueNode::Kind::ARRAY_BUFFER;
  buffer.bytes = std::move(bytes);
  auto graph = arrayOf({view});
  graph.nodes.push_back(std::move(buffer));
  return call(stream, "write", std::move(graph)).then([](capnp::Response<rpc::Return>&& result) {
    auto thrown = thrownBy(result);
    if (!thrown.empty()) kj::throwFatalException(KJ_EXCEPTION(FAILED, kj::str(thrown.c_str())));
  });
}

kj::Promise<void> EgressWorld::close(rpc::Target::Client stream) { return call(stream, "close", arrayOf({})).ignoreResult(); }

bool EgressWorld::turnUntil(const std::function<bool()>& condition) {
  for (int i = 0; i < 10'000; i++) {
    if (condition()) return true;
    turnFor(1 * kj::MILLISECONDS);
  }
  return false;
}

}  // namespace glovebox::test
