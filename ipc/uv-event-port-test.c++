#include "ipc/uv-event-port.h"

#include <gtest/gtest.h>
#include <kj/debug.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace glovebox {
namespace {

struct Pair {
  kj::AutoCloseFd a, b;
  Pair() {
    int fds[2];
    KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
    a = kj::AutoCloseFd(fds[0]);
    b = kj::AutoCloseFd(fds[1]);
  }
};

TEST(UvEventPort, RunsPromisesUnderWait) {
  UvLoop loop;
  UvEventPort port(loop.get());
  EXPECT_EQ(kj::evalLater([]() { return 41; }).then([](int n) { return n + 1; }).wait(port.waitScope()), 42);
}

TEST(UvEventPort, RunsPromisesWhenSomebodyElseTurnsTheLoop) {
  UvLoop loop;
  UvEventPort port(loop.get());
  bool done = false;
  auto promise = kj::evalLater([]() {}).then([&done]() { done = true; }).eagerlyEvaluate(nullptr);
  EXPECT_FALSE(done);
  uv_run(loop.get(), UV_RUN_DEFAULT);  // returns because nothing is left to do
  EXPECT_TRUE(done);
}

TEST(UvEventPort, TimersRingInOrderUnderWait) {
  UvLoop loop;
  UvEventPort port(loop.get());
  auto& timer = port.getTimer();
  kj::Vector<int> order;
  auto late = timer.afterDelay(20 * kj::MILLISECONDS).then([&]() { order.add(2); }).eagerlyEvaluate(nullptr);
  // Set later but due sooner: the alarm has to move.
  auto soon = timer.afterDelay(5 * kj::MILLISECONDS).then([&]() { order.add(1); }).eagerlyEvaluate(nullptr);
  late.wait(port.waitScope());
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(order[0], 1);
  EXPECT_EQ(order[1], 2);
}

TEST(UvEventPort, TimersRingWhenSomebodyElseTurnsTheLoop) {
  UvLoop loop;
  UvEventPort port(loop.get());
  bool rang = false;
  auto start = port.getTimer().now();
  auto promise = port.getTimer().afterDelay(10 * kj::MILLISECONDS).then([&]() { rang = true; }).eagerlyEvaluate(nullptr);
  uv_run(loop.get(), UV_RUN_DEFAULT);
  EXPECT_TRUE(rang);
  EXPECT_GE(port.getTimer().now() - start, 10 * kj::MILLISECONDS);
}

TEST(UvEventPort, DroppedTimerKeepsNobodyAlive) {
  UvLoop loop;
  UvEventPort port(loop.get());
  auto promise = port.getTimer().afterDelay(1 * kj::HOURS);
  port.poll();
  promise = nullptr;
  uv_run(loop.get(), UV_RUN_DEFAULT);
}

TEST(UvEventPort, TimerSetAfterAnEarlierOneWasDroppedStillRings) {
  UvLoop loop;
  UvEventPort port(loop.get());
  for (int i = 0; i < 3; ++i) {
    auto dropped = port.getTimer().afterDelay(1 * kj::MILLISECONDS);
    port.poll();
    dropped = nullptr;
    port.getTimer().afterDelay(3 * kj::MILLISECONDS).wait(port.waitScope());
  }
}

TEST(UvEventPort, AGuestsTimersAndDescriptorsKeepNobodyAlive) {
  UvLoop loop;
  UvEventPort port(loop.get(), UvEventPort::Role::GUEST);
  Pair pair;
  UvFdObserver observer(port, pair.a);
  auto readable = observer.whenReadable();
  auto never = port.getTimer().afterDelay(1 * kj::HOURS);
  bool done = false;
  auto soon = kj::evalLater([&done]() { done = true; }).eagerlyEvaluate(nullptr);
  uv_run(loop.get(), UV_RUN_DEFAULT);
  EXPECT_TRUE(done) << "what could run has run";
}

TEST(UvEventPort, AGuestHoldsTheLoopUntilItLetsGo) {
  UvLoop loop;
  UvEventPort port(loop.get(), UvEventPort::Role::GUEST);
  bool rang = false;
  auto promise = port.getTimer().afterDelay(10 * kj::MILLISECONDS).then([&]() {
    rang = true;
    port.letGo();
  }).eagerlyEvaluate(nullptr);
  port.hold();
  port.hold();
  port.letGo();
  uv_run(loop.get(), UV_RUN_DEFAULT);
  EXPECT_TRUE(rang);
}

TEST(UvEventPort, AGuestThatExpectsSomethingDelaysNobody) {
  UvLoop loop;
  UvEventPort port(loop.get(), UvEventPort::Role::GUEST);
  port.hold();
  port.expect(UvEventPort::Expected::ANSWER);
  // The host's own timer, and a descriptor that libuv has to be told of while the guest looks.
  bool rang = false;
  uv_timer_t timer;
  uv_timer_init(loop.get(), &timer);
  timer.data = &rang;
  uv_timer_start(&timer, [](uv_timer_t* handle) { *static_cast<bool*>(handle->data) = true; }, 2, 0);
  Pair pair;
  UvFdObserver observer(port, pair.a);
  bool read = false;
  auto readable = observer.whenReadable().then([&]() { read = true; }).eagerlyEvaluate(nullptr);
  KJ_SYSCALL(write(pair.b, "x", 1));
  auto start = kj::systemPreciseMonotonicClock().now();
  while (!rang || !read) uv_run(loop.get(), UV_RUN_ONCE);
  EXPECT_LT(kj::systemPreciseMonotonicClock().now() - start, 1 * kj::SECONDS);
  port.letGo();
  uv_close(reinterpret_cast<uv_handle_t*>(&timer), nullptr);
}

TEST(UvEventPort, EndlessPromisesDoNotStarveDescriptors) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  UvFdObserver observer(port, pair.a);
  bool stop = false;
  kj::Function<kj::Promise<void>()> spin = [&]() -> kj::Promise<void> {
    return kj::evalLater([&]() -> kj::Promise<void> { return stop ? kj::Promise<void>(kj::READY_NOW) : spin(); });
  };
  auto spinning = spin().eagerlyEvaluate(nullptr);
  KJ_SYSCALL(write(pair.b, "x", 1));
  observer.whenReadable().wait(port.waitScope());
  stop = true;
  spinning.wait(port.waitScope());
}

