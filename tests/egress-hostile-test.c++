// What a server can do to the egress process and to those who ask through it: answers that two readers would take for different ones, answers
// without end, servers that keep silent. And connections of connect().

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/egress-world.h"

namespace glovebox::test {
namespace {

using testing::HasSubstr;

// Answers each request of each connection with these bytes, and goes on listening.
ScriptedServer::Serve answering(std::string bytes, bool closes = true) {
  return [bytes, closes](Peer& peer, size_t) {
    while (!peer.until("\r\n\r\n").empty()) {
      if (!peer.send(bytes) || closes) return;
    }
  };
}

// The whole body, however it comes; or what was thrown, at the head or in the body.
std::string outcome(EgressWorld& world, const std::string& url) {
  auto fetched = world.fetch(url);
  if (!fetched.thrown.empty()) return "thrown: " + fetched.thrown;
  auto body = fetched.body;
  KJ_IF_MAYBE(stream, fetched.stream) {
    KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() { body = world.readAll(*stream); })) return std::string("thrown: ") + e->getDescription().cStr();
  }
  return std::to_string(fetched.status) + " " + body;
}

TEST(EgressHostile, WhatIsToTheLetterIsTaken) {
  EgressWorld world;
  const std::pair<const char*, const char*> GOOD[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 hello"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"},
      {"HTTP/1.0 200\r\ncontent-LENGTH:5\r\n\r\nhello", "200 hello"},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "200 hello"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 "},
      {"HTTP/1.1 204 No Content\r\n\r\n", "204 "},
  };
  for (auto& [bytes, expected] : GOOD) {
    ScriptedServer server(answering(bytes));
    EXPECT_EQ(outcome(world, server.url()), expected) << bytes;
  }
}

TEST(EgressHostile, AnswersThatTwoReadersWouldTakeForDifferentOnesAreRefused) {
  EgressWorld world;
  const std::string BAD[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
      "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\n Content-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 5\r\n\r\nhello",
      std::string("HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 5\r\n\r\nhello", 50),
      "HTTP/1.1 099 Low\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 600 High\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
      "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 5\r\n\r\nhello",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "hello",
      "",
  };
  for (auto& bytes : BAD) {
    ScriptedServer server(answering(bytes));
    EXPECT_THAT(outcome(world, server.url()), HasSubstr("thrown: ")) << bytes;
  }
}

TEST(EgressHostile, ABodyThatBreaksOffIsNeverWhole) {
  EgressWorld world;
  for (std::string bytes : {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhello"}) {
    ScriptedServer server(answering(bytes));
    EXPECT_THAT(outcome(world, server.url()), HasSubstr("ended early")) << bytes;
  }
}

TEST(EgressHostile, AnAnswerThatNobodyAskedForIsNoAnswerToTheNextRequest) {
  EgressWorld world;
  ScriptedServer server([](Peer& peer, size_t) {
    std::string head;
    while (!(head = peer.until("\r\n\r\n")).empty()) {
      if (head.starts_with("GET /first")) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
                  "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
      } else {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
      }
    }
  });
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(outcome(world, server.url("/first")), "200 first");
    EXPECT_EQ(outcome(world, server.url("/second")), "200 second");
  }
}

