// The supervisor's end of a worker's line (stream, guard, RpcSystem, membrane) against bytes of the fuzzer's choosing. The
// first byte picks how the rest is read: as raw bytes on the wire, or as a program of five-byte steps, each of which is a
// well-formed RPC message with fields from the input, so that the fuzzer gets past the framing. The worker was loaded by a
// client, holds tools and a loader, and is being called.
//
// Nothing may crash, leak or hang; whether the line survives is not the question here.

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "ipc/worker.capnp.h"
#include "tests/scripted-worker.h"

using namespace glovebox;
using capnp::rpc::Message;

namespace {

// Half of the calls are held. The others are answered with what they brought, or with much.
kj::Promise<void> tool(const std::string& method, test::CallContext context) {
  if (method.size() % 2 == 1) return kj::NEVER_DONE;
  auto given = test::capabilitiesOf(context);
  if (given.empty()) {
    test::answer(context, std::string(100'000, 'x'));
  } else {
    test::answer(context, given[0]);
  }
  return kj::READY_NOW;
}

// Where a message has capabilities: each takes the next entry of the table that capabilities() makes.
struct Content {
  capnp::BuilderCapabilityTable table;
  template <typename T>
  typename T::Builder of(capnp::rpc::Payload::Builder payload) { return table.imbue(payload.getContent()).initAs<T>(); }
  template <typename T>
  static typename T::Client capability() { return typename T::Client(KJ_EXCEPTION(FAILED, "only a place in the table")); }
};

void fillPayload(rpc::Payload::Builder payload, uint8_t how, uint8_t size) {
  if (how & 1) {
    auto large = payload.initLarge();
    large.setSize(how & 2 ? 8u * size : uint64_t{size} << (size % 40));
    if (how & 4) large.setSource(Content::capability<rpc::ByteSource>());
  } else {
    payload.initValue().initNodes(1)[0].initText(size * 300u);
  }
  auto externals = payload.initExternals((how >> 3) % 4);
  for (auto external: externals) {
    switch (size++ % 6) {
      case 0: external.setNone(); break;
      case 1: external.setStub(Content::capability<rpc::Target>()); break;
      case 2: external.setService(Content::capability<rpc::Target>()); break;
      case 3: external.setReadable(Content::capability<rpc::Target>()); break;
      case 4: external.setWritable(Content::capability<rpc::Target>()); break;
      case 5: external.setLoader(Content::capability<rpc::Loader>()); break;
    }
    external.initLabel(size);
  }
}

void fillCall(Content& content, capnp::rpc::Call::Builder call, uint8_t which, uint8_t how) {
  auto params = call.initParams();
  switch (which % 6) {
    case 0: {
      call.setInterfaceId(capnp::typeId<rpc::Target>());
      auto target = content.of<rpc::Call>(params);
      target.initPath(1 + how % 66).set(0, how % 2 ? "a" : "ab");
      fillPayload(target.getOperation().initInvoke(), how, which);
      return;
    }
    case 1: {
      call.setInterfaceId(capnp::typeId<rpc::ByteSource>());
      auto read = content.of<rpc::ByteSource::ReadParams>(params);
      read.setOffset(which);
      read.setLength(how * 300u);
      return;
    }
    case 2: {
      call.setInterfaceId(capnp::typeId<rpc::Loader>());
      auto load = content.of<rpc::Loader::LoadParams>(params);
      auto module = load.initCode().initModules(1)[0];
      module.setName("m.js");
      fillPayload(load.getCode().initEnv(), how, which);
      if (how & 128) {
        load.initBulk().setSize(8u * how);
        load.getBulk().setSource(Content::capability<rpc::ByteSource>());
      }
      return;
    }
    case 3:
      call.setInterfaceId(capnp::typeId<rpc::Worker>());
      call.setMethodId(how % 3);
      fillPayload(content.of<rpc::Worker::GetEntrypointParams>(params).initProps(), how, which);
      return;
    case 4:
      call.setInterfaceId(capnp::typeId<rpc::Console>());
      content.of<rpc::Console::WriteParams>(params).initMessages(how >> 5);
      return;
    default: call.setInterfaceId(how);
  }
}

void target(capnp::rpc::MessageTarget::Builder builder, uint8_t a, uint8_t b) {
  if (b & 1) {
    auto answer = builder.initPromisedAnswer();
    answer.setQuestionId(a % 16);
    for (auto step: answer.initTransform(b >> 6)) step.setGetPointerField(b >> 5 & 1);
  } else {
    builder.setImportedCap(a % 8);
  }
}

void capabilities(capnp::rpc::Payload::Builder payload, uint8_t count, uint8_t seed) {
  auto table = payload.initCapTable(count % 8);
  for (auto capability: table) {
    switch (seed++ % 6) {
      case 0: capability.setNone(); break;
      case 1: capability.setSenderHosted(seed); break;
      case 2: capability.setSenderPromise(seed); break;
      case 3: capability.setReceiverHosted(seed % 4); break;
      case 4:
        capability.initReceiverAnswer().setQuestionId(seed % 8);
        capability.getReceiverAnswer().initTransform(1)[0].setGetPointerField(1);
        break;
      case 5: capability.initThirdPartyHosted().setVineId(seed); break;
    }
  }
}

void step(const uint8_t* op, Content& content, Message::Builder message) {
  uint8_t a = op[1], b = op[2], c = op[3], d = op[4];
  switch (op[0] % 12) {
    case 0: message.initBootstrap().setQuestionId(a); break;
    case 1: {
      auto call = message.initCall();
      call.setQuestionId(a);
      target(call.initTarget(), b, c);
      fillCall(content, call, c, d);
      if ((d & 0xf8) == 0xf8) call.getSendResultsTo().setYourself();
      capabilities(call.getParams(), d >> 2, c);
      break;
    }
    case 2: {
      auto ret = message.initReturn();
      ret.setAnswerId(a % 8);
      ret.setReleaseParamCaps(b & 1);
      switch (c % 8) {
        case 0: capabilities(ret.initResults(), d, b); break;
        case 6: {
          auto results = content.of<rpc::Return>(ret.initResults());
          fillPayload(b & 2 ? results.initThrown() : results.initValue(), d, c);
          if (b & 4) results.setPipeline(Content::capability<rpc::Target>());
          results.setDisposable(b & 8);
          capabilities(ret.getResults(), d >> 2, b);
          break;
        }
        case 7: {
          auto ending = content.of<rpc::Return>(ret.initResults()).initEnded();
          ending.setCode(static_cast<rpc::Ending::Code>(d % 16));
          break;
        }
        case 1: ret.initException().setReason("no"); break;
        case 2: ret.setCanceled(); break;
        case 3: ret.setResultsSentElsewhere(); break;
        case 4: ret.setTakeFromOtherQuestion(d); break;
        case 5:
          content.of<rpc::WorkerProcess::GetEntrypointResults>(ret.initResults()).setEntrypoint(Content::capability<rpc::Target>());
          capabilities(ret.getResults(), 1, d);
          break;
      }
      break;
    }
    case 3: {
      auto finish = message.initFinish();
      finish.setQuestionId(a);
      finish.setReleaseResultCaps(b & 1);
      break;
    }
    case 4: {
      auto resolve = message.initResolve();
      resolve.setPromiseId(a);
      switch (b % 4) {
        case 0: resolve.initException(); break;
        case 1: resolve.initCap().setSenderHosted(c); break;
        case 2: resolve.initCap().setReceiverHosted(c % 4); break;
        case 3: resolve.initCap().initReceiverAnswer().setQuestionId(c % 8); break;
      }
      break;
    }
    case 5: {
      auto release = message.initRelease();
      release.setId(a % 4);
      release.setReferenceCount(b);
      break;
    }
    case 6: {
      auto disembargo = message.initDisembargo();
      target(disembargo.initTarget(), a, b);
      if (c & 1) {
        disembargo.getContext().setSenderLoopback(d);
      } else {
        disembargo.getContext().setReceiverLoopback(d);
      }
      break;
    }
    case 7: message.initUnimplemented().initResolve().initCap().setSenderHosted(a); break;
    case 8: message.initAbort().setReason("enough"); break;
    case 9: message.initProvide(); break;
    case 10: message.initAccept(); break;
    case 11: message.initJoin(); break;
  }
}

// One world for all inputs: what an input leaves behind in it is a finding too.
test::ScriptedWorld& world() {
  static auto* world = new test::ScriptedWorld();
  return *world;
}

void turn() {
  world().port().poll();
  kj::Promise<void>(kj::NEVER_DONE).poll(world().port().waitScope());
}

void writeAll(int fd, kj::ArrayPtr<const kj::byte> bytes) {
  while (bytes.size() > 0) {
    ssize_t count = ::send(fd, bytes.begin(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) return;
    if (count > 0) bytes = bytes.slice(count, bytes.size());
    turn();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  kj::AutoCloseFd theirs(fds[1]);
  {
    // Bootstrap, start, getEntrypoint and a call on it are questions; the tools are export 0 and 1, the loader 2.
    auto tools = test::object(tool);
    auto worker = world().loadInto(world().expectStranger(fds[0]), {{"A", tools}, {"B", test::object(tool)}}, true);
    auto called = test::outcome(test::call(worker.entrypoint, "run", {tools})).eagerlyEvaluate(nullptr);
    auto pipelined = test::call(worker.entrypoint, "get");
    auto more = test::outcome(test::call(pipelined.getPipeline(), "more")).eagerlyEvaluate(nullptr);
    for (int i = 0; i < 8; ++i) turn();

    if (data[0] & 1) {
      writeAll(theirs, kj::arrayPtr(data + 1, size - 1));
    } else {
      for (size_t at = 1; at + 5 <= size; at += 5) {
        capnp::MallocMessageBuilder message;
        Content content;
        step(data + at, content, message.initRoot<Message>());
        writeAll(theirs, capnp::messageToFlatArray(message).asBytes());
      }
    }
    for (int i = 0; i < 4; ++i) turn();
  }
  theirs = nullptr;
  // Nobody holds it any more.
  for (int i = 0; i < 1'000 && !world().core().kinship.workers().empty(); ++i) turn();
  KJ_ASSERT(world().core().kinship.workers().empty(), "a worker is left");
  return 0;
}
