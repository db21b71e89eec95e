#include "ipc/uv-event-port.h"

#include <kj/debug.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

namespace glovebox {

namespace {

// About what a small call takes, and what it costs to be woken from sleep twice (35 to 90 us each on a virtual machine).
constexpr std::chrono::microseconds BUSY_LOOK(250);

// A worker that loads its code before it answers takes 0.3 ms at best, and twice that where caches are cold.
constexpr std::chrono::microseconds FIRST_ANSWER_LOOK(700);

// KJ turns between two looks at the outside world.
constexpr uint KJ_TURNS_MAX = 2'000;

kj::TimePoint currentTime() { return kj::systemPreciseMonotonicClock().now(); }

void check(int result, const char* what) {
  KJ_REQUIRE(result == 0, "libuv refused", what, uv_strerror(result));
}

}  // namespace

UvLoop::UvLoop() { check(uv_loop_init(&loop_), "uv_loop_init"); }

UvLoop::~UvLoop() noexcept(false) {
  // Everything is closing: one turn runs the callbacks.
  uv_run(&loop_, UV_RUN_NOWAIT);
  int result = uv_loop_close(&loop_);
  KJ_ASSERT(result == 0, "handles outlive their uv loop", uv_strerror(result)) { break; }
}

// The handles stand apart because libuv writes to them until their close callbacks have run.
struct UvEventPort::Handles {
  uv_prepare_t prepare;
  uv_idle_t idle;
  uv_timer_t timer;
  int open = 0;

  void close() {
    for (auto handle : {reinterpret_cast<uv_handle_t*>(&prepare), reinterpret_cast<uv_handle_t*>(&idle),
                        reinterpret_cast<uv_handle_t*>(&timer)}) {
      handle->data = this;
      ++open;
      uv_close(handle, [](uv_handle_t* closed) {
        auto self = static_cast<Handles*>(closed->data);
        if (--self->open == 0) delete self;
      });
    }
  }
};

UvEventPort::UvEventPort(uv_loop_t* loop, Role role)
    : loop_(loop), role_(role), handles_(new Handles), timer_(currentTime()), kjLoop_(*this), waitScope_(kjLoop_) {
  check(uv_prepare_init(loop, &handles_->prepare), "uv_prepare_init");
  check(uv_idle_init(loop, &handles_->idle), "uv_idle_init");
  check(uv_timer_init(loop, &handles_->timer), "uv_timer_init");
  handles_->prepare.data = handles_->idle.data = handles_->timer.data = this;
  check(uv_prepare_start(&handles_->prepare, [](uv_prepare_t* handle) {
    static_cast<UvEventPort*>(handle->data)->prepare();
  }), "uv_prepare_start");
  // The prepare callback alone is no reason for a host to stay alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->prepare));
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->timer));
  waitScope_.setBusyPollInterval(KJ_TURNS_MAX);
}

UvEventPort::~UvEventPort() noexcept(false) { handles_->close(); }

bool UvEventPort::wait() {
  turnLibuv(UV_RUN_ONCE);
  return false;
}

bool UvEventPort::poll() {
  turnLibuv(UV_RUN_NOWAIT);
  return false;
}

void UvEventPort::turnLibuv(uv_run_mode mode) {
  KJ_REQUIRE(!insideWait_, "libuv's loop is not re-entrant");
  insideWait_ = true;
  // KJ keeps calling itself runnable while it waits; the idle handle would make libuv spin.
  uv_idle_stop(&handles_->idle);
  // Without this, uv_run would return at once if nothing else is alive, and wait() would spin for ever.
  uv_ref(reinterpret_cast<uv_handle_t*>(&handles_->prepare));
  if (mode == UV_RUN_NOWAIT || expected_ == Expected::NOTHING || !lookBusily()) uv_run(loop_, mode);
  uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->prepare));
  insideWait_ = false;
  advanceTime();
  uv_idle_stop(&handles_->idle);
  if (runnable_) setRunnable(true);
}

BusyLook& UvEventPort::lookFor(Expected expected) {
  switch (expected) {
    case Expected::ANSWER: return answerLook_;
    case Expected::FIRST_ANSWER: return firstAnswerLook_;
    default: return callLook_;
  }
}

template <typename HasCome>
bool UvEventPort::look(HasCome&& hasCome) {
  auto expected = expected_;
  // A call that does not come soon is not awaited any longer.
  if (expected == Expected::CALL) expected_ = Expected::NOTHING;
  return lookFor(expected).look(expected == Expected::FIRST_ANSWER ? FIRST_ANSWER_LOOK : BUSY_LOOK, hasCome);
}

// True if something has come.
bool UvEventPort::lookBusily() {
  return look([this]() {
    uv_run(loop_, UV_RUN_NOWAIT);
    return kjLoop_.isRunnable();
  });
}

void UvEventPort::lookBeforeHostSleeps() {
  if (expected_ == Expected::NOTHING || kjLoop_.isRunnable() || uv_backend_timeout(loop_) == 0) return;
  // uv_run() is not re-entrant, but what it is going to sleep on can be asked. A descriptor that libuv has not yet told the
  // kernel of comes late by this one look.
  pollfd backend{uv_backend_fd(loop_), POLLIN, 0};
  look([&backend]() { return ::poll(&backend, 1, 0) != 0; });
}

void UvEventPort::hold() {
  if (holds_++ == 0) uv_ref(reinterpret_cast<uv_handle_t*>(&handles_->prepare));
}

