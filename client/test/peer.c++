// A supervisor that is none: its entrypoints do with the capabilities in their arguments what a worker might, one way for
// each method, so that the addon's side of it can be tested without one.
//
//   client-test-peer SOCKET
//
// The first external of the arguments is called `it` here.

#include <capnp/message.h>
#include <kj/debug.h>
#include <kj/vector.h>

#include <cstdio>

#include "ipc/connection.h"
#include "ipc/control.capnp.h"
#include "ipc/large-value.h"
#include "ipc/listener.h"
#include "ipc/uv-event-port.h"

namespace glovebox::client {
namespace {

class Peer final: public rpc::Target::Server, private kj::TaskSet::ErrorHandler {
 public:
  explicit Peer(kj::Timer& timer): timer_(timer), tasks_(*this) {}

 protected:
  kj::Promise<void> call(CallContext context) override {
    auto call = context.getParams();
    KJ_REQUIRE(call.getPath().size() == 1);
    kj::StringPtr name = call.getPath()[0];
    auto args = call.getOperation().getInvoke();
    auto it = args.getExternals().size() > 0 ? args.getExternals()[0].getStub() : rpc::Target::Client(nullptr);

    if (name == "call") {         // it.f(...args), and answers as it answers
      auto request = it.callRequest();
      request.initPath(1).set(0, "f");
      request.getOperation().initInvoke().setValue(args.getValue());
      return request.send().then([context](capnp::Response<rpc::Return>&& response) mutable { context.setResults(response); });
    }
    if (name == "read") {         // it.a.b
      auto request = it.callRequest();
      auto path = request.initPath(2);
      path.set(0, "a");
      path.set(1, "b");
      request.getOperation().setGet();
      return request.send().then([context](capnp::Response<rpc::Return>&& response) mutable { context.setResults(response); });
    }
    if (name == "pipeline") {     // it.f().g(), without waiting
      auto request = it.callRequest();
      request.initPath(1).set(0, "f");
      request.getOperation().initInvoke().setValue(args.getValue());
      auto first = request.send();
      auto second = first.getPipeline().callRequest();
      second.initPath(1).set(0, "g");
      second.getOperation().initInvoke().setValue(args.getValue());
      return second.send().then([context](capnp::Response<rpc::Return>&& response) mutable { context.setResults(response); });
    }
    if (name == "keep") {
      kept_.add(kj::mv(it));
      return answer(context);
    }
    if (name == "drop") {
      kept_.clear();
      return answer(context);
    }
    if (name == "inOrder") {      // it.first(a large text), it.second(): the one is pulled, the other inline
      auto large = kj::heap<capnp::MallocMessageBuilder>();
      large->initRoot<rpc::Value>().initNodes(1)[0].setText(kj::str(kj::repeat('x', 1 << 20)));
      auto first = it.callRequest();
      first.initPath(1).set(0, "first");
      offerLarge(kj::mv(large), first.getOperation().initInvoke().initLarge());
      auto second = it.callRequest();
      second.initPath(1).set(0, "second");
      second.getOperation().initInvoke().setValue(args.getValue());
      auto both = kj::heapArrayBuilder<kj::Promise<void>>(2);
      both.add(first.send().ignoreResult());
      both.add(second.send().ignoreResult());
      return kj::joinPromises(both.finish()).then([context]() mutable { return answer(context); });
    }
    if (name == "giveUp") {       // it.f(), not waited for
      auto request = it.callRequest();
      request.initPath(1).set(0, "f");
      request.getOperation().setGet();
      auto sent = kj::heap(request.send().ignoreResult());
      tasks_.add(timer_.afterDelay(20 * kj::MILLISECONDS).attach(kj::mv(sent)));
      return answer(context);
    }
    if (name == "handBack") {     // { value: it, pipeline: it }
      auto results = context.getResults();
      auto payload = results.initValue();
      payload.setValue(args.getValue());
      payload.setExternals(args.getExternals());
      results.setPipeline(it);
      results.setDisposable(true);
      return kj::READY_NOW;
    }
    KJ_FAIL_REQUIRE("no such method", name);
  }

 private:
  kj::Timer& timer_;
  kj::Vector<rpc::Target::Client> kept_;
  kj::TaskSet tasks_;

  static kj::Promise<void> answer(CallContext context) {
    context.getResults().initValue().initValue().initNodes(1)[0].setUndefined();
    return kj::READY_NOW;
  }
  void taskFailed(kj::Exception&& exception) override { KJ_LOG(ERROR, exception); }
};

class FakeWorker final: public rpc::Worker::Server {
 public:
  explicit FakeWorker(kj::Timer& timer): timer_(timer) {}

 protected:
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    context.getResults().setEntrypoint(kj::heap<Peer>(timer_));
    return kj::READY_NOW;
  }

 private:
  kj::Timer& timer_;
};

class FakeLoader final: public rpc::Loader::Server {
 public:
  explicit FakeLoader(kj::Timer& timer): timer_(timer) {}

 protected:
  kj::Promise<void> load(LoadContext context) override {
    context.getResults().setWorker(kj::heap<FakeWorker>(timer_));
    return kj::READY_NOW;
  }

 private:
  kj::Timer& timer_;
};

class FakeSupervisor final: public rpc::Supervisor::Server {
 public:
  explicit FakeSupervisor(kj::Timer& timer): timer_(timer) {}

 protected:
  kj::Promise<void> loader(LoaderContext context) override {
    context.getResults().setLoader(kj::heap<FakeLoader>(timer_));
    return kj::READY_NOW;
  }

 private:
  kj::Timer& timer_;
};

kj::Promise<void> serve(UvEventPort& port, UnixListener& listener, kj::TaskSet& clients) {
  return listener.accept().then([&](kj::AutoCloseFd fd) {
    auto waiter = kj::heap<UvFdObserver>(port, fd.get());
    auto connection = kj::heap<RpcConnection>(RpcConnection::End::SUPERVISOR_OF_CLIENT, kj::mv(fd), kj::mv(waiter),
                                              capnp::Capability::Client(kj::heap<FakeSupervisor>(port.getTimer())));
    auto ended = connection->onDisconnect();
    clients.add(ended.attach(kj::mv(connection)));
    return serve(port, listener, clients);
  });
}

class Ignore final: public kj::TaskSet::ErrorHandler {
  void taskFailed(kj::Exception&&) override {}
};

}  // namespace
}  // namespace glovebox::client

int main(int argc, char** argv) {
  using namespace glovebox;
  KJ_REQUIRE(argc == 2, "expected the path of a socket");
  UvLoop loop;
  UvEventPort port(loop.get());
  client::Ignore ignore;
  kj::TaskSet clients(ignore);
  UnixListener listener(port, argv[1]);
  printf("ready\n");
  fflush(stdout);
  client::serve(port, listener, clients).wait(port.waitScope());
}
