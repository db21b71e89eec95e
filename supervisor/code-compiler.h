#pragma once
// Fills the code cache (supervisor/code-cache.h): takes a worker process that has run nothing, has it compile the modules of
// one load, keeps what it gives and kills it.
//
// The process is asked `compile` and nothing else, and is this object's alone from the pool to its death: no load gets it. What
// it answers is hostile, because it has parsed hostile text; it is bounded, counted and stored unread. What it may take of CPU,
// time and memory is bounded too. One at a time, when a load's first call has been answered, and only with a worker that the
// pool has to spare.
//
// Lives in the supervisor's Core.

#include <capnp/message.h>
#include <kj/async.h>
#include <kj/timer.h>

#include <deque>
#include <set>

#include "supervisor/code-cache.h"
#include "supervisor/worker-peer.h"

namespace glovebox {

class CodeCompiler final: private kj::TaskSet::ErrorHandler {
 public:
  // Texts that wait to be compiled, together. More are not remembered: the next load of the same will ask again.
  static constexpr size_t WAITING_BYTES_MAX = 2 * CodeCache::CODE_BYTES_MAX;

  struct Counts {
    uint64_t compiles = 0;   // whose caches were stored
    uint64_t failures = 0;   // did not compile, died, broke a limit or the rules of the wire
    size_t waiting = 0;      // one that is being compiled included
  };

  // All of these outlive it. `memoryMb` is what a process may take.
  CodeCompiler(kj::Timer& timer, WorkerSupply& supply, CodeCache& cache, uint32_t memoryMb);
  KJ_DISALLOW_COPY(CodeCompiler);

  // A load of these modules found nothing in the cache. Whoever is given a fulfiller is to fulfil or drop it when the first
  // call of the load has been answered; a load that is not called counts as answered after a time. Null: it waits already, or
  // there is no room for it.
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> want(const CodeCache::Key& key, capnp::List<rpc::Module>::Reader modules);

  Counts counts() const;

 private:
  // One load's JavaScript, until it is compiled.
  struct Job {
    CodeCache::Key key;
    capnp::MallocMessageBuilder message;   // a WorkerCode with `modules`
    size_t bytes = 0;
    kj::Maybe<ModuleCaches> caches;
  };

  kj::Timer& timer_;
  WorkerSupply& supply_;
  CodeCache& cache_;
  const uint32_t memoryMb_;
  Counts counts_;
  std::set<CodeCache::Key> wanted_;
  size_t wantedBytes_ = 0;
  std::deque<kj::Own<Job>> ready_;
  bool busy_ = false;
  kj::Maybe<kj::Own<WorkerPeer>> process_;   // that compiles now
  kj::TaskSet tasks_;

  void next();
  kj::Promise<void> compile(Job& job, kj::Own<WorkerPeer> process);
  void finished(Job& job);
  void forget(Job& job);
  void drop(kj::Maybe<kj::Own<WorkerPeer>> process);
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox
