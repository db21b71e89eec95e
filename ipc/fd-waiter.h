#pragma once
// How a message stream learns that its descriptor can be read or written again. Two implementations: UvFdObserver
// (ipc/uv-event-port.h) on a libuv loop, and the worker's own loop around poll(2), which is all its filter allows.

#include <kj/async.h>

namespace glovebox {

class FdWaiter {
 public:
  virtual ~FdWaiter() noexcept(false) = default;

  // Resolves when the descriptor may be readable (writable): also at end-of-file and on errors, which the next read
  // (write) then reports. Resolving too often is allowed, once too seldom is not: readiness is a level, not an edge.
  // At most one promise of each is under way at a time; dropping it is allowed.
  virtual kj::Promise<void> whenReadable() = 0;
  virtual kj::Promise<void> whenWritable() = 0;
};

}  // namespace glovebox
