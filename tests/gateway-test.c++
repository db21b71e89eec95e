// The gateway from outside: raw bytes on real connections, the jail as always, and a worker that is played here. Answers and bodies.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include "tests/gateway-answers.h"

namespace glovebox::test {
namespace {

TEST(Gateway, AnswersWhatTheWorkerReturns) {
  GatewayWorld world;
  SeenRequest seen;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    seen = seenRequest(context);
    respond(context, {201, "Made", {{"content-type", "text/plain"}, {"x-one", "1"}, {"set-cookie", "a=1"}, {"set-cookie", "b=2"}}, "hello"});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("GET /path?q=%20 HTTP/1.1\r\nHost: Example.com:8080\r\nX-Mixed-Case: v\r\naccept: */*\r\nCookie: \xe9=1\r\n\r\n");
  auto response = client.response();
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.head.substr(0, 17), "HTTP/1.1 201 Made");
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.headers["content-length"], "5");
  EXPECT_EQ(response.headers["x-one"], "1");
  EXPECT_NE(response.head.find("a=1"), std::string::npos);
  EXPECT_NE(response.head.find("b=2"), std::string::npos);
  EXPECT_EQ(seen.method, "GET");
  EXPECT_EQ(seen.url, "http://example.com:8080/path?q=%20");
  EXPECT_EQ(seen.header("x-mixed-case"), "v");
  EXPECT_EQ(seen.header("accept"), "*/*");
  EXPECT_EQ(seen.header("cookie"), "\xc3\xa9=1");
  EXPECT_FALSE(seen.bytes);
  EXPECT_FALSE(seen.stream);
  EXPECT_EQ(world.lastHost, "example.com:8080");
}

