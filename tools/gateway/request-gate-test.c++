// What comes out of the gate, however what goes in is cut into pieces; and that nothing comes out which the check would refuse. The whole
// program is tested from outside in tests/gateway-test.c++.

#include "tools/gateway/request-gate.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

#include <iostream>
#include <random>

namespace glovebox::gateway {
namespace {

constexpr std::string_view HARMLESS = "GET / HTTP/1.1\r\nHost: refused\r\n\r\n";

// Both ends of a connection, and a gate at one of them.
class Gated {
 public:
  explicit Gated(GatewayLimits given = {}): limits(given), pipe_(kj::newTwoWayPipe()), gate(kj::mv(pipe_.ends[0]), timer, limits) {}

  // Everything that comes out of the gate in `pieces` of what goes in, and then the end.
  std::string through(const std::vector<std::string>& pieces) {
    auto writing = write(pieces, 0).eagerlyEvaluate([](kj::Exception&&) {});
    std::string all;
    char buffer[64];
    for (;;) {
      size_t got = 0;
      auto failed = kj::runCatchingExceptions([&]() { got = gate.tryRead(buffer, 1, sizeof(buffer)).wait(waitScope); });
      if (failed != nullptr) return all + "(refused)";
      if (got == 0) return all;
      all.append(buffer, got);
    }
  }

  GatewayLimits limits;
  kj::EventLoop loop;
  kj::WaitScope waitScope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};

 private:
  kj::TwoWayPipe pipe_;

  kj::Promise<void> write(const std::vector<std::string>& pieces, size_t next) {
    if (next == pieces.size()) {
      pipe_.ends[1]->shutdownWrite();
      return kj::READY_NOW;
    }
    return pipe_.ends[1]->write(pieces[next].data(), pieces[next].size()).then([this, &pieces, next]() { return write(pieces, next + 1); });
  }

 public:
  RequestGate gate;
};

std::vector<std::string> cut(const std::string& bytes, std::mt19937& random) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < bytes.size();) {
    size_t size = std::min<size_t>(bytes.size() - at, 1 + random() % (random() % 4 == 0 ? 200 : 5));
    pieces.push_back(bytes.substr(at, size));
    at += size;
  }
  return pieces;
}

// To the letter of what kj-http is to get, so that the gate changes nothing of it.
const std::string STREAM =
    "GET /a HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n"
    "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nGET / HTTP"
    "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\nc\r\n1f\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\nx\r\n0\r\n\r\n"
    "HEAD /d HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(RequestGate, GivesTheSameHoweverItComes) {
  auto seed = std::random_device()();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  for (int i = 0; i < 300; i++) EXPECT_EQ(Gated().through(cut(STREAM, random)), STREAM);
}

TEST(RequestGate, TrimsValuesAndNothingElse) {
  EXPECT_EQ(Gated().through({"GET / HTTP/1.1\r\nHost:h\r\nX-Y: \t a  b \t\r\nEmpty:\r\n\r\n"}),
            "GET / HTTP/1.1\r\nHost: h\r\nX-Y: a  b\r\nEmpty: \r\n\r\n");
}

TEST(RequestGate, EndsWithWhatItRefuses) {
  EXPECT_EQ(Gated().through({"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"}),
            "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(HARMLESS));
  EXPECT_EQ(Gated().through({"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nX\r\n"}),
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n(refused)");
}

// Heads that a stranger made of pieces of honest ones: whatever is let through passes the check again as it stands, and what it is
// let through as (no length, one length, chunked) is what a reader who looks for names at the beginnings of lines would see.
TEST(RequestGate, LetsNothingThroughThatTheCheckRefuses) {
  auto seed = std::random_device()();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  const std::vector<std::string> PARTS = {"GET ", "/", " HTTP/1.1", " HTTP/1.0", "\r\n", "\r\n", "\r\n", "\n", "\r", "Host: h", "Content-Length: 3",
                                          "Content-Length: 0", "Transfer-Encoding: chunked", "transfer-encoding:chunked", " ", "\t", ":", "X: y", "abc",
                                          std::string(1, '\0'), "\x80", ",", "chunked", "Expect: 100-continue", "Connection: close"};
  size_t accepted = 0;
  for (int i = 0; i < 20'000; i++) {
    std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (size_t parts = random() % 6; parts > 0; parts--) head += PARTS[random() % PARTS.size()] + (random() % 2 ? "\r\n" : "");
    if (random() % 4 == 0) head[random() % head.size()] = static_cast<char>(random());
    head += "\r\n\r\n";
    size_t end = head.find("\r\n\r\n") + 4;
    auto checked = checkHead(std::string_view(head).substr(0, end), 1 << 20);
    auto facts = std::get_if<RequestFacts>(&checked);
    auto out = Gated().through({head});
    if (facts == nullptr || hasForbiddenByte(std::string_view(head).substr(0, end - 4), 0)) {
      EXPECT_TRUE(out.starts_with(HARMLESS)) << head;
      continue;
    }
    accepted++;
    EXPECT_TRUE(out.starts_with(facts->head)) << head << "became" << out;
    auto again = checkHead(facts->head, 1 << 20);
    ASSERT_TRUE(std::holds_alternative<RequestFacts>(again)) << facts->head;
    EXPECT_EQ(std::get<RequestFacts>(again).framing, facts->framing);
    auto lower = lowerCase(facts->head);
    bool length = lower.find("\r\ncontent-length:") != std::string::npos, chunked = lower.find("\r\ntransfer-encoding:") != std::string::npos;
    EXPECT_FALSE(length && chunked);
    EXPECT_EQ(facts->framing == Framing::CHUNKED, chunked);
    EXPECT_EQ(facts->framing == Framing::LENGTH, length && facts->length > 0);
  }
  EXPECT_GT(accepted, 1'000u);
  EXPECT_LT(accepted, 19'000u);
}

TEST(RequestGate, KeepsTheTimes) {
  GatewayLimits limits;
  Gated gated(limits);
  char buffer[256];
  auto head = gated.gate.tryRead(buffer, 1, sizeof(buffer));
  EXPECT_FALSE(head.poll(gated.waitScope));
  gated.timer.advanceTo(gated.timer.now() + limits.idleTimeout - 1 * kj::MILLISECONDS);
  EXPECT_FALSE(head.poll(gated.waitScope));
  gated.timer.advanceTo(gated.timer.now() + 1 * kj::MILLISECONDS);
  ASSERT_TRUE(head.poll(gated.waitScope));
  EXPECT_EQ(head.wait(gated.waitScope), 0u);
}

}  // namespace
}  // namespace glovebox::gateway
