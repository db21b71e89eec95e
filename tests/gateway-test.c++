// The gateway from outside: raw bytes on real connections, the jail as always, and a worker that is played here.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>

#include "tests/gateway-world.h"

namespace glovebox::test {
namespace {

const std::string GET = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";

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

// -- Bodies --------------------------------------------------------------------------------------------------------------

// A stream of these chunks.
NextChunk chunks(std::vector<std::string> list) {
  return [list = std::move(list), next = size_t(0)]() mutable -> kj::Promise<std::optional<std::string>> {
    if (next == list.size()) return std::optional<std::string>();
    return std::optional<std::string>(list[next++]);
  };
}

// Answers with what it was sent.
kj::Promise<void> echo(FetchContext context) {
  auto seen = seenRequest(context);
  if (seen.stream) {
    return seen.stream->all().then([context](std::string body) mutable { respond(context, {.stream = chunks({std::move(body)})}); });
  }
  respond(context, {.bytes = seen.bytes.value_or("no body")});
  return kj::READY_NOW;
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

// -- Connections ---------------------------------------------------------------------------------------------------------

TEST(Gateway, KeepsConnectionsAndAnswersPipelinedRequestsInOrder) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto url = seenRequest(context).url;
    auto delay = url.ends_with("/1") ? 50 * kj::MILLISECONDS : 0 * kj::MILLISECONDS;
    return world.timer().afterDelay(delay).then([context, url]() mutable { respond(context, {.bytes = url}); });
  };
  auto client = world.connect();
  std::string all;
  for (int i = 1; i <= 20; i++) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(all);
  for (int i = 1; i <= 20; i++) EXPECT_EQ(client.response().body, "http://h/" + std::to_string(i));
  client.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive, Close\r\n\r\n" + GET);
  auto rest = client.rest();
  EXPECT_TRUE(rest.ends_with("http://h/last")) << rest;
  EXPECT_NE(rest.find("Connection: close"), std::string::npos);
}

TEST(Gateway, ClosesAfterAnsweringHttp10) {
  GatewayWorld world;
  bool streamed = false;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    if (streamed) respond(context, {.stream = chunks({"one ", "two"})});
    else respond(context, {.bytes = "hello"});
    return kj::READY_NOW;
  };
  for (bool s : {false, true}) {
    streamed = s;
    for (std::string extra : {"", "Connection: keep-alive\r\n", "Host: h\r\n"}) {
      auto client = world.connect();
      client.send("GET / HTTP/1.0\r\n" + extra + "\r\n");
      auto response = client.response();
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.body, s ? "one two" : "hello");
      EXPECT_EQ(response.headers.count("transfer-encoding"), 0u);
      EXPECT_EQ(response.headers["connection"], "close");
      EXPECT_EQ(client.rest(), "");
    }
  }
}

TEST(Gateway, ServesAUnixSocket) {
  GatewayWorld world({}, GatewayWorld::Socket::UNIX);
  auto client = world.connect();
  client.send(GET);
  EXPECT_EQ(client.response().body, "hello");
}

