#include "supervisor/named-worker.h"

#include <algorithm>

#include <capnp/message.h>
#include <kj/debug.h>

#include "ipc/ending.h"
#include "ipc/limits-message.h"
#include "ipc/uv-event-port.h"
#include "supervisor/cancellation.h"
#include "supervisor/inward.h"
#include "supervisor/loader.h"
#include "supervisor/membrane-limits.h"
#include "supervisor/named-workers.h"
#include "supervisor/payload-membrane.h"
#include "supervisor/process-memory.h"
#include "supervisor/thrown.h"

namespace glovebox {

// A capability of a name, as others hold it.
class NamedHandle: public Handle {
 public:
  ~NamedHandle() noexcept(false) {
    if (--name_->handles_ == 0) name_->noteUnheld();
  }

 protected:
  NamedHandle(kj::Own<NamedWorker> name, kj::Maybe<Holder&> holder): Handle(kj::addRef(*name), holder), name_(kj::mv(name)) {
    name_->handles_++;
  }
  NamedWorker& name() { return *name_; }

 private:
  kj::Own<NamedWorker> name_;
};

namespace {

// What stands in the props of an entrypoint is kept by the name, to be given to each worker that is made.
class Keeping final: public Crossing {
 public:
  Keeping(Core& core, Holder& holder): core_(core), holder_(holder) {}
  rpc::Target::Client target(rpc::Target::Client from, ValueExternal::Kind, kj::StringPtr) override {
    return adopt(kj::mv(from)).castAs<rpc::Target>();
  }
  // With its names it would hold the worker that keeps it here.
  capnp::Capability::Client loader(capnp::Capability::Client from, kj::StringPtr) override {
    KJ_IF_MAYBE(loader, core_.loaders.tryFind(from)) return loader->withoutNames();
    return from;
  }
  rpc::ByteSource::Client source(rpc::ByteSource::Client from) override { return adopt(kj::mv(from)).castAs<rpc::ByteSource>(); }
  void setLarge(rpc::Value::Reader, uint64_t bytes, rpc::LargeValue::Builder) override {
    KJ_FAIL_REQUIRE("the props of an entrypoint are larger than they may be", bytes);
  }

 private:
  Core& core_;
  Holder& holder_;

  capnp::Capability::Client adopt(capnp::Capability::Client client) {
    KJ_IF_MAYBE(handle, core_.kinship.tryFind(client)) return handle->cloneFor(holder_);
    return client;
  }
};

}  // namespace

// An entrypoint by its name, props and limits, whichever worker stands behind it. Shared by the capabilities of it.
class NamedEntry final: public kj::Refcounted {
 public:
  NamedEntry(kj::Own<NamedWorker> name, rpc::Worker::GetEntrypointParams::Reader params)
      : name_(kj::mv(name)), limits_(readLimits(params.getLimits())) {
    auto copy = params_.initRoot<rpc::Worker::GetEntrypointParams>();
    copy.setName(params.getName());
    KJ_IF_MAYBE(owner, name_->maker_->owner()) {
      auto bytes = params.totalSize().wordCount * sizeof(capnp::word);
      KJ_REQUIRE(owner->ledger.keptBytes.hasRoom(bytes), owner->ledger.keptBytes.refusal());
      owner->ledger.keptBytes.take(keptBytes_ = bytes);
      owner_ = kj::addRef(*owner);
    }
    if (params.hasProps()) {
      Keeping keeping(name_->core(), *name_->holder_);
      copyPayload(params.getProps(), inspect(params.getProps()), copy.initProps(), keeping, wire::PAYLOAD_BYTES_MAX);
    }
    name_->entries_.insert(this);
  }
  ~NamedEntry() noexcept(false) {
    name_->entries_.erase(this);
    KJ_IF_MAYBE(owner, owner_) (*owner)->ledger.keptBytes.give(keptBytes_);
  }

  NamedWorker& name() { return *name_; }

