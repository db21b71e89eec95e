#include "tests/gateway-world.h"

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <utility>

#include "ipc/payload.h"
#include "tools/gateway/http-message.h"

namespace glovebox::test {

namespace {

using Kind = ValueNode::Kind;

std::string textAt(const ValueGraph& graph, NodeRef ref) { return graph.nodes[ref].bytes; }

ValueNode arrayOf(std::vector<NodeRef> items) {
  ValueNode node;
  node.kind = Kind::ARRAY;
  node.length = items.size();
  node.items = std::move(items);
  return node;
}

NodeRef add(ValueGraph& graph, ValueNode node) {
  graph.nodes.push_back(std::move(node));
  return static_cast<NodeRef>(graph.nodes.size() - 1);
}

NodeRef addText(ValueGraph& graph, std::string text) {
  ValueNode node;
  node.kind = Kind::TEXT;
  node.bytes = std::move(text);
  return add(graph, std::move(node));
}

ValueNode viewOf(NodeRef buffer, size_t size) {
  ValueNode view;
  view.kind = Kind::VIEW;
  view.subkind = static_cast<uint8_t>(ViewKind::UINT8);
  view.ref = buffer;
  view.length = size;
  return view;
}

ValueNode bufferOf(std::string bytes) {
  ValueNode buffer;
  buffer.kind = Kind::ARRAY_BUFFER;
  buffer.bytes = std::move(bytes);
  return buffer;
}

class StreamTarget final: public rpc::Target::Server {
 public:
  explicit StreamTarget(NextChunk next): next_(std::move(next)) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto path = context.getParams().getPath();
    KJ_REQUIRE(path.size() == 1 && path[0] == "read");
    // In turn, as a stream does.
    auto turn = kj::mv(last_).then([this]() { return next_(); }).then([context](std::optional<std::string> chunk) mutable {
      ValueGraph graph;
      if (chunk) {
        size_t size = chunk->size();
        add(graph, viewOf(1, size));
        add(graph, bufferOf(std::move(*chunk)));
      } else {
        graph.nodes.emplace_back();
      }
      writePayload(std::move(graph), context.getResults().initValue(), wire::INLINE_BYTES,
                   [](const ValueExternal&) -> capnp::Capability::Client { KJ_FAIL_ASSERT("no capability in a chunk"); });
    }).fork();
    last_ = turn.addBranch();
    return turn.addBranch();
  }

 private:
  NextChunk next_;
  kj::Promise<void> last_ = kj::READY_NOW;
};

[[noreturn]] void execute(const std::vector<std::string>& flags, int line, const std::vector<int>& listeners) {
  // Out of the way of the numbers that they get.
  line = fcntl(line, F_DUPFD, 100);
  std::vector<int> moved;
  for (int fd : listeners) moved.push_back(fcntl(fd, F_DUPFD, 100));
  dup2(line, 3);
  for (size_t i = 0; i < moved.size(); i++) dup2(moved[i], static_cast<int>(4 + i));
  std::vector<char*> arguments{const_cast<char*>("glovebox-gateway")};
  for (auto& flag : flags) arguments.push_back(const_cast<char*>(flag.c_str()));
  arguments.push_back(nullptr);
  execv(getenv("GLOVEBOX_GATEWAY"), arguments.data());
  _exit(127);
}

int exitOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int listenTcp(kj::String& address) {
  int fd;
  KJ_SYSCALL(fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  KJ_SYSCALL(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)));
  KJ_SYSCALL(listen(fd, 4096));
  socklen_t size = sizeof(name);
  KJ_SYSCALL(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size));
  address = kj::str("127.0.0.1:", ntohs(name.sin_port));
  return fd;
}

int listenUnix(const std::string& path, kj::String& address) {
  int fd;
  KJ_SYSCALL(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  KJ_SYSCALL(bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)));
  KJ_SYSCALL(listen(fd, 4096));
  address = kj::str("unix:", path.c_str());
  return fd;
}

}  // namespace

