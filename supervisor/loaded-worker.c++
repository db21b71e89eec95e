#include "supervisor/loaded-worker.h"

#include <algorithm>

#include <kj/debug.h>

#include "ipc/limits-message.h"
#include "ipc/uv-event-port.h"
#include "ipc/wire-limits.h"
#include "supervisor/console-membrane.h"
#include "supervisor/inward.h"
#include "supervisor/journal.h"
#include "supervisor/promised-result.h"
#include "supervisor/tails.h"
#include "supervisor/thrown.h"

namespace glovebox {

namespace {

// What a process that was killed took is known when it is reaped. It is late only where it cannot die.
constexpr kj::Duration REAP_TIMEOUT = 1 * kj::SECONDS;

}  // namespace

LoadedWorker::LoadedWorker(kj::Own<Core> core, WorkerLimits limits, rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules,
                           kj::Maybe<rpc::Console::Client> console)
    : LoadedWorker(kj::mv(core), limits, kj::newPromiseAndFulfiller<void>(), tryFindCodeError(code, modules)) {
  if (codeError_ == nullptr) start(code, modules, kj::mv(console));
}

LoadedWorker::LoadedWorker(kj::Own<Core> core, WorkerLimits limits, kj::PromiseFulfillerPair<void> revoked, kj::Maybe<CodeError> codeError)
    : Kin(kj::mv(core)),
      limits_(limits),
      id_(core_->kinship.nextId_++),
      loadedAt_(core_->port.getTimer().now()),
      membrane_(kj::refcounted<Membrane>(kj::addRef(*core_), *this, limits.capabilities)),
      readGate_(kj::refcounted<ReadGate>()),
      books_(kj::refcounted<Books>(kj::addRef(*membrane_))),
      codeError_(kj::mv(codeError)),
      stop_(kj::READY_NOW),
      lifespan_(core_->port.getTimer(), limits.idleMs, limits.lifetimeMs, [this](Outcome outcome) { expire(kj::mv(outcome)); }),
      revokedFulfiller_(kj::mv(revoked.fulfiller)),
      revoked_(revoked.promise.fork()),
      acquired_(nullptr),
      process_(nullptr),
      started_(nullptr),
      startWatch_(kj::READY_NOW),
      deathWatch_(kj::READY_NOW) {
  core_->kinship.workers_[id_] = this;
  membrane_->setLabel(kj::str('#', id_));
  KJ_IF_MAYBE(journal, core_->journal) diary_ = (*journal)->begin(id_);
  core_->census.loads++;
  core_->census.liveWorkers++;
}

void LoadedWorker::start(rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules, kj::Maybe<rpc::Console::Client> console) {
  auto words = inspectPlain(modules);
  auto env = inspect(code.getEnv());

  KJ_IF_MAYBE(worker, core_->supply().tryTake()) {
    process_ = (*worker)->process();
    adopt(kj::mv(*worker));
    acquired_ = kj::Promise<void>(kj::READY_NOW).fork();
  } else {
    // What has been asked of the process waits in Cap'n Proto's queue, perhaps longer than this worker is there, and may not
    // keep what refers to it.
    acquired_ = acquiring_
                    .wrap(core_->supply().take().then(
                        [this](kj::Own<WorkerPeer> worker) { adopt(kj::mv(worker)); },
                        [this](kj::Exception&& exception) { startFailure_ = startFailed(exception.getDescription()); }))
                    .fork();
    process_ = acquired_.addBranch().then([membrane = kj::addRef(*membrane_)]() mutable -> rpc::WorkerProcess::Client {
      membrane->requireWhole();
      KJ_IF_MAYBE(worker, membrane->worker().worker_) return (*worker)->process();
      return KJ_EXCEPTION(FAILED, "no worker");
    });
  }
  deathWatch_ = whenEnded().then([this](Outcome outcome) {
    noteEnded(outcome);
    retireTails();
    membrane_->cut();
  }).eagerlyEvaluate([](kj::Exception&& exception) {
    KJ_LOG(ERROR, exception);
  });

  kj::ArrayPtr<const kj::Array<const kj::byte>> caches;
  KJ_IF_MAYBE(key, core_->codeCache.tryMakeKey(code.getMainModule(), modules)) {
    KJ_IF_MAYBE(found, core_->codeCache.find(*key)) caches = *found;
    else codeMayBeCompiled_ = core_->codeCompiler.want(*key, modules);
  }
  for (auto& cache: caches) words += cache.size() / sizeof(capnp::word) + 2;

  auto request = process_.startRequest(capnp::MessageSize{words + env.size().wordCount + 256, env.capabilities + 1});
  auto copy = request.initCode();
  copyHeadOfCode(code, copy);
  copy.setModules(modules);
  if (code.hasEnv()) copyPayload(code.getEnv(), env, copy.initEnv(), membrane_->intoWorker(), wire::PAYLOAD_BYTES_MAX);
  writeLimits(limits_, copy.initLimits());
  if (caches.size() > 0) {
    auto list = request.initCaches(static_cast<unsigned>(caches.size()));
    for (auto i: kj::indices(caches)) list.set(i, caches[i]);
  }
  if (code.getTails().size() > 0) {
    auto tails = kj::refcounted<Tails>(kj::addRef(*membrane_), code.getTails());
    books_->listenBetween([tails = kj::addRef(*tails)]() mutable -> Said& { return tails->between(); });
    tails_ = kj::mv(tails);
  }
  kj::Maybe<rpc::Console::Client> heldConsole;
  KJ_IF_MAYBE(c, console) heldConsole = membrane_->adopt(kj::mv(*c)).castAs<rpc::Console>();
  auto diary = diary_.map([](kj::Own<Diary>& own) { return kj::addRef(*own); });
  request.setConsole(ConsoleMembrane::make(kj::addRef(*membrane_), kj::addRef(*books_), kj::mv(diary), kj::mv(heldConsole), limits_.logBytes));
  // Whether the code failed is told by the worker in each answer; if the process died, whenEnded() tells.
  started_ = request.send()
                 .then([this, began = kj::systemPreciseMonotonicClock().now()](auto&& response) -> kj::Promise<void> {
                   core_->census.loadTime.note(kj::systemPreciseMonotonicClock().now() - began);
                   startFailed_ = response.getStatus() == rpc::WorkerProcess::StartStatus::FAILED;
                   startWatch_ = kj::READY_NOW;
                   isStarted_ = true;
                   return kj::READY_NOW;
                 }, [](kj::Exception&&) -> kj::Promise<void> { return kj::NEVER_DONE; })
                 .fork();
}

LoadedWorker::~LoadedWorker() noexcept(false) {
  noteEnded(revoked());
  retireTails();
  membrane_->cut();
  if (!acquiring_.isEmpty()) acquiring_.cancel("the worker was let go of"_kj);
  if (!watched_.isEmpty()) watched_.cancel("the worker was let go of"_kj);
  readGate_->close();
  core_->kinship.workers_.erase(id_);
  core_->census.liveWorkers--;
  // The watches refer to the worker; and letting go of that kills the process. Not now: it takes the line with it, and this
  // may be something that the line is just doing.
  startWatch_ = nullptr;
  deathWatch_ = nullptr;
  stop_ = nullptr;
  background_ = nullptr;
  KJ_IF_MAYBE(worker, worker_) {
    core_->census.cpuOfGone += (*worker)->cpuTime();
    kj::evalLater([worker = kj::mv(*worker), core = kj::addRef(*core_)]() {}).detach([](kj::Exception&& exception) {
      KJ_LOG(ERROR, exception);
    });
  }
  core_->supply().noteAnswered();
}

void LoadedWorker::adopt(kj::Own<WorkerPeer> worker) {
  worker->setMemoryLimit(limits_.memoryMb);
  CallLimits limits{std::min(limits_.cpuMs, limits_.startupCpuMs), limits_.wallMs};
  startWatch_ = watchCall(core_->port.getTimer(), *worker, limits, AtLimit::KILL, "while its modules were evaluated"_kj)
                    .eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
  cpuAtLoad_ = worker->lastCpuTime();
  if (membrane_->isCut()) worker->end(stopReason());
  KJ_IF_MAYBE(outcome, expired_) worker->end(outcome->clone());
  readGate_->open(*worker);
  background_ = kj::heap<BackgroundWatch>(core_->port.getTimer(), *worker, limits_.cpuMs, [this]() {
    return BackgroundWatch::Calls{callsInFlight_, callsBegun_};
  });
  worker_ = kj::mv(worker);
}

kj::Promise<Outcome> LoadedWorker::whenEnded() {
  auto died = acquired_.addBranch().then([this]() -> kj::Promise<Outcome> {
    KJ_IF_MAYBE(worker, worker_) return (*worker)->whenEnded();
    return KJ_ASSERT_NONNULL(startFailure_).clone();
  });
  return died.exclusiveJoin(revoked_.addBranch().then([this]() { return stopReason(); }));
}

kj::Promise<void> LoadedWorker::watch(CallLimits limits, kj::Maybe<Run&> run) {
  bool wasStarted = isStarted_;
  return started_.addBranch().then([this, limits, run, wasStarted]() {
    auto& worker = *KJ_ASSERT_NONNULL(worker_);
    auto watching = watchCall(core_->port.getTimer(), worker, limits, AtLimit::ASK_THEN_KILL, "in this call"_kj);
    KJ_IF_MAYBE(r, run) {
      if (wasStarted) r->startCpu = worker.lastCpuTime();   // as the watch has just read it
    }
    return watching;
  });
}

kj::Promise<void> LoadedWorker::revoke() {
  abandon();
  // What was on its way inside this process when the membrane was cut has arrived or been dropped when this resolves.
  return kj::evalLast([]() {});
}

void LoadedWorker::stop(Outcome why) {
  retireTails();
  if (stopReason_ == nullptr) stopReason_ = kj::mv(why);
  membrane_->revoke();
  revokedFulfiller_->fulfill();
  KJ_IF_MAYBE(worker, worker_) (*worker)->end(stopReason());
}

Outcome LoadedWorker::stopReason() const {
  KJ_IF_MAYBE(reason, stopReason_) return reason->clone();
  return revoked();
}

bool LoadedWorker::isOver() {
  if (membrane_->isCut() || startFailure_ != nullptr || lifespan_.tryTooOld() != nullptr) return true;
  KJ_IF_MAYBE(worker, worker_) return (*worker)->isGone();
  return false;
}

bool LoadedWorker::isNeeded() {
  if (outsideHolds_ > 0) return true;
  if (insideHolds_ == 0) return false;
  // What it holds itself, and what those have that it has loaded, goes with it.
  for (auto kin: core_->kinship.all()) {
    if (kin->holder().held().count(this) > 0 && !kin->endsWith(*this)) return true;
  }
  return false;
}

bool LoadedWorker::endsWith(const LoadedWorker& other) const {
  return membrane_->belongsTo(other);
}

void LoadedWorker::visitHeld(kj::FunctionParam<void(Kin&)> visit) {
  for (auto& held: membrane_->held()) visit(*held.first);
}

kj::Promise<void> LoadedWorker::whileWatched(kj::Promise<void> promise) {
  return watched_.wrap(whileAlive(kj::mv(promise)).exclusiveJoin(watch(callLimits())));
}

void LoadedWorker::setChildSlot(kj::Own<Membrane::ChildSlot> slot) {
  membrane_->setParent(kj::addRef(slot->parent()));
  if (!slot->parent().isCut()) tailDepth_ = slot->parent().worker().tailDepth_;
  childSlot_ = kj::mv(slot);
}

kj::Maybe<WorkerPeer&> LoadedWorker::peer() {
  return worker_.map([](kj::Own<WorkerPeer>& worker) -> WorkerPeer& { return *worker; });
}

rpc::Target::Client LoadedWorker::getEntrypoint(rpc::Worker::GetEntrypointParams::Reader params) {
  if (codeError_ != nullptr || membrane_->isCut()) return nullptr;
  auto props = inspect(params.getProps());
  auto request = process_.getEntrypointRequest(props.size());
  request.setName(params.getName());
  if (params.hasProps()) copyPayload(params.getProps(), props, request.initProps(), membrane_->intoWorker(), wire::PAYLOAD_BYTES_MAX);
  return request.send().getEntrypoint();
}

kj::Promise<void> LoadedWorker::call(Route& route, CallContext context, CallLimits limits, Origin origin, kj::StringPtr entrypoint) {
  core_->census.calls++;
  bool wantsAccount = context.getParams().getAccount();
  bool isTold = tails_ != nullptr && origin != Origin::STREAM;
  auto detail = wantsAccount || isTold ? Run::Detail::FULL : Run::Detail::BRIEF;
  auto run = kj::heap<Run>(*books_, detail, context.getParams(), entrypoint);
  auto& r = *run;
  if (context.getParams().hasTrace() && origin != Origin::STREAM) beginTrace(context.getParams().getTrace(), r);
  tailDepth_ = callsInFlight_ == 0 ? r.tailDepth() : std::max(tailDepth_, r.tailDepth());
  if (isTold) KJ_ASSERT_NONNULL(tails_)->expect(tailDepth_);
  auto served = kj::evalNow([&]() { return serve(route, context, limits, origin, r); });
  if (wantsAccount) served = served.then([this, context, &r]() mutable { return writeAccount(context, r); });
  return served.attach(kj::defer([this, origin, isTold, run = kj::mv(run)]() mutable {
    if (!run->isClosed()) close(*run);
    if (origin == Origin::STREAM) return;
    core_->census.noteRun(run->howItEnded(), run->wall());
    KJ_IF_MAYBE(worker, worker_) core_->recent.add(*run, (*worker)->pid());
    if (!isTold) return;
    KJ_ASSERT_NONNULL(tails_)->report(kj::mv(run));
  }));
}

void LoadedWorker::beginTrace(rpc::Trace::Reader from, Run& run) {
  auto trace = readTrace(from);
  if (!trace.exists()) return;
  run.trace = {trace.high, trace.low, core_->traceIds.next(), trace.span, trace.flags};
  traces_.add(run.trace);
}

kj::Maybe<const Trace&> LoadedWorker::tryFindTrace(rpc::Trace::Reader claim) const { return traces_.find(claim.getSpan()); }

void LoadedWorker::setTrace(rpc::Trace::Reader claim, rpc::Call::Builder to) const {
  KJ_IF_MAYBE(trace, tryFindTrace(claim)) writeTrace(*trace, to.initTrace());
}

kj::Promise<void> LoadedWorker::writeAccount(CallContext context, Run& run) {
  // What the worker said before its answer may still be on its way through the loop.
  auto heard = kj::evalLast([]() {});
  KJ_IF_MAYBE(worker, worker_) {
    // Nobody waited for the process of a worker that was disposed of.
    if (membrane_->isRevoked()) {
      auto reaped = (*worker)->whenEnded().ignoreResult();
      heard = heard.then([this, reaped = kj::mv(reaped)]() mutable {
        return reaped.exclusiveJoin(core_->port.getTimer().afterDelay(REAP_TIMEOUT));
      });
    }
  }
  return heard.then([this, context, &run]() mutable {
    close(run);
    run.write(context.getResults().initAccount());
  });
}

void LoadedWorker::close(Run& run) {
  auto cpu = 0 * kj::SECONDS;
  uint64_t peakMemoryBytes = 0;
  KJ_IF_MAYBE(worker, worker_) {
    cpu = (*worker)->cpuTime();
    if (run.isFull()) peakMemoryBytes = (*worker)->peakMemoryBytes();
  }
  if (run.beganBeforeStart) run.startCpu = cpuAtLoad_;
  run.close(cpu, peakMemoryBytes);
}

void LoadedWorker::setName(kj::StringPtr name) {
  name_ = kj::str(name);
  membrane_->setLabel(cleanLabel(name));
  KJ_IF_MAYBE(diary, diary_) (*diary)->setName(name);
  KJ_IF_MAYBE(tails, tails_) (*tails)->setScriptName(name);
}

kj::Duration LoadedWorker::age() const { return core_->port.getTimer().now() - loadedAt_; }

LoadedWorker::State LoadedWorker::state() {
  if (hasFailedToStart()) return State::FAILED;
  if (isOver()) return State::ENDING;
  if (!isStarted_) return State::STARTING;
  return callsInFlight_ > 0 ? State::BUSY : State::IDLE;
}

void LoadedWorker::noteEnded(const Outcome& outcome) {
  KJ_IF_MAYBE(diary, diary_) {
    if ((*diary)->hasEnded()) return;
    uint64_t cpuMs = 0, peakMemoryBytes = 0;
    auto* why = &outcome;
    KJ_IF_MAYBE(worker, worker_) {
      cpuMs = static_cast<uint64_t>((*worker)->cpuTime() / kj::MILLISECONDS);
      peakMemoryBytes = (*worker)->peakMemoryBytes();
      // Let go of because it was stopped: a name makes another one then.
      KJ_IF_MAYBE(reason, (*worker)->lastSoftStop()) {
        if (wasStopped_ && outcome.code == rpc::Ending::Code::REVOKED) why = reason;
      }
    }
    KJ_ASSERT_NONNULL(core_->journal)->noteEnded(**diary, *why, cpuMs, peakMemoryBytes);
  }
}

void LoadedWorker::retireTails() {
  KJ_IF_MAYBE(tails, tails_) (*tails)->retire();
}

kj::Promise<void> LoadedWorker::serve(Route& route, CallContext context, CallLimits limits, Origin origin, Run& run) {
  if (membrane_->isRevoked()) {
    end(context.getResults(), stopReason(), run);
    return kj::READY_NOW;
  }
  KJ_IF_MAYBE(error, codeError_) {
    run.outcome = rpc::Ending::Code::EXCEPTION;
    setThrown(context.getResults(), error->prototype, error->message);
    return kj::READY_NOW;
  }
  if (callsInFlight_ >= limits_.callsInFlight) {
    end(context.getResults(), overloaded("calls in flight on one worker"_kj, limits_.callsInFlight), run);
    return kj::READY_NOW;
  }
  KJ_IF_MAYBE(outcome, lifespan_.tryTooOld()) {
    end(context.getResults(), *outcome, run);
    return kj::READY_NOW;
  }
  if (isTooDeep(context.getParams())) {
    refuse(context.getResults(), PATH_TOO_DEEP, run);
    return kj::READY_NOW;
  }
  auto manifest = inspectCall(context.getParams());
  if (!membrane_->ledger.outwardCapabilities.hasRoom(manifest.capabilities)) {
    refuse(context.getResults(), membrane_->ledger.outwardCapabilities.refusal(), run);
    return kj::READY_NOW;
  }
  run.bytesIn = manifest.bytes();
  run.beganBeforeStart = !isStarted_;
  callsInFlight_++;
  callsBegun_++;
  lifespan_.callBegan();
  auto counted = subrequests_.begin(limits.subRequests);
  core_->census.callsInFlight++;
  bool answeredBefore = hasAnswered_;
  core_->noteCallSent(answeredBefore);

  auto send = [this, &route, context, manifest, origin, &run]() mutable { return forward(route, context, manifest, origin, run); };
  auto answered = route.isOpen() ? kj::evalNow(send) : route.whenOpen().then(kj::mv(send), [this, origin, &run](kj::Exception&& exception) {
    return noAnswer(kj::mv(exception), origin, run);
  });
  auto died = whenEnded().then([this, context, &run](Outcome outcome) mutable { end(context.getResults(), outcome, run); });
  return answered.exclusiveJoin(kj::mv(died)).exclusiveJoin(watch(limits, run)).attach(kj::defer([this, answeredBefore, counted]() {
    callsInFlight_--;
    subrequests_.end(counted);
    if (!subrequests_.anyBefore(stopSerial_)) stop_ = kj::READY_NOW;   // it heard
    lifespan_.callEnded();
    core_->census.callsInFlight--;
    core_->noteCallEnded(answeredBefore);
    KJ_IF_MAYBE(fulfiller, codeMayBeCompiled_) (*fulfiller)->fulfill();
    codeMayBeCompiled_ = nullptr;
    core_->supply().noteAnswered();
  }));
}

kj::Promise<void> LoadedWorker::forward(Route& route, CallContext context, const Manifest& manifest, Origin origin, Run& run) {
  auto target = route.target<rpc::Target>();
  auto answerer = membrane_->isOutward(target) ? Answerer::OTHERS : Answerer::WORKER;
  auto request = target.callRequest(manifest.size());
  copyCall(context.getParams(), manifest, request, membrane_->intoWorker(), wire::PAYLOAD_BYTES_MAX);
  request.setAccount(run.isFull());
  if (run.trace.exists()) writeTrace(run.trace, request.initTrace());
  context.releaseParams();
  auto sent = request.send();
  // Refers to the worker by its membrane only, so that a result which somebody keeps does not keep the worker.
  auto wrap = [membrane = kj::addRef(*membrane_)](rpc::Target::Client inner) mutable -> rpc::Target::Client {
    if (!membrane->ledger.inwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane->ledger.inwardCapabilities.refusal());
    auto& worker = membrane->worker();
    return Handle::make<InwardTarget>(kj::addRef(worker), kj::mv(inner), worker.callLimits(), Origin::PROMISED);
  };
  auto promised = kj::refcounted<PromisedResult>(kj::mv(static_cast<rpc::Return::Pipeline&>(sent)), kj::mv(wrap));
  context.setPipeline(promised->pipeline());
  auto& p = *promised;
  return sent
      .then([this, context, &p, answerer, &run](capnp::Response<rpc::Return>&& response) mutable {
        hasAnswered_ = true;
        kj::Promise<void> done = kj::READY_NOW;
        KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { answer(response, context, p, answerer, run); })) {
          done = mistrust(kj::mv(*exception));
        }
        return done;
      }, [this, origin, &run](kj::Exception&& exception) { return noAnswer(kj::mv(exception), origin, run); })
      .attach(kj::defer([promised = kj::mv(promised)]() mutable { promised->close(); }));
}

kj::Promise<void> LoadedWorker::read(Route& route, uint64_t offset, uint32_t length, rpc::ByteSource::ReadResults::Builder results) {
  KJ_REQUIRE(length >= 1 && length <= wire::CHUNK_BYTES, "a read must ask for 1 to 65536 bytes", length);
  KJ_REQUIRE(!membrane_->isCut(), "the worker has ended, and its results with it");
  auto send = [this, &route, offset, length, results]() mutable {
    auto request = route.target<rpc::ByteSource>().readRequest();
    request.setOffset(offset);
    request.setLength(length);
    return request.send()
        .then([length, results](auto&& response) mutable {
          KJ_REQUIRE(response.getBytes().size() <= length, "more bytes than asked for");
          results.setBytes(response.getBytes());
        })
        .catch_([this](kj::Exception&& exception) { return mistrust(kj::mv(exception)); });
  };
  return whileAlive(route.send(kj::mv(send))).exclusiveJoin(watch(callLimits()));
}

bool LoadedWorker::admitSubrequest() {
  KJ_IF_MAYBE(limit, subrequests_.add()) {
    KJ_IF_MAYBE(worker, worker_) {
      // All calls under way end by it, as at any other limit: the worker has one thread. Those that come meanwhile do not.
      if (!subrequests_.anyBefore(stopSerial_)) {
        stop_ = stopWorker(core_->port.getTimer(), **worker, exceededSubrequests(*limit), callLimits().cpuMs * kj::MILLISECONDS)
                    .eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
      }
      stopSerial_ = subrequests_.nextSerial();
    }
    return false;
  }
  return true;
}

void LoadedWorker::expire(Outcome outcome) {
  KJ_IF_MAYBE(worker, worker_) (*worker)->end(outcome.clone());
  expired_ = kj::mv(outcome);
}

kj::Promise<void> LoadedWorker::whileAlive(kj::Promise<void> promise) {
  auto died = whenEnded().then([this](Outcome outcome) -> kj::Promise<void> {
    core_->census.noteEnding(outcome.code);
    return KJ_EXCEPTION(FAILED, outcome.message);
  });
  return promise.exclusiveJoin(kj::mv(died));
}

kj::Promise<void> LoadedWorker::noAnswer(kj::Exception&& exception, Origin origin, Run& run) {
  if (origin == Origin::PROMISED && exception.getType() != kj::Exception::Type::DISCONNECTED) {
    run.outcome = rpc::Ending::Code::EXCEPTION;
    return nothingToCall();
  }
  return mistrust(kj::mv(exception));
}

kj::Promise<void> LoadedWorker::mistrust(kj::Exception&& exception) {
  // A lost line means that the process is dying: whenEnded() knows why. Anything else cannot come from our own worker.
  if (exception.getType() != kj::Exception::Type::DISCONNECTED) {
    KJ_IF_MAYBE(worker, worker_) (*worker)->end(protocolViolation("it gave a malformed answer"_kj));
  }
  return kj::NEVER_DONE;
}