void UvEventPort::letGo() {
  if (--holds_ == 0) uv_unref(reinterpret_cast<uv_handle_t*>(&handles_->prepare));
}

void UvEventPort::runAtOnce(uint turns) {
  KJ_REQUIRE(!insideWait_ && !insideRun_);
  insideRun_ = true;
  kjLoop_.run(turns);
  insideRun_ = false;
}

void UvEventPort::setRunnable(bool runnable) {
  runnable_ = runnable;
  if (insideWait_) return;
  if (runnable) {
    uv_idle_start(&handles_->idle, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&handles_->idle);
  }
}

kj::Promise<void> UvEventPort::atTime(kj::TimePoint time) {
  // Else a host that has nothing else to do would end before prepare() sees the timer.
  if (!alarmHolds_ && role_ == Role::OWNER) uv_idle_start(&handles_->idle, [](uv_idle_t*) {});
  return timer_.atTime(time);
}

kj::Promise<void> UvEventPort::afterDelay(kj::Duration delay) { return atTime(timer_.now() + delay); }

// Runs before libuv goes to sleep.
void UvEventPort::prepare() {
  if (insideWait_) {
    // A timer may have rung in this very turn. KJ wants its events run after wait(), so do not sleep before.
    if (kjLoop_.isRunnable()) uv_idle_start(&handles_->idle, [](uv_idle_t*) {});
  } else {
    if (insideRun_) return;
    advanceTime();
    runAtOnce(KJ_TURNS_MAX);
    if (!kjLoop_.isRunnable()) uv_idle_stop(&handles_->idle);
  }
  setAlarm();
  if (role_ == Role::GUEST && !insideWait_) lookBeforeHostSleeps();
}

void UvEventPort::setAlarm() {
  auto timerHandle = reinterpret_cast<uv_handle_t*>(&handles_->timer);
  KJ_IF_MAYBE(next, timer_.nextEvent()) {
    if (!alarmHolds_ && role_ == Role::OWNER) {
      uv_ref(timerHandle);
      alarmHolds_ = true;
    }
    KJ_IF_MAYBE(alarm, alarm_) {
      // Too early does no harm: it rings once in vain and is set anew.
      if (*alarm <= *next) return;
    }
    alarm_ = *next;
    auto now = currentTime();
    uint64_t delayMs = *next <= now ? 0 : (*next - now + 1 * kj::MILLISECONDS - 1 * kj::NANOSECONDS) / kj::MILLISECONDS;
    uv_update_time(loop_);   // libuv counts from the start of its turn, we from now
    uv_timer_start(&handles_->timer, [](uv_timer_t* handle) {
      auto self = static_cast<UvEventPort*>(handle->data);
      self->alarm_ = nullptr;
      self->advanceTime();
    }, delayMs, 0);
  } else if (alarmHolds_) {
    uv_unref(timerHandle);
    alarmHolds_ = false;
  }
}

void UvEventPort::advanceTime() { timer_.advanceTo(std::max(currentTime(), timer_.now())); }

// ---------------------------------------------------------------------------------------------------------------------

struct UvFdObserver::Handle {
  uv_poll_t poll;
};

UvFdObserver::UvFdObserver(UvEventPort& port, int fd): handle_(new Handle) {
  int result = uv_poll_init(port.uvLoop(), &handle_->poll, fd);
  if (result != 0) {
    delete handle_;
    check(result, "uv_poll_init");
  }
  handle_->poll.data = this;
  if (port.role() == UvEventPort::Role::GUEST) unref();
}

UvFdObserver::~UvFdObserver() noexcept(false) {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), [](uv_handle_t* closed) {
    delete reinterpret_cast<Handle*>(closed);
  });
}

void UvFdObserver::unref() { uv_unref(reinterpret_cast<uv_handle_t*>(&handle_->poll)); }

kj::Promise<void> UvFdObserver::whenReadable() { return when(UV_READABLE, readable_); }
kj::Promise<void> UvFdObserver::whenWritable() { return when(UV_WRITABLE, writable_); }

kj::Promise<void> UvFdObserver::when(int event, kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>& slot) {
  auto paf = kj::newPromiseAndFulfiller<void>();
  slot = kj::mv(paf.fulfiller);
  if (!(armed_ & event)) arm(armed_ | event);
  return kj::mv(paf.promise);
}

void UvFdObserver::arm(int events) {
  if (events == 0) {
    uv_poll_stop(&handle_->poll);
  } else {
    check(uv_poll_start(&handle_->poll, events, [](uv_poll_t* handle, int status, int events) {
      static_cast<UvFdObserver*>(handle->data)->ready(status, events);
    }), "uv_poll_start");
  }
  armed_ = events;
}

void UvFdObserver::ready(int status, int events) {
  if (status < 0) {
    // libuv has stopped watching. The next read or write says what is wrong.
    armed_ = 0;
    events = UV_READABLE | UV_WRITABLE;
  }
  int unwanted = 0;
  auto tell = [&](int event, kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>& slot) {
    if (!(events & event)) return;
    KJ_IF_MAYBE(fulfiller, slot) {
      auto waiting = kj::mv(*fulfiller);
      slot = nullptr;
      if (waiting->isWaiting()) {
        waiting->fulfill();
        return;
      }
    }
    unwanted |= event;
  };
  tell(UV_READABLE, readable_);
  tell(UV_WRITABLE, writable_);
  if (armed_ & unwanted) arm(armed_ & ~unwanted);
}

}  // namespace glovebox
