// The schema suffices: a client made of what `capnp compile` makes of ipc/*.capnp and of Cap'n Proto's own two-party RPC,
// as one in another language would be. It uses nothing else of Glovebox, and the daemon is another process.

#include <capnp/rpc-twoparty.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <stdlib.h>

#include <cstring>
#include <string>

#include "ipc/control.capnp.h"
#include "tools/daemon-process.h"

namespace glovebox::test {
namespace {

const char* const AGENT = R"(
  export default {
    async myAgent(input) { return { doubled: input.value * 2 }; },
    async useTool(input, env) { return await env.TOOL.add(input, 2); },
    async tryTool(input, env) { try { await env.TOOL.nope(); } catch (e) { return e.name + ": " + e.message; } },
    large() { return "x".repeat(200000); },
    fail() { throw new RangeError("too far"); },
    forever() { for (;;); },
  };
)";

// Numbers come as an array of nodes, or, where they are all there is, as `numbers`.
double numberAt(rpc::Value::Reader value, unsigned index) {
  auto root = value.getNodes()[0];
  if (root.isNumbers()) return root.getNumbers()[index];
  return value.getNodes()[root.getArray().getItems()[index]].getNumber();
}

// What an agent may call: `add`.
class AddTool final: public rpc::Target::Server {
 protected:
  kj::Promise<void> call(CallContext context) override {
    auto call = context.getParams();
    auto results = context.getResults();
    if (call.getPath().size() == 1 && call.getPath()[0] == "add" && call.getOperation().isInvoke()) {
      auto arguments = call.getOperation().getInvoke().getValue();
      auto sum = numberAt(arguments, 0) + numberAt(arguments, 1);
      results.initValue().initValue().initNodes(1)[0].setNumber(sum);
    } else {
      auto nodes = results.initThrown().initValue().initNodes(2);
      auto error = nodes[0].initError();
      error.setPrototype(rpc::Error::Prototype::TYPE_ERROR);
      error.setHasMessage(true);
      error.setMessage(1);
      nodes[1].setText("no such tool");
    }
    return kj::READY_NOW;
  }
};

// A line to the daemon, on an event loop of KJ's own.
class PlainClient {
 public:
  explicit PlainClient(const std::string& socketPath)
      : io_(kj::setupAsyncIo()),
        stream_(io_.provider->getNetwork()
                    .parseAddress(kj::str("unix:", socketPath.c_str()))
                    .wait(io_.waitScope)
                    ->connect()
                    .wait(io_.waitScope)),
        client_(*stream_),
        loader_(client_.bootstrap().castAs<rpc::Supervisor>().loaderRequest().send().getLoader()) {}

  // The agent's default export, with the tool as env.TOOL.
  rpc::Target::Client load() {
    auto request = loader_.loadRequest();
    auto code = request.initCode();
    code.setCompatibilityDate("2026-03-01");
    code.setMainModule("agent.js");
    auto module = code.initModules(1)[0];
    module.setName("agent.js");
    module.setJs(AGENT);

    // env = { TOOL: the first external }
    auto env = code.initEnv();
    auto nodes = env.initValue().initNodes(3);
    auto property = nodes[0].initObject(1)[0];
    property.setKey(1);
    property.setValue(2);
    nodes[1].setText("TOOL");
    nodes[2].setExternal(0);
    env.initExternals(1)[0].setStub(kj::heap<AddTool>());

    code.initLimits().setCpuMs(500);
    return request.send().getWorker().getEntrypointRequest().send().getEntrypoint();
  }

  // Calls `method` with one argument, a number.
  capnp::Response<rpc::Return> call(rpc::Target::Client target, kj::StringPtr method, double argument = 0) {
    auto request = target.callRequest();
    request.initPath(1).set(0, method);
    request.getOperation().initInvoke().initValue().initNodes(1)[0].setNumbers({argument});
    return request.send().wait(io_.waitScope);
  }

  // Pulls a value that is too large for a message, chunk by chunk: a Cap'n Proto message whose root is a Value.
  kj::Array<capnp::word> pull(rpc::LargeValue::Reader large) {
    auto words = kj::heapArray<capnp::word>(large.getSize() / sizeof(capnp::word));
    auto source = large.getSource();
    for (size_t offset = 0; offset < words.asBytes().size();) {
      auto request = source.readRequest();
      request.setOffset(offset);
      request.setLength(64 * 1024);
      auto response = request.send().wait(io_.waitScope);
      auto bytes = response.getBytes();
      KJ_REQUIRE(bytes.size() > 0 && bytes.size() <= words.asBytes().size() - offset, "not as long as it said");
      memcpy(words.asBytes().begin() + offset, bytes.begin(), bytes.size());
      offset += bytes.size();
    }
    return words;
  }

