// WebSockets at the gateway from outside: raw frames on real connections, the jail as always, and a worker's end that is played here.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <signal.h>

#include <algorithm>
#include <memory>

#include "ipc/payload.h"
#include "tests/gateway-world.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/socket-message.h"

namespace glovebox::test {
namespace {

using gateway::SocketClose;
using gateway::SocketMessage;

const std::string HANDSHAKE_HEADERS =
    "Host: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string HANDSHAKE = "GET /chat HTTP/1.1\r\n" + HANDSHAKE_HEADERS + "\r\n";

constexpr unsigned CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
constexpr unsigned LAST = 0x80;

// -- Frames --------------------------------------------------------------------------------------------------------------

std::string bigEndian(uint64_t number, size_t bytes) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text += static_cast<char>(number >> (8 * i));
  return text;
}

// A client's: masked.
std::string frame(unsigned firstByte, std::string payload) {
  std::string bytes(1, static_cast<char>(firstByte));
  if (payload.size() < 126) bytes += static_cast<char>(0x80 | payload.size());
  else if (payload.size() < 0x10000) bytes += static_cast<char>(0x80 | 126) + bigEndian(payload.size(), 2);
  else bytes += static_cast<char>(0x80 | 127) + bigEndian(payload.size(), 8);
  const std::string mask = "\x37\xfa\x21\x3d";
  for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  return bytes + mask + payload;
}
std::string text(const std::string& payload) { return frame(LAST | TEXT, payload); }
std::string closing(unsigned code, const std::string& reason = "") { return frame(LAST | CLOSE, bigEndian(code, 2) + reason); }

struct Frame {
  unsigned opcode = 0;
  std::string payload;
  bool operator==(const Frame&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Frame& frame) { return out << frame.opcode << " '" << frame.payload << "'"; }

// A client after the handshake.
class SocketClient {
 public:
  SocketClient(GatewayWorld& world, const std::string& handshake = HANDSHAKE): client_(world.connect()) {
    client_.send(handshake);
    head = client_.headOnly();
  }
  std::string head;

  void send(const std::string& bytes) { client_.send(bytes); }
  RawClient& raw() { return client_; }

  // The gateway's next frame, which is whole and not masked. Nothing at the end of the connection.
  std::optional<Frame> next() {
    if (!fill(2)) return std::nullopt;
    auto at = [&](size_t i) { return static_cast<unsigned char>(ahead_[i]); };
    EXPECT_EQ(at(0) & 0xf0, 0x80);
    EXPECT_EQ(at(1) & 0x80, 0);
    size_t size = at(1), header = 2;
    if (size >= 126) {
      size_t sizeBytes = size == 126 ? 2 : 8;
      if (!fill(header + sizeBytes)) return std::nullopt;
      size = 0;
      for (size_t i = 0; i < sizeBytes; i++) size = size << 8 | at(header + i);
      header += sizeBytes;
    }
    if (!fill(header + size)) return std::nullopt;
    Frame frame{at(0) & 0x0fu, ahead_.substr(header, size)};
    ahead_.erase(0, header + size);
    return frame;
  }

 private:
  RawClient client_;
  std::string ahead_;

  bool fill(size_t size) {
    while (ahead_.size() < size) {
      auto now = client_.some();
      if (now.empty()) return false;
      ahead_ += now;
    }
    return true;
  }
};

Frame closeFrame(unsigned code, const std::string& reason) { return {CLOSE, bigEndian(code, 2) + reason}; }

// -- The worker's end ----------------------------------------------------------------------------------------------------

ReceivedValue argumentsOf(FetchContext& context) { return readInlinePayload(context.getParams().getOperation().getInvoke()); }

// What it heard, and what it says. Shared by the test and the target that the gateway holds.
struct WorkerSocket {
  std::vector<std::string> heard;   // "connect", "text ...", "bytes ...", "close CODE REASON", "gone"
  kj::Maybe<rpc::Target::Client> client;
  std::function<kj::Promise<void>(SocketMessage)> onMessage;
  unsigned overloaded = 0;          // answers to the next messages

