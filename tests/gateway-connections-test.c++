// The gateway's connections: how many, how long, who is gone, and the end of all. Raw bytes, the jail as always, a worker that is played here.

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>

#include "tests/gateway-answers.h"

namespace glovebox::test {
namespace {

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