  kj::WaitScope& waitScope() { return io_.waitScope; }

 private:
  kj::AsyncIoContext io_;
  kj::Own<kj::AsyncIoStream> stream_;
  capnp::TwoPartyClient client_;
  rpc::Loader::Client loader_;
};

// One daemon for the whole file.
const std::string& socketPath() {
  static DaemonProcess daemon([]() {
    auto command = getenv("GLOVEBOX_COMMAND");
    KJ_REQUIRE(command != nullptr, "GLOVEBOX_COMMAND must name the built glovebox command");
    return std::string(command);
  }(), {});
  return daemon.socketPath();
}

TEST(SchemaOnly, LoadsAndCalls) {
  PlainClient client(socketPath());
  auto request = client.load().callRequest();
  request.initPath(1).set(0, "myAgent");
  // [{ value: 21 }]
  auto nodes = request.getOperation().initInvoke().initValue().initNodes(4);
  auto array = nodes[0].initArray();
  array.setLength(1);
  array.setItems({1});
  auto property = nodes[1].initObject(1)[0];
  property.setKey(2);
  property.setValue(3);
  nodes[2].setText("value");
  nodes[3].setNumber(21);
  auto response = request.send().wait(client.waitScope());

  ASSERT_TRUE(response.isValue()) << kj::str(response).cStr();
  auto result = response.getValue().getValue().getNodes();
  ASSERT_TRUE(result[0].isObject());
  ASSERT_EQ(result[0].getObject().size(), 1u);
  EXPECT_EQ(result[result[0].getObject()[0].getKey()].getText(), "doubled");
  EXPECT_EQ(result[result[0].getObject()[0].getValue()].getNumber(), 42);
}

TEST(SchemaOnly, ServesATool) {
  PlainClient client(socketPath());
  auto response = client.call(client.load(), "useTool", 40);
  ASSERT_TRUE(response.isValue()) << kj::str(response).cStr();
  EXPECT_EQ(response.getValue().getValue().getNodes()[0].getNumber(), 42);
}

TEST(SchemaOnly, ThrowsInATool) {
  PlainClient client(socketPath());
  auto response = client.call(client.load(), "tryTool");
  ASSERT_TRUE(response.isValue()) << kj::str(response).cStr();
  EXPECT_EQ(response.getValue().getValue().getNodes()[0].getText(), "TypeError: no such tool");
}

TEST(SchemaOnly, PullsALargeResult) {
  PlainClient client(socketPath());
  auto response = client.call(client.load(), "large");
  ASSERT_TRUE(response.isValue() && response.getValue().isLarge()) << kj::str(response).cStr();
  auto words = client.pull(response.getValue().getLarge());
  capnp::FlatArrayMessageReader message(words);
  auto text = message.getRoot<rpc::Value>().getNodes()[0].getText();
  EXPECT_EQ(text.size(), 200'000u);
  EXPECT_EQ(text[199'999], 'x');
}

TEST(SchemaOnly, SeesWhatIsThrown) {
  PlainClient client(socketPath());
  auto response = client.call(client.load(), "fail");
  ASSERT_TRUE(response.isThrown()) << kj::str(response).cStr();
  auto nodes = response.getThrown().getValue().getNodes();
  ASSERT_TRUE(nodes[0].isError());
  EXPECT_EQ(nodes[0].getError().getPrototype(), rpc::Error::Prototype::RANGE_ERROR);
  EXPECT_EQ(nodes[nodes[0].getError().getMessage()].getText(), "too far");
}

TEST(SchemaOnly, SeesWhichLimitEndedACall) {
  PlainClient client(socketPath());
  auto response = client.call(client.load(), "forever");
  ASSERT_TRUE(response.isEnded()) << kj::str(response).cStr();
  EXPECT_EQ(response.getEnded().getCode(), rpc::Ending::Code::EXCEEDED_CPU);
}

}  // namespace
}  // namespace glovebox::test