  bool has(const std::string& what) const { return std::ranges::find(heard, what) != heard.end(); }

  kj::Promise<bool> call(kj::StringPtr method, ValueGraph arguments) {
    auto request = KJ_ASSERT_NONNULL(client).callRequest();
    request.initPath(1).set(0, method);
    writePayload(std::move(arguments), request.getOperation().initInvoke(), wire::INLINE_BYTES,
                 [](const ValueExternal&) -> capnp::Capability::Client { KJ_FAIL_ASSERT("no capability"); });
    return request.send().then([](capnp::Response<rpc::Return> answer) { return answer.isValue(); });
  }
  kj::Promise<bool> send(const std::string& text) { return call("message", gateway::writeSocketMessage({true, text})); }
  kj::Promise<bool> close(uint16_t code, const std::string& reason) { return call("close", gateway::writeSocketClose({code, reason})); }
};

class WorkerSocketTarget final: public rpc::Target::Server {
 public:
  explicit WorkerSocketTarget(std::shared_ptr<WorkerSocket> socket): socket_(std::move(socket)) {}
  ~WorkerSocketTarget() noexcept(false) {
    socket_->heard.push_back("gone");
    socket_->client = nullptr;
  }

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto path = context.getParams().getPath();
    KJ_REQUIRE(path.size() == 1);
    kj::StringPtr method = path[0];
    auto answer = [context]() mutable { context.getResults().initValue().initValue().initNodes(1)[0].setUndefined(); };
    if (method == "connect") {
      auto received = argumentsOf(context);
      KJ_REQUIRE(received.graph.externals.size() == 1 && received.graph.externals[0].kind == ValueExternal::Kind::SOCKET);
      socket_->client = received.capabilities[0].castAs<rpc::Target>();
      socket_->heard.push_back("connect");
      answer();
      return kj::READY_NOW;
    }
    if (method == "close") {
      auto close = gateway::readSocketClose(argumentsOf(context).graph);
      socket_->heard.push_back("close " + std::to_string(close->code) + " " + close->reason);
      answer();
      return kj::READY_NOW;
    }
    KJ_REQUIRE(method == "message");
    if (socket_->overloaded > 0) {
      socket_->overloaded--;
      context.getResults().initEnded().setCode(rpc::Ending::Code::OVERLOADED);
      return kj::READY_NOW;
    }
    return readPayload(context.getParams().getOperation().getInvoke()).then([this, answer](ReceivedValue value) mutable -> kj::Promise<void> {
      auto message = gateway::readSocketMessage(std::move(value.graph));
      socket_->heard.push_back((message->isText ? "text " : "bytes ") + message->bytes);
      if (!socket_->onMessage) {
        answer();
        return kj::READY_NOW;
      }
      return socket_->onMessage(kj::mv(*message)).then(kj::mv(answer));
    });
  }

 private:
  std::shared_ptr<WorkerSocket> socket_;
};

// Answers each request with a WebSocket.
class SocketWorld: public GatewayWorld {
 public:
  explicit SocketWorld(std::vector<std::string> flags = {}): GatewayWorld(std::move(flags)) {
    onFetch = [this](FetchContext context) -> kj::Promise<void> {
      seen = seenRequest(context);
      auto socket = worker = std::make_shared<WorkerSocket>();
      socket->onMessage = onMessage;
      respond(context, {101, "", {{"sec-websocket-protocol", "chat"}, {"sec-websocket-accept", "forged"}, {"x-one", "1"}}, {}, {},
                        std::make_shared<rpc::Target::Client>(kj::heap<WorkerSocketTarget>(std::move(socket)))});
      return kj::READY_NOW;
    };
  }
  SeenRequest seen;
  std::shared_ptr<WorkerSocket> worker;   // of the last handshake
  std::function<kj::Promise<void>(SocketMessage)> onMessage;