// -- The worker's side ---------------------------------------------------------------------------------------------------

std::string SeenRequest::header(const std::string& name) const {
  std::string all;
  for (auto& [n, value] : headers) {
    if (n != name) continue;
    if (!all.empty()) all += '|';
    all += value;
  }
  return all;
}

SeenRequest seenRequest(FetchContext& context) {
  auto call = context.getParams();
  KJ_REQUIRE(call.getPath().size() == 1 && call.getPath()[0] == "fetch");
  auto received = readInlinePayload(call.getOperation().getInvoke());
  auto& graph = received.graph;
  auto& request = graph.nodes.at(graph.nodes.at(0).items.at(0));
  KJ_REQUIRE(request.kind == Kind::PLATFORM && request.bytes == "Request");
  auto& state = graph.nodes.at(request.ref).items;
  KJ_REQUIRE(state.size() == 5);
  SeenRequest seen{textAt(graph, state[0]), textAt(graph, state[1]), textAt(graph, state[4]), {}, {}, {}};
  auto& headers = graph.nodes[state[2]].items;
  for (size_t i = 0; i + 1 < headers.size(); i += 2) seen.headers.emplace_back(textAt(graph, headers[i]), textAt(graph, headers[i + 1]));
  auto& body = graph.nodes[state[3]];
  if (body.kind == Kind::VIEW) seen.bytes = graph.nodes[body.ref].bytes;
  if (body.kind == Kind::EXTERNAL) seen.stream = BodyStream(received.capabilities[body.ref].castAs<rpc::Target>());
  return seen;
}

void respond(FetchContext& context, ScriptedAnswer answer) {
  ValueGraph graph;
  graph.nodes.emplace_back();
  ValueNode status;
  status.kind = Kind::NUMBER;
  status.number = answer.status;
  auto statusRef = add(graph, std::move(status));
  auto textRef = addText(graph, answer.statusText);
  std::vector<NodeRef> headers;
  for (auto& [name, value] : answer.headers) {
    headers.push_back(addText(graph, name));
    headers.push_back(addText(graph, value));
  }
  auto headersRef = add(graph, arrayOf(std::move(headers)));
  ValueNode body;
  body.kind = Kind::NIL;
  if (answer.bytes) {
    size_t size = answer.bytes->size();
    body = viewOf(add(graph, bufferOf(std::move(*answer.bytes))), size);
  } else if (answer.stream) {
    body.kind = Kind::EXTERNAL;
    body.ref = 0;
    graph.externals.push_back({ValueExternal::Kind::READABLE, false, 0, "body"});
  }
  auto bodyRef = add(graph, std::move(body));
  std::vector<NodeRef> parts{statusRef, textRef, headersRef, bodyRef};
  if (answer.socket != nullptr) {
    ValueNode socket;
    socket.kind = Kind::EXTERNAL;
    socket.ref = 0;
    graph.externals.push_back({ValueExternal::Kind::SOCKET, false, 0, ""});
    parts.push_back(add(graph, std::move(socket)));
  }
  auto state = add(graph, arrayOf(std::move(parts)));
  graph.nodes[0].kind = Kind::PLATFORM;
  graph.nodes[0].bytes = "Response";
  graph.nodes[0].ref = state;
  writePayload(std::move(graph), context.getResults().initValue(), wire::INLINE_BYTES,
               [&](const ValueExternal&) -> capnp::Capability::Client {
                 if (answer.socket) return *answer.socket;
                 return rpc::Target::Client(kj::heap<StreamTarget>(answer.stream));
               });
}

kj::Promise<std::optional<std::string>> BodyStream::chunk() const {
  auto request = target_->callRequest();
  request.initPath(1).set(0, "read");
  request.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
  return request.send().then([](capnp::Response<rpc::Return> response) -> std::optional<std::string> {
    KJ_REQUIRE(response.isValue(), "the stream failed");
    auto graph = readInlinePayload(response.getValue()).graph;
    if (graph.nodes[0].kind == Kind::UNDEFINED) return std::nullopt;
    return graph.nodes[graph.nodes[0].ref].bytes;
  });
}

