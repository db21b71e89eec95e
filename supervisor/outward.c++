#include "supervisor/outward.h"

#include <kj/debug.h>

#include "ipc/ending.h"
#include "ipc/limits-message.h"
#include "supervisor/cancellation.h"
#include "supervisor/inward.h"
#include "supervisor/loader.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/thrown.h"

namespace glovebox {
namespace {

using Kind = ValueExternal::Kind;

kj::String quoted(kj::StringPtr text) {
  if (text.size() <= membrane::QUOTED_BYTES_MAX) return kj::str(text);
  auto cut = membrane::QUOTED_BYTES_MAX;
  while (cut > 0 && (text[cut] & 0xc0) == 0x80) cut--;   // not in the middle of a character
  return kj::str(text.slice(0, cut), "...");
}

constexpr kj::StringPtr TOO_MANY_SUBREQUESTS = "Too many subrequests."_kj;

}  // namespace

Outward::Outward(kj::Own<Membrane> membrane, capnp::Capability::Client target, Kind kind, kj::StringPtr label)
    : membrane_(kj::mv(membrane)),
      route_(kj::mv(target), Route::Adopt([this](capnp::Capability::Client client) { return membrane_->adopt(kj::mv(client)); })),
      kind_(kind),
      label_(kj::str(label)),
      byName_(membrane_->ledger.traffic.of(label_, kind)),
      byKind_(membrane_->core().census.passed.at(static_cast<size_t>(kind))),
      id_(membrane_->nextOutward_++) {
  membrane_->ledger.outwardCapabilities.take();
  membrane_->outward_[id_] = this;
}

Outward::~Outward() noexcept(false) {
  membrane_->ledger.outwardCapabilities.give();
  membrane_->ledger.passed.add(traffic_);
  membrane_->outward_.erase(id_);
  if (hook_ != nullptr) membrane_->outwardByHook_.erase(hook_);
}

void Outward::enroll(capnp::Capability::Client client) {
  hook_ = capnp::ClientHook::from(kj::mv(client)).get();
  membrane_->outwardByHook_[hook_] = this;
}

kj::Maybe<capnp::Capability::Client> Outward::original() {
  if (membrane_->isCut() || !route_.isOpen()) return nullptr;
  return route_.target<capnp::Capability>();
}

// ---------------------------------------------------------------------------------------------------------------------
// Targets

OutwardTarget::OutwardTarget(kj::Own<Membrane> membrane, rpc::Target::Client target, Kind kind, kj::StringPtr label)
    : Outward(kj::mv(membrane), target, kind, label), isPromise_(innermostHook(target).whenMoreResolved() != nullptr) {}

kj::Promise<void> OutwardTarget::call(CallContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  if (isTooDeep(context.getParams())) {
    setThrown(context.getResults(), ErrorPrototype::ERROR, PATH_TOO_DEEP);
    return kj::READY_NOW;
  }
  // A stream is one subrequest when it is handed over, however many pieces it comes in.
  if (!isStream(kind()) && !membrane_->worker().admitSubrequest()) {
    setThrown(context.getResults(), ErrorPrototype::ERROR, TOO_MANY_SUBREQUESTS);
    return kj::READY_NOW;
  }
  auto manifest = inspectCall(context.getParams());
  auto& ledger = membrane_->ledger;
  auto refuse = [&](const Meter& meter) {
    setThrown(context.getResults(), ErrorPrototype::ERROR, meter.refusal());
    return kj::Promise<void>(kj::READY_NOW);
  };
  if (!ledger.outwardCalls.hasRoom()) return refuse(ledger.outwardCalls);
  if (!ledger.outwardBytes.hasRoom(manifest.inlineBytes)) return refuse(ledger.outwardBytes);
  if (!ledger.inwardCapabilities.hasRoom(manifest.capabilities)) return refuse(ledger.inwardCapabilities);
  if (manifest.largeBytes > wire::PAYLOAD_BYTES_MAX) {
    setThrown(context.getResults(), ErrorPrototype::RANGE, "The arguments of this call are larger than 32 MiB, the limit for one call.");
    return kj::READY_NOW;
  }
  noteCall();
  noteOut(manifest.bytes());
  ledger.outwardCalls.take();
  ledger.outwardBytes.take(manifest.inlineBytes);

  auto promise = route_.send([this, context, manifest]() mutable { return forward(context, manifest); });
  return membrane_->untilCut(kj::mv(promise)).attach(kj::defer([membrane = kj::addRef(*membrane_), bytes = manifest.inlineBytes]() mutable {
    membrane->ledger.outwardCalls.give();
    membrane->ledger.outwardBytes.give(bytes);
  }));
}

kj::Promise<void> OutwardTarget::forward(CallContext context, Manifest manifest) {
  membrane_->requireWhole();
  auto request = route_.target<rpc::Target>().callRequest(manifest.size());
  copyCall(context.getParams(), manifest, request, membrane_->outOfWorker(), wire::WORKER_MESSAGE_BYTES_MAX);
  request.setTailDepth(membrane_->worker().tailDepth());
  if (context.getParams().hasTrace()) membrane_->worker().setTrace(context.getParams().getTrace(), request);
  context.releaseParams();
  auto sent = request.send();
  auto wrap = [membrane = kj::addRef(*membrane_)](rpc::Target::Client inner) mutable {
    return membrane->intoWorker().target(kj::mv(inner), Kind::STUB, ""_kj);
  };
  auto promised = kj::refcounted<PromisedResult>(kj::mv(static_cast<rpc::Return::Pipeline&>(sent)), kj::mv(wrap));
  context.setPipeline(promised->pipeline());
  auto& p = *promised;
  return sent
      .then([this, context, &p](capnp::Response<rpc::Return>&& response) mutable { answer(response, context, p); })
      .catch_([this, context](kj::Exception&& exception) mutable { fail(kj::mv(exception), context.getResults()); })
      .attach(kj::defer([promised = kj::mv(promised)]() mutable { promised->close(); }));
}

void OutwardTarget::answer(rpc::Return::Reader from, CallContext& context, PromisedResult& promised) {
  if (from.isEnded()) {
    auto ending = context.getResults().initEnded();
    ending.setCode(from.getEnded().getCode());
    ending.setMessage(quoted(from.getEnded().getMessage()));
    return;
  }
  bool isThrown = from.isThrown();
  auto payload = isThrown ? from.getThrown() : from.getValue();
  auto manifest = inspect(payload);
  noteIn(manifest.bytes());
  auto& ledger = membrane_->ledger;
  if (manifest.bytes() > wire::PAYLOAD_BYTES_MAX) {
    return setThrown(context.getResults(), ErrorPrototype::RANGE,
                     "The result of this call is larger than 32 MiB, the limit for one return.");
  }
  KJ_IF_MAYBE(peer, membrane_->worker().peer()) {
    // All that are open, but for those under way here.
    if (peer->openCalls() > ledger.outwardCalls.now() + membrane::UNREAD_ANSWERS_MAX) {
      return setThrown(context.getResults(), ErrorPrototype::ERROR, ledger.unreadAnswers.refusal());
    }
  }
  if (!ledger.outwardCapabilities.hasRoom(manifest.capabilities + 1)) {
    return setThrown(context.getResults(), ErrorPrototype::ERROR, ledger.outwardCapabilities.refusal());
  }
  if (manifest.inlineBytes > wire::INLINE_BYTES && !ledger.waitingAnswerBytes.hasRoom(manifest.inlineBytes)) {
    return setThrown(context.getResults(), ErrorPrototype::ERROR, ledger.waitingAnswerBytes.refusal());
  }
  auto size = manifest.size();
  if (manifest.inlineBytes > wire::INLINE_BYTES) size.wordCount -= manifest.inlineBytes / sizeof(capnp::word);
  auto to = context.getResults(size);
  copyPayload(payload, manifest, isThrown ? to.initThrown() : to.initValue(), membrane_->intoWorker(), wire::INLINE_BYTES);
  if (from.hasPipeline()) {
    to.setPipeline(promised.get());
    to.setDisposable(from.getDisposable());
  }
}

void OutwardTarget::fail(kj::Exception&& exception, rpc::Return::Builder to) {
  membrane_->requireWhole();
  if (exception.getType() == kj::Exception::Type::DISCONNECTED) {
    return setThrown(to, ErrorPrototype::ERROR, "Whoever provided this capability is gone.");
  }
  if (isPromise_) kj::throwFatalException(nothingToCall());
  setThrown(to, ErrorPrototype::ERROR, kj::str("The call failed: ", quoted(exception.getDescription())));
}

// ---------------------------------------------------------------------------------------------------------------------
// Large values

OutwardSource::OutwardSource(kj::Own<Membrane> membrane, rpc::ByteSource::Client source, uint64_t waitingBytes)
    : Outward(kj::mv(membrane), kj::mv(source), Kind::NONE, ""_kj), waitingBytes_(waitingBytes) {
  membrane_->ledger.waitingAnswerBytes.take(waitingBytes_);
}

OutwardSource::~OutwardSource() noexcept(false) { membrane_->ledger.waitingAnswerBytes.give(waitingBytes_); }

kj::Promise<void> OutwardSource::read(ReadContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  auto params = context.getParams();
  uint64_t offset = params.getOffset();
  uint32_t length = params.getLength();
  KJ_REQUIRE(length >= 1 && length <= wire::CHUNK_BYTES, "a read must ask for 1 to 65536 bytes", length);
  auto send = [this, context, offset, length]() mutable {
    membrane_->requireWhole();
    auto request = route_.target<rpc::ByteSource>().readRequest();
    request.setOffset(offset);
    request.setLength(length);
    return request.send().then([this, context, length](auto&& response) mutable {
      auto bytes = response.getBytes();
      KJ_REQUIRE(bytes.size() <= length, "more bytes than asked for");
      noteIn(bytes.size());
      context.getResults().setBytes(bytes);
    });
  };
  auto entered = membrane_->worker().readGate().enter();
  return membrane_->untilCut(entered.then([this, send = kj::mv(send)]() mutable { return route_.send(kj::mv(send)); }));
}

// ---------------------------------------------------------------------------------------------------------------------
// Loaders and what they load

class OutwardLoader::Maker final: public WorkerMaker {
 public:
  Maker(OutwardLoader& loader, kj::Own<Membrane> membrane): loader_(loader), membrane_(kj::mv(membrane)) {}
  void close() { loader_ = nullptr; }