void LoadedWorker::answer(rpc::Return::Reader from, CallContext& context, PromisedResult& promised, Answerer answerer, Run& run) {
  if (from.isEnded()) return answerEnding(from.getEnded(), context.getResults(), answerer, run);
  bool isThrown = from.isThrown();
  KJ_REQUIRE(isThrown || from.isValue(), "an answer of a kind that this supervisor does not know");
  auto payload = isThrown ? from.getThrown() : from.getValue();
  auto manifest = inspect(payload);
  if (manifest.bytes() > limits_.resultBytes) return end(context.getResults(), exceededResultSize(limits_.resultBytes), run);
  auto& room = membrane_->ledger.inwardCapabilities;
  if (!room.hasRoom(manifest.capabilities)) return refuse(context.getResults(), room.refusal(), run);
  auto to = context.getResults(manifest.size());
  copyPayload(payload, manifest, isThrown ? to.initThrown() : to.initValue(), membrane_->outOfWorker(), wire::PAYLOAD_BYTES_MAX);
  if (from.hasPipeline()) {
    to.setPipeline(promised.get());
    to.setDisposable(from.getDisposable());
  }
  run.bytesOut = manifest.bytes();
  run.outcome = isThrown ? rpc::Ending::Code::EXCEPTION : rpc::Ending::Code::OK;
}