kj::Promise<std::string> BodyStream::all(std::string soFar) const {
  return chunk().then([self = *this, soFar = std::move(soFar)](std::optional<std::string> more) mutable -> kj::Promise<std::string> {
    if (!more) return std::move(soFar);
    return self.all(std::move(soFar) + *more);
  });
}

// -- The client's side ---------------------------------------------------------------------------------------------------

void RawClient::send(const std::string& bytes) {
  io_.provider->getTimer().timeoutAfter(10 * kj::SECONDS, stream_->write(bytes.data(), bytes.size())).wait(io_.waitScope);
}

std::string RawClient::some() {
  if (!ahead_.empty()) return std::exchange(ahead_, "");
  std::string buffer(64 * 1024, '\0');
  auto read = stream_->tryRead(buffer.data(), 1, buffer.size());
  size_t got = 0;
  // A reset is an end as well.
  KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() {
    got = io_.provider->getTimer().timeoutAfter(10 * kj::SECONDS, kj::mv(read)).wait(io_.waitScope);
  })) {
    if (e->getType() != kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(*e));
  }
  buffer.resize(got);
  return buffer;
}

bool RawClient::more() {
  auto before = std::exchange(ahead_, "");
  auto now = some();
  ahead_ = before + now;
  return !now.empty();
}

std::string RawClient::rest() {
  std::string all = std::exchange(ahead_, "");
  for (;;) {
    auto now = some();
    if (now.empty()) return all;
    all += now;
  }
}

