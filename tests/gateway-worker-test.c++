// HTTP from a socket through the gateway and the supervisor into a real worker, and back.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "supervisor/process-memory.h"
#include "tests/world.h"
#include "tools/gateway/gateway-process.h"

namespace glovebox::test {
namespace {

// What is sent on a socket that is not connected fails.
int connectTo(const std::string& address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name));
  return fd;
}

// Sends and reads until the connection closes; in a thread of its own, because the loop is busy serving it.
std::string converse(const std::string& address, const std::string& request) {
  int fd = connectTo(address);
  std::string answer;
  for (size_t sent = 0; sent < request.size();) {
    ssize_t now = send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) break;
    sent += now;
  }
  char buffer[16 * 1024];
  for (ssize_t got; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, got);
  close(fd);
  return answer;
}

// A worker, and a gateway before it.
class Served {
 public:
  explicit Served(const std::string& module, LoadOptions options = {}, kj::ArrayPtr<const kj::String> flags = nullptr) {
    auto agent = world_.load(module, options);
    auto entrypoint = agent.worker().getEntrypointRequest().send().getEntrypoint();
    worker_ = agent.worker();
    entrypoint_ = entrypoint;
    auto listener = gateway::listenOn("127.0.0.1:0");
    address_ = gateway::addressOf(listener).cStr();
    kj::Vector<kj::AutoCloseFd> listeners;
    listeners.add(kj::mv(listener));
    gateway_ = kj::heap<gateway::GatewayProcess>(
        world_.port(), getenv("GLOVEBOX_GATEWAY"), flags, kj::mv(listeners),
        [this](kj::StringPtr host, uint8_t) -> kj::Maybe<rpc::Target::Client> {
          if (host != "example.com") return nullptr;
          return KJ_ASSERT_NONNULL(entrypoint_);
        });
    world_.wait(process().whenStarted());
  }
  template <typename T>
  T wait(kj::Promise<T> promise) { return world_.wait(kj::mv(promise)); }
  const std::string& address() const { return address_; }
  World& world() { return world_; }
  gateway::GatewayProcess& process() { return *KJ_ASSERT_NONNULL(gateway_); }

