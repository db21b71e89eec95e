// A gateway that was taken over floods the line of the program that started it: it is killed, by the rule that it breaks, before that
// program has grown by much. The real one's part is played by tests/victims/hostile-gateway.c++.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>

#include "ipc/guard-limits.h"
#include "tools/gateway/gateway-process.h"

namespace glovebox::test {
namespace {

using gateway::GatewayProcess;
using testing::HasSubstr;

class Holding final: public rpc::Target::Server {
  kj::Promise<void> call(CallContext) override { return kj::NEVER_DONE; }
};
class Large final: public rpc::Target::Server {
  kj::Promise<void> call(CallContext context) override {
    context.getResults().initValue().initValue().initNodes(1)[0].initText(60'000);
    return kj::READY_NOW;
  }
};

size_t residentBytes() {
  FILE* file = fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  int fields = fscanf(file, "%lu %lu", &total, &resident);
  fclose(file);
  return fields == 2 ? resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) : 0;
}

struct End {
  int status = 0;
  std::string violation;
  size_t grownBytes = 0;
};

End run(const char* what) {
  UvLoop loop;
  UvEventPort port(loop.get());
  malloc_trim(0);
  size_t before = residentBytes(), peak = before;
  kj::Vector<kj::AutoCloseFd> listeners;
  listeners.add(gateway::listenOn("127.0.0.1:0"));
  kj::String flags[] = {kj::str(what)};
  GatewayProcess process(port, kj::StringPtr(getenv("GLOVEBOX_HOSTILE_GATEWAY")), flags, kj::mv(listeners),
                         [](kj::StringPtr host, uint8_t) -> kj::Maybe<rpc::Target::Client> {
                           if (host == "large") return rpc::Target::Client(kj::heap<Large>());
                           return rpc::Target::Client(kj::heap<Holding>());
                         });
  End end;
  bool ended = false;
  auto watching = process.whenEnded().then([&](int status) {
    end.status = status;
    ended = true;
  }).eagerlyEvaluate(nullptr);
  auto deadline = port.getTimer().now() + 100 * kj::SECONDS;
  while (!ended && port.getTimer().now() < deadline) {
    port.getTimer().afterDelay(1 * kj::MILLISECONDS).wait(port.waitScope());
    peak = std::max(peak, residentBytes());
  }
  KJ_IF_MAYBE(violation, process.violation()) end.violation = violation->cStr();
  end.grownBytes = peak - before;
  return end;
}

void expectKilled(const char* what, const std::string& rule) {
  auto end = run(what);
  printf("grown %.1f MB, %s\n", static_cast<double>(end.grownBytes) / 1e6, end.violation.c_str());
  // It may have seen that the line was cut before it was killed.
  EXPECT_TRUE(end.status == -SIGKILL || end.status == 3) << end.status;
  EXPECT_THAT(end.violation, HasSubstr("the gateway broke the rules of the wire: "));
  EXPECT_THAT(end.violation, HasSubstr(rule));
#if !defined(__SANITIZE_ADDRESS__)   // which keeps freed memory
  EXPECT_LE(end.grownBytes, 1024u << 20);
#endif
}

std::string more(uint32_t number, const std::string& than) { return "more than " + std::to_string(number) + " " + than + " are open"; }

TEST(GatewayGuard, AsksForTheHostOnce) { expectKilled("bootstraps", "expected at most 1"); }
TEST(GatewayGuard, BoundsRoutesThatAreNeverFinished) { expectKilled("routes", more(guard::GATEWAY_LIMITS.questionsMax, "questions")); }
TEST(GatewayGuard, BoundsCallsThatAreUnderWay) { expectKilled("calls", more(guard::GATEWAY_LIMITS.callsMax, "calls")); }
TEST(GatewayGuard, BoundsTheBytesOfCallsThatAreUnderWay) { expectKilled("large", "its open questions take more than " + std::to_string(guard::GATEWAY_LIMITS.questionBytesMax) + " bytes"); }
TEST(GatewayGuard, BoundsAnswersThatAreNeverFinished) { expectKilled("answers", more(guard::GATEWAY_LIMITS.callsMax, "calls")); }
TEST(GatewayGuard, BoundsCapabilities) { expectKilled("exports", "more than " + std::to_string(guard::GATEWAY_LIMITS.exportsMax) + " of its capabilities are held"); }
TEST(GatewayGuard, RefusesAnswersToWhatNobodyAsked) { expectKilled("returns", "which is not open"); }
TEST(GatewayGuard, RefusesLargeMessages) { expectKilled("message", "expected at most 98304"); }

TEST(GatewayGuard, LetsAGatewayWork) {
  auto end = run("honest");
  EXPECT_EQ(end.status, 7);
  EXPECT_EQ(end.violation, "");
}

}  // namespace
}  // namespace glovebox::test