std::string RawClient::headOnly() {
  size_t end;
  while ((end = ahead_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::exchange(ahead_, "");
  }
  auto head = ahead_.substr(0, end + 4);
  ahead_.erase(0, end + 4);
  return head;
}

std::string RawClient::line() {
  size_t end;
  while ((end = ahead_.find("\r\n")) == std::string::npos) {
    if (!more()) return "";
  }
  auto text = ahead_.substr(0, end);
  ahead_.erase(0, end + 2);
  return text;
}

Response RawClient::response(bool toHead) {
  Response response;
  response.head = headOnly();
  if (response.head.size() < 12) return response;
  response.status = atoi(response.head.c_str() + 9);
  for (size_t at = response.head.find("\r\n") + 2; at < response.head.size();) {
    size_t end = response.head.find("\r\n", at), colon = response.head.find(": ", at);
    if (end == at || colon > end) break;
    auto name = response.head.substr(at, colon - at);
    for (char& c : name) c = static_cast<char>(tolower(c));
    response.headers[name] = response.head.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  auto take = [&](size_t size) {
    while (ahead_.size() < size && more()) {}
    size_t now = std::min(size, ahead_.size());
    response.body += ahead_.substr(0, now);
    ahead_.erase(0, now);
    return now == size;
  };
  if (toHead || response.status == 204 || response.status == 304) {
    response.whole = true;
  } else if (response.headers.count("content-length")) {
    response.whole = take(std::stoull(response.headers["content-length"]));
  } else if (auto coding = response.headers.find("transfer-encoding"); coding != response.headers.end() && coding->second == "chunked") {
    for (;;) {
      auto size = line();
      if (size.empty()) return response;
      size_t bytes = std::stoull(size, nullptr, 16);
      if (!take(bytes)) return response;
      std::string end;
      while (ahead_.size() < 2 && more()) {}
      if (ahead_.substr(0, 2) != "\r\n") return response;
      ahead_.erase(0, 2);
      if (bytes == 0) break;
    }
    response.whole = true;
  } else {
    response.body = rest();
    response.whole = true;
  }
  return response;
}

// -- The parent ----------------------------------------------------------------------------------------------------------

class GatewayWorld::Worker final: public rpc::Target::Server {
 public:
  explicit Worker(GatewayWorld& world): world_(world) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    context.allowCancellation();
    world_.fetches++;
    if (world_.onFetch) return world_.onFetch(context);
    respond(context, {.bytes = "hello"});
    return kj::READY_NOW;
  }

 private:
  GatewayWorld& world_;
};

class GatewayWorld::Host final: public rpc::GatewayHost::Server {
 public:
  explicit Host(GatewayWorld& world): world_(world) {}

 protected:
  kj::Promise<void> started(StartedContext context) override {
    world_.layersInForce = context.getParams().getLayersInForce();
    return kj::READY_NOW;
  }
  kj::Promise<void> route(RouteContext context) override {
    world_.lastHost = context.getParams().getHost().cStr();
    if (world_.hostServed.empty() || world_.hostServed == world_.lastHost) context.getResults().setTarget(kj::heap<Worker>(world_));
    return kj::READY_NOW;
  }

 private:
  GatewayWorld& world_;
};

GatewayWorld::GatewayWorld(std::vector<std::string> flags, Socket socket): io_(kj::setupAsyncIo()) {
  KJ_REQUIRE(kj::StringPtr(getenv("GLOVEBOX_GATEWAY") ?: "") != "", "GLOVEBOX_GATEWAY must name the built gateway");
  int listener;
  if (socket == Socket::TCP) {
    listener = listenTcp(address_);
  } else {
    char path[] = "/tmp/glovebox-gateway-test-XXXXXX";
    KJ_REQUIRE(mkdtemp(path) != nullptr);
    folder_ = path;
    listener = listenUnix(folder_ + "/http", address_);
  }
  int ends[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  KJ_SYSCALL(pid_ = fork());
  if (pid_ == 0) execute(flags, ends[1], {listener});
  close(ends[1]);
  close(listener);
  auto line = io_.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(ends[0]));
  auto server = kj::heap<capnp::TwoPartyServer>(rpc::GatewayHost::Client(kj::heap<Host>(*this)));
  serving_ = server->accept(*line).eagerlyEvaluate([](kj::Exception&&) {});
  server_ = kj::mv(server);
  line_ = kj::mv(line);
  KJ_REQUIRE(turnUntil([&]() { return layersInForce != 0; }), "the gateway did not start");
}

GatewayWorld::~GatewayWorld() noexcept(false) {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    exitOf(pid_);
  }
  if (!folder_.empty()) {
    unlink((folder_ + "/http").c_str());
    rmdir(folder_.c_str());
  }
}

RawClient GatewayWorld::connect() {
  auto address = wait(io_.provider->getNetwork().parseAddress(address_));
  auto stream = wait(address->connect());
  return RawClient(io_, kj::mv(stream));
}

void GatewayWorld::signal(int number) { kill(pid_, number); }

int GatewayWorld::ended() {
  int status = 0;
  KJ_REQUIRE(turnUntil([&]() { return waitpid(pid_, &status, WNOHANG) == pid_; }), "the gateway did not end");
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

std::string GatewayWorld::statusText(const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
  std::string text;
  while (std::getline(file, text)) {
    if (text.starts_with(field + ":")) return text.substr(text.find_first_not_of(" \t", field.size() + 1));
  }
  return "";
}

uint64_t GatewayWorld::status(const std::string& field) {
  auto text = statusText(field);
  return text.empty() ? 0 : std::stoull(text);
}

StartResult startGateway(const std::vector<std::string>& flags, int line, const std::vector<int>& listeners) {
  int words[2];
  KJ_SYSCALL(pipe2(words, O_CLOEXEC));
  pid_t pid = fork();
  if (pid == 0) {
    dup2(words[1], STDERR_FILENO);
    execute(flags, line, listeners);
  }
  close(words[1]);
  StartResult result;
  char buffer[4096];
  ssize_t got;
  while ((got = read(words[0], buffer, sizeof(buffer))) > 0) result.words.append(buffer, got);
  close(words[0]);
  result.code = exitOf(pid);
  return result;
}

}  // namespace glovebox::test