  kj::Promise<Made> make(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console, uint64_t expectedBytes) override {
    KJ_IF_MAYBE(loader, loader_) return loader->makeNamed(kj::mv(factory), kj::mv(console), expectedBytes);
    return membraneCut();
  }
  kj::Maybe<Membrane&> owner() const override { return *membrane_; }

 private:
  kj::Maybe<OutwardLoader&> loader_;
  mutable kj::Own<Membrane> membrane_;
};

OutwardLoader::OutwardLoader(kj::Own<Membrane> membrane, capnp::Capability::Client loader, kj::StringPtr label)
    : Outward(kj::mv(membrane), kj::mv(loader), Kind::LOADER, label),
      maker_(kj::refcounted<Maker>(*this, kj::addRef(*membrane_))),
      names_(kj::refcounted<NamedWorkers>(kj::addRef(membrane_->core()), kj::addRef(*maker_), kj::Own<Holder>(kj::addRef(*membrane_)))) {}

OutwardLoader::~OutwardLoader() noexcept(false) {
  maker_->close();
  names_->close();
}

void OutwardLoader::close(const kj::Exception& reason) {
  maker_->close();
  names_->close();
  Outward::close(reason);
}

kj::Promise<void> OutwardLoader::load(LoadContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  noteCall();
  auto params = context.getParams();
  kj::Maybe<rpc::LargeValue::Reader> bulk;
  if (params.hasBulk()) bulk = params.getBulk();
  kj::Maybe<rpc::Console::Client> console;
  if (params.hasConsole()) console = params.getConsole();
  return tryLoad(params.getCode(), bulk, kj::mv(console), false)
      .then([this, context](Child child) mutable {
        context.getResults().setWorker(Outward::make<OutwardWorker>(kj::addRef(*membrane_), kj::mv(child.worker), kj::mv(child.slot)));
      }, [this, context](kj::Exception&& exception) mutable {
        membrane_->requireWhole();
        // What is wrong with a load is told by each call on what it returns.
        context.getResults().setWorker(newFailedWorker(kj::str(exception.getDescription())));
      });
}

kj::Promise<OutwardLoader::Child> OutwardLoader::tryLoad(rpc::WorkerCode::Reader code, kj::Maybe<rpc::LargeValue::Reader> bulk,
                                                         kj::Maybe<rpc::Console::Client> console, bool hasName) {
  membrane_->requireWhole();
  auto& ledger = membrane_->ledger;
  auto refuse = [&](kj::String why) -> kj::Promise<Child> {
    return kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::mv(why));
  };
  uint64_t bulkBytes = bulk.map([](rpc::LargeValue::Reader& large) { return large.getSize(); }).orDefault(0);
  if (bulkBytes > membrane::BULK_BYTES_MAX) {
    return refuse(kj::str("Dynamic Worker code size (", bulkBytes, " bytes) exceeds the maximum allowed size of ", wire::CODE_BYTES_MAX, " bytes."));
  }
  if (!membrane_->worker().admitSubrequest()) return refuse(kj::str(TOO_MANY_SUBREQUESTS));
  if (!ledger.bulkBytes.hasRoom(bulkBytes)) return refuse(ledger.bulkBytes.refusal());
  auto tails = code.getTails();
  if (tails.size() > wire::TAILS_MAX) return refuse(kj::str("A worker may have ", wire::TAILS_MAX, " tails; this one has ", tails.size(), "."));
  if (!ledger.inwardCapabilities.hasRoom(inspect(code.getEnv()).capabilities + tails.size() + 2)) {
    return refuse(ledger.inwardCapabilities.refusal());
  }
  auto slot = membrane_->tryTakeChildSlot();
  if (slot == nullptr && names_->evictOne(evictedForOthers())) slot = membrane_->tryTakeChildSlot();
  if (slot == nullptr) return refuse(ledger.children.refusal());

