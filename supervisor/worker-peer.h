#pragma once
// What a LoadedWorker needs of a worker process, and where it gets one. WorkerHandle and Pool are the real ones; tests play
// the process themselves.

#include <kj/async.h>
#include <kj/memory.h>
#include <kj/time.h>

#include <sys/types.h>

#include "ipc/worker.capnp.h"
#include "supervisor/outcome.h"

namespace glovebox {

class WorkerPeer {
 public:
  virtual ~WorkerPeer() noexcept(false) = default;

  virtual rpc::WorkerProcess::Client process() = 0;
  virtual pid_t pid() const = 0;

  // CPU time of the process so far. The last value known, once it is gone.
  virtual kj::Duration cpuTime() = 0;
  // What cpuTime() said last: no system call.
  virtual kj::Duration lastCpuTime() const = 0;
  // The most that the process has had resident so far, shared pages included. The last value known, once it is gone.
  virtual uint64_t peakMemoryBytes() = 0;
  // What it has resident now and shares with no file; 0 once it is gone.
  virtual uint64_t memoryBytes() = 0;
  // It has died, though nobody may have said so yet.
  virtual bool isGone() = 0;
  // What it costs the machine (supervisor/process-memory.h); 0 if gone.
  virtual uint64_t privateBytes() = 0;
  // It takes more memory than the limit and the engine's own share allow.
  virtual bool exceedsMemory() = 0;
  virtual uint32_t memoryMb() const = 0;
  virtual void setMemoryLimit(uint32_t memoryMb) = 0;

  // Asks the worker to stop the JavaScript that is running; calls that end by it have ended for `reason`.
  virtual void softStop(Outcome reason) = 0;
  // The reason of the last soft stop, if any.
  virtual kj::Maybe<const Outcome&> lastSoftStop() const = 0;

  // Kills the process. The first reason given is the one that everybody hears.
  virtual void end(Outcome reason) = 0;
  // Reads on its line (ByteSource) that are not answered or that it has not finished with; and when they next become fewer,
  // for one who waits.
  virtual size_t openReads() = 0;
  virtual kj::Promise<void> whenReadFinished() = 0;
  // The same of calls (Target).
  virtual size_t openCalls() = 0;

  // How it ended, once it is dead.
  virtual kj::Promise<Outcome> whenEnded() = 0;
};

class WorkerSupply {
 public:
  virtual ~WorkerSupply() noexcept(false) = default;

  // A warm worker now, or null if there is none at this moment.
  virtual kj::Maybe<kj::Own<WorkerPeer>> tryTake() = 0;
  // A warm worker as soon as there is one. Rejects if none can be made.
  virtual kj::Promise<kj::Own<WorkerPeer>> take() = 0;
  // A warm worker when there is one more than loads are to find ready: never one that a load would have had. Rejects if none
  // can be made.
  virtual kj::Promise<kj::Own<WorkerPeer>> takeSpare() = 0;
  // A call was answered: a good moment for what can wait.
  virtual void noteAnswered() = 0;
};

}  // namespace glovebox
