#pragma once
// What all of one supervisor's parts share. It lives until the last capability that a client holds has gone, so that each
// of them can be answered even while the supervisor shuts down.

#include <linux/filter.h>

#include <vector>

#include <kj/refcount.h>

#include "ipc/trace.h"
#include "policy/cgroups.h"
#include "supervisor/account.h"
#include "supervisor/code-cache.h"
#include "supervisor/code-compiler.h"
#include "supervisor/census.h"
#include "supervisor/journal.h"
#include "supervisor/kinship.h"
#include "supervisor/pool.h"
#include "supervisor/reaper.h"
#include "supervisor/supervisor.h"
#include "supervisor/warmth.h"

namespace glovebox {

class LoaderImpl;

// The clients' loaders, to be recognised when one is handed to a worker.
class Loaders {
 public:
  kj::Maybe<LoaderImpl&> tryFind(capnp::Capability::Client& client);

 private:
  friend class LoaderImpl;
  std::unordered_map<capnp::ClientHook*, LoaderImpl*> loaders_;
};

class Core final: public kj::Refcounted {
 public:
  // Workers come from `supply`, which outlives this, or from the pool.
  Core(UvEventPort& port, Installation installation, SupervisorOptions options, kj::Maybe<WorkerSupply&> supply = nullptr);

  UvEventPort& port;   // outlives everything
  const Installation installation;
  const SupervisorOptions options;
  const std::vector<sock_filter> filter;
  const policy::WorkerCgroups cgroups;   // outlives every worker
  Census census;
  Recent recent;
  kj::Maybe<kj::Own<Journal>> journal;   // once somebody looks
  Reaper reaper;
  Pool pool;
  Kinship kinship;
  CodeCache codeCache;
  CodeCompiler codeCompiler;
  Loaders loaders;
  TraceIds traceIds;
  Warmth warmth;
  bool closing = false;

  WorkerSupply& supply() { return supply_; }

  // The only call in flight, to a worker that has answered before: its answer is what everybody waits for, and is near. When
  // it has ended, the same caller's next call is.
  void noteCallSent(bool workerHasAnswered);
  void noteCallEnded(bool workerHadAnswered);

 private:
  WorkerSupply& supply_;

  PoolOptions poolOptions();
  ZygoteOptions zygoteOptions();
};

}  // namespace glovebox
