#pragma once
// One loaded worker: code sent to a process of its own, entrypoints into it, and an answer for every call, whatever becomes
// of the process.
//
// Held by the handles that others have of it (supervisor/inward.h); the process dies with the last of them, when nobody
// outside of all workers reaches it any more (supervisor/kinship.h), or when it is revoked.

#include <kj/async.h>
#include <kj/refcount.h>

#include "ipc/control.capnp.h"
#include "supervisor/account.h"
#include "supervisor/background-watch.h"
#include "supervisor/call-watch.h"
#include "supervisor/core.h"
#include "supervisor/lifespan.h"
#include "supervisor/membrane.h"
#include "supervisor/read-gate.h"
#include "supervisor/route.h"
#include "supervisor/subrequests.h"
#include "supervisor/trace-book.h"
#include "supervisor/worker-code.h"

namespace glovebox {

enum class Origin;
class PromisedResult;
class Tails;

class LoadedWorker final: public Kin {
 public:
  using CallContext = capnp::CallContext<rpc::Call, rpc::Return>;

  // Takes a worker and sends it the code; what is given is read before this returns. A code error is kept and answered to
  // every call, and no process is used for it. `modules` are the code's own unless they came another way.
  LoadedWorker(kj::Own<Core> core, WorkerLimits limits, rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules,
               kj::Maybe<rpc::Console::Client> console);
  ~LoadedWorker() noexcept(false);
  KJ_DISALLOW_COPY(LoadedWorker);

  Membrane& membrane() { return *membrane_; }
  const WorkerLimits& limits() const { return limits_; }
  CallLimits callLimits() const { return callLimitsOf(limits_); }

  // A target in the worker itself, without the membrane; props cross it.
  rpc::Target::Client getEntrypoint(rpc::Worker::GetEntrypointParams::Reader params);

  // Runs one call on such a target under the limits. The answer, or the reason why there is none, goes to the context's
  // results, with an account if the call asks for one; dropping the promise gives the call up. `route` and `entrypoint` (a
  // name, or empty) outlive the promise.
  kj::Promise<void> call(Route& route, CallContext context, CallLimits limits, Origin origin, kj::StringPtr entrypoint);

  // One read of a large result, under the worker's limits.
  kj::Promise<void> read(Route& route, uint64_t offset, uint32_t length, rpc::ByteSource::ReadResults::Builder results);

  // The worker is about to call somebody else. False: it is over the limit of a call that it is in; that one ends.
  bool admitSubrequest();

  // Something else that the worker is asked to do: given up when it ends.
  kj::Promise<void> whileAlive(kj::Promise<void> promise);

  // Ends it: calls under way end as revoked, and nothing it does reaches anybody once the promise resolves.
  kj::Promise<void> revoke();
  // The same for another reason, which is what the calls under way hear.
  void stop(Outcome why);
  // The same when nobody is left who would hear of it.
  void abandon() override { stop(revoked()); }

  // It has ended, or is about to: who calls now learns that, and nothing else.
  bool isOver();
  // Its modules failed: it says so to each call and can do nothing else.
  bool hasFailedToStart() const { return codeError_ != nullptr || startFailed_; }
  // Its JavaScript was stopped in the middle of something.
  bool wasStopped() const { return wasStopped_; }
  // Somebody who would live on without it holds something that came out of it.
  bool isNeeded();
  // Resolves when it has ended, for whatever reason.
  kj::Promise<void> whenOver() { return whenEnded().ignoreResult(); }
  // Something that makes it run its code outside of a call: under the limits of one, and given up when it ends.
  kj::Promise<void> whileWatched(kj::Promise<void> promise);
  const Holder& holder() const override { return *membrane_; }
  bool endsWith(const LoadedWorker& other) const override;
  void visitHeld(kj::FunctionParam<void(Kin&)> visit) override;

  // Of a call on it, by what it says itself.
  kj::Maybe<const Trace&> tryFindTrace(rpc::Trace::Reader claim) const;
  void setTrace(rpc::Trace::Reader claim, rpc::Call::Builder to) const;

  // For what it reads of others.
  ReadGate& readGate() { return *readGate_; }

  // It counts as somebody's child until it is gone.
  void setChildSlot(kj::Own<Membrane::ChildSlot> slot);

  // How many tails told each other until it was called: what it does now counts as one more for those whom it calls, because
  // otherwise two workers could tell each other for ever.
  uint8_t tailDepth() const { return tailDepth_; }

