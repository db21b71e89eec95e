#include "supervisor/outward.h"

#include <kj/debug.h>

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
  bool isStream = kind() == Kind::READABLE || kind() == Kind::WRITABLE;
  if (!isStream && !membrane_->worker().admitSubrequest()) {
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

OutwardLoader::OutwardLoader(kj::Own<Membrane> membrane, capnp::Capability::Client loader, kj::StringPtr label)
    : Outward(kj::mv(membrane), kj::mv(loader), Kind::LOADER, label) {}

kj::Promise<void> OutwardLoader::load(LoadContext context) {
  allowCancellation(context);
  membrane_->requireWhole();
  auto params = context.getParams();
  auto& ledger = membrane_->ledger;
  // What is wrong with a load is told by each call on what it returns.
  auto refuse = [&](kj::String why) {
    context.getResults().setWorker(newFailedWorker(kj::mv(why)));
    return kj::Promise<void>(kj::READY_NOW);
  };
  uint64_t bulkBytes = params.hasBulk() ? params.getBulk().getSize() : 0;
  if (bulkBytes > membrane::BULK_BYTES_MAX) {
    return refuse(kj::str("Dynamic Worker code size (", bulkBytes, " bytes) exceeds the maximum allowed size of ", wire::CODE_BYTES_MAX, " bytes."));
  }
  if (!membrane_->worker().admitSubrequest()) return refuse(kj::str(TOO_MANY_SUBREQUESTS));
  if (!ledger.bulkBytes.hasRoom(bulkBytes)) return refuse(ledger.bulkBytes.refusal());
  auto tails = params.getCode().getTails();
  if (tails.size() > wire::TAILS_MAX) return refuse(kj::str("A worker may have ", wire::TAILS_MAX, " tails; this one has ", tails.size(), "."));
  if (!ledger.inwardCapabilities.hasRoom(inspect(params.getCode().getEnv()).capabilities + tails.size() + 2)) {
    return refuse(ledger.inwardCapabilities.refusal());
  }
  kj::Own<Membrane::ChildSlot> slot;
  KJ_IF_MAYBE(s, membrane_->tryTakeChildSlot()) {
    slot = kj::mv(*s);
  } else {
    return refuse(ledger.children.refusal());
  }

  noteCall();
  ledger.bulkBytes.take(bulkBytes);
  auto promise = route_.send([this, context, slot = kj::mv(slot)]() mutable { return forward(context, kj::mv(slot)); });
  return membrane_->untilCut(kj::mv(promise)).attach(kj::defer([membrane = kj::addRef(*membrane_), bulkBytes]() mutable {
    membrane->ledger.bulkBytes.give(bulkBytes);
  }));
}

kj::Promise<void> OutwardLoader::forward(LoadContext context, kj::Own<Membrane::ChildSlot> slot) {
  membrane_->requireWhole();
  auto& worker = membrane_->worker();
  auto params = context.getParams();
  auto code = params.getCode();
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
  writeLimits(lowerOf(readLimits(code.getLimits()), worker.limits()), copy.initLimits());
  if (params.hasConsole()) request.setConsole(Handle::make<InwardConsole>(kj::addRef(worker), params.getConsole()));
  if (params.hasBulk()) {
    auto bulk = request.initBulk();
    bulk.setSize(params.getBulk().getSize());
    bulk.setSource(membrane_->outOfWorker().source(params.getBulk().getSource()));
  }
  context.releaseParams();
  return request.send()
      .then([this, context, slot = kj::mv(slot)](auto&& response) mutable {
        auto worker = response.getWorker();
        kj::Maybe<kj::Own<Membrane::ChildSlot>> kept = kj::mv(slot);
        KJ_IF_MAYBE(handle, membrane_->core().kinship.tryFind(worker)) {
          // The child keeps its place for as long as it lives, whoever holds it.
          handle->worker().setChildSlot(kj::mv(KJ_ASSERT_NONNULL(kept)));
          kept = nullptr;
        }
        context.getResults().setWorker(make<OutwardWorker>(kj::addRef(*membrane_), kj::mv(worker), kj::mv(kept)));
      })
      .catch_([this, context](kj::Exception&& exception) mutable {
        membrane_->requireWhole();
        context.getResults().setWorker(newFailedWorker(kj::str("The worker could not be loaded: ", quoted(exception.getDescription()))));
      });
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