  ledger.bulkBytes.take(bulkBytes);
  auto paf = kj::newPromiseAndFulfiller<Child>();
  auto send = [this, code, bulk, console = kj::mv(console), hasName, slot = kj::mv(slot), fulfiller = kj::mv(paf.fulfiller)]() mutable {
    return forward(code, bulk, kj::mv(console), hasName, kj::mv(KJ_ASSERT_NONNULL(slot)))
        .then([fulfiller = kj::mv(fulfiller)](Child child) mutable { fulfiller->fulfill(kj::mv(child)); });
  };
  auto sent = membrane_->untilCut(route_.send(kj::mv(send))).attach(kj::defer([membrane = kj::addRef(*membrane_), bulkBytes]() mutable {
    membrane->ledger.bulkBytes.give(bulkBytes);
  }));
  return sent.then([promise = kj::mv(paf.promise)]() mutable { return kj::mv(promise); });
}

kj::Promise<OutwardLoader::Child> OutwardLoader::forward(rpc::WorkerCode::Reader code, kj::Maybe<rpc::LargeValue::Reader> bulk,
                                                         kj::Maybe<rpc::Console::Client> console, bool hasName,
                                                         kj::Own<Membrane::ChildSlot> slot) {
  membrane_->requireWhole();
  auto& worker = membrane_->worker();
  auto words = inspectPlain(code.getModules());
  auto env = inspect(code.getEnv());
  auto request = route_.target<rpc::Loader>().loadRequest(capnp::MessageSize{words + env.size().wordCount + 256, env.capabilities + code.getTails().size() + 2});
  auto copy = request.initCode();
  copyHeadOfCode(code, copy);
  copy.setModules(code.getModules());
  if (code.hasEnv()) copyPayload(code.getEnv(), env, copy.initEnv(), membrane_->outOfWorker(), wire::WORKER_MESSAGE_BYTES_MAX);
  auto tails = code.getTails();
  auto crossed = copy.initTails(tails.size());
  for (auto i: kj::indices(tails)) crossed.set(i, membrane_->outOfWorker().target(tails[i], Kind::SERVICE, ""_kj));
  auto limits = lowerOf(readLimits(code.getLimits()), worker.limits());
  if (hasName) limits.idleMs = 0;   // the name's business
  writeLimits(limits, copy.initLimits());
  KJ_IF_MAYBE(c, console) request.setConsole(Handle::make<InwardConsole>(kj::addRef(worker), kj::mv(*c)));
  KJ_IF_MAYBE(large, bulk) {
    auto to = request.initBulk();
    to.setSize(large->getSize());
    to.setSource(membrane_->outOfWorker().source(large->getSource()));
  }
  return request.send()
      .then([this, slot = kj::mv(slot)](auto&& response) mutable -> Child {
        auto worker = response.getWorker();
        KJ_IF_MAYBE(handle, membrane_->core().kinship.tryFind(worker)) {
          KJ_IF_MAYBE(child, handle->tryGetWorker()) {
            // The child keeps its place for as long as it lives, whoever holds it.
            child->setChildSlot(kj::mv(slot));
            return {kj::mv(worker), nullptr};
          }
        }
        return {kj::mv(worker), kj::mv(slot)};
      })
      .catch_([](kj::Exception&& exception) -> kj::Promise<Child> {
        return kj::Exception(exception.getType(), __FILE__, __LINE__, kj::str("The worker could not be loaded: ", quoted(exception.getDescription())));
      });
}

kj::Promise<WorkerMaker::Made> OutwardLoader::makeNamed(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console,
                                                   uint64_t expectedBytes) {
  membrane_->requireWhole();
  using Results = rpc::WorkerFactory::CodeResults;
  auto answer = kj::heap<kj::Maybe<capnp::Response<Results>>>();
  auto& a = *answer;
  auto asked = factory.codeRequest().send().then([&a](capnp::Response<Results>&& response) { a = kj::mv(response); });
  return membrane_->untilCut(membrane_->worker().whileWatched(kj::mv(asked)))
      .catch_([this](kj::Exception&& exception) -> kj::Promise<void> {
        membrane_->requireWhole();
        return kj::Exception(exception.getType(), __FILE__, __LINE__, quoted(textWithoutHops(exception)));
      })
      .then([this, &a, console = kj::mv(console), expectedBytes]() mutable -> kj::Promise<WorkerMaker::Made> {
        auto& response = KJ_ASSERT_NONNULL(a);
        auto code = response.getCode();
        kj::Maybe<rpc::LargeValue::Reader> bulk;
        if (response.hasBulk()) bulk = response.getBulk();
        auto idleMs = lowerOf(readLimits(code.getLimits()), membrane_->worker().limits()).idleMs;
        membrane_->core().warmth.makeRoom(expectedBytes);
        return tryLoad(code, bulk, kj::mv(console), true).then([this, idleMs](Child child) -> WorkerMaker::Made {
          KJ_IF_MAYBE(handle, membrane_->core().kinship.tryFind(child.worker)) {
            KJ_IF_MAYBE(worker, handle->tryGetWorker()) return {kj::addRef(*worker), idleMs};
          }
          KJ_FAIL_REQUIRE("this loader is another supervisor's and has no names; use load()");
        });
      })
      .attach(kj::mv(answer));
}

