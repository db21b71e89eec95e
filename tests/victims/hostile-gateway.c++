// What somebody who has taken over a gateway might write to the line of the program that started it. Started like glovebox-gateway
// (descriptor 3 is the line), but the last argument says what to do.

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "ipc/call.capnp.h"
#include "ipc/gateway.capnp.h"

using capnp::rpc::Message;

namespace {

constexpr int LINE = 3;

void send(std::function<void(Message::Builder)> fill) {
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<Message>());
  auto flat = capnp::messageToFlatArray(message);
  auto next = flat.asBytes();
  while (next.size() > 0) {
    auto count = ::send(LINE, next.begin(), next.size(), MSG_NOSIGNAL);
    if (count <= 0) _exit(3);   // cut
    next = next.slice(static_cast<size_t>(count), next.size());
  }
}

void bootstrap(uint32_t question) {
  send([&](auto m) { m.initBootstrap().setQuestionId(question); });
}

// The host's number, once it has answered the bootstrap.
uint32_t awaitHost() {
  bootstrap(0);
  for (;;) {
    capnp::StreamFdMessageReader reader(LINE);
    auto message = reader.getRoot<Message>();
    if (message.isReturn()) return message.getReturn().getResults().getCapTable()[0].getSenderHosted();
  }
}

void route(uint32_t host, uint32_t question, const char* name) {
  send([&](auto m) {
    auto call = m.initCall();
    call.setQuestionId(question);
    call.setInterfaceId(capnp::typeId<glovebox::rpc::GatewayHost>());
    call.setMethodId(1);
    call.initTarget().setImportedCap(host);
    call.initParams().getContent().template initAs<glovebox::rpc::GatewayHost::RouteParams>().setHost(name);
  });
}

// On what a route has given.
void fetch(uint32_t routed, uint32_t question, size_t bytes, uint32_t capabilities = 0) {
  send([&](auto m) {
    auto call = m.initCall();
    call.setQuestionId(question);
    call.setInterfaceId(capnp::typeId<glovebox::rpc::Target>());
    call.setMethodId(0);
    call.initTarget().initPromisedAnswer().setQuestionId(routed);
    call.getTarget().getPromisedAnswer().initTransform(1)[0].setGetPointerField(0);
    auto params = call.initParams();
    auto content = params.getContent().template initAs<glovebox::rpc::Call>();
    content.initPath(1).set(0, "fetch");
    content.getOperation().initInvoke().initValue().initNodes(1)[0].initText(static_cast<unsigned>(bytes));
    auto table = params.initCapTable(capabilities);
    for (uint32_t i = 0; i < capabilities; i++) table[i].setSenderHosted(question * capabilities + i);
  });
}

void finish(uint32_t question) {
  send([&](auto m) { m.initFinish().setQuestionId(question); });
}

}  // namespace

int main(int argc, char** argv) {
  std::string what = argv[argc - 1];
  constexpr uint32_t MANY = 200'000;
  if (what == "bootstraps") {
    for (uint32_t i = 0; i < MANY; i++) bootstrap(i);
  }
  auto host = awaitHost();
  if (what == "honest") {
    constexpr uint32_t AT_ONCE = 500;
    for (uint32_t i = 1; i < 20'000; i += AT_ONCE) {
      for (uint32_t j = i; j < i + AT_ONCE; j++) route(host, j, "hold");
      for (uint32_t j = i; j < i + AT_ONCE; j++) {
        capnp::StreamFdMessageReader reader(LINE);
        finish(reader.getRoot<Message>().getReturn().getAnswerId());
      }
    }
    return 7;
  }
  if (what == "routes") {
    for (uint32_t i = 1; i < MANY; i++) route(host, i, "hold");
  }
  route(host, 1, what == "answers" ? "large" : "hold");
  for (uint32_t i = 2; i < MANY; i++) {
    if (what == "calls") fetch(1, i, 10);
    if (what == "large") fetch(1, i, 90'000);
    if (what == "answers") fetch(1, i, 10);
    if (what == "exports") fetch(1, i, 10, 200);
    if (what == "returns") send([&](auto m) { m.initReturn().setAnswerId(i); });
    if (what == "message") fetch(1, i, 1 << 20);
  }
}
