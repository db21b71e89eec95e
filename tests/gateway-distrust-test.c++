// What the gateway does not let through: requests that could mean two things, and answers that no worker may give. Raw bytes, the jail as
// always, a worker that is played here.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include "tests/gateway-answers.h"

namespace glovebox::test {
namespace {

// -- What is refused -----------------------------------------------------------------------------------------------------

struct Refused {
  const char* name;
  std::string bytes;
  int status;
};

class GatewayRefuses: public testing::TestWithParam<Refused> {};

// The second request must not be served either: what was refused says nothing of where the next one begins.
TEST_P(GatewayRefuses, AndCloses) {
  GatewayWorld world;
  world.onFetch = echo;
  auto client = world.connect();
  client.send(GetParam().bytes + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  auto response = client.response();
  EXPECT_EQ(response.status, GetParam().status) << response.head << response.body;
  EXPECT_EQ(response.headers["connection"], "close");
  EXPECT_EQ(client.rest(), "");
  // Nothing of it reached the worker, but for what was wrong in a body.
  if (GetParam().bytes.find("\r\n\r\n") != std::string::npos && GetParam().bytes.find("Body: wrong") == std::string::npos) {
    EXPECT_EQ(world.fetches, 0u);
  }
}

std::string with(const std::string& header, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + header + "\r\n\r\n" + body;
}
std::string chunkedWith(const std::string& body) { return with("Body: wrong\r\nTransfer-Encoding: chunked", body); }
std::string many(size_t count) {
  std::string all;
  for (size_t i = 0; i < count; i++) all += "X-" + std::to_string(i) + ": 1\r\n";
  return all + "Last: 1";
}

INSTANTIATE_TEST_SUITE_P(Requests, GatewayRefuses, testing::Values(
    Refused{"LengthAndChunked", with("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400},
    Refused{"ChunkedAndLength", with("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n"), 400},
    Refused{"TwoLengths", with("Content-Length: 4\r\nContent-Length: 5", "abcd"), 400},
    Refused{"TwoEqualLengths", with("Content-Length: 4\r\nContent-Length: 4", "abcd"), 400},
    Refused{"ListOfLengths", with("Content-Length: 4, 4", "abcd"), 400},
    Refused{"SignedLength", with("Content-Length: +4", "abcd"), 400},
    Refused{"NegativeLength", with("Content-Length: -1"), 400},
    Refused{"HexLength", with("Content-Length: 0x4", "abcd"), 400},
    Refused{"EmptyLength", with("Content-Length: "), 400},
    Refused{"HugeLength", with("Content-Length: 18446744073709551617"), 400},
    Refused{"TooLong", with("Content-Length: 104857601"), 413},
    Refused{"OtherCoding", with("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501},
    Refused{"ChunkedTwice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 501},
    Refused{"ChunkedInDisguise", with("Transfer-Encoding: xchunked", "0\r\n\r\n"), 501},
    Refused{"VerticalTab", with("Transfer-Encoding: \x0b" "chunked", "0\r\n\r\n"), 400},
    Refused{"SpaceBeforeColon", with("Transfer-Encoding : chunked", "0\r\n\r\n"), 400},
    Refused{"FoldedLine", with("X: a\r\n Transfer-Encoding: chunked", "0\r\n\r\n"), 400},
    Refused{"BareLineFeed", with("X: a\nContent-Length: 4", "abcd"), 400},
    Refused{"BareReturn", with("X: a\rContent-Length: 4", "abcd"), 400},
    Refused{"Nul", with(std::string("X: a\0b", 6)), 400},
    Refused{"NoColon", with("Strange"), 400},
    Refused{"NoName", with(": value"), 400},
    Refused{"TwoHosts", with("Host: other"), 400},
    Refused{"NoHost", "GET / HTTP/1.1\r\n\r\n", 400},
    Refused{"StrangeHost", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    Refused{"UserInHost", "GET / HTTP/1.1\r\nHost: user@h\r\n\r\n", 400},
    Refused{"WholeUrl", "GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    Refused{"Connect", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    Refused{"StrangeMethod", "FROB / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    Refused{"SpacesInTarget", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
    Refused{"NoVersion", "GET /\r\nHost: h\r\n\r\n", 400},
    Refused{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    Refused{"OtherVersion", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
    Refused{"Tls", std::string("\x16\x03\x01\x02\x00\x01", 6), 400},
    Refused{"ChunkedInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    Refused{"LongLine", "GET /" + std::string(9'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
    Refused{"EndlessLine", "GET /" + std::string(40'000, 'x'), 414},
    Refused{"LargeHeader", with("X: " + std::string(33'000, 'x')), 431},
    Refused{"ManyHeaders", with(many(100)), 431},
    Refused{"OtherExpectation", with("Expect: something"), 417},
    Refused{"ChunkSizeSigned", chunkedWith("+2\r\nhi\r\n0\r\n\r\n"), 400},
    Refused{"ChunkSizeHex", chunkedWith("0x2\r\nhi\r\n0\r\n\r\n"), 400},
    Refused{"ChunkSizeEmpty", chunkedWith("\r\nhi\r\n0\r\n\r\n"), 400},
    Refused{"ChunkExtension", chunkedWith("2;a=b\r\nhi\r\n0\r\n\r\n"), 400},
    Refused{"ChunkSizeLineFeed", chunkedWith("2\nhi\r\n0\r\n\r\n"), 400},
    Refused{"ChunkTooLong", chunkedWith("2\r\nhiho\r\n0\r\n\r\n"), 400},
    Refused{"ChunkHuge", chunkedWith("fffffffffffffff\r\n"), 413},
    Refused{"ChunkSizeOverflow", chunkedWith("10000000000000002\r\nhi\r\n0\r\n\r\n"), 400},
    Refused{"Trailer", chunkedWith("2\r\nhi\r\n0\r\nX: 1\r\n\r\n"), 400}),
    [](const testing::TestParamInfo<Refused>& info) { return std::string(info.param.name); });

// Each of them differs from one that is taken by what it is named for.
TEST(Gateway, TakesWhatIsToTheLetter) {
  GatewayWorld world;
  world.onFetch = echo;
  for (auto& bytes : {with("Content-Length: 4", "abcd"), with("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n\r\n"), with("X:a\r\nContent-Length:4", "abcd"),
                      with("X: \xff\r\nContent-Length: \t 4 ", "abcd"), with("Content-Length: 4\r\n" + many(96), "abcd"),
                      with("Content-Length: 4\r\nX: " + std::string(31'000, 'x'), "abcd")}) {
    auto client = world.connect();
    client.send(bytes + GET);
    EXPECT_EQ(client.response().body, "abcd") << bytes.substr(0, 200);
    EXPECT_EQ(client.response().body, "no body");
  }
}

TEST(Gateway, BoundsAChunkedBody) {
  GatewayWorld world({"--body-mb", "1"});
  world.onFetch = echo;
  auto client = world.connect();
  std::string chunk = "80000\r\n" + std::string(0x80000, 'x') + "\r\n";
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(client.response().status, 413);
  EXPECT_EQ(client.rest(), "");
}

TEST(Gateway, KeepsWhatConcernsTheConnectionToItself) {
  GatewayWorld world;
  SeenRequest seen;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    if (world.fetches == 1) seen = seenRequest(context);
    respond(context, {.headers = {{"Connection", "x-kept"}, {"Keep-Alive", "timeout=5"}, {"Transfer-Encoding", "gzip"}, {"Upgrade", "h2c"}, {"TE", "x"},
                                  {"Trailer", "y"}, {"Proxy-Authenticate", "z"}, {"x-kept", "1"}}, .bytes = "hello"});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: X-Secret, Host, keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: p\r\n"
              "X-Secret: 1\r\nX-Kept: 1\r\n\r\n" + GET);
  auto response = client.response();
  EXPECT_EQ(response.body, "hello");
  for (auto name : {"keep-alive", "upgrade", "te", "trailer", "proxy-authenticate", "transfer-encoding", "connection"}) {
    EXPECT_EQ(response.headers.count(name), 0u) << name;
  }
  EXPECT_EQ(response.headers["x-kept"], "1");
  for (auto name : {"connection", "keep-alive", "te", "upgrade", "proxy-authorization", "x-secret"}) EXPECT_EQ(seen.header(name), "") << name;
  EXPECT_EQ(seen.header("x-kept"), "1");
  EXPECT_EQ(seen.header("host"), "h");
  EXPECT_EQ(client.response().status, 200);
}

// -- What a worker may not say -------------------------------------------------------------------------------------------

struct WrongAnswer {
  const char* name;
  ScriptedAnswer answer;
};

class GatewayDistrusts: public testing::TestWithParam<WrongAnswer> {};

TEST_P(GatewayDistrusts, TheWorkersAnswer) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, world.fetches == 1 ? GetParam().answer : ScriptedAnswer{.bytes = "good"});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET + GET);
  auto response = client.response();
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.head.find("njected"), std::string::npos);
  EXPECT_EQ(client.response().body, "good");   // the connection is none the worse for it
}

INSTANTIATE_TEST_SUITE_P(Answers, GatewayDistrusts, testing::Values(
    WrongAnswer{"LineInHeader", {.headers = {{"x", "a\r\nInjected: 1"}}}}, WrongAnswer{"LineFeedInHeader", {.headers = {{"x", "a\nInjected: 1"}}}},
    WrongAnswer{"ReturnInHeader", {.headers = {{"x", "a\rInjected: 1"}}}}, WrongAnswer{"NulInHeader", {.headers = {{"x", std::string("a\0b", 3)}}}},
    WrongAnswer{"LineInName", {.headers = {{"x: 1\r\nInjected", "1"}}}}, WrongAnswer{"SpaceInName", {.headers = {{"x ", "1"}}}},
    WrongAnswer{"EmptyName", {.headers = {{"", "1"}}}}, WrongAnswer{"WideCharacter", {.headers = {{"x", "\xc4\x8a\xc4\x8dInjected: 1"}}}},
    WrongAnswer{"LineInStatusText", {.statusText = "OK\r\nInjected: 1"}}, WrongAnswer{"WideStatusText", {.statusText = "\xe2\x82\xac"}},
    WrongAnswer{"LongStatusText", {.statusText = std::string(300, 'x')}},
    WrongAnswer{"Continue", {.status = 100}}, WrongAnswer{"SwitchingProtocols", {.status = 101}}, WrongAnswer{"LargeStatus", {.status = 1000}},
    WrongAnswer{"NoStatus", {.status = 0}}, WrongAnswer{"HalfStatus", {.status = 200.5}}, WrongAnswer{"NanStatus", {.status = __builtin_nan("")}},
    WrongAnswer{"OtherLength", {.headers = {{"content-length", "3"}}, .bytes = "hello"}},
    WrongAnswer{"SignedLength", {.headers = {{"content-length", "+5"}}, .bytes = "hello"}},
    WrongAnswer{"TwoLengths", {.headers = {{"content-length", "5"}, {"Content-Length", "5"}}, .bytes = "hello"}},
    WrongAnswer{"LengthWithoutBody", {.headers = {{"content-length", "5"}}}},
    WrongAnswer{"LargeHeader", {.headers = {{"x", std::string(70'000, 'x')}}}},
    WrongAnswer{"LargeBodyAtOnce", {.bytes = std::string(300'000, 'x')}}),
    [](const testing::TestParamInfo<WrongAnswer>& info) { return std::string(info.param.name); });

TEST(Gateway, DistrustsWhatIsNoResponse) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto result = context.getResults();
    switch (world.fetches) {
      case 1: result.initValue().initValue().initNodes(1)[0].setText("hello"); break;
      case 2: result.initValue().initValue(); break;   // no node at all
      case 3: {   // a Response made of nothing
        auto nodes = result.initValue().initValue().initNodes(2);
        nodes[0].initPlatform().setInterface("Response");
        nodes[0].getPlatform().setState(1);
        break;
      }
      case 4: {   // of a node that is not there
        auto nodes = result.initValue().initValue().initNodes(1);
        nodes[0].initPlatform().setInterface("Response");
        nodes[0].getPlatform().setState(7);
        break;
      }
      default: break;   // no answer at all
    }
    return kj::READY_NOW;
  };
  auto client = world.connect();
  for (int i = 0; i < 5; i++) {
    client.send(GET);
    EXPECT_EQ(client.response().status, 502) << i;
  }
}

TEST(Gateway, TellsHowACallEndedAndNothingElse) {
  GatewayWorld world;
  auto code = rpc::Ending::Code::CRASHED;
  bool thrown = false;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    if (thrown) {
      auto nodes = context.getResults().initThrown().initValue().initNodes(2);
      nodes[0].initError().setHasMessage(true);
      nodes[0].getError().setMessage(1);
      nodes[1].setText("secret words");
    } else {
      auto ending = context.getResults().initEnded();
      ending.setCode(code);
      ending.setMessage("secret words");
    }
    return kj::READY_NOW;
  };
  auto client = world.connect();
  auto expect = [&](int status, const char* words) {
    client.send(GET);
    auto response = client.response();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.body, words);
    EXPECT_EQ(response.headers["content-type"], "text/plain; charset=utf-8");
  };
  expect(500, "The worker ended: crashed.\n");
  code = rpc::Ending::Code::EXCEEDED_CPU;
  expect(500, "The worker ended: exceededCpu.\n");
  code = rpc::Ending::Code::EXCEEDED_WALL_TIME;
  expect(504, "The worker ended: exceededWallTime.\n");
  code = rpc::Ending::Code::OVERLOADED;
  expect(503, "The worker ended: overloaded.\n");
  code = static_cast<rpc::Ending::Code>(999);
  client.send(GET);
  EXPECT_EQ(client.response().status, 500);
  thrown = true;
  expect(500, "The worker threw an exception.\n");
}

TEST(Gateway, AFailedCallIsABadGateway) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext) -> kj::Promise<void> { return KJ_EXCEPTION(FAILED, "secret words"); };
  auto client = world.connect();
  client.send(GET);
  auto response = client.response();
  EXPECT_EQ(response.status, 502);
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace glovebox::test
