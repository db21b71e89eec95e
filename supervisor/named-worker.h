#pragma once
// A worker by a name (Loader.get), which is made when a call needs it and there is none: not yet, or not any more, because it
// died, failed to start, was aborted, or was evicted. What others hold of it are capabilities of the name and survive all that:
// the Worker that `get` returns, and its entrypoints. What comes out of a call is the worker's own, and ends with it.
//
// Calls that come while it is being made wait here, in order. A call that was under way when the worker ended is never
// repeated. Owned by the table of its loader (supervisor/named-workers.h) and by those capabilities.

#include <kj/async.h>
#include <kj/one-of.h>
#include <kj/refcount.h>

#include <deque>
#include <set>
#include <vector>

#include "ipc/control.capnp.h"
#include "supervisor/kinship.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/warmth.h"

namespace glovebox {

class NamedEntry;
class NamedWorkers;

// How the workers of one loader are made.
class WorkerMaker: public kj::Refcounted {
 public:
  struct Made {
    kj::Own<LoadedWorker> worker;
    uint32_t idleMs;   // what was asked for; 0: nothing
  };
  // Asks for the code and loads it; `expectedBytes` is what the worker had the last time, or 0. Rejects with the words for those
  // who wait.
  virtual kj::Promise<Made> make(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console, uint64_t expectedBytes) = 0;
  // The worker that was handed the loader; null: a client's.
  virtual kj::Maybe<Membrane&> owner() const { return nullptr; }
};

class NamedWorker final: public Kin, public WarmWorker {
 public:
  NamedWorker(NamedWorkers& table, kj::Own<Core> core, kj::StringPtr name, kj::Own<WorkerMaker> maker);
  ~NamedWorker() noexcept(false);
  KJ_DISALLOW_COPY(NamedWorker);

  kj::StringPtr name() const { return name_; }

  // For the capabilities of it. `factory` and `console` from the latest who asked for it; begins to make it if there is none.
  void want(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console);
  rpc::Worker::Client stub(kj::Maybe<Holder&> holder);

  // Calls under way, and those that wait, end with that.
  void abort(Outcome why);
  // The same, for good: every later call ends as `revoked`.
  void revoke();
  // Its loader is gone; it goes on for those who hold it.
  void leaveTable() { table_ = nullptr; }
  // It cannot be made again, because those who would are gone.
  void orphan();

  bool isUsed() const { return handles_ > 0 || live_ != nullptr || isMaking_; }
  void describe(rpc::Loader::NamedWorker::Builder to);
  kj::TimePoint lastUse() const { return lastUse_; }
  // It may be evicted now.
  bool isIdle() override;
  void evict(Outcome why) override;
  uint64_t measure() override;

  const Holder& holder() const override { return *holder_; }
  bool endsWith(const LoadedWorker& worker) const override;
  void visitHeld(kj::FunctionParam<void(Kin&)> visit) override;
  void abandon() override;

 private:
  friend class NamedEntry;
  friend class NamedHandle;

  // One that was made.
  struct Incarnation: public kj::Refcounted {
    explicit Incarnation(kj::Own<LoadedWorker> worker): worker(kj::mv(worker)) {}
    kj::Own<LoadedWorker> worker;
    uint32_t calls = 0;   // by the name; others are held by what they are made on
  };
  struct Failure {
    kj::Exception why;
  };
  // What a call that waited gets.
  using Awaited = kj::OneOf<kj::Own<Incarnation>, Outcome, Failure>;

  kj::Maybe<NamedWorkers&> table_;
  const kj::String name_;
  kj::Own<WorkerMaker> maker_;
  kj::Own<Holder> holder_ = kj::refcounted<Holder>();   // of what entrypoints' props refer to
  uint32_t handles_ = 0;
  std::set<NamedEntry*> entries_;
  kj::Maybe<rpc::WorkerFactory::Client> factory_;       // while somebody has a capability of it
  kj::Maybe<rpc::Console::Client> console_;
  uint64_t wants_ = 0;                                  // how often it was asked for
  bool revoked_ = false;

  kj::Maybe<kj::Own<Incarnation>> live_;
  kj::Maybe<kj::Own<Warmth::Place>> place_;
  std::vector<kj::Own<Incarnation>> retired_;           // with calls under way
  uint64_t bytes_ = 0;                                  // of the last one
  kj::TimePoint lastUse_;
  bool isMaking_ = false;
  kj::Promise<void> making_ = nullptr;
  kj::Promise<void> deathWatch_ = nullptr;
  std::deque<kj::Own<kj::PromiseFulfiller<Awaited>>> waiting_;
  uint32_t awaiting_ = 0;                               // calls; some of them have what they waited for, but not run

  // One that calls may be given to.
  kj::Maybe<Incarnation&> tryGetLive();
  kj::Promise<Awaited> whenLive();
  void make(rpc::WorkerFactory::Client factory);
  kj::Promise<void> tryMake(rpc::WorkerFactory::Client factory);
  void adopt(WorkerMaker::Made made);
  void tellWaiting(kj::Function<Awaited()> what);
  void noteCallEnded();
  // It is not used for calls any more.
  void letGo();
  void noteUnheld();
};

}  // namespace glovebox