void LoadedWorker::answerEnding(rpc::Ending::Reader ending, rpc::Return::Builder to, Answerer answerer, Run& run) {
  if (answerer == Answerer::OTHERS) {
    // It came through this supervisor's own hands.
    to.setEnded(ending);
    run.outcome = ending.getCode();
    return;
  }
  // A worker only gets to choose the kind; what is said to the user comes from here.
  switch (ending.getCode()) {
    case rpc::Ending::Code::TERMINATED:
      wasStopped_ = true;
      KJ_IF_MAYBE(worker, worker_) {
        KJ_IF_MAYBE(reason, (*worker)->lastSoftStop()) return end(to, *reason, run);
      }
      break;
    case rpc::Ending::Code::EXCEEDED_MEMORY:
      wasStopped_ = true;
      return end(to, exceededMemory(limits_.memoryMb), run);
    case rpc::Ending::Code::HUNG: return end(to, hung(), run);
    default: break;
  }
  KJ_FAIL_REQUIRE("an ending that a worker cannot know of");
}

void LoadedWorker::end(rpc::Return::Builder to, const Outcome& outcome, Run& run) {
  core_->census.noteEnding(outcome.code);
  KJ_IF_MAYBE(diary, diary_) {
    auto entrypoint = run.entrypoint();
    KJ_ASSERT_NONNULL(core_->journal)->noteCallEnded(**diary, kj::str(entrypoint, entrypoint.size() == 0 ? "" : ".", run.method()), outcome);
  }
  run.outcome = outcome.code;
  setEnding(to, outcome);
}

void LoadedWorker::refuse(rpc::Return::Builder to, kj::StringPtr why, Run& run) {
  run.outcome = rpc::Ending::Code::EXCEPTION;
  setThrown(to, ErrorPrototype::ERROR, why);
}

}  // namespace glovebox
