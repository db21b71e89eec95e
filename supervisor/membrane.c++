#include "supervisor/membrane.h"

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "supervisor/inward.h"
#include "supervisor/kinship.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/loader.h"
#include "supervisor/outward.h"

namespace glovebox {

kj::Exception membraneCut() { return KJ_EXCEPTION(DISCONNECTED, "the worker has ended; what it was handed is out of its reach"); }

Membrane::Membrane(kj::Own<Core> core, LoadedWorker& worker, uint32_t capabilitiesMax)
    : ledger(capabilitiesMax), core_(kj::mv(core)), worker_(worker), into_(*this), outOf_(*this) {}

Membrane::~Membrane() noexcept(false) {}

LoadedWorker& Membrane::worker() {
  KJ_IF_MAYBE(worker, worker_) return *worker;
  kj::throwFatalException(membraneCut());
}

void Membrane::requireWhole() const {
  if (cut_) kj::throwFatalException(membraneCut());
}

void Membrane::cut() {
  if (cut_) return;
  cut_ = true;
  worker_ = nullptr;
  kj::evalLater([self = kj::addRef(*this)]() mutable { self->dropAll(); }).detach([](kj::Exception&& exception) {
    KJ_LOG(ERROR, exception);
  });
}

void Membrane::revoke() {
  revoked_ = true;
  cut();
}

void Membrane::dropAll() {
  canceler_.cancel(membraneCut());
  // Letting go of one may take others with it.
  std::map<uint64_t, Outward*>::iterator next;
  for (uint64_t id = 0; (next = outward_.lower_bound(id)) != outward_.end();) {
    id = next->first + 1;
    next->second->close(membraneCut());
  }
}

capnp::Capability::Client Membrane::adopt(capnp::Capability::Client client) {
  KJ_IF_MAYBE(handle, core_->kinship.tryFind(client)) return handle->cloneFor(*this);
  // Names are the loader's owner's. And a worker must not keep what keeps itself.
  KJ_IF_MAYBE(loader, core_->loaders.tryFind(client)) return loader->withoutNames();
  return client;
}

kj::Maybe<ConsoleMembrane&> Membrane::tryGetConsole(capnp::Capability::Client& client) {
  if (&innermostHook(client) != consoleHook_) return nullptr;
  return console_;
}

bool Membrane::isOutward(capnp::Capability::Client& client) { return outwardByHook_.count(&innermostHook(client)) > 0; }

kj::Maybe<capnp::Capability::Client> Membrane::tryUnwrap(capnp::Capability::Client& client) {
  auto found = outwardByHook_.find(&innermostHook(client));
  if (found == outwardByHook_.end()) return nullptr;
  KJ_IF_MAYBE(original, found->second->original()) {
    // From here on somebody outside holds it.
    KJ_IF_MAYBE(handle, core_->kinship.tryFind(*original)) return handle->cloneFor(nullptr);
    return kj::mv(*original);
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// Into the worker

rpc::Target::Client Membrane::Into::target(rpc::Target::Client from, ValueExternal::Kind kind, kj::StringPtr label) {
  if (!membrane_.ledger.outwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane_.ledger.outwardCapabilities.refusal());
  return Outward::make<OutwardTarget>(kj::addRef(membrane_), kj::mv(from), kind, label);
}

capnp::Capability::Client Membrane::Into::loader(capnp::Capability::Client from, kj::StringPtr label) {
  if (!membrane_.ledger.outwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane_.ledger.outwardCapabilities.refusal());
  return Outward::make<OutwardLoader>(kj::addRef(membrane_), kj::mv(from), label);
}

rpc::ByteSource::Client Membrane::Into::source(rpc::ByteSource::Client from) {
  if (!membrane_.ledger.outwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane_.ledger.outwardCapabilities.refusal());
  return Outward::make<OutwardSource>(kj::addRef(membrane_), kj::mv(from), 0);
}

void Membrane::Into::setLarge(rpc::Value::Reader value, uint64_t bytes, rpc::LargeValue::Builder to) {
  auto message = kj::heap<capnp::MallocMessageBuilder>(static_cast<uint>(bytes / sizeof(capnp::word) + 8));
  message->setRoot(value);
  offerLarge(kj::mv(message), to);
  to.setSource(Outward::make<OutwardSource>(kj::addRef(membrane_), to.getSource(), bytes));
}

// ---------------------------------------------------------------------------------------------------------------------
// Out of it

rpc::Target::Client Membrane::OutOf::target(rpc::Target::Client from, ValueExternal::Kind kind, kj::StringPtr) {
  KJ_IF_MAYBE(original, membrane_.tryUnwrap(from)) return original->castAs<rpc::Target>();
  auto& worker = membrane_.worker();
  if (!membrane_.ledger.inwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane_.ledger.inwardCapabilities.refusal());
  bool isPromise = innermostHook(from).whenMoreResolved() != nullptr;
  auto origin = isPromise ? Origin::PROMISED : isStream(kind) ? Origin::STREAM : Origin::OBJECT;
  return Handle::make<InwardTarget>(kj::addRef(worker), kj::mv(from), worker.callLimits(), origin);
}

capnp::Capability::Client Membrane::OutOf::loader(capnp::Capability::Client from, kj::StringPtr) {
  KJ_IF_MAYBE(original, membrane_.tryUnwrap(from)) return kj::mv(*original);
  return KJ_EXCEPTION(FAILED, "a worker can hand on a loader that it was handed, but not make one");
}

rpc::ByteSource::Client Membrane::OutOf::source(rpc::ByteSource::Client from) {
  auto& worker = membrane_.worker();
  if (!membrane_.ledger.inwardCapabilities.hasRoom()) return KJ_EXCEPTION(OVERLOADED, membrane_.ledger.inwardCapabilities.refusal());
  return Handle::make<InwardSource>(kj::addRef(worker), kj::mv(from));
}

void Membrane::OutOf::setLarge(rpc::Value::Reader, uint64_t bytes, rpc::LargeValue::Builder) {
  KJ_FAIL_REQUIRE("a value from a worker is larger than its message may be", bytes);
}

// ---------------------------------------------------------------------------------------------------------------------

kj::Maybe<kj::Own<Membrane::ChildSlot>> Membrane::tryTakeChildSlot() {
  kj::Vector<kj::Own<Membrane>> line;
  kj::Maybe<Membrane&> next = *this;
  for (;;) {
    KJ_IF_MAYBE(membrane, next) {
      if (!membrane->ledger.children.hasRoom()) return nullptr;
      line.add(kj::addRef(*membrane));
      next = membrane->parent_.map([](kj::Own<Membrane>& parent) -> Membrane& { return *parent; });
    } else {
      break;
    }
  }
  for (auto& membrane: line) membrane->ledger.children.take();
  return kj::heap<ChildSlot>(line.releaseAsArray());
}

bool Membrane::belongsTo(const LoadedWorker& worker) const {
  if (&worker.holder() == this) return true;
  KJ_IF_MAYBE(parent, parent_) return (*parent)->belongsTo(worker);
  return false;
}

Membrane::ChildSlot::~ChildSlot() noexcept(false) {
  for (auto& membrane: line_) membrane->ledger.children.give();
}

}  // namespace glovebox