  bool hears(const std::string& what) { return turnUntil([&]() { return worker && worker->has(what); }); }
};

// -- Tests ---------------------------------------------------------------------------------------------------------------

TEST(GatewaySockets, AnswersAHandshake) {
  SocketWorld world;
  SocketClient client(world, "GET /chat?a HTTP/1.1\r\n" + HANDSHAKE_HEADERS +
                                 "Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: a=1\r\n\r\n");
  EXPECT_EQ(client.head.substr(0, 12), "HTTP/1.1 101");
  // RFC 6455's own example.
  EXPECT_NE(client.head.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), std::string::npos) << client.head;
  EXPECT_NE(client.head.find("Upgrade: websocket\r\n"), std::string::npos) << client.head;
  EXPECT_NE(client.head.find("sec-websocket-protocol: chat\r\n"), std::string::npos) << client.head;
  EXPECT_NE(client.head.find("x-one: 1\r\n"), std::string::npos) << client.head;
  EXPECT_EQ(client.head.find("forged"), std::string::npos) << client.head;
  EXPECT_EQ(client.head.find("xtensions"), std::string::npos) << client.head;
  EXPECT_EQ(world.seen.method, "GET");
  EXPECT_EQ(world.seen.url, "http://example.com/chat?a");
  EXPECT_EQ(world.seen.header("upgrade"), "websocket");
  EXPECT_EQ(world.seen.header("sec-websocket-protocol"), "chat, other");
  EXPECT_EQ(world.seen.header("sec-websocket-extensions"), "");
  EXPECT_EQ(world.seen.header("cookie"), "a=1");
  EXPECT_TRUE(world.hears("connect"));
}

struct BadHandshake {
  const char* name;
  std::string request;
  int status;
};
class GatewayRefusesHandshake: public testing::TestWithParam<BadHandshake> {};