  std::string get(const std::string& path, const std::string& more = "", const std::string& body = "", const std::string& method = "GET") {
    auto text = method + " " + path + " HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n" + more + "\r\n" + body;
    auto answer = std::async(std::launch::async, [this, text]() { return converse(address_, text); });
    world_.turnUntil([&]() { return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
    return answer.get();
  }

 private:
  World world_;
  kj::Maybe<rpc::Target::Client> entrypoint_;
  kj::Maybe<rpc::Worker::Client> worker_;
  kj::Maybe<kj::Own<gateway::GatewayProcess>> gateway_;
  std::string address_;
};

std::string bodyOf(const std::string& answer) {
  auto end = answer.find("\r\n\r\n");
  return end == std::string::npos ? answer : answer.substr(end + 4);
}

TEST(GatewayWorker, AnswersRequests) {
  Served served(R"(
    export default {
      async fetch(request) {
        const url = new URL(request.url);
        if (url.pathname === "/json") return Response.json({ method: request.method, q: url.searchParams.get("q"), ua: request.headers.get("user-agent") });
        if (url.pathname === "/echo") return new Response((await request.text()).toUpperCase(), { status: 201, headers: { "x-a": "b" } });
        if (url.pathname === "/large") return new Response("x".repeat(300000));
        if (url.pathname === "/stream") {
          let n = 0;
          return new Response(new ReadableStream({ pull(c) { if (n++ < 3) c.enqueue(new TextEncoder().encode("part " + n + "\n")); else c.close(); } }));
        }
        if (url.pathname === "/pipe") return new Response(request.body);
        if (url.pathname === "/throw") throw new Error("secret");
        return new Response("not here", { status: 404 });
      }
    })");
  auto json = served.get("/json?q=1", "User-Agent: test\r\n");
  EXPECT_EQ(json.substr(0, 15), "HTTP/1.1 200 OK") << json;
  EXPECT_EQ(bodyOf(json), R"({"method":"GET","q":"1","ua":"test"})");
  auto echo = served.get("/echo", "Content-Length: 5\r\n", "hello", "POST");
  EXPECT_EQ(echo.substr(0, 12), "HTTP/1.1 201");
  EXPECT_NE(echo.find("\r\nx-a: b\r\n"), std::string::npos);
  EXPECT_TRUE(echo.find("HELLO") != std::string::npos) << echo;
  EXPECT_GT(served.get("/large").size(), 300'000u);
  auto stream = served.get("/stream");
  EXPECT_NE(stream.find("part 1\n"), std::string::npos) << stream;
  EXPECT_TRUE(stream.ends_with("\r\n0\r\n\r\n")) << stream;
  std::string large(200'000, 'y');
  auto pipe = served.get("/pipe", "Content-Length: 200000\r\n", large, "PUT");
  EXPECT_GT(pipe.size(), 200'000u);
  EXPECT_TRUE(pipe.ends_with("\r\n0\r\n\r\n"));
  EXPECT_EQ(bodyOf(served.get("/throw")), "The worker threw an exception.\n");
  EXPECT_EQ(served.get("/else").substr(0, 12), "HTTP/1.1 404");
}

// Sends a body of so many bytes, chunked, and reads the answer at the same time. The bytes of the answer's body.
uint64_t streamBothWays(const std::string& address, uint64_t bytes) {
  int fd = connectTo(address);
  auto sender = std::thread([fd, bytes]() {
    auto send = [fd](const std::string& text) {
      for (size_t sent = 0; sent < text.size();) {
        ssize_t now = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (now <= 0) return false;
        sent += static_cast<size_t>(now);
      }
      return true;
    };
    const std::string chunk = "40000\r\n" + std::string(0x40000, 'x') + "\r\n";
    bool going = send("POST /pipe HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (uint64_t sent = 0; going && sent < bytes; sent += 0x40000) going = send(chunk);
    if (going) send("0\r\n\r\n");
  });
  uint64_t got = 0;
  std::vector<char> buffer(256 * 1024);
  // Of the answer only 'x' are body: neither its head nor its chunks' frames have one.
  for (ssize_t now; (now = recv(fd, buffer.data(), buffer.size(), 0)) > 0;) {
    got += static_cast<uint64_t>(std::count(buffer.begin(), buffer.begin() + now, 'x'));
  }
  sender.join();
  close(fd);
  return got;
}

// GLOVEBOX_TEST_BODY_MB=10240 takes minutes.
TEST(GatewayWorker, StreamsABodyThroughASmallBudget) {
  const char* asked = getenv("GLOVEBOX_TEST_BODY_MB");
  uint64_t bytes = (asked == nullptr ? 512 : std::stoull(asked)) << 20;
  LoadOptions options;
  options.memoryMb = 64;
  options.cpuMs = 300'000;
  options.wallMs = 3'000'000;
  kj::String flags[] = {kj::str("--body-mb"), kj::str(bytes >> 20)};
  Served served("export default { fetch(request) { return new Response(request.body) } }", options, flags);
  auto before = peakBytesOf(getpid());
  auto got = std::async(std::launch::async, [&]() { return streamBothWays(served.address(), bytes); });
  served.world().turnUntil([&]() { return got.wait_for(std::chrono::seconds(0)) == std::future_status::ready; });
  EXPECT_EQ(got.get(), bytes);
  // The supervisor is in this process.
  EXPECT_LT(peakBytesOf(getpid()) - before, 64u << 20);
}

TEST(GatewayWorker, TellsOfALimit) {
  LoadOptions options;
  options.cpuMs = 50;
  Served served("export default { fetch() { for (;;); } }", options);
  auto answer = served.get("/");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 500");
  EXPECT_EQ(bodyOf(answer), "The worker ended: exceededCpu.\n");
}

TEST(GatewayWorker, DrainsWhenItIsTold) {
  Served served("export default { fetch() { return new Response('hello'); } }");
  EXPECT_EQ(bodyOf(served.get("/")), "hello");
  served.process().drain();
  EXPECT_EQ(served.wait(served.process().whenEnded()), 0);
  EXPECT_EQ(served.get("/"), "");
}

}  // namespace
}  // namespace glovebox::test