TEST(Gateway, AnswersForNobodyWith404) {
  GatewayWorld world;
  world.hostServed = "here";
  auto client = world.connect();
  client.send(GET + "GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_EQ(client.response().status, 404);
  EXPECT_EQ(client.response().body, "hello");
}

TEST(Gateway, EndsConnectionsThatSayNothing) {
  GatewayWorld world({"--idle-timeout-ms", "100"});
  auto client = world.connect();
  EXPECT_EQ(client.rest(), "");
  auto other = world.connect();
  other.send(GET);
  EXPECT_EQ(other.response().body, "hello");
  EXPECT_EQ(other.rest(), "");
}

TEST(Gateway, EndsASlowHead) {
  GatewayWorld world({"--header-timeout-ms", "200"});
  auto client = world.connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n");
  // One header line at a time keeps nobody waiting for longer.
  bool ended = false;
  for (int i = 0; i < 100 && !ended; i++) {
    ended = kj::runCatchingExceptions([&]() { client.send("X-" + std::to_string(i) + ": slow\r\n"); }) != nullptr;
    world.wait(world.timer().afterDelay(20 * kj::MILLISECONDS));
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(world.fetches, 0u);
  // Said, if the client listens.
  auto patient = world.connect();
  patient.send("GET / HTT");
  auto response = patient.response();
  EXPECT_EQ(response.status, 408);
  EXPECT_EQ(patient.rest(), "");
}

TEST(Gateway, EndsASlowBody) {
  GatewayWorld world({"--body-timeout-ms", "100"});
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    return seenRequest(context).stream.value().all().ignoreResult().catch_([](kj::Exception&&) {}).then([context]() mutable {
      respond(context, {.bytes = "what there was"});
    });
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_EQ(client.response().status, 408);
  EXPECT_EQ(client.rest(), "");
}

TEST(Gateway, EndsABodyOfManyShortPauses) {
  GatewayWorld world({"--body-timeout-ms", "1200"});
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    return seenRequest(context).stream.value().all().ignoreResult().catch_([](kj::Exception&&) {}).then([context]() mutable {
      respond(context, {.bytes = "what there was"});
    });
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  bool ended = false;
  for (int i = 0; i < 100 && !ended; i++) {
    ended = kj::runCatchingExceptions([&]() { client.send("x"); }) != nullptr;
    // Longer than a busy machine takes to pass a byte on: only time in which nothing was there to be read counts.
    world.wait(world.timer().afterDelay(500 * kj::MILLISECONDS));
  }
  EXPECT_TRUE(ended);
}

TEST(Gateway, EndsAConnectionThatTakesNothing) {
  GatewayWorld world({"--write-timeout-ms", "200"});
  bool dropped = false;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.stream = [watch = std::shared_ptr<void>(nullptr, [&](void*) { dropped = true; })]()
                          -> kj::Promise<std::optional<std::string>> { return std::optional<std::string>(std::string(32 * 1024, 'x')); }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET);
  EXPECT_TRUE(world.turnUntil([&]() { return dropped; }));
}

TEST(Gateway, HoldsTenThousandIdleConnections) {
  rlimit descriptors;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  const size_t CONNECTIONS = descriptors.rlim_max >= 10'100 ? 10'000 : 1'000;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  GatewayWorld world({"--connections", std::to_string(CONNECTIONS)});
  auto before = world.status("VmRSS");
  std::vector<RawClient> clients;
  for (size_t i = 0; i < CONNECTIONS; i++) clients.push_back(world.connect());
  // The last one that came is served, and so all before it were accepted; and the first is still there.
  for (size_t i : {CONNECTIONS - 1, size_t(0), CONNECTIONS / 2}) {
    clients[i].send(GET);
    EXPECT_EQ(clients[i].response().body, "hello");
  }
  auto each = (world.status("VmRSS") - before) * 1024 / CONNECTIONS;
  RecordProperty("bytes_each", int(each));
  EXPECT_LT(each, 24u * 1024);
  // There is no room for another one until they go.
  clients.clear();
  auto client = world.connect();
  client.send(GET);
  EXPECT_EQ(client.response().body, "hello");
}

TEST(Gateway, LetsConnectionsWaitBeyondItsNumber) {
  GatewayWorld world({"--connections", "2"});
  auto one = world.connect(), two = world.connect();
  one.send(GET);
  two.send(GET);
  EXPECT_EQ(one.response().body, "hello");
  EXPECT_EQ(two.response().body, "hello");
  auto three = kj::heap<RawClient>(world.connect());
  three->send(GET);
  world.wait(world.timer().afterDelay(50 * kj::MILLISECONDS));
  EXPECT_EQ(world.fetches, 2u);
  { auto gone = kj::mv(one); }
  EXPECT_EQ(three->response().body, "hello");
}

TEST(Gateway, RefusesMoreRequestsThanItMayHaveUnderWay) {
  GatewayWorld world({"--requests", "2"});
  auto go = kj::newPromiseAndFulfiller<void>();
  auto gone = go.promise.fork();
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    return gone.addBranch().then([context]() mutable { respond(context, {.bytes = "late"}); });
  };
  auto one = world.connect(), two = world.connect(), three = world.connect();
  one.send(GET);
  two.send(GET);
  ASSERT_TRUE(world.turnUntil([&]() { return world.fetches == 2; }));
  three.send(GET);
  EXPECT_EQ(three.response().status, 503);
  go.fulfiller->fulfill();
  EXPECT_EQ(one.response().body, "late");
  EXPECT_EQ(two.response().body, "late");
  three.send(GET);
  EXPECT_EQ(three.response().body, "late");
}

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

