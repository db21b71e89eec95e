#pragma once
// The books of the calls on one worker: when each began and ended and how, the CPU time and memory of the process by the
// kernel's account, what passed in and out, what the worker used of what it was handed, what it said.
//
// A worker has one thread for all its calls, and what it says of itself is not believed: where calls overlap, each is charged
// what any of them used meanwhile. A call that comes before the worker's modules are evaluated is charged their evaluation.
//
// Every call costs two looks at a clock, one at the process's CPU clock, and a row among the last ones of the supervisor
// (`Recent`). The rest is only kept of calls of which somebody asked for an account, and of all calls where there are tails.

#include <kj/function.h>
#include <kj/memory.h>
#include <kj/refcount.h>
#include <kj/time.h>

#include <sys/types.h>

#include <array>
#include <set>
#include <vector>

#include "ipc/call.capnp.h"
#include "ipc/trace.h"
#include "supervisor/membrane-limits.h"
#include "supervisor/said.h"
#include "supervisor/traffic.h"

namespace glovebox {

class Books;
class Membrane;

// One call on a worker, from its arrival at the supervisor to its end.
class Run {
 public:
  enum class Detail { BRIEF, FULL };

  // `entrypoint`: empty if it is none, or the default one; outlives close().
  Run(Books& books, Detail detail, rpc::Call::Reader call, kj::StringPtr entrypoint);
  ~Run() noexcept(false);
  KJ_DISALLOW_COPY(Run);

  bool isFull() const { return detail_ == Detail::FULL; }
  uint8_t tailDepth() const { return tailDepth_; }

  // Set by whoever knows. Without an outcome the caller gave the call up; without CPU at its start it never reached the worker.
  kj::Maybe<rpc::Ending::Code> outcome;
  kj::Maybe<kj::Duration> startCpu;
  bool beganBeforeStart = false;   // so it is charged the evaluation of the modules
  uint64_t bytesIn = 0;    // of the arguments
  uint64_t bytesOut = 0;   // of the result
  Trace trace;             // with a span of its own

  // Closes the books but for what was said, which is added until it is destroyed. Once.
  void close(kj::Duration cpu, uint64_t peakMemoryBytes);
  bool isClosed() const { return isClosed_; }

  // What the books say, once they are closed.
  struct Use { kj::StringPtr label; ValueExternal::Kind kind; Traffic traffic; };
  rpc::Ending::Code howItEnded() const { return outcome.orDefault(rpc::Ending::Code::CANCELED); }
  double startTime() const { return startTime_; }              // milliseconds since the epoch
  kj::Duration wall() const { return wall_; }
  kj::Duration cpu() const { return cpu_; }
  kj::StringPtr method() const { return method_.data(); }      // the path, dots between its names; "" if the target itself is called
  kj::StringPtr entrypoint() const { return entrypoint_; }
  const Said& said() const { return said_; }
  void write(rpc::Account::Builder account) const;

 private:
  friend class Books;

  static constexpr size_t METHOD_BYTES_MAX = 128;

  kj::Own<Books> books_;
  const Detail detail_;
  const uint8_t tailDepth_;
  kj::StringPtr entrypoint_;
  kj::String ownedEntrypoint_;   // FULL
  std::array<char, METHOD_BYTES_MAX> method_;
  kj::TimePoint start_;
  double startTime_ = 0;
  bool isClosed_ = false;
  kj::Duration wall_ = 0 * kj::SECONDS;
  kj::Duration cpu_ = 0 * kj::SECONDS;
  uint64_t peakMemoryBytes_ = 0;
  std::vector<Traffic> trafficBefore_;
  std::vector<Use> uses_;        // labels are the ledger's
  Said said_;
};

// Of one worker. Kept by the LoadedWorker and by its line and runs, which may outlive it by a moment.
class Books final: public kj::Refcounted {
 public:
  explicit Books(kj::Own<Membrane> membrane);
  ~Books() noexcept(false);

  // What the worker says goes to all runs that are open and FULL.
  void hear(capnp::List<rpc::LogMessage>::Reader logs, capnp::List<rpc::ThrownError>::Reader exceptions);
  // Somebody hears it, now.
  bool listens() const { return !open_.empty() || between_ != nullptr; }

  // Where what is said while there is no such run goes; asked each time. Absent: nowhere.
  using Between = kj::Function<Said&()>;
  void listenBetween(Between between) { between_ = kj::mv(between); }

 private:
  friend class Run;

  kj::Own<Membrane> membrane_;
  std::set<Run*> open_;
  kj::Maybe<Between> between_;
};

// The last runs of all workers, for the status document.
class Recent {
 public:
  struct Row {
    double startTime = 0;
    pid_t pid = 0;
    rpc::Ending::Code outcome = rpc::Ending::Code::OK;
    kj::Duration cpu = 0 * kj::SECONDS, wall = 0 * kj::SECONDS;
    std::array<char, 192> method;   // "Entrypoint.path", cut; may end within a character
  };

  void add(const Run& run, pid_t pid);

  // From the oldest.
  template <typename Func>
  void forEach(Func&& func) const {
    for (size_t i = 0; i < rows_.size(); i++) {
      auto& row = rows_[(next_ + i) % rows_.size()];
      if (row.startTime != 0) func(row);
    }
  }

 private:
  std::array<Row, membrane::STATUS_RECENT_RUNS> rows_;
  size_t next_ = 0;
};

}  // namespace glovebox
