// The supervisor's end of a worker's line (stream, guard, RpcSystem) against bytes of the fuzzer's choosing. The first
// byte picks how the rest is read: as raw bytes on the wire, or as a program of five-byte steps, each of which is a
// well-formed RPC message with fields from the input, so that the fuzzer gets past the framing.
//
// Nothing may crash, leak or hang; whether the line survives is not the question here.

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "ipc/connection.h"
#include "ipc/uv-event-port.h"
#include "ipc/worker.capnp.h"

using namespace glovebox;
using capnp::rpc::Message;

namespace {

class FuzzConsole final: public rpc::Console::Server {
  kj::Promise<void> write(WriteContext context) override {
    // Half of them are held.
    if (context.getParams().getMessages().size() % 2 == 1) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }
};

void target(capnp::rpc::MessageTarget::Builder builder, uint8_t a, uint8_t b) {
  if (b & 1) {
    auto answer = builder.initPromisedAnswer();
    answer.setQuestionId(a);
    answer.initTransform(b >> 6);
  } else {
    builder.setImportedCap(a);
  }
}

void capabilities(capnp::rpc::Payload::Builder payload, uint8_t count, uint8_t seed) {
  auto table = payload.initCapTable(count % 20);
  for (auto capability: table) {
    switch (seed++ % 6) {
      case 0: capability.setNone(); break;
      case 1: capability.setSenderHosted(seed); break;
      case 2: capability.setSenderPromise(seed); break;
      case 3: capability.setReceiverHosted(seed % 4); break;
      case 4: capability.initReceiverAnswer().setQuestionId(seed % 8); break;
      case 5: capability.initThirdPartyHosted().setVineId(seed); break;
    }
  }
}

void step(const uint8_t* op, Message::Builder message) {
  uint8_t a = op[1], b = op[2], c = op[3], d = op[4];
  switch (op[0] % 12) {
    case 0: message.initBootstrap().setQuestionId(a); break;
    case 1: {
      auto call = message.initCall();
      call.setQuestionId(a);
      target(call.initTarget(), b, c);
      call.setInterfaceId(d & 1 ? capnp::typeId<rpc::Console>() : d);
      if (d & 128) call.getSendResultsTo().setYourself();
      capabilities(call.initParams(), d >> 2, c);
      call.getParams().getContent().initAs<rpc::Console::WriteParams>().initMessages(d >> 5);
      break;
    }
    case 2: {
      auto ret = message.initReturn();
      ret.setAnswerId(a % 8);
      ret.setReleaseParamCaps(b & 1);
      switch (c % 6) {
        case 0: capabilities(ret.initResults(), d, b); break;
        case 1: ret.initException().setReason("no"); break;
        case 2: ret.setCanceled(); break;
        case 3: ret.setResultsSentElsewhere(); break;
        case 4: ret.setTakeFromOtherQuestion(d); break;
        case 5:
          capabilities(ret.initResults(), 1, d);
          ret.getResults().getContent().initAs<rpc::WorkerProcess::GetEntrypointResults>();
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
      if (b & 1) {
        resolve.initException();
      } else {
        resolve.initCap().setSenderHosted(c);
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

void writeAll(int fd, UvEventPort& port, kj::ArrayPtr<const kj::byte> bytes) {
  while (bytes.size() > 0) {
    ssize_t count = ::send(fd, bytes.begin(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) return;
    if (count > 0) bytes = bytes.slice(count, bytes.size());
    port.poll();
    kj::Promise<void>(kj::NEVER_DONE).poll(port.waitScope());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  kj::AutoCloseFd ours(fds[0]), theirs(fds[1]);

  UvLoop loop;
  UvEventPort port(loop.get());
  {
    RpcConnection connection(RpcConnection::End::SUPERVISOR_OF_WORKER, kj::mv(ours), kj::heap<UvFdObserver>(port, fds[0]),
                             nullptr);
    // Questions 0 to 3 are open, and the worker holds the console.
    auto process = connection.bootstrap<rpc::WorkerProcess>();
    auto start = process.startRequest();
    start.setConsole(kj::heap<FuzzConsole>());
    auto started = start.send();
    auto entrypoint = process.getEntrypointRequest().send().getEntrypoint();
    auto called = entrypoint.callRequest().send();
    kj::Promise<void>(kj::NEVER_DONE).poll(port.waitScope());

    if (data[0] & 1) {
      writeAll(theirs, port, kj::arrayPtr(data + 1, size - 1));
    } else {
      for (size_t at = 1; at + 5 <= size; at += 5) {
        capnp::MallocMessageBuilder message;
        step(data + at, message.initRoot<Message>());
        writeAll(theirs, port, capnp::messageToFlatArray(message).asBytes());
      }
    }
    theirs = nullptr;
    for (int i = 0; i < 4; ++i) {
      port.poll();
      kj::Promise<void>(kj::NEVER_DONE).poll(port.waitScope());
    }
  }
  return 0;
}
