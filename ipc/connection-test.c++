// An honest worker on the guarded line, under load: it must never trip the guard, and the guard's books must be empty
// when everything is over.

#include "ipc/connection.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <sys/socket.h>

#include <string>

#include "ipc/uv-event-port.h"
#include "ipc/wire-limits.h"
#include "ipc/worker.capnp.h"

namespace glovebox {
namespace {

class HonestSource final: public rpc::ByteSource::Server {
 public:
  explicit HonestSource(size_t size): size_(size) {}
  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    size_t left = params.getOffset() < size_ ? size_ - params.getOffset() : 0;
    context.getResults().initBytes(kj::min(left, params.getLength()));
    return kj::READY_NOW;
  }

 private:
  size_t size_;
};

class HonestTarget final: public rpc::Target::Server {
 public:
  HonestTarget(rpc::Console::Client console, kj::Timer& timer): console_(kj::mv(console)), timer_(timer) {}

  kj::Promise<void> call(CallContext context) override {
    auto name = kj::str(context.getParams().getPath()[0]);
    if (name == "small") {
      context.getResults().initValue().initValue().initNodes(1)[0].setNumber(42);
    } else if (name == "inline") {
      context.getResults().initValue().initValue().initNodes(1)[0].initText(wire::INLINE_BYTES - 100);
    } else if (name == "large") {
      auto large = context.getResults().initValue().initLarge();
      large.setSize(1 << 20);
      large.setSource(kj::heap<HonestSource>(1 << 20));
    } else if (name == "later") {
      return timer_.afterDelay(1 * kj::MILLISECONDS).then([context]() mutable {
        context.getResults().initValue().initValue().initNodes(1)[0].setNumber(43);
      });
    } else if (name == "log") {
      ++unlogged_;
      if (!logging_) log();
      context.getResults().initValue().initValue().initNodes(1)[0].setNumber(44);
    } else {
      KJ_FAIL_REQUIRE("no such method");
    }
    return kj::READY_NOW;
  }

 private:
  rpc::Console::Client console_;
  kj::Timer& timer_;
  uint unlogged_ = 0;
  bool logging_ = false;
  kj::Promise<void> logTask_ = nullptr;

  // One write at a time.
  void log() {
    logging_ = true;
    auto request = console_.writeRequest();
    for (auto message: request.initMessages(kj::min(unlogged_, 100u))) {
      message.setText("hello");
      --unlogged_;
    }
    logTask_ = request.send().ignoreResult().then([this]() {
      logging_ = false;
      if (unlogged_ > 0) nextLog_ = kj::evalLater([this]() { log(); }).eagerlyEvaluate(nullptr);
    }).eagerlyEvaluate(nullptr);
  }
  kj::Promise<void> nextLog_ = nullptr;
};

class HonestWorker final: public rpc::WorkerProcess::Server {
 public:
  explicit HonestWorker(kj::Timer& timer): timer_(timer) {}
  kj::Promise<void> warm(WarmContext) override { return kj::READY_NOW; }
  kj::Promise<void> start(StartContext context) override {
    console_ = context.getParams().getConsole();
    return kj::READY_NOW;
  }
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    rpc::Target::Client target = kj::heap<HonestTarget>(console_, timer_);
    // As a promise, which makes the worker send a Resolve.
    if (context.getParams().getName() == "promised") {
      target = timer_.afterDelay(2 * kj::MILLISECONDS).then([target]() mutable { return target; });
    }
    context.getResults().setEntrypoint(target);
    return kj::READY_NOW;
  }

 private:
  kj::Timer& timer_;
  rpc::Console::Client console_ = nullptr;
};

class CountingConsole final: public rpc::Console::Server {
 public:
  explicit CountingConsole(uint& count): count_(count) {}
  kj::Promise<void> write(WriteContext context) override {
    count_ += context.getParams().getMessages().size();
    return kj::READY_NOW;
  }

 private:
  uint& count_;
};

class Connection: public testing::Test {
 protected:
  UvLoop loop;
  UvEventPort port{loop.get()};
  std::string violation;
  kj::Own<RpcConnection> worker, supervisor;
  uint logged = 0;