  // What it was gotten by, for the status output and its tails.
  void setName(kj::StringPtr name);
  kj::Maybe<kj::StringPtr> name() const { return name_.map([](const kj::String& text) -> kj::StringPtr { return text; }); }

  // For the status output.
  enum class State { STARTING, FAILED, BUSY, IDLE, ENDING };
  State state();
  uint64_t id() const { return id_; }
  kj::Duration age() const;
  kj::Maybe<WorkerPeer&> peer();
  uint32_t callsInFlight() const { return callsInFlight_; }

 private:
  const WorkerLimits limits_;
  kj::Maybe<kj::String> name_;
  const uint64_t id_;
  const kj::TimePoint loadedAt_;
  kj::Own<Membrane> membrane_;
  kj::Own<ReadGate> readGate_;
  kj::Own<Books> books_;
  kj::Maybe<kj::Own<Diary>> diary_;           // if somebody looks
  kj::Maybe<kj::Own<Tails>> tails_;
  kj::Maybe<kj::Own<Membrane::ChildSlot>> childSlot_;
  kj::Maybe<CodeError> codeError_;
  kj::Maybe<kj::Own<WorkerPeer>> worker_;     // once there is one
  kj::Maybe<Outcome> startFailure_;           // or there can be none
  kj::Maybe<Outcome> expired_;                // it was to go before it had come
  uint32_t callsInFlight_ = 0;
  uint8_t tailDepth_ = 0;                     // of the calls under way the highest, or of the last one
  uint64_t callsBegun_ = 0;
  bool isStarted_ = false;
  kj::Duration cpuAtLoad_ = 0 * kj::SECONDS;
  bool hasAnswered_ = false;
  bool startFailed_ = false;
  bool wasStopped_ = false;
  kj::Maybe<Outcome> stopReason_;
  Subrequests subrequests_;
  TraceBook traces_;
  uint64_t stopSerial_ = 0;                   // calls before this were told to stop
  kj::Promise<void> stop_;
  Lifespan lifespan_;
  kj::Maybe<kj::Own<BackgroundWatch>> background_;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> codeMayBeCompiled_;   // once a call has been answered
  kj::Own<kj::PromiseFulfiller<void>> revokedFulfiller_;
  kj::ForkedPromise<void> revoked_;
  kj::Canceler acquiring_;                    // ends with this
  kj::Canceler watched_;                      // whileWatched(): nobody else holds this meanwhile
  kj::ForkedPromise<void> acquired_;          // worker_ or startFailure_ is set
  rpc::WorkerProcess::Client process_;        // queues until then
  kj::ForkedPromise<void> started_;           // the modules are evaluated, or failed to be
  kj::Promise<void> startWatch_;
  kj::Promise<void> deathWatch_;

  LoadedWorker(kj::Own<Core> core, WorkerLimits limits, kj::PromiseFulfillerPair<void> revoked, kj::Maybe<CodeError> codeError);
  void start(rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules, kj::Maybe<rpc::Console::Client> console);
  void adopt(kj::Own<WorkerPeer> worker);
  kj::Promise<Outcome> whenEnded();
  Outcome stopReason() const;
  kj::Promise<void> watch(CallLimits limits, kj::Maybe<Run&> run = nullptr);
  void expire(Outcome outcome);
  kj::Promise<void> serve(Route& route, CallContext context, CallLimits limits, Origin origin, Run& run);
  kj::Promise<void> forward(Route& route, CallContext context, const Manifest& manifest, Origin origin, Run& run);
  void beginTrace(rpc::Trace::Reader from, Run& run);
  kj::Promise<void> writeAccount(CallContext context, Run& run);
  void close(Run& run);
  void retireTails();
  void noteEnded(const Outcome& outcome);
  // There is no answer: the line is lost, there was nothing to call, or the worker broke the wire's rules.
  kj::Promise<void> noAnswer(kj::Exception&& exception, Origin origin, Run& run);
  // The worker broke the wire's rules in an answer.
  kj::Promise<void> mistrust(kj::Exception&& exception);
  // Who answers a call: where a promise of the worker turned out to be something it was handed, somebody else.
  enum class Answerer { WORKER, OTHERS };
  void answer(rpc::Return::Reader from, CallContext& context, PromisedResult& promised, Answerer answerer, Run& run);
  void answerEnding(rpc::Ending::Reader ending, rpc::Return::Builder to, Answerer answerer, Run& run);
  void end(rpc::Return::Builder to, const Outcome& outcome, Run& run);
  void refuse(rpc::Return::Builder to, kj::StringPtr why, Run& run);
};

}  // namespace glovebox
