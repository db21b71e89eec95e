#include "tools/gateway/gateway-process.h"

#include <kj/debug.h>
#include <netdb.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "policy/limits.h"

namespace glovebox::gateway {

namespace {

// Connections that came while the gateway has no room wait here.
constexpr int BACKLOG = 1024;

template <typename... Params>
[[noreturn]] void fail(Params&&... params) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(kj::fwd<Params>(params)...)));
}

kj::AutoCloseFd bound(int family, const sockaddr* name, socklen_t size, kj::StringPtr address) {
  int number;
  KJ_SYSCALL(number = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd fd(number);
  int on = 1;
  if (family != AF_UNIX) KJ_SYSCALL(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
  if (bind(fd, name, size) != 0) fail("cannot listen on ", address, ": ", strerror(errno), "; choose another address or end who has it");
  KJ_SYSCALL(listen(fd, BACKLOG));
  return fd;
}

kj::Array<kj::String> commandOf(kj::StringPtr program, kj::ArrayPtr<const kj::String> flags, kj::ArrayPtr<const kj::AutoCloseFd> listeners) {
  KJ_REQUIRE(listeners.size() >= 1 && listeners.size() <= policy::GATEWAY_LISTENERS_MAX, "a gateway has 1 to 4 listening sockets",
             listeners.size());
  kj::Vector<kj::String> command;
  command.add(kj::str(program));
  command.add(kj::str("--listeners"));
  command.add(kj::str(listeners.size()));
  for (auto& flag: flags) command.add(kj::str(flag));
  return command.releaseAsArray();
}

kj::Array<int> numbersOf(kj::ArrayPtr<const kj::AutoCloseFd> listeners) { return KJ_MAP(listener, listeners) { return listener.get(); }; }

}  // namespace

kj::AutoCloseFd listenOn(kj::StringPtr address) {
  constexpr kj::StringPtr UNIX = "unix:"_kj;
  if (address.startsWith(UNIX)) {
    auto path = address.slice(UNIX.size());
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() == 0 || path.size() >= sizeof(name.sun_path)) {
      fail("the socket's path has ", path.size(), " bytes, but the kernel takes 1 to ", sizeof(name.sun_path) - 1, ": ", path);
    }
    memcpy(name.sun_path, path.begin(), path.size());
    return bound(AF_UNIX, reinterpret_cast<sockaddr*>(&name), sizeof(name), address);
  }
  std::string text(address.begin(), address.size());
  auto colon = text.rfind(':');
  if (colon == std::string::npos) fail("got the address '", address, "', expected HOST:PORT or unix:PATH");
  auto host = text.substr(0, colon), service = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host == "localhost" ? "127.0.0.1" : host.c_str(), service.c_str(), &hints, &found) != 0) {
    fail("got the address '", address, "', expected an IP address and a port, like 127.0.0.1:8787");
  }
  KJ_DEFER(freeaddrinfo(found));
  return bound(found->ai_family, found->ai_addr, found->ai_addrlen, address);
}

kj::String addressOf(int listener) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  KJ_SYSCALL(getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size));
  if (name.ss_family == AF_UNIX) return kj::str("unix:", reinterpret_cast<sockaddr_un*>(&name)->sun_path);
  char host[INET6_ADDRSTRLEN], service[8];
  getnameinfo(reinterpret_cast<sockaddr*>(&name), size, host, sizeof(host), service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV);
  return name.ss_family == AF_INET6 ? kj::str('[', host, "]:", service) : kj::str(host, ':', service);
}

class GatewayProcess::Host final: public rpc::GatewayHost::Server {
 public:
  explicit Host(GatewayProcess& process): process_(process) {}

 protected:
  kj::Promise<void> started(StartedContext context) override {
    process_.startedPair_.fulfiller->fulfill(policy::LayerSet(context.getParams().getLayersInForce()));
    return kj::READY_NOW;
  }
  kj::Promise<void> route(RouteContext context) override {
    auto params = context.getParams();
    KJ_IF_MAYBE(target, process_.route_(params.getHost(), params.getListener())) context.getResults().setTarget(kj::mv(*target));
    return kj::READY_NOW;
  }

 private:
  GatewayProcess& process_;   // owns the connection, and so whatever calls this
};

GatewayProcess::GatewayProcess(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags,
                               kj::Vector<kj::AutoCloseFd> listeners, Route route)
    : route_(kj::mv(route)), started_(startedPair_.promise.fork()), process_(port, commandOf(program, flags, listeners), numbersOf(listeners)), tasks_(*this) {
  tasks_.add(process_.whenEnded().then([this](int code) {
    startedPair_.fulfiller->reject(KJ_EXCEPTION(FAILED, "the gateway ended before it was ready", code));
  }));
  auto line = process_.takeLine();
  auto waiter = kj::heap<UvFdObserver>(port, line);
  line_ = kj::heap<RpcConnection>(RpcConnection::End::HOST_OF_GATEWAY, kj::mv(line), kj::mv(waiter), rpc::GatewayHost::Client(kj::heap<Host>(*this)),
                                  kj::Function<void(const kj::Exception&)>([this](const kj::Exception& violation) {
                                    violation_ = kj::str(violation.getDescription());
                                    kill();
                                  }));
}

GatewayProcess::~GatewayProcess() noexcept(false) { line_ = nullptr; }

void GatewayProcess::drain() { process_.signal(SIGTERM); }

void GatewayProcess::kill() { process_.signal(SIGKILL); }

void GatewayProcess::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "watching a gateway failed", exception.getDescription()); }

}  // namespace glovebox::gateway
