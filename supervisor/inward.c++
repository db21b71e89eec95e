#include "supervisor/inward.h"

#include "ipc/limits-message.h"
#include "supervisor/cancellation.h"
#include "supervisor/console-membrane.h"
#include "supervisor/payload-membrane.h"

namespace glovebox {

Inward::Inward(kj::Own<LoadedWorker> worker, kj::Maybe<Holder&> holder)
    : Handle(kj::addRef(*worker), holder), worker_(kj::mv(worker)) {
  worker_->membrane().ledger.inwardCapabilities.take();
}

Inward::~Inward() noexcept(false) { worker_->membrane().ledger.inwardCapabilities.give(); }

InwardTarget::InwardTarget(kj::Own<LoadedWorker> worker, rpc::Target::Client inner, CallLimits limits, Origin origin,
                           kj::StringPtr entrypoint, kj::Maybe<Holder&> holder)
    : Inward(kj::mv(worker), holder),
      inner_(inner),
      route_(kj::mv(inner)),
      limits_(limits),
      origin_(origin),
      entrypoint_(kj::str(entrypoint)) {}

kj::Promise<void> InwardTarget::call(CallContext context) {
  allowCancellation(context);
  return worker().call(route_, context, limits_, origin_, entrypoint_);
}

capnp::Capability::Client InwardTarget::cloneFor(kj::Maybe<Holder&> holder) {
  return make<InwardTarget>(kj::addRef(worker()), inner_, limits_, origin_, entrypoint_, holder);
}

InwardSource::InwardSource(kj::Own<LoadedWorker> worker, rpc::ByteSource::Client inner, kj::Maybe<Holder&> holder)
    : Inward(kj::mv(worker), holder), inner_(inner), route_(kj::mv(inner)) {}

kj::Promise<void> InwardSource::read(ReadContext context) {
  allowCancellation(context);
  auto params = context.getParams();
  return worker().read(route_, params.getOffset(), params.getLength(), context.getResults());
}

capnp::Capability::Client InwardSource::cloneFor(kj::Maybe<Holder&> holder) {
  return make<InwardSource>(kj::addRef(worker()), inner_, holder);
}

InwardConsole::InwardConsole(kj::Own<LoadedWorker> worker, rpc::Console::Client inner, kj::Maybe<Holder&> holder)
    : Inward(kj::mv(worker), holder), inner_(inner), route_(kj::mv(inner)) {}

kj::Promise<void> InwardConsole::write(WriteContext context) {
  allowCancellation(context);
  auto messages = context.getParams().getMessages();
  inspectPlain(messages);
  // A console may be a promise, but nobody would wait for it.
  if (!route_.isOpen()) return kj::READY_NOW;
  auto target = route_.target<capnp::Capability>();
  KJ_IF_MAYBE(console, worker().membrane().tryGetConsole(target)) return worker().whileAlive(console->writeOfChild(messages));
  auto request = route_.target<rpc::Console>().writeRequest(messages.totalSize());
  request.setMessages(messages);
  return worker().whileAlive(request.send().ignoreResult());
}

capnp::Capability::Client InwardConsole::cloneFor(kj::Maybe<Holder&> holder) {
  return make<InwardConsole>(kj::addRef(worker()), inner_, holder);
}

InwardWorker::InwardWorker(kj::Own<LoadedWorker> worker, kj::Maybe<Holder&> holder): Inward(kj::mv(worker), holder) {}

kj::Promise<void> InwardWorker::getEntrypoint(GetEntrypointContext context) {
  auto limits = callLimitsOf(lowerOf(readLimits(context.getParams().getLimits()), worker().limits()));
  auto target = worker().getEntrypoint(context.getParams());
  auto name = cleanLabel(context.getParams().getName());
  if (name == "default") name = nullptr;   // as if it had not been named
  context.getResults().setEntrypoint(make<InwardTarget>(kj::addRef(worker()), kj::mv(target), limits, Origin::OBJECT, name));
  return kj::READY_NOW;
}

kj::Promise<void> InwardWorker::revoke(RevokeContext) { return worker().revoke(); }

capnp::Capability::Client InwardWorker::cloneFor(kj::Maybe<Holder&> holder) {
  return make<InwardWorker>(kj::addRef(worker()), holder);
}

}  // namespace glovebox
