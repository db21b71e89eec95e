#pragma once
// A program that shuts itself in, started with a line to it: the process and how it ended. It ends with this object.

#include <kj/async.h>
#include <kj/io.h>

#include "ipc/uv-event-port.h"

namespace glovebox::gateway {

class JailedProcess {
 public:
  // Started with one end of a Unix stream socket as descriptor 3 and `more` from 4 on. `port` outlives this.
  JailedProcess(UvEventPort& port, kj::ArrayPtr<const kj::String> command, kj::ArrayPtr<const int> more = nullptr);
  ~JailedProcess() noexcept(false);
  KJ_DISALLOW_COPY(JailedProcess);

  // Our end of the line. Once.
  kj::AutoCloseFd takeLine() { return kj::mv(line_); }

  // Nothing if it has ended.
  void signal(int number);

  // The exit code, or minus the number of the signal.
  kj::Promise<int> whenEnded() { return ended_.addBranch(); }

 private:
  kj::AutoCloseFd line_;
  kj::AutoCloseFd pidfd_;
  kj::Own<UvFdObserver> exit_;
  bool reaped_ = false;
  kj::ForkedPromise<int> ended_;

  int reap();
};

}  // namespace glovebox::gateway