std::string with(const std::string& from, const std::string& to) {
  auto request = HANDSHAKE;
  return request.replace(request.find(from), from.size(), to);
}
TEST_P(GatewayRefusesHandshake, AndAsksNobody) {
  SocketWorld world;
  auto client = world.connect();
  client.send(GetParam().request);
  auto response = client.response();
  EXPECT_EQ(response.status, GetParam().status) << response.body;
  if (response.status == 426) EXPECT_EQ(response.headers["sec-websocket-version"], "13");
  EXPECT_EQ(world.fetches, 0u);
  EXPECT_EQ(client.rest(), "");
}
INSTANTIATE_TEST_SUITE_P(Handshakes, GatewayRefusesHandshake, testing::Values(
    BadHandshake{"OfAnotherVersion", with("Version: 13", "Version: 8"), 426},
    BadHandshake{"WithoutAVersion", with("Sec-WebSocket-Version: 13\r\n", ""), 426},
    BadHandshake{"WithTwoVersions", with("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n"), 400},
    BadHandshake{"WithoutAKey", with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400},
    BadHandshake{"WithAShortKey", with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), 400},
    BadHandshake{"WithAKeyOfSomethingElse", with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNh!!BsZSBub25jZQ=="), 400},
    BadHandshake{"WithTwoKeys", with("Upgrade: websocket\r\n", "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400},
    BadHandshake{"ByPost", with("GET /chat", "POST /chat"), 400},
    BadHandshake{"WithABody", with("Upgrade: websocket\r\n", "Upgrade: websocket\r\nContent-Length: 1\r\n"), 400}),
    [](auto& info) { return info.param.name; });

TEST(GatewaySockets, PassesOnWhatIsNoWebSocket) {
  GatewayWorld world;
  auto client = world.connect();
  client.send(HANDSHAKE);
  auto response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  client.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");   // the connection goes on
  EXPECT_EQ(client.response().body, "hello");
}

TEST(GatewaySockets, SendsNoWebSocketToWhoDidNotAsk) {
  SocketWorld world;
  for (auto request : {std::string("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"), with("Connection: keep-alive, Upgrade\r\n", ""),
                       with("websocket\r\n", "h2c\r\n"), with("HTTP/1.1", "HTTP/1.0")}) {
    auto client = world.connect();
    client.send(request);
    EXPECT_EQ(client.response().status, 502) << request;
    EXPECT_EQ(world.seen.header("upgrade"), "") << request;
    EXPECT_TRUE(world.hears("gone"));
  }
}

TEST(GatewaySockets, CarriesMessagesBothWays) {
  SocketWorld world;
  world.onMessage = [&](SocketMessage message) -> kj::Promise<void> {
    return world.worker->call("message", gateway::writeSocketMessage(kj::mv(message))).ignoreResult();
  };
  SocketClient client(world);
  client.send(text("h\xc3\xa4llo") + frame(LAST | BINARY, std::string("\0\xff", 2)) + text(""));
  EXPECT_EQ(client.next(), (Frame{TEXT, "h\xc3\xa4llo"}));
  EXPECT_EQ(client.next(), (Frame{BINARY, std::string("\0\xff", 2)}));
  EXPECT_EQ(client.next(), (Frame{TEXT, ""}));
  for (size_t size : {125, 126, 0xffff, 0x10000, 300'000, 3'000'000}) {
    client.send(text(std::string(size, 'x')));
    auto answer = client.next();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload, std::string(size, 'x')) << size;
  }
}

TEST(GatewaySockets, KeepsAThousandMessagesInOrder) {
  SocketWorld world;
  world.onMessage = [&](SocketMessage message) { return world.worker->send(message.bytes + "!").ignoreResult(); };
  SocketClient client(world);
  std::string all;
  for (int i = 0; i < 1000; i++) all += text(std::to_string(i));
  client.send(all);
  for (int i = 0; i < 1000; i++) ASSERT_EQ(client.next(), (Frame{TEXT, std::to_string(i) + "!"}));
}

TEST(GatewaySockets, PutsFragmentsTogetherAndAnswersPingsBetweenThem) {
  SocketWorld world;
  SocketClient client(world);
  client.send(frame(TEXT, "one ") + frame(LAST | PING, "are you there") + frame(CONTINUATION, "") + frame(LAST | PONG, "unasked"));
  EXPECT_EQ(client.next(), (Frame{PONG, "are you there"}));
  client.send(frame(CONTINUATION, "two \xc3") + frame(LAST | CONTINUATION, "\xa4"));   // within a character
  EXPECT_TRUE(world.hears("text one two \xc3\xa4"));
}

TEST(GatewaySockets, TellsTheWorkerOfTheClientsCloseAndTheClientOfTheWorkers) {
  SocketWorld world;
  SocketClient client(world);
  client.send(text("before") + closing(4001, "bye"));
  ASSERT_TRUE(world.hears("close 4001 bye"));
  EXPECT_EQ(world.worker->heard, (std::vector<std::string>{"connect", "text before", "close 4001 bye"}));
  // The worker may have more to say.
  EXPECT_TRUE(world.wait(world.worker->send("after")));
  EXPECT_TRUE(world.wait(world.worker->close(4002, "too")));
  EXPECT_EQ(client.next(), (Frame{TEXT, "after"}));
  EXPECT_EQ(client.next(), closeFrame(4002, "too"));
  EXPECT_EQ(client.next(), std::nullopt);
  EXPECT_TRUE(world.hears("gone"));
}

TEST(GatewaySockets, ACloseWithoutACodeIsOne) {
  SocketWorld world;
  SocketClient client(world);
  client.send(frame(LAST | CLOSE, ""));
  ASSERT_TRUE(world.hears("close 1005 "));
  EXPECT_TRUE(world.wait(world.worker->close(1005, "")));
  EXPECT_EQ(client.next(), (Frame{CLOSE, ""}));
  EXPECT_EQ(client.next(), std::nullopt);
}

TEST(GatewaySockets, TheWorkerMayCloseFirst) {
  SocketWorld world;
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  EXPECT_TRUE(world.wait(world.worker->close(1011, "enough")));
  EXPECT_FALSE(world.wait(world.worker->send("too late")));
  EXPECT_EQ(client.next(), closeFrame(1011, "enough"));
  client.send(text("crossing") + closing(1011));
  EXPECT_TRUE(world.hears("close 1011 "));
  EXPECT_TRUE(world.worker->has("text crossing"));
  EXPECT_EQ(client.next(), std::nullopt);
}

TEST(GatewaySockets, DistrustsWhatTheWorkerSays) {
  SocketWorld world;
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  EXPECT_FALSE(world.wait(world.worker->call("message", gateway::writeSocketClose({1000, ""}))));
  EXPECT_FALSE(world.wait(world.worker->call("close", gateway::writeSocketMessage({true, "x"}))));
  EXPECT_FALSE(world.wait(world.worker->call("close", gateway::writeSocketClose({1006, ""}))));
  EXPECT_FALSE(world.wait(world.worker->call("close", gateway::writeSocketClose({999, ""}))));
  EXPECT_FALSE(world.wait(world.worker->call("close", gateway::writeSocketClose({1005, "reason"}))));
  EXPECT_FALSE(world.wait(world.worker->call("close", gateway::writeSocketClose({1000, std::string(124, 'x')}))));
  EXPECT_FALSE(world.wait(world.worker->call("connect", gateway::writeSocketMessage({true, "x"}))));
  EXPECT_FALSE(world.wait(world.worker->call("nothing", gateway::writeSocketMessage({true, "x"}))));
  EXPECT_TRUE(world.wait(world.worker->send("still here")));
  EXPECT_EQ(client.next(), (Frame{TEXT, "still here"}));
}

TEST(GatewaySockets, AWorkerThatIsGoneIsALostConnection) {
  SocketWorld world;
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  EXPECT_TRUE(world.wait(world.worker->send("last")));
  world.worker->client = nullptr;
  EXPECT_EQ(client.next(), (Frame{TEXT, "last"}));
  EXPECT_EQ(client.next(), std::nullopt);   // without a close
  EXPECT_TRUE(world.hears("gone"));
}

TEST(GatewaySockets, AClientThatIsGoneIsALostConnection) {
  SocketWorld world;
  {
    SocketClient client(world);
    client.send(text("x"));
    ASSERT_TRUE(world.hears("text x"));
  }
  EXPECT_TRUE(world.hears("gone"));
  EXPECT_EQ(world.worker->heard, (std::vector<std::string>{"connect", "text x", "gone"}));
}

TEST(GatewaySockets, AWorkerThatFailsIsALostConnection) {
  SocketWorld world;
  world.onMessage = [](SocketMessage) -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "not today"); };
  SocketClient client(world);
  client.send(text("x"));
  EXPECT_EQ(client.next(), std::nullopt);
  EXPECT_TRUE(world.hears("gone"));
}

