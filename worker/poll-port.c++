#include "worker/poll-port.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace glovebox {

namespace {

// How late a termination request may be noticed if it arrives between the last look and the system call.
constexpr int SIGNAL_LOOK_MS = 50;
constexpr double WAIT_MS_MAX = 3'600'000;
constexpr std::chrono::microseconds CALL_LOOK(100), ANSWER_LOOK(250);

// Messages come in this many pieces until a worker has been warmed, started, and called once, and answers were taken.
constexpr int ONE_CALL_MESSAGES = 6;

void fulfill(kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>& slot) {
  KJ_IF_MAYBE(fulfiller, slot) {
    auto own = kj::mv(*fulfiller);
    slot = nullptr;
    own->fulfill();
  }
}

}  // namespace

// KJ calls this only when its queue is empty.
bool PollPort::wait() {
  if (client_.drained()) return false;
  // While calls are pending, a first look without waiting tells whether more has arrived.
  bool pending = client_.pending();
  if (!pending && lookForCall()) {
    client_.wake();
    return false;
  }
  if (!pending || (!pollOnce(0) && !client_.quiet() && !lookForAnswer())) {
    double ms = client_.msUntilWake();
    int timeout = ms < 0 ? -1 : int(std::ceil(std::min(ms, WAIT_MS_MAX)));
    if (pending && (timeout < 0 || timeout > SIGNAL_LOOK_MS)) timeout = SIGNAL_LOOK_MS;
    pollOnce(timeout);
  }
  client_.wake();
  return false;
}

// A caller that makes call after call is back before this processor has gone to sleep and been woken again. One that has
// called but once will more often not come back at all.
bool PollPort::lookForCall() {
  if (!std::exchange(heard_, false)) return false;
  if (messages_ <= ONE_CALL_MESSAGES) {
    messages_++;
    return false;
  }
  return callLook_.look(CALL_LOOK, [this]() { return pollOnce(0); });
}

// A timer of the code's is late by this at most.
bool PollPort::lookForAnswer() {
  return client_.expectsAnswer() && answerLook_.look(ANSWER_LOOK, [this]() { return pollOnce(0); });
}

bool PollPort::poll() {
  pollOnce(0);
  client_.wake();
  return false;
}

bool PollPort::pollOnce(int timeoutMs) {
  pollfd entry{fd_, 0, 0};
  if (readable_ != nullptr) entry.events |= POLLIN;
  if (writable_ != nullptr) entry.events |= POLLOUT;
  // Interrupted by a signal: as if time was up; the caller looks again.
  if (::poll(&entry, 1, timeoutMs) <= 0) return false;
  heard_ = true;
  if (entry.revents & ~POLLOUT) fulfill(readable_);
  if (entry.revents & ~POLLIN) fulfill(writable_);
  return true;
}

kj::Promise<void> PollPort::whenReadable() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  readable_ = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

kj::Promise<void> PollPort::whenWritable() {
  auto paf = kj::newPromiseAndFulfiller<void>();
  writable_ = kj::mv(paf.fulfiller);
  return kj::mv(paf.promise);
}

}  // namespace glovebox