kj::Promise<void> OutwardLoader::get(GetContext context) {
  membrane_->requireWhole();
  auto params = context.getParams();
  noteCall();
  auto& room = membrane_->ledger.outwardCapabilities;
  if (!room.hasRoom() || !names_->hasRoomFor(params.getName())) {
    context.getResults().setWorker(newFailedWorker(room.hasRoom() ? membrane_->ledger.names.refusal() : room.refusal()));
    return kj::READY_NOW;
  }
  kj::Maybe<rpc::Console::Client> console;
  if (params.hasConsole()) console = params.getConsole();
  auto worker = names_->get(params.getName(), params.getFactory(), kj::mv(console));
  context.getResults().setWorker(Outward::make<OutwardWorker>(kj::addRef(*membrane_), kj::mv(worker), nullptr));
  return kj::READY_NOW;
}

void OutwardLoader::noteByName() {
  membrane_->requireWhole();
  noteCall();
  KJ_REQUIRE(membrane_->worker().admitSubrequest(), TOO_MANY_SUBREQUESTS);
}

kj::Promise<void> OutwardLoader::delete_(DeleteContext context) {
  noteByName();
  context.getResults().setFound(names_->remove(context.getParams().getName()));
  return kj::READY_NOW;
}

kj::Promise<void> OutwardLoader::abort(AbortContext context) {
  noteByName();
  context.getResults().setFound(names_->abort(context.getParams().getName()));
  return kj::READY_NOW;
}