TEST(UvFdObserver, TellsReadableAgainAndAgain) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  UvFdObserver observer(port, pair.a);
  for (int i = 0; i < 3; ++i) {
    auto readable = observer.whenReadable();
    EXPECT_FALSE(readable.poll(port.waitScope()));
    KJ_SYSCALL(write(pair.b, "x", 1));
    readable.wait(port.waitScope());
    char byte;
    KJ_SYSCALL(read(pair.a, &byte, 1));
    // Nobody waits, and there is something to read: the observer must fall silent and wake up again.
    KJ_SYSCALL(write(pair.b, "y", 1));
    port.poll();
    port.poll();
    observer.whenReadable().wait(port.waitScope());
    KJ_SYSCALL(read(pair.a, &byte, 1));
  }
}

TEST(UvFdObserver, TellsWritableOnlyWhenThereIsRoom) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  UvFdObserver observer(port, pair.a);
  char block[4096] = {};
  while (write(pair.a, block, sizeof(block)) > 0) {}
  auto writable = observer.whenWritable();
  EXPECT_FALSE(writable.poll(port.waitScope()));
  while (read(pair.b, block, sizeof(block)) > 0) {}
  writable.wait(port.waitScope());
}

TEST(UvFdObserver, TellsHangUp) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  UvFdObserver observer(port, pair.a);
  auto readable = observer.whenReadable();
  pair.b = nullptr;
  readable.wait(port.waitScope());
  char byte;
  EXPECT_EQ(read(pair.a, &byte, 1), 0);
}

TEST(UvFdObserver, WatchesAProcess) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  pid_t pid;
  KJ_SYSCALL(pid = fork());
  if (pid == 0) {
    char byte;
    while (read(pair.b, &byte, 1) < 0) {}
    _exit(7);
  }
  int pidfd;
  KJ_SYSCALL(pidfd = syscall(SYS_pidfd_open, pid, 0));
  kj::AutoCloseFd owned(pidfd);
  {
    UvFdObserver observer(port, owned);
    auto ended = observer.whenReadable();
    EXPECT_FALSE(ended.poll(port.waitScope()));
    KJ_SYSCALL(write(pair.a, "x", 1));
    ended.wait(port.waitScope());
  }
  int status;
  KJ_SYSCALL(waitpid(pid, &status, 0));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(UvFdObserver, DropsItsPromisesWhenItEnds) {
  UvLoop loop;
  UvEventPort port(loop.get());
  Pair pair;
  auto observer = kj::heap<UvFdObserver>(port, pair.a.get());
  auto readable = observer->whenReadable();
  observer = nullptr;
  EXPECT_TRUE(kj::runCatchingExceptions([&]() { readable.wait(port.waitScope()); }) != nullptr);
}

}  // namespace
}  // namespace glovebox