TEST(Gateway, TakesABodyWithALength) {
  GatewayWorld world;
  world.onFetch = echo;
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde");
  EXPECT_EQ(client.response().body, "abcde");
  // In pieces, and larger than what travels in the call itself.
  std::string large(300'000, 'x');
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + large.substr(0, 100'000));
  client.send(large.substr(100'000));
  EXPECT_TRUE(client.response().body == large);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.response().body, "no body");
}

TEST(Gateway, TakesAChunkedBody) {
  GatewayWorld world;
  world.onFetch = echo;
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n" + GET);
  EXPECT_EQ(client.response().body, "abc0123456789");
  EXPECT_EQ(client.response().body, "no body");
  // Byte by byte.
  std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  for (char c : bytes) {
    client.send(std::string(1, c));
    world.wait(world.timer().afterDelay(1 * kj::MILLISECONDS));
  }
  EXPECT_EQ(client.response().body, "hi");
}

TEST(Gateway, StreamsAnAnswer) {
  GatewayWorld world;
  world.onFetch = [](FetchContext context) -> kj::Promise<void> {
    respond(context, {.stream = chunks({"one ", "", "two ", std::string(200'000, 'l')})});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET + GET);
  for (int i = 0; i < 2; i++) {
    auto response = client.response();
    EXPECT_EQ(response.headers["transfer-encoding"], "chunked");
    EXPECT_TRUE(response.whole);
    EXPECT_TRUE(response.body == "one two " + std::string(200'000, 'l'));
  }
}

TEST(Gateway, StreamsAnAnswerWithALength) {
  GatewayWorld world;
  std::string length = "8";
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.headers = {{"content-length", length}}, .stream = chunks({"one ", "two "})});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET);
  auto response = client.response();
  EXPECT_EQ(response.headers["content-length"], "8");
  EXPECT_EQ(response.headers.count("transfer-encoding"), 0u);
  EXPECT_EQ(response.body, "one two ");

  // More than it said is never sent, and less shows.
  for (std::string wrong : {"5", "9"}) {
    length = wrong;
    auto other = world.connect();
    other.send(GET + GET);
    auto all = other.rest();
    auto body = all.substr(all.find("\r\n\r\n") + 4);
    EXPECT_EQ(body, wrong == "5" ? "one " : "one two ") << wrong;
  }
}

// The worker's stream is asked for a chunk when there is room for it, and not before.
TEST(Gateway, AsksTheWorkerForNoMoreThanTheClientTakes) {
  GatewayWorld world;
  size_t asked = 0;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.stream = [&]() -> kj::Promise<std::optional<std::string>> {
      asked++;
      return std::optional<std::string>(std::string(32 * 1024, 'x'));
    }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET);
  size_t before;
  do {
    before = asked;
    world.wait(world.timer().afterDelay(200 * kj::MILLISECONDS));
  } while (asked != before || asked == 0);
  // What the kernel holds for the two ends of a connection is some megabytes.
  EXPECT_LT(asked, 1'000u);
  for (int i = 0; i < 100; i++) EXPECT_FALSE(client.some().empty());
  EXPECT_TRUE(world.turnUntil([&]() { return asked > before; }));
}

TEST(Gateway, ReadsNoMoreOfABodyThanTheWorkerTakes) {
  GatewayWorld world({"--body-mb", "1000"});
  std::optional<BodyStream> body;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    body = seenRequest(context).stream;
    return kj::NEVER_DONE;
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000000\r\n\r\n");
  ASSERT_TRUE(world.turnUntil([&]() { return body.has_value(); }));
  std::string block(64 * 1024, 'x');
  size_t sent = 0;
  bool stuck = false;
  while (!stuck && sent < 500'000'000) {
    auto late = world.timer().afterDelay(500 * kj::MILLISECONDS).then([&]() { stuck = true; });
    world.wait(client.stream().write(block.data(), block.size()).then([&]() { sent += block.size(); }).exclusiveJoin(kj::mv(late)));
  }
  EXPECT_TRUE(stuck);
  auto chunk = world.wait(body->chunk());
  EXPECT_GT(chunk.value().size(), 0u);
}

TEST(Gateway, StreamsBothWaysAtOnce) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto seen = seenRequest(context);
    auto stream = seen.stream.value();
    respond(context, {.stream = [stream]() mutable { return stream.chunk(); }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_NE(client.headOnly().find("200"), std::string::npos);
  for (std::string word : {"ping", "pong"}) {
    client.send("4\r\n" + word + "\r\n");
    EXPECT_EQ(client.some(), "4\r\n" + word + "\r\n");
  }
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.some(), "0\r\n\r\n");
}

TEST(Gateway, SaysContinueWhenTheWorkerReads) {
  GatewayWorld world;
  std::optional<BodyStream> body;
  auto go = kj::newPromiseAndFulfiller<void>();
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto stream = seenRequest(context).stream.value();
    body = stream;
    return go.promise.then([stream]() { return stream.all(); }).then([context](std::string all) mutable {
      respond(context, {.bytes = std::move(all)});
    });
  };
  auto client = world.connect();
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_TRUE(world.turnUntil([&]() { return body.has_value(); }));
  {
    char byte;
    auto early = client.stream().tryRead(&byte, 1, 1);
    world.wait(world.timer().afterDelay(50 * kj::MILLISECONDS));
    EXPECT_FALSE(early.poll(world.io().waitScope));
  }
  go.fulfiller->fulfill();
  EXPECT_EQ(client.headOnly(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi" + GET);
  EXPECT_EQ(client.response().body, "hi");
}

TEST(Gateway, SaysNothingOfContinueToAWorkerThatDoesNotRead) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.status = 403, .bytes = "no"});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n");
  auto all = client.rest();
  EXPECT_EQ(all.substr(0, 12), "HTTP/1.1 403");
  EXPECT_NE(all.find("Connection: close"), std::string::npos);
  EXPECT_EQ(all.find("100 Continue"), std::string::npos);
}

TEST(Gateway, AnswersHeadWithoutABody) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    EXPECT_EQ(seenRequest(context).method, "HEAD");
    if (world.fetches == 1) respond(context, {.bytes = "hello"});
    else if (world.fetches == 2) respond(context, {.headers = {{"content-length", "1234"}}});
    else respond(context, {.stream = chunks({"hello"})});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  std::string head = "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(head + head + head);
  auto first = client.response(true);
  EXPECT_EQ(first.headers["content-length"], "5");
  EXPECT_EQ(client.response(true).headers["content-length"], "1234");
  EXPECT_EQ(client.response(true).status, 200);
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto rest = client.rest();
  EXPECT_EQ(rest.substr(rest.find("\r\n\r\n")), "\r\n\r\n");
}

TEST(Gateway, HasWordsForAStatusWithout) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.status = world.fetches == 1 ? 404.0 : 299.0, .statusText = "", .bytes = ""});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET + GET);
  EXPECT_EQ(client.response().head.substr(0, 24), "HTTP/1.1 404 Not Found\r\n");
  EXPECT_EQ(client.response().head.substr(0, 15), "HTTP/1.1 299 \r\n");
}

TEST(Gateway, SendsNoBodyWhereThereIsNone) {
  GatewayWorld world;
  double status = 204;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.status = status, .statusText = "", .headers = {{"content-length", "3"}}, .stream = chunks({"abc"})});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  for (double s : {204, 304}) {
    status = s;
    client.send(GET);
    EXPECT_EQ(client.response().status, s);
  }
  client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto rest = client.rest();
  EXPECT_EQ(rest.substr(rest.find("\r\n\r\n")), "\r\n\r\n");
}

TEST(Gateway, Streams200MegabytesInBoundedMemory) {
  GatewayWorld world({"--body-mb", "300"});
  size_t received = 0, given = 0;
  constexpr size_t TOTAL = 200 << 20, BLOCK = 60 * 1024;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto stream = seenRequest(context).stream.value();
    respond(context, {.stream = [stream, &received, &given]() mutable {
      return stream.chunk().then([&](std::optional<std::string> chunk) {
        if (chunk) received += chunk->size(), given += chunk->size();
        return chunk;
      });
    }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: " + std::to_string(TOTAL) + "\r\n\r\n");
  auto before = world.status("VmHWM");
  std::string block(BLOCK, 'x'), buffer(256 * 1024, '\0');
  std::function<kj::Promise<void>(size_t)> feed = [&](size_t left) -> kj::Promise<void> {
    if (left == 0) return kj::READY_NOW;
    size_t now = std::min(left, BLOCK);
    return client.stream().write(block.data(), now).then([&feed, left, now]() { return feed(left - now); });
  };
  auto feeding = feed(TOTAL).eagerlyEvaluate(nullptr);
  size_t came = 0;
  for (;;) {
    size_t got = world.wait(client.stream().tryRead(buffer.data(), 1, buffer.size()));
    if (got == 0) break;
    came += got;
  }
  EXPECT_EQ(received, TOTAL);
  EXPECT_GT(came, TOTAL);
  auto after = world.status("VmHWM");
  RecordProperty("grown_kb", int(after - before));
  EXPECT_LT(after - before, 16u * 1024) << "kB";
}

}  // namespace
}  // namespace glovebox::test
