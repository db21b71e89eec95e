// A gateway as a program starts it (tools/gateway/gateway-process.h), with a worker that is played here.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "policy/confine-gateway.h"
#include "tests/gateway-world.h"
#include "tools/gateway/gateway-process.h"

namespace glovebox::test {
namespace {

using gateway::GatewayProcess;
using testing::HasSubstr;

// Reads until the connection closes; in a thread of its own, because the loop is busy serving it.
std::string sendAndReceive(const std::string& address, const std::string& request) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0) {
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[16 * 1024];
    for (ssize_t got; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, got);
  }
  close(fd);
  return answer;
}

class Greeter final: public rpc::Target::Server {
 protected:
  kj::Promise<void> call(CallContext context) override {
    respond(context, {.bytes = "hello from " + seenRequest(context).url});
    return kj::READY_NOW;
  }
};

class Served {
 public:
  explicit Served(std::vector<std::string> flags = {}, size_t sockets = 1): port_(loop_.get()) {
    kj::Vector<kj::AutoCloseFd> listeners;
    for (size_t i = 0; i < sockets; i++) {
      listeners.add(gateway::listenOn("127.0.0.1:0"));
      addresses.push_back(gateway::addressOf(listeners.back()).cStr());
    }
    kj::Vector<kj::String> given;
    for (auto& flag : flags) given.add(kj::str(flag.c_str()));
    process_ = kj::heap<GatewayProcess>(port_, kj::StringPtr(getenv("GLOVEBOX_GATEWAY")), given.asPtr(), kj::mv(listeners),
                                        [this](kj::StringPtr host, uint8_t listener) -> kj::Maybe<rpc::Target::Client> {
                                          asked.push_back(std::string(host.cStr()) + " " + std::to_string(listener));
                                          if (host != "h") return nullptr;
                                          return rpc::Target::Client(kj::heap<Greeter>());
                                        });
  }

  std::vector<std::string> addresses, asked;
  GatewayProcess& process() { return *process_; }

  template <typename T>
  T wait(kj::Promise<T> promise) {
    return port_.getTimer().timeoutAfter(20 * kj::SECONDS, kj::mv(promise)).wait(port_.waitScope());
  }
  std::string get(size_t listener = 0, const std::string& host = "h") {
    auto text = "GET /x HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
    auto answer = std::async(std::launch::async, [address = addresses[listener], text]() { return sendAndReceive(address, text); });
    while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) wait(port_.getTimer().afterDelay(1 * kj::MILLISECONDS));
    return answer.get();
  }

 private:
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<GatewayProcess> process_;
};

TEST(GatewayProcess, ServesUntilItIsDrained) {
  Served served({}, 2);
  auto layers = served.wait(served.process().whenStarted());
  EXPECT_EQ(layers.bits() & policy::gatewayLayers().bits(), policy::gatewayLayers().bits());
  EXPECT_THAT(served.get(0), HasSubstr("hello from http://h/x"));
  EXPECT_THAT(served.get(1), HasSubstr("hello from http://h/x"));
  EXPECT_THAT(served.get(1, "other:80"), HasSubstr("404"));
  EXPECT_EQ(served.asked, (std::vector<std::string>{"h 0", "h 1", "other:80 1"}));
  served.process().drain();
  EXPECT_EQ(served.wait(served.process().whenEnded()), 0);
  EXPECT_EQ(served.get(), "");
}

TEST(GatewayProcess, TellsWhenItIsKilled) {
  Served served;
  served.wait(served.process().whenStarted());
  served.process().kill();
  EXPECT_EQ(served.wait(served.process().whenEnded()), -SIGKILL);
  served.process().drain();   // of nobody: not an error
}

TEST(GatewayProcess, TellsThatItDidNotStart) {
  Served served({"--allow-missing", "nonsense"});
  KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() { served.wait(served.process().whenStarted()); })) {
    EXPECT_THAT(e->getDescription().cStr(), HasSubstr("ended before it was ready"));
  } else {
    ADD_FAILURE() << "it started";
  }
  EXPECT_EQ(served.wait(served.process().whenEnded()), 64);
}

TEST(GatewayProcess, ListensWhereItCan) {
  auto first = gateway::listenOn("127.0.0.1:0");
  auto address = gateway::addressOf(first);
  auto words = [](kj::StringPtr where) -> std::string {
    KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() { gateway::listenOn(where); })) return e->getDescription().cStr();
    return "";
  };
  EXPECT_THAT(words(address), HasSubstr("choose another address"));
  EXPECT_THAT(words("8787"), HasSubstr("expected HOST:PORT or unix:PATH"));
  EXPECT_THAT(words("example.com:80"), HasSubstr("expected an IP address and a port"));
  EXPECT_THAT(words("unix:"), HasSubstr("the kernel takes 1 to 107"));
  EXPECT_THAT(words("unix:/nonexistent/folder/socket"), HasSubstr("No such file"));
  EXPECT_EQ(words("localhost:0"), "");
  std::string path = "/tmp/glovebox-gateway-listener-" + std::to_string(getpid());
  auto name = kj::str("unix:", path.c_str());
  { auto fd = gateway::listenOn(name); EXPECT_EQ(gateway::addressOf(fd), name); }
  unlink(path.c_str());
}

}  // namespace
}  // namespace glovebox::test