  Connection() {
    int fds[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    worker = connect(RpcConnection::End::WORKER, fds[0], rpc::WorkerProcess::Client(kj::heap<HonestWorker>(port.getTimer())));
    supervisor = kj::heap<RpcConnection>(
        RpcConnection::End::SUPERVISOR_OF_WORKER, kj::AutoCloseFd(fds[1]), kj::heap<UvFdObserver>(port, fds[1]), nullptr,
        kj::Function<void(const kj::Exception&)>([this](const kj::Exception& e) { violation = e.getDescription().cStr(); }));
  }
  ~Connection() noexcept override {}

  kj::Own<RpcConnection> connect(RpcConnection::End end, int fd, kj::Maybe<rpc::WorkerProcess::Client> bootstrap) {
    kj::Maybe<capnp::Capability::Client> served;
    KJ_IF_MAYBE(client, bootstrap) served = capnp::Capability::Client(*client);
    return kj::heap<RpcConnection>(end, kj::AutoCloseFd(fd), kj::heap<UvFdObserver>(port, fd), kj::mv(served));
  }
  rpc::Target::Client start(kj::StringPtr entrypoint, size_t codeBytes = 100) {
    auto process = supervisor->bootstrap<rpc::WorkerProcess>();
    auto request = process.startRequest();
    auto module = request.initCode().initModules(1)[0];
    module.setName("main.js");
    module.initJs(codeBytes);
    request.setConsole(kj::heap<CountingConsole>(logged));
    auto started = request.send();
    auto get = process.getEntrypointRequest();
    get.setName(entrypoint);
    auto target = get.send().getEntrypoint();
    started.wait(port.waitScope());
    return target;
  }
  static auto call(rpc::Target::Client& target, kj::StringPtr method) {
    auto request = target.callRequest();
    request.initPath(1).set(0, method);
    request.initOperation().initInvoke().initValue().initNodes(1)[0].setUndefined();
    return request.send();
  }
  GuardStream::Counts counts() { return KJ_ASSERT_NONNULL(supervisor->guard()).counts(); }
  void settle() {
    for (int i = 0; i < 20; ++i) port.getTimer().afterDelay(1 * kj::MILLISECONDS).wait(port.waitScope());
  }
};

TEST_F(Connection, HonestWorkerUnderLoadNeverTripsTheGuard) {
  {
    auto target = start("promised");
    auto other = start("");
    kj::StringPtr methods[] = {"small", "inline", "large", "later", "log", "no such"};
    uint finished = 0;
    for (int round = 0; round < 8; ++round) {
      kj::Vector<kj::Promise<void>> calls;
      for (uint i = 0; i < guard::IN_FLIGHT_CALLS_MAX; ++i) {
        auto promise = call(i % 2 ? target : other, methods[i % 6]);
        if (i % 7 == 0) continue;   // dropped at once: Finish before Return
        calls.add(promise.then([&finished](capnp::Response<rpc::Return> result) -> kj::Promise<void> {
          ++finished;
          if (!result.getValue().isLarge()) return kj::READY_NOW;
          auto read = result.getValue().getLarge().getSource().readRequest();
          read.setLength(wire::CHUNK_BYTES);
          return read.send().then([](auto chunk) { EXPECT_EQ(chunk.getBytes().size(), wire::CHUNK_BYTES); });
        }, [&finished](kj::Exception&& e) -> kj::Promise<void> {
          ++finished;
          EXPECT_NE(std::string(e.getDescription().cStr()).find("no such method"), std::string::npos);
          return kj::READY_NOW;
        }).eagerlyEvaluate(nullptr));
      }
      kj::joinPromises(calls.releaseAsArray()).wait(port.waitScope());
    }
    EXPECT_EQ(violation, "");
    EXPECT_GT(finished, 6000u);
    EXPECT_GT(logged, 500u);
  }
  settle();
  // What is left: the console that the worker keeps.
  auto left = counts();
  EXPECT_EQ(left.workerQuestions, 0u);
  EXPECT_EQ(left.ourQuestions, 0u);
  EXPECT_LE(left.workerExports, 1u);
  EXPECT_LE(left.ourExports, 1u);
  EXPECT_EQ(left.questionBytes, 0u);
  EXPECT_EQ(left.answerBytes, 0u);
}

TEST_F(Connection, SixtyMegabytesOfCodeFitThrough) {
  auto target = start("", 64'000'000);
  EXPECT_EQ(call(target, "small").wait(port.waitScope()).getValue().getValue().getNodes()[0].getNumber(), 42);
  EXPECT_EQ(violation, "");
}

TEST_F(Connection, CallsFailAsDisconnectedWhenTheWorkerGoes) {
  auto target = start("");
  auto pending = call(target, "later");
  EXPECT_FALSE(pending.poll(port.waitScope()));
  worker = nullptr;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { pending.wait(port.waitScope()); })) {
    EXPECT_EQ(exception->getType(), kj::Exception::Type::DISCONNECTED);
  } else {
    ADD_FAILURE() << "the call came back";
  }
  supervisor->onDisconnect().wait(port.waitScope());
  EXPECT_EQ(violation, "");   // dying is not a crime
}

TEST_F(Connection, ResultAboveTheMessageLimitIsAViolation) {
  class Boaster final: public rpc::WorkerProcess::Server {
    kj::Promise<void> getEntrypoint(GetEntrypointContext context) override { return kj::READY_NOW; }
    kj::Promise<void> start(StartContext context) override { KJ_FAIL_REQUIRE(kj::heapString(100'000)); }
  };
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
  worker = connect(RpcConnection::End::WORKER, fds[0], rpc::WorkerProcess::Client(kj::heap<Boaster>()));
  supervisor = kj::heap<RpcConnection>(
      RpcConnection::End::SUPERVISOR_OF_WORKER, kj::AutoCloseFd(fds[1]), kj::heap<UvFdObserver>(port, fds[1]), nullptr,
      kj::Function<void(const kj::Exception&)>([this](const kj::Exception& e) { violation = e.getDescription().cStr(); }));
  auto request = supervisor->bootstrap<rpc::WorkerProcess>().startRequest();
  EXPECT_TRUE(kj::runCatchingExceptions([&]() { request.send().wait(port.waitScope()); }) != nullptr);
  EXPECT_NE(violation.find("expected at most 98304"), std::string::npos) << violation;
}

TEST_F(Connection, ClientAndSupervisorTalkWithoutAGuard) {
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  auto server = connect(RpcConnection::End::SUPERVISOR_OF_CLIENT, fds[0], rpc::WorkerProcess::Client(kj::heap<HonestWorker>(port.getTimer())));
  auto client = connect(RpcConnection::End::CLIENT, fds[1], nullptr);
  EXPECT_TRUE(server->guard() == nullptr);
  client->bootstrap<rpc::WorkerProcess>().warmRequest().send().wait(port.waitScope());
}

}  // namespace
}  // namespace glovebox
