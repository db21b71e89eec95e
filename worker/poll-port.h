#pragma once
// KJ's event loop around poll(2) on one descriptor: all that a worker's filter allows. Also the FdWaiter of that
// descriptor. One thread, no timers of KJ's own: JavaScript's timers are asked for by LoopClient.

#include <kj/async.h>

#include "ipc/busy-look.h"
#include "ipc/fd-waiter.h"

namespace glovebox {

// Whoever has something to do besides answering the socket.
class LoopClient {
 public:
  // The loop has run everything it had, what is written at the end of a turn included. True if that released more.
  virtual bool drained() = 0;
  // While something is pending, the two functions below matter.
  virtual bool pending() = 0;
  // The code has called somebody and is to be answered.
  virtual bool expectsAnswer() = 0;
  // Nothing has arrived and nothing is left to run. True if that made new work.
  virtual bool quiet() = 0;
  // Milliseconds until wake() has something to do; negative: nothing to wait for.
  virtual double msUntilWake() = 0;
  // After each wait, whatever ended it: a message, a signal, time.
  virtual void wake() = 0;

 protected:
  ~LoopClient() = default;
};

class PollPort final: public kj::EventPort, public FdWaiter {
 public:
  PollPort(int fd, LoopClient& client): fd_(fd), client_(client) {}
  KJ_DISALLOW_COPY(PollPort);

  bool wait() override;
  bool poll() override;

  kj::Promise<void> whenReadable() override;
  kj::Promise<void> whenWritable() override;

 private:
  using Fulfiller = kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>>;

  int fd_;
  LoopClient& client_;
  Fulfiller readable_, writable_;
  bool heard_ = false;   // since the last wait
  int messages_ = 0;     // up to ONE_CALL_MESSAGES
  BusyLook callLook_, answerLook_;

  bool pollOnce(int timeoutMs);
  bool lookForCall();
  bool lookForAnswer();
};

}  // namespace glovebox