  kj::Promise<void> call(LoadedWorker::CallContext context) {
    if (name_->revoked_) return end(context, revoked());
    // Whoever waits goes first.
    if (waiting_ == 0) {
      KJ_IF_MAYBE(live, name_->tryGetLive()) return run(*live, context);
    }
    if (name_->awaiting_ >= membrane::INWARD_CALLS_MAX) {
      return end(context, overloaded("calls that wait for one worker"_kj, membrane::INWARD_CALLS_MAX));
    }
    waiting_++;
    name_->awaiting_++;
    auto counted = kj::heap(kj::defer([this]() {
      waiting_--;
      name_->awaiting_--;
      name_->noteCallEnded();
    }));
    return name_->whenLive().then([this, context, counted = kj::mv(counted)](NamedWorker::Awaited awaited) mutable -> kj::Promise<void> {
      KJ_SWITCH_ONEOF(awaited) {
        KJ_CASE_ONEOF(incarnation, kj::Own<NamedWorker::Incarnation>) {
          auto promise = run(*incarnation, context);
          counted = nullptr;
          return kj::mv(promise);
        }
        KJ_CASE_ONEOF(outcome, Outcome) { return end(context, outcome); }
        KJ_CASE_ONEOF(failure, NamedWorker::Failure) {
          auto& why = failure.why;
          if (why.getType() == kj::Exception::Type::OVERLOADED) {
            return end(context, {rpc::Ending::Code::OVERLOADED, kj::str(textWithoutHops(why))});
          }
          bool isGone = why.getType() == kj::Exception::Type::DISCONNECTED;
          setThrown(context.getResults(), ErrorPrototype::ERROR, isGone ? "Whoever gives this worker's code is gone."_kj : textWithoutHops(why));
          return kj::READY_NOW;
        }
      }
      KJ_UNREACHABLE;
    });
  }

  // Of a worker that is not used any more.
  void forget() { way_ = nullptr; }

 private:
  friend class NamedWorker;

  struct Way: public kj::Refcounted {
    Way(kj::Own<NamedWorker::Incarnation> incarnation, rpc::Target::Client target, CallLimits limits)
        : incarnation(kj::mv(incarnation)), route(kj::mv(target)), limits(limits) {}
    kj::Own<NamedWorker::Incarnation> incarnation;
    Route route;
    const CallLimits limits;
  };

  kj::Own<NamedWorker> name_;
  const WorkerLimits limits_;
  capnp::MallocMessageBuilder params_{64};
  kj::Maybe<kj::Own<Membrane>> owner_;   // in whose books this stands
  uint64_t keptBytes_ = 0;
  kj::Maybe<kj::Own<Way>> way_;
  uint32_t waiting_ = 0;

  kj::Promise<void> end(LoadedWorker::CallContext context, const Outcome& outcome) {
    name_->core().census.noteEnding(outcome.code);
    setEnding(context.getResults(), outcome);
    return kj::READY_NOW;
  }

  kj::Promise<void> run(NamedWorker::Incarnation& incarnation, LoadedWorker::CallContext context) {
    auto way = wayTo(incarnation);
    auto& worker = *incarnation.worker;
    KJ_IF_MAYBE(place, name_->place_) (*place)->used();
    auto promise = worker.call(way->route, context, way->limits, Origin::OBJECT,
                               params_.getRoot<rpc::Worker::GetEntrypointParams>().getName());
    incarnation.calls++;
    return promise.attach(kj::defer([this, incarnation = kj::addRef(incarnation)]() mutable {
      incarnation->calls--;
      name_->noteCallEnded();
    }), kj::mv(way));
  }

  kj::Own<Way> wayTo(NamedWorker::Incarnation& incarnation) {
    KJ_IF_MAYBE(way, way_) {
      if ((*way)->incarnation.get() == &incarnation) return kj::addRef(**way);
    }
    auto target = incarnation.worker->getEntrypoint(params_.getRoot<rpc::Worker::GetEntrypointParams>().asReader());
    auto limits = callLimitsOf(lowerOf(limits_, incarnation.worker->limits()));
    auto way = kj::refcounted<Way>(kj::addRef(incarnation), kj::mv(target), limits);
    KJ_IF_MAYBE(live, name_->live_) {
      if (live->get() == &incarnation) way_ = kj::addRef(*way);
    }
    return way;
  }
};

namespace {

class NamedTarget final: public rpc::Target::Server, public NamedHandle {
 public:
  explicit NamedTarget(kj::Own<NamedEntry> entry, kj::Maybe<Holder&> holder = nullptr)
      : NamedHandle(kj::addRef(entry->name()), holder), entry_(kj::mv(entry)) {}
  kj::Promise<void> call(CallContext context) override {
    allowCancellation(context);
    return entry_->call(context);
  }
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override { return make<NamedTarget>(kj::addRef(*entry_), holder); }