TEST(GatewaySockets, AsksABusyWorkerAgain) {
  SocketWorld world;
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  world.worker->overloaded = 3;
  client.send(text("a") + text("b"));
  ASSERT_TRUE(world.hears("text b"));
  EXPECT_EQ(world.worker->heard, (std::vector<std::string>{"connect", "text a", "text b"}));
}

TEST(GatewaySockets, ReadsNoMoreThanTheWorkerTakes) {
  SocketWorld world;
  kj::Own<kj::PromiseFulfiller<void>> taken;
  world.onMessage = [&](SocketMessage) -> kj::Promise<void> {
    auto paf = kj::newPromiseAndFulfiller<void>();
    taken = kj::mv(paf.fulfiller);
    return kj::mv(paf.promise);
  };
  SocketClient client(world);
  client.send(text("1") + text("2"));
  ASSERT_TRUE(world.hears("text 1"));
  world.wait(world.timer().afterDelay(20 * kj::MILLISECONDS));
  EXPECT_FALSE(world.worker->has("text 2"));
  taken->fulfill();
  EXPECT_TRUE(world.hears("text 2"));
}

// -- Clients that break the rules -----------------------------------------------------------------------------------------

struct BadFrames {
  const char* name;
  std::string bytes;
  unsigned code;
};
class GatewayRefusesFrames: public testing::TestWithParam<BadFrames> {};