// -- Who is gone ---------------------------------------------------------------------------------------------------------

// What was sent so far must not look like all of it.
TEST(Gateway, ABodyThatFailsEndsWithoutItsEnd) {
  GatewayWorld world;
  std::string how;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto count = std::make_shared<int>(0);
    respond(context, {.stream = [&, count]() -> kj::Promise<std::optional<std::string>> {
      if ((*count)++ < 2) return std::optional<std::string>("some ");
      return KJ_EXCEPTION(DISCONNECTED, "the worker is dead");
    }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET + GET);
  auto response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "some some ");
  EXPECT_FALSE(response.whole);
  EXPECT_EQ(client.rest(), "");
  auto other = world.connect();
  other.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_FALSE(other.response().whole);
}

TEST(Gateway, AStreamOfSomethingElseEndsWithoutItsEnd) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    respond(context, {.stream = [&]() -> kj::Promise<std::optional<std::string>> { return KJ_EXCEPTION(FAILED, "not bytes"); }});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send(GET);
  EXPECT_FALSE(client.response().whole);
}

TEST(Gateway, AClientThatIsGoneEndsTheCall) {
  GatewayWorld world;
  bool called = false, cancelled = false;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    called = true;
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([&]() { cancelled = true; }));
  };
  {
    auto client = world.connect();
    client.send(GET);
    ASSERT_TRUE(world.turnUntil([&]() { return called; }));
    EXPECT_FALSE(cancelled);
    linger reset{1, 0};
    client.stream().setsockopt(SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  EXPECT_TRUE(world.turnUntil([&]() { return cancelled; }));
}

TEST(Gateway, AClientThatClosesEndsTheCall) {
  GatewayWorld world;
  size_t called = 0, cancelled = 0;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    called++;
    auto ended = kj::defer([&]() { cancelled++; });
    auto stream = seenRequest(context).stream;
    if (!stream) return kj::Promise<void>(kj::NEVER_DONE).attach(kj::mv(ended));
    return stream->all().then([](std::string) -> kj::Promise<void> { return kj::NEVER_DONE; }).attach(kj::mv(ended));
  };
  // With and without a body, and with something more in the pipe.
  for (std::string request : {GET, GET + GET, std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")}) {
    auto before = called;
    auto client = world.connect();
    client.send(request);
    ASSERT_TRUE(world.turnUntil([&]() { return called == before + 1; }));
    world.wait(world.timer().afterDelay(20 * kj::MILLISECONDS));
    EXPECT_EQ(cancelled, before);
    client.shutdown();
    EXPECT_TRUE(world.turnUntil([&]() { return cancelled == before + 1; }));
    EXPECT_EQ(client.rest(), "");
  }
  EXPECT_EQ(called, 3u);
}

TEST(Gateway, AClientThatIsGoneInTheMiddleOfItsBodyEndsTheStream) {
  GatewayWorld world;
  std::optional<BodyStream> body;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    body = seenRequest(context).stream;
    return kj::NEVER_DONE;
  };
  {
    auto client = world.connect();
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
    ASSERT_TRUE(world.turnUntil([&]() { return body.has_value(); }));
    EXPECT_EQ(world.wait(body->chunk()), "abc");
  }
  // Failed, not ended: it must not be taken for all of it.
  EXPECT_NE(kj::runCatchingExceptions([&]() { world.wait(body->chunk()); }), nullptr);
  auto client = world.connect();
  client.send(GET);
  EXPECT_TRUE(world.turnUntil([&]() { return world.fetches == 2; }));
}