 private:
  kj::Own<NamedEntry> entry_;
};

class NamedStub final: public rpc::Worker::Server, public NamedHandle {
 public:
  NamedStub(kj::Own<NamedWorker> name, kj::Maybe<Holder&> holder): NamedHandle(kj::mv(name), holder) {}

  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    context.getResults().setEntrypoint(make<NamedTarget>(kj::refcounted<NamedEntry>(kj::addRef(name()), context.getParams())));
    return kj::READY_NOW;
  }
  // Others may use it. Who wants it gone says so to the loader.
  kj::Promise<void> revoke(RevokeContext) override { return kj::READY_NOW; }
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override { return make<NamedStub>(kj::addRef(name()), holder); }
};

kj::Exception noFactory() { return KJ_EXCEPTION(FAILED, "The code of this worker cannot be had any more: get() it again."); }

void logFailure(kj::Exception&& exception) { KJ_LOG(ERROR, exception); }

}  // namespace

NamedWorker::NamedWorker(NamedWorkers& table, kj::Own<Core> core, kj::StringPtr name, kj::Own<WorkerMaker> maker)
    : Kin(kj::mv(core)), table_(table), name_(kj::str(name)), maker_(kj::mv(maker)), lastUse_(core_->port.getTimer().now()) {}

NamedWorker::~NamedWorker() noexcept(false) {
  deathWatch_ = nullptr;   // it refers to the worker
  place_ = nullptr;
}

rpc::Worker::Client NamedWorker::stub(kj::Maybe<Holder&> holder) { return Handle::make<NamedStub>(kj::addRef(*this), holder); }

void NamedWorker::want(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console) {
  wants_++;
  factory_ = factory;
  console_ = kj::mv(console);
  if (tryGetLive() == nullptr && !isMaking_) make(kj::mv(factory));
}

// ---------------------------------------------------------------------------------------------------------------------
// Making it

kj::Maybe<NamedWorker::Incarnation&> NamedWorker::tryGetLive() {
  KJ_IF_MAYBE(live, live_) {
    auto& worker = *(*live)->worker;
    if (!worker.isOver() && !worker.wasStopped() && !worker.hasFailedToStart()) return **live;
  }
  return nullptr;
}

kj::Promise<NamedWorker::Awaited> NamedWorker::whenLive() {
  auto paf = kj::newPromiseAndFulfiller<Awaited>();
  KJ_IF_MAYBE(live, tryGetLive()) {
    paf.fulfiller->fulfill(kj::addRef(*live));   // in order with those who were told before
    return kj::mv(paf.promise);
  }
  waiting_.push_back(kj::mv(paf.fulfiller));
  if (!isMaking_) {
    KJ_IF_MAYBE(factory, factory_) make(*factory);
    else tellWaiting([]() { return Failure{noFactory()}; });
  }
  return kj::mv(paf.promise);
}

void NamedWorker::make(rpc::WorkerFactory::Client factory) {
  letGo();
  isMaking_ = true;
  making_ = tryMake(kj::mv(factory)).eagerlyEvaluate(logFailure);
}

kj::Promise<void> NamedWorker::tryMake(rpc::WorkerFactory::Client factory) {
  kj::Maybe<rpc::Console::Client> console;
  KJ_IF_MAYBE(c, console_) console = *c;
  return kj::evalNow([&]() { return maker_->make(kj::mv(factory), kj::mv(console), bytes_); })
      .then([this](WorkerMaker::Made made) -> kj::Promise<void> {
              adopt(kj::mv(made));
              return kj::READY_NOW;
            },
            [this, wants = wants_](kj::Exception&& why) -> kj::Promise<void> {
              // Whoever has asked for it since has brought a factory.
              if (wants != wants_) {
                KJ_IF_MAYBE(latest, factory_) return tryMake(*latest);
              }
              isMaking_ = false;
              tellWaiting([&why]() { return Failure{kj::cp(why)}; });
              noteUnheld();
              return kj::READY_NOW;
            });
}

void NamedWorker::adopt(WorkerMaker::Made made) {
  isMaking_ = false;
  auto& worker = *made.worker;
  worker.setName(name_);
  auto& options = core_->options;
  auto idleMs = made.idleMs == 0 ? options.namedIdleMsMax : std::min(made.idleMs, options.namedIdleMsMax);
  auto incarnation = kj::refcounted<Incarnation>(kj::mv(made.worker));
  deathWatch_ = worker.whenOver().then([this, &worker]() {
    KJ_IF_MAYBE(live, live_) {
      if ((*live)->worker.get() == &worker) letGo();
    }
  }).eagerlyEvaluate(logFailure);
  place_ = kj::heap<Warmth::Place>(core_->warmth, *this, idleMs, bytes_);
  tellWaiting([&incarnation]() { return Awaited(kj::addRef(*incarnation)); });
  live_ = kj::mv(incarnation);
  lastUse_ = core_->port.getTimer().now();
}