TEST(EgressHostile, HeadsWithoutEndAreRefused) {
  EgressWorld world;
  auto endless = [](std::string first, std::string again) {
    return [first, again](Peer& peer, size_t) {
      peer.until("\r\n\r\n");
      if (!peer.send(first)) return;
      while (peer.send(again)) {}
    };
  };
  for (ScriptedServer::Serve serve : {endless("HTTP/1.1 200 OK\r\n", "A: " + std::string(1000, 'a') + "\r\n"), endless("HTTP/1.1 200 OK\r\nA: ", std::string(4096, 'a')),
                      endless("", std::string(4096, 'a')), endless("", "HTTP/1.1 100 Continue\r\n\r\n")}) {
    ScriptedServer server(serve);
    EXPECT_THAT(outcome(world, server.url()), HasSubstr("thrown: "));
  }
  std::string many = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
  for (int i = 0; i < 2000; i++) many += "A" + std::to_string(i) + ": b\r\n";
  ScriptedServer server(answering(many + "\r\nok"));
  EXPECT_THAT(outcome(world, server.url()), HasSubstr("thrown: "));
  // And goes on to answer others.
  ScriptedServer good(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  EXPECT_EQ(outcome(world, good.url()), "200 ok");
}

TEST(EgressHostile, ASilentServerIsLetGoWithWhoeverAskedIt) {
  EgressWorld world;
  for (std::string begun : {"", "HTTP/1.1 200 OK\r\nA: b", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}) {
    std::atomic<bool> asked = false, left = false;
    ScriptedServer server([&](Peer& peer, size_t) {
      peer.until("\r\n\r\n");
      peer.send(begun);
      asked = true;
      peer.waitForClose();
      left = true;
    });
    auto waiting = world.startFetch(server.url()).ignoreResult().eagerlyEvaluate(nullptr);
    ASSERT_TRUE(world.turnUntil([&]() { return asked.load(); }));
    world.turnFor(20 * kj::MILLISECONDS);
    EXPECT_FALSE(left) << begun;
    waiting = nullptr;
    EXPECT_TRUE(world.turnUntil([&]() { return left.load(); })) << begun;
  }
}

TEST(EgressHostile, WhatNobodyReadsIsNotTaken) {
  EgressWorld world;
  std::atomic<uint64_t> sent = 0;
  std::atomic<bool> left = false;
  ScriptedServer server([&](Peer& peer, size_t) {
    peer.until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    std::string piece(64 * 1024, 'x');
    while (peer.send(piece)) sent += piece.size();
    left = true;
  });
  auto fetched = world.fetch(server.url());
  ASSERT_EQ(fetched.thrown, "");
  for (uint64_t last = ~0ull; last != sent; world.turnFor(100 * kj::MILLISECONDS)) last = sent;
  EXPECT_LT(sent, 16ull << 20);
  uint64_t before = sent;
  auto& stream = KJ_ASSERT_NONNULL(fetched.stream);
  for (uint64_t got = 0; got < (64ull << 20);) got += world.wait(world.read(stream)).value().size();
  EXPECT_GT(sent, before + (32ull << 20));
  fetched.stream = nullptr;
  EXPECT_TRUE(world.turnUntil([&]() { return left.load(); }));
}

TEST(EgressHostile, HeadersCannotCarryARequestOfTheirOwn) {
  EgressWorld world;
  ScriptedServer server([](Peer& peer, size_t) {
    auto head = peer.until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n" + head);
  });
  EXPECT_THAT(outcome(world, server.url("/seen")), HasSubstr("GET /seen HTTP/1.1\r\n"));
  for (std::string value : {std::string("a\r\nX-Injected: 1"), std::string("a\nX-Injected: 1"), std::string("a\rb"), std::string("a\0b", 3)}) {
    EXPECT_NE(world.fetch(server.url(), "GET", {{"a", value}}).thrown, "") << value;
  }
  for (std::string name : {"a\r\nb", "a b", "a:", ""}) EXPECT_NE(world.fetch(server.url(), "GET", {{name, "v"}}).thrown, "") << name;
  for (std::string path : {"/a b", "/a\r\nX-Injected: 1", "/a\tb"}) EXPECT_NE(world.fetch(server.url(path)).thrown, "") << path;
  for (std::string method : {"GET /x HTTP/1.1\r\nA: b\r\n\r\nGET", "CONNECT", "TRACE x"}) EXPECT_NE(world.fetch(server.url(), method).thrown, "") << method;
  // These are not the worker's to say.
  auto fetched = world.fetch(server.url(), "GET", {{"host", "other"}, {"content-length", "100"}, {"transfer-encoding", "chunked"}, {"connection", "upgrade"}});
  if (fetched.thrown.empty()) {
    EXPECT_THAT(fetched.body, HasSubstr("127.0.0.1:" + std::to_string(server.port())));
    for (auto word : {"other", ": 100", "chunked", "upgrade"}) EXPECT_THAT(fetched.body, testing::Not(HasSubstr(word)));
  }
}

// -- connect() ------------------------------------------------------------------------------------------------------------------

TEST(EgressConnect, CarriesBytesBothWaysAndEndsInBothDirections) {
  EgressWorld world;
  ScriptedServer server([](Peer& peer, size_t) {
    auto all = peer.until("no such text");   // up to the end
    peer.send("got " + std::to_string(all.size()) + " " + all.substr(0, 5));
  });
  auto tunneled = world.connect("127.0.0.1:" + std::to_string(server.port()));
  ASSERT_EQ(tunneled.thrown, "");
  EXPECT_EQ(tunneled.remote, "127.0.0.1:" + std::to_string(server.port()));
  auto& writable = KJ_ASSERT_NONNULL(tunneled.writable);
  world.wait(world.write(writable, "hello"));
  for (int i = 0; i < 100; i++) world.wait(world.write(writable, std::string(50'000, 'x')));
  world.wait(world.close(writable));
  EXPECT_EQ(world.readAll(KJ_ASSERT_NONNULL(tunneled.readable)), "got 5000005 hello");
  KJ_IF_MAYBE(e, kj::runCatchingExceptions([&]() { world.wait(world.write(writable, "more")); })) {
    EXPECT_THAT(e->getDescription().cStr(), HasSubstr("has been closed"));
  } else {
    ADD_FAILURE() << "written after its end";
  }
}

TEST(EgressConnect, TakesWhatTheServerTakes) {
  EgressWorld world;
  std::atomic<bool> reads = false;
  std::atomic<uint64_t> got = 0;
  ScriptedServer server([&](Peer& peer, size_t) {
    while (!reads) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (std::string some; !(some = peer.some()).empty();) got += some.size();
  });
  auto tunneled = world.connect("127.0.0.1:" + std::to_string(server.port()));
  auto& writable = KJ_ASSERT_NONNULL(tunneled.writable);
  uint64_t written = 0;
  kj::Promise<void> last = kj::READY_NOW;
  bool done = true;
  // Until a write waits.
  while (done) {
    done = false;
    ASSERT_LT(written, 64ull << 20);
    last = world.write(writable, std::string(60 * 1024, 'x')).then([&]() { written += 60 * 1024; done = true; }).eagerlyEvaluate(nullptr);
    for (int i = 0; i < 200 && !done; i++) world.turnFor(1 * kj::MILLISECONDS);
  }
  reads = true;
  EXPECT_TRUE(world.turnUntil([&]() { return done; }));
  world.wait(world.close(writable));
  EXPECT_TRUE(world.turnUntil([&]() { return got == written; }));
}

TEST(EgressConnect, EndsWithWhoeverHasIt) {
  EgressWorld world;
  std::atomic<bool> left = false;
  ScriptedServer server([&](Peer& peer, size_t) {
    peer.waitForClose();
    left = true;
  });
  {
    auto tunneled = world.connect("127.0.0.1:" + std::to_string(server.port()));
    auto reading = world.read(KJ_ASSERT_NONNULL(tunneled.readable)).ignoreResult().eagerlyEvaluate(nullptr);
    world.turnFor(20 * kj::MILLISECONDS);
    EXPECT_FALSE(left);
  }
  EXPECT_TRUE(world.turnUntil([&]() { return left.load(); }));
}

TEST(EgressConnect, IsRefusedWhereThePolicyDoesNotNameIt) {
  ScriptedServer server([](Peer& peer, size_t) { peer.waitForClose(); });
  auto port = std::to_string(server.port());
  {
    EgressWorld onlyRequests([](rpc::EgressPolicy::Builder policy) {
      policy.initAllow(1)[0].setHost("127.0.0.1");
      policy.initAllowPrivate(1).set(0, "127.0.0.1");
    });
    EXPECT_THAT(onlyRequests.connect("127.0.0.1:" + port).thrown, HasSubstr("is not allowed by the egress policy: connect() takes an origin with \"methods\": [\"CONNECT\"]"));
  }
  {
    EgressWorld notPrivate([](rpc::EgressPolicy::Builder policy) {
      auto allow = policy.initAllow(1)[0];
      allow.setHost("127.0.0.1");
      allow.initMethods(1).set(0, "CONNECT");
    });
    EXPECT_THAT(notPrivate.connect("127.0.0.1:" + port).thrown, HasSubstr("not an address of the public internet"));
    EXPECT_THAT(notPrivate.fetch(server.url()).thrown, HasSubstr("which allows CONNECT there"));
  }
  EXPECT_EQ(server.connections(), 0u);
  EgressWorld world;
  EXPECT_THAT(world.connect("127.0.0.1:" + port, "on").thrown, HasSubstr("is not allowed by the egress policy"));
  EXPECT_THAT(world.connect("127.0.0.2:" + port).thrown, HasSubstr("is not allowed by the egress policy"));
  for (std::string address : std::vector<std::string>{"2130706433:" + port, "0x7f.1:" + port, "0177.0.0.1:" + port, "[::ffff:7f00:1]:" + port + "/", "127.0.0.1", "127.0.0.1:", "u@127.0.0.1:" + port,
                              "127.0.0.1:" + port + "/x", "127.0.0.1:" + port + "#@other", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1\r\n:1", "a b:1", ""}) {
    EXPECT_NE(world.connect(address).thrown, "") << address;
  }
  EXPECT_EQ(server.connections(), 0u);
  EXPECT_THAT(world.connect("127.0.0.1:" + port, "starttls").thrown, HasSubstr("secureTransport: \"on\""));
  EXPECT_EQ(world.connect("127.0.0.1:" + port).thrown, "");
}

TEST(EgressConnect, AServerThatIsNotThereIsTold) {
  EgressWorld world;
  uint16_t port;
  { port = ScriptedServer([](Peer&, size_t) {}).port(); }
  EXPECT_THAT(world.connect("127.0.0.1:" + std::to_string(port)).thrown, HasSubstr("cannot connect to"));
}

}  // namespace
}  // namespace glovebox::test