TEST(Gateway, ABodyIsOverWithItsRequest) {
  GatewayWorld world;
  std::optional<BodyStream> body;
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    auto stream = seenRequest(context).stream;
    if (stream) body = stream;
    respond(context, {.bytes = "early"});
    return kj::READY_NOW;
  };
  auto client = world.connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\nabc");
  EXPECT_EQ(client.response().body, "early");
  EXPECT_NE(kj::runCatchingExceptions([&]() { world.wait(body->chunk()); }), nullptr);
  client.send(std::string(20'000 - 3, 'x') + GET);
  EXPECT_EQ(client.response().body, "early");
}

// -- Its life ------------------------------------------------------------------------------------------------------------

TEST(Gateway, DrainsOnSigterm) {
  GatewayWorld world;
  auto go = kj::newPromiseAndFulfiller<void>();
  world.onFetch = [&](FetchContext context) -> kj::Promise<void> {
    return go.promise.then([context]() mutable { respond(context, {.bytes = "late"}); });
  };
  auto busy = world.connect(), idle = world.connect();
  busy.send(GET);
  ASSERT_TRUE(world.turnUntil([&]() { return world.fetches == 1; }));
  world.signal(SIGTERM);
  EXPECT_EQ(idle.rest(), "");   // closed at once
  EXPECT_NE(kj::runCatchingExceptions([&]() { world.connect(); }), nullptr);
  go.fulfiller->fulfill();
  auto response = busy.response();
  EXPECT_EQ(response.body, "late");
  EXPECT_EQ(response.headers["connection"], "close");
  EXPECT_EQ(world.ended(), 0);
}

TEST(Gateway, ASecondSigtermEndsIt) {
  GatewayWorld world;
  world.onFetch = [&](FetchContext) -> kj::Promise<void> { return kj::NEVER_DONE; };
  auto busy = world.connect();
  busy.send(GET);
  ASSERT_TRUE(world.turnUntil([&]() { return world.fetches == 1; }));
  world.signal(SIGTERM);
  ASSERT_TRUE(world.turnUntil([&]() { return kj::runCatchingExceptions([&]() { world.connect(); }) != nullptr; }));
  world.signal(SIGTERM);
  EXPECT_EQ(world.ended(), 0);
  EXPECT_EQ(busy.rest(), "");
}

TEST(Gateway, DrainsForNoLongerThanItMay) {
  GatewayWorld world({"--drain-timeout-ms", "100"});
  world.onFetch = [&](FetchContext) -> kj::Promise<void> { return kj::NEVER_DONE; };
  auto busy = world.connect();
  busy.send(GET);
  ASSERT_TRUE(world.turnUntil([&]() { return world.fetches == 1; }));
  world.signal(SIGTERM);
  EXPECT_EQ(world.ended(), 0);
}

TEST(Gateway, GoesOnAfterAStop) {
  GatewayWorld world;
  auto client = world.connect();
  world.signal(SIGSTOP);
  ASSERT_TRUE(world.turnUntil([&]() { return world.statusText("State").starts_with("T"); }));
  client.send(GET);
  world.signal(SIGCONT);
  EXPECT_EQ(client.response().body, "hello");
}

TEST(Gateway, EndsWithItsParent) {
  GatewayWorld world;
  auto client = world.connect();
  client.send(GET);
  EXPECT_EQ(client.response().body, "hello");
  world.dropLine();
  EXPECT_EQ(world.ended(), 0);
  EXPECT_EQ(client.rest(), "");
}

}  // namespace
}  // namespace glovebox::test
