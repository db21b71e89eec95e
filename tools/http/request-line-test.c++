#include "tools/http/request-line.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "ipc/payload.h"
#include "tools/gateway/http-message.h"

namespace glovebox::http {
namespace {

// As the gateway writes it.
std::pair<std::string, std::string> lineOf(const std::string& method, const std::string& url) {
  capnp::MallocMessageBuilder message;
  auto payload = message.initRoot<rpc::Payload>();
  writePayload(gateway::writeRequest(method, url, {}, gateway::NoBody{}), payload);
  auto line = readRequestLine(payload.asReader());
  return {line.method, line.path};
}

using Line = std::pair<std::string, std::string>;

TEST(RequestLine, HasTheMethodAndThePathWithItsQuery) {
  EXPECT_EQ(lineOf("GET", "http://example.com/a/b?c=d"), Line("GET", "/a/b?c=d"));
  EXPECT_EQ(lineOf("POST", "http://example.com"), Line("POST", "/"));
  EXPECT_EQ(lineOf("GET", "http://example.com/" + std::string(1'000, 'x')).second.size(), PATH_SHOWN_MAX);
}

TEST(RequestLine, IsEmptyForWhatIsNoRequest) {
  for (int shape = 0; shape < 5; shape++) {
    capnp::MallocMessageBuilder message;
    auto payload = message.initRoot<rpc::Payload>();
    auto nodes = payload.initValue().initNodes(shape == 0 ? 0 : 2);
    if (shape == 1) nodes[0].initArray().initItems(1).set(0, 7);   // leads nowhere
    if (shape == 2) nodes[0].initArray().initItems(1).set(0, 1);   // to undefined
    if (shape == 3) {
      nodes[0].initArray().initItems(1).set(0, 1);
      auto platform = nodes[1].initPlatform();
      platform.setInterface("Request");
      platform.setState(1);   // itself
    }
    if (shape == 4) nodes[0].setNumber(200);
    auto line = readRequestLine(payload.asReader());
    EXPECT_EQ(line.method, "") << shape;
    EXPECT_EQ(readStatus(payload.asReader()), 0u) << shape;
  }
}

TEST(RequestLine, ReadsAStatusOnlyInItsRange) {
  for (auto [given, read]: {std::pair{204.0, 204u}, {99.0, 0u}, {1e9, 0u}, {-1.0, 0u}}) {
    capnp::MallocMessageBuilder message;
    auto payload = message.initRoot<rpc::Payload>();
    auto nodes = payload.initValue().initNodes(3);
    auto platform = nodes[0].initPlatform();
    platform.setInterface("Response");
    platform.setState(1);
    nodes[1].initArray().initItems(1).set(0, 2);
    nodes[2].setNumber(given);
    EXPECT_EQ(readStatus(payload.asReader()), read);
  }
}

}  // namespace
}  // namespace glovebox::http