std::string repeated(const std::string& bytes, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; i++) all += bytes;
  return all;
}
std::string header(std::initializer_list<int> bytes) { return std::string(bytes.begin(), bytes.end()) + "mask"; }

TEST_P(GatewayRefusesFrames, AndSaysWhy) {
  SocketWorld world({"--message-bytes=100000"});
  SocketClient client(world);
  client.send(text("good"));
  ASSERT_TRUE(world.hears("text good"));
  client.send(GetParam().bytes);
  auto answer = client.next();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->opcode, CLOSE);
  EXPECT_EQ(answer->payload.substr(0, 2), bigEndian(GetParam().code, 2)) << answer->payload;
  EXPECT_EQ(client.next(), std::nullopt);
  // For the worker it is gone: nothing of what was wrong has reached it.
  ASSERT_TRUE(world.hears("gone"));
  EXPECT_EQ(world.worker->heard, (std::vector<std::string>{"connect", "text good", "gone"}));
}
INSTANTIATE_TEST_SUITE_P(Frames, GatewayRefusesFrames, testing::Values(
    BadFrames{"WithoutAMask", std::string("\x81\x02hi", 4), 1002},
    BadFrames{"WithAReservedBit", frame(LAST | 0x40 | TEXT, "compressed"), 1002},
    BadFrames{"OfAnUnknownKind", frame(LAST | 3, "x"), 1002},
    BadFrames{"OfAnUnknownControl", frame(LAST | 11, ""), 1002},
    BadFrames{"AContinuationOfNothing", frame(LAST | CONTINUATION, "x"), 1002},
    BadFrames{"AMessageWithinAnother", frame(TEXT, "a") + frame(LAST | TEXT, "b"), 1002},
    BadFrames{"AFragmentedPing", frame(PING, "x"), 1002},
    BadFrames{"ALargePing", frame(LAST | PING, std::string(126, 'x')), 1002},
    BadFrames{"ALongWayToSayASmallSize", header({0x81, 0x80 | 126, 0, 5}) + "hello", 1002},
    BadFrames{"ALongerWayToSayASmallSize", header({0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0}), 1002},
    BadFrames{"ANegativeSize", header({0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0}), 1002},
    BadFrames{"ASizeBeyondMemory", header({0x82, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), 1009},
    BadFrames{"ALargeMessage", frame(LAST | BINARY, std::string(100'001, 'x')), 1009},
    BadFrames{"ALargeMessageInFragments", frame(BINARY, std::string(60'000, 'x')) + frame(CONTINUATION, std::string(60'000, 'x')), 1009},
    BadFrames{"FragmentsWithoutEnd", frame(TEXT, "") + repeated(frame(CONTINUATION, ""), 2'000), 1009},
    BadFrames{"NoUtf8", text("a\xc3"), 1007},
    BadFrames{"NoUtf8InFragments", frame(TEXT, "\xed") + frame(LAST | CONTINUATION, "\xa0\x80"), 1007},
    BadFrames{"HalfACloseCode", frame(LAST | CLOSE, "x"), 1002},
    BadFrames{"ACloseCodeThatIsNone", closing(1005), 1002},
    BadFrames{"ACloseCodeOfNobody", closing(2999), 1002},
    BadFrames{"ACloseWithoutUtf8", closing(1000, "\xff"), 1007}),
    [](auto& info) { return info.param.name; });

TEST(GatewaySockets, AMessageIsToComeInTime) {
  SocketWorld world({"--body-timeout-ms=100"});
  for (auto begun : {std::string("\x81", 1), text("whole").substr(0, 8), frame(TEXT, "fragment"), frame(LAST | BINARY, std::string(70'000, 'x')).substr(0, 500)}) {
    SocketClient client(world);
    client.send(begun);
    auto answer = client.next();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->payload.substr(0, 2), bigEndian(1008, 2));
    EXPECT_EQ(client.next(), std::nullopt);
    EXPECT_TRUE(world.hears("gone"));
  }
}

TEST(GatewaySockets, ASilentClientIsAskedForASignOfLife) {
  SocketWorld world({"--idle-timeout-ms=100"});
  SocketClient client(world);
  EXPECT_EQ(client.next(), (Frame{PING, ""}));
  client.send(frame(LAST | PONG, ""));
  EXPECT_EQ(client.next(), (Frame{PING, ""}));
  // None this time.
  EXPECT_EQ(client.next(), std::nullopt);
  EXPECT_TRUE(world.hears("gone"));
}

TEST(GatewaySockets, AClientThatTakesNothingIsLost) {
  SocketWorld world({"--write-timeout-ms=100"});
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  kj::Vector<kj::Promise<bool>> sent;
  for (int i = 0; i < 400; i++) sent.add(world.worker->send(std::string(60'000, 'x')));
  EXPECT_TRUE(world.hears("gone"));
}

TEST(GatewaySockets, PingsWhoseAnswersNobodyTakesCostNothing) {
  SocketWorld world({"--write-timeout-ms=300"});
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  auto before = world.status("VmHWM");
  auto pings = repeated(frame(LAST | PING, std::string(125, 'x')), 300'000);
  auto writing = client.raw().stream().write(pings.data(), pings.size()).eagerlyEvaluate([](kj::Exception&&) {});
  EXPECT_TRUE(world.hears("gone"));   // it takes nothing
  EXPECT_LT(world.status("VmHWM"), before + 8 * 1024);
}

TEST(GatewaySockets, LargeMessagesShareTheirRoom) {
  SocketWorld world;
  // Two that say they are of 30 MiB: the second waits until the first is over.
  auto begin = frame(LAST | BINARY, std::string(70'000, 'x'));
  uint64_t size = 30u << 20;
  begin.replace(2, 8, bigEndian(size, 8));
  auto idle = world.status("VmData");
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 2; i++) {
    clients.push_back(std::make_unique<SocketClient>(world));
    clients.back()->send(begin);
  }
  world.wait(world.timer().afterDelay(50 * kj::MILLISECONDS));
  EXPECT_LT(world.status("VmData"), idle + 40 * 1024);
  auto second = world.worker;
  clients.erase(clients.begin());
  clients.back()->send(std::string(size - 70'000, 'x'));
  EXPECT_TRUE(world.turnUntil([&]() { return second->heard.size() >= 2; }));
  EXPECT_EQ(second->heard[1].size(), 6 + size);
}

TEST(GatewaySockets, HasRoomForSoManyAndNoMore) {
  SocketWorld world({"--sockets=1", "--requests=1"});
  SocketClient first(world);
  EXPECT_EQ(first.head.substr(9, 3), "101");
  EXPECT_EQ(SocketClient(world).head.substr(9, 3), "503");
  // A socket is no request.
  auto client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
  EXPECT_EQ(client.response().status, 502);
}

TEST(GatewaySockets, DrainsWithAClose) {
  SocketWorld world;
  SocketClient client(world);
  ASSERT_TRUE(world.hears("connect"));
  auto worker = world.worker;
  world.signal(SIGTERM);
  EXPECT_EQ(client.next(), closeFrame(1001, "The server is going away."));
  EXPECT_TRUE(world.hears("close 1001 The server is going away."));
  client.send(closing(1001));
  EXPECT_EQ(client.next(), std::nullopt);
  EXPECT_EQ(world.ended(), 0);
}

}  // namespace
}  // namespace glovebox::test