kj::Promise<void> OutwardLoader::list(ListContext context) {
  noteByName();
  names_->list(context.getResults(), membrane::LIST_BYTES_MAX);
  return kj::READY_NOW;
}

OutwardWorker::OutwardWorker(kj::Own<Membrane> membrane, rpc::Worker::Client worker, kj::Maybe<kj::Own<Membrane::ChildSlot>> slot)
    : Outward(kj::mv(membrane), kj::mv(worker), Kind::NONE, ""_kj), slot_(kj::mv(slot)) {}

kj::Promise<void> OutwardWorker::getEntrypoint(GetEntrypointContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  auto send = [this, context]() mutable -> kj::Promise<void> {
    membrane_->requireWhole();
    auto params = context.getParams();
    auto props = inspect(params.getProps());
    KJ_REQUIRE(membrane_->ledger.inwardCapabilities.hasRoom(props.capabilities), membrane_->ledger.inwardCapabilities.refusal());
    auto request = route_.target<rpc::Worker>().getEntrypointRequest(props.size());
    request.setName(params.getName());
    if (params.hasProps()) copyPayload(params.getProps(), props, request.initProps(), membrane_->outOfWorker(), wire::WORKER_MESSAGE_BYTES_MAX);
    writeLimits(lowerOf(readLimits(params.getLimits()), membrane_->worker().limits()), request.initLimits());
    auto label = cleanLabel(params.getName());
    return request.send().then([this, context, label = kj::mv(label)](auto&& response) mutable {
      context.getResults().setEntrypoint(membrane_->intoWorker().target(response.getEntrypoint(), Kind::SERVICE, label));
    });
  };
  return membrane_->untilCut(route_.send(kj::mv(send)));
}

kj::Promise<void> OutwardWorker::revoke(RevokeContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  auto send = [this]() mutable {
    membrane_->requireWhole();
    return route_.target<rpc::Worker>().revokeRequest().send().ignoreResult();
  };
  return membrane_->untilCut(route_.send(kj::mv(send)));
}

}  // namespace glovebox
