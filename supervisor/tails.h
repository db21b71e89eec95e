#pragma once
// The tails of one worker: entrypoints of others that are told of every call on it when that has ended (Cloudflare's tail
// workers). They hear of it after the caller does, and what becomes of that call is nobody's business: it is counted.
//
// What a worker says while no call is under way (after its answer, in what it gave to waitUntil) is told in an event of its
// own, without a call, REST_DELAY after the first word of it or when the worker ends.
//
// Owned by the LoadedWorker and its books; what it is telling somebody it tells to the end, at most for TAIL_TIMEOUT.

#include <kj/async.h>
#include <kj/refcount.h>

#include <vector>

#include "supervisor/account.h"
#include "supervisor/membrane.h"
#include "supervisor/route.h"

namespace glovebox {

class Tails final: public kj::Refcounted {
 public:
  // Holds the targets as the worker of that membrane would.
  Tails(kj::Own<Membrane> membrane, capnp::List<rpc::Target>::Reader targets);
  ~Tails() noexcept(false);

  // The name of the worker, before its first call.
  void setScriptName(kj::StringPtr name) { scriptName_ = kj::str(name); }

  // A run begins that will be reported; so many tails told each other before.
  void expect(uint8_t depth) {
    expected_++;
    depth_ = depth;
  }
  // Once each; its books are closed. What the worker said before its answer may still be on its way through the loop, so it
  // is told a moment later.
  void report(kj::Own<Run> run);

  // Where what is said between runs is kept.
  Said& between();
  // The worker has ended, or is about to: tells what there is of that at once. The targets are let go when all that began has
  // been reported, so that workers which are each other's tails do not keep each other.
  void retire();

 private:
  struct Tail: public kj::Refcounted {
    Route route;
    kj::Maybe<rpc::Target::Client> held;   // once it is known to be another worker's: as this worker's
    kj::Promise<void> settling = nullptr;
    uint32_t underWay = 0;
    bool hasMissed = false;   // an event found no room
    Tail(rpc::Target::Client target, Route::Adopt adopt): route(kj::mv(target), kj::mv(adopt)) {}
  };
  struct Rest {
    Said said;
    kj::Duration startCpu;
    kj::TimePoint start;
    double time;
  };

  kj::Own<Membrane> membrane_;
  kj::String scriptName_;   // empty: the worker has no name
  std::vector<kj::Own<Tail>> tails_;
  kj::Maybe<kj::Own<Rest>> rest_;
  kj::Promise<void> flushing_ = nullptr;
  uint32_t expected_ = 0;
  uint8_t depth_ = 0;
  size_t underWayBytes_ = 0;
  bool isRetired_ = false;

  using MakeEvent = kj::FunctionParam<ValueGraph(bool truncated)>;
  kj::Duration cpuTime();   // of the worker, while there is one
  void flush();
  void letGo();
  void tell(uint8_t depth, MakeEvent makeEvent);
  kj::Promise<void> call(Tail& tail, uint8_t depth, ValueGraph&& arguments);
};

}  // namespace glovebox
