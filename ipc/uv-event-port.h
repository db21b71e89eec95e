#pragma once
// KJ's event loop on a libuv loop, libuv being the outer one.
//
// KJ promises run from a uv_prepare callback; a uv_idle handle is active only while there are more of them to run, so a
// quiet loop sleeps. It does not matter who turns libuv: `promise.wait(port.waitScope())` in a main(), which calls
// uv_run() itself, or a host such as Node that is inside uv_run() already. Never wait() inside a callback: uv_run() is
// not re-entrant.
//
// One thread; it is the current KJ loop of that thread from construction to destruction. No signals. All descriptors
// are the caller's. Handles are closed by the destructors, but libuv gives their memory back only in its next turn, so
// whoever owns the uv loop turns it once more before uv_loop_close() (UvLoop below does).

#include <kj/async.h>
#include <kj/timer.h>
#include <uv.h>

#include "ipc/busy-look.h"
#include "ipc/fd-waiter.h"

namespace glovebox {

// A uv loop of one's own, for programs that have no other.
class UvLoop {
 public:
  UvLoop();
  ~UvLoop() noexcept(false);
  KJ_DISALLOW_COPY(UvLoop);
  uv_loop_t* get() { return &loop_; }

 private:
  uv_loop_t loop_;
};

class UvEventPort final: public kj::EventPort, private kj::Timer {
 public:
  // What keeps uv_run() from returning. With an OWNER's port whatever it waits for does, timers and descriptors. A GUEST
  // in a loop that was there before (Node's) must not keep a program from ending: only what can run at once does, and
  // what stands between hold() and letGo().
  enum class Role { OWNER, GUEST };

  // `loop` outlives the port by one turn.
  explicit UvEventPort(uv_loop_t* loop, Role role = Role::OWNER);
  // Every promise made on this port is gone by now.
  ~UvEventPort() noexcept(false);
  KJ_DISALLOW_COPY(UvEventPort);

  kj::WaitScope& waitScope() { return waitScope_; }
  uv_loop_t* uvLoop() { return loop_; }
  Role role() const { return role_; }

  // For a guest. As often the one as the other.
  void hold();
  void letGo();

  // Milliseconds are its grain. A timer that is set and dropped costs libuv nothing: the one uv_timer is looked at once
  // a turn and moved only if it would ring too late.
  kj::Timer& getTimer() { return *this; }

  // What is likely to come next, and soon. wait() then looks for it again and again for a while before it goes to sleep, if
  // that has paid lately for this kind. For when nobody else needs the processor. A guest looks when its host is about to sleep;
  // anything that comes ends the look, so the host misses nothing.
  enum class Expected { NOTHING, ANSWER, FIRST_ANSWER, CALL };   // FIRST_ANSWER: of a worker that has yet to load its code
  void expect(Expected expected) { expected_ = expected; }

  // For a guest that is called in the middle of its host's code. What this code has just caused can be run at once, so that it leaves
  // before the host goes on: `turns` of KJ's events, which must not call the host back. Only if nothing else was to be run before.
  bool isQuiet() { return !insideWait_ && !insideRun_ && !kjLoop_.isRunnable(); }
  void runAtOnce(uint turns);

  bool wait() override;
  bool poll() override;
  void setRunnable(bool runnable) override;

 private:
  struct Handles;

  Expected expected_ = Expected::NOTHING;
  BusyLook answerLook_, firstAnswerLook_, callLook_;
  BusyLook& lookFor(Expected expected);
  template <typename HasCome>
  bool look(HasCome&& hasCome);
  bool lookBusily();
  void lookBeforeHostSleeps();

  uv_loop_t* loop_;
  const Role role_;
  uint holds_ = 0;
  Handles* handles_;          // frees itself when libuv has closed all of it
  kj::TimerImpl timer_;
  bool runnable_ = false;     // what KJ said last
  bool insideWait_ = false;   // wait() or poll() is turning libuv: KJ runs its own events when they return
  bool insideRun_ = false;    // KJ's events are being run, and one of them may be turning libuv against all rules
  kj::Maybe<kj::TimePoint> alarm_;
  bool alarmHolds_ = false;   // the uv_timer keeps the loop alive
  kj::EventLoop kjLoop_;
  kj::WaitScope waitScope_;

  kj::TimePoint now() const override { return timer_.now(); }
  kj::Promise<void> atTime(kj::TimePoint time) override;
  kj::Promise<void> afterDelay(kj::Duration delay) override;

  void turnLibuv(uv_run_mode mode);
  void prepare();
  void setAlarm();
  void advanceTime();
};

// Readiness of one descriptor (a socket, a pidfd, ...). The descriptor is borrowed and closed only after the observer is
// gone. One observer for each descriptor and loop.
class UvFdObserver final: public FdWaiter {
 public:
  UvFdObserver(UvEventPort& port, int fd);
  // Rejects promises that are still waiting.
  ~UvFdObserver() noexcept(false);
  KJ_DISALLOW_COPY(UvFdObserver);

  kj::Promise<void> whenReadable() override;
  kj::Promise<void> whenWritable() override;

  // An idle observer keeps the uv loop alive, unless told not to or its port is a guest's.
  void unref();

 private:
  struct Handle;
  Handle* handle_;            // frees itself when libuv has closed it
  int armed_ = 0;             // what libuv watches for: not taken back until it rings in vain, which saves system calls
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> readable_;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> writable_;

  kj::Promise<void> when(int event, kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>& slot);
  void ready(int status, int events);
  void arm(int events);
};

}  // namespace glovebox