void NamedWorker::tellWaiting(kj::Function<Awaited()> what) {
  auto waiting = kj::mv(waiting_);
  waiting_.clear();
  for (auto& waiter: waiting) waiter->fulfill(what());
}

// ---------------------------------------------------------------------------------------------------------------------
// Letting it go

void NamedWorker::letGo() {
  KJ_IF_MAYBE(place, place_) {
    bytes_ = (*place)->bytes();
    lastUse_ = (*place)->lastUse();
    place_ = nullptr;
  }
  KJ_IF_MAYBE(live, live_) {
    auto incarnation = kj::mv(*live);
    live_ = nullptr;
    for (auto entry: entries_) entry->forget();
    if (incarnation->calls > 0) retired_.push_back(kj::addRef(*incarnation));
    if (incarnation->worker->membrane().isRevoked()) {
      deathWatch_ = nullptr;   // it refers to the worker
    } else {
      // It may have died, and this be how we hear of it.
      kj::evalLater([incarnation = kj::mv(incarnation), watch = kj::mv(deathWatch_)]() {}).detach(logFailure);
    }
    noteUnheld();
  }
}

void NamedWorker::noteCallEnded() {
  KJ_IF_MAYBE(place, place_) (*place)->used();
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), [](auto& one) { return one->calls == 0; }), retired_.end());
  // One that can do nothing any more has told those who waited for it.
  KJ_IF_MAYBE(live, live_) {
    auto& worker = *(*live)->worker;
    if (awaiting_ == 0 && worker.callsInFlight() == 0 && tryGetLive() == nullptr) letGo();
  }
}

// Without capabilities of it a name is only good for as long as its worker lives: who gets it again brings a factory.
void NamedWorker::noteUnheld() {
  if (handles_ > 0) return;
  factory_ = nullptr;
  console_ = nullptr;
  if (isUsed()) return;
  KJ_IF_MAYBE(table, table_) table->planTidying();
}

bool NamedWorker::isIdle() {
  KJ_IF_MAYBE(live, live_) {
    auto& worker = *(*live)->worker;
    return worker.callsInFlight() == 0 && awaiting_ == 0 && worker.membrane().ledger.outwardCalls.now() == 0 && !worker.isNeeded();
  }
  return false;
}

uint64_t NamedWorker::measure() {
  KJ_IF_MAYBE(live, live_) {
    KJ_IF_MAYBE(peer, (*live)->worker->peer()) return peer->privateBytes();
  }
  return 0;
}

void NamedWorker::evict(Outcome why) {
  KJ_IF_MAYBE(live, live_) (*live)->worker->stop(kj::mv(why));
  letGo();
}

void NamedWorker::abort(Outcome why) {
  KJ_IF_MAYBE(live, live_) (*live)->worker->stop(why.clone());
  letGo();
  making_ = nullptr;
  isMaking_ = false;
  tellWaiting([&why]() { return Awaited(why.clone()); });
  noteUnheld();
}

void NamedWorker::revoke() {
  revoked_ = true;
  abort(revoked());
  factory_ = nullptr;
  console_ = nullptr;
}

void NamedWorker::orphan() {
  if (isMaking_) {
    making_ = nullptr;
    isMaking_ = false;
    tellWaiting([]() { return Awaited(Failure{noFactory()}); });
  }
  factory_ = nullptr;
  console_ = nullptr;
  table_ = nullptr;
}

void NamedWorker::abandon() { revoke(); }

bool NamedWorker::endsWith(const LoadedWorker& worker) const {
  KJ_IF_MAYBE(owner, maker_->owner()) return owner->belongsTo(worker);
  return false;
}

void NamedWorker::visitHeld(kj::FunctionParam<void(Kin&)> visit) {
  for (auto& held: holder_->held()) visit(*held.first);
  KJ_IF_MAYBE(live, live_) visit(*(*live)->worker);
  for (auto& one: retired_) visit(*one->worker);
}

void NamedWorker::describe(rpc::Loader::NamedWorker::Builder to) {
  to.setName(name_);
  uint32_t calls = awaiting_;
  KJ_IF_MAYBE(live, live_) {
    to.setLive(true);
    calls += (*live)->worker->callsInFlight();
  }
  to.setCallsInFlight(calls);
  KJ_IF_MAYBE(place, place_) {
    to.setMemoryBytes((*place)->bytes());
    if (calls == 0) to.setIdleMs(static_cast<uint64_t>((*place)->idleTime() / kj::MILLISECONDS));
  } else if (calls == 0) {
    to.setIdleMs(static_cast<uint64_t>((core_->port.getTimer().now() - lastUse_) / kj::MILLISECONDS));
  }
}

}  // namespace glovebox
