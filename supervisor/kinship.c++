#include "supervisor/kinship.h"

#include <kj/debug.h>

#include <unordered_set>
#include <vector>

#include "ipc/uv-event-port.h"
#include "supervisor/core.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/membrane.h"
#include "supervisor/route.h"

namespace glovebox {
namespace {

// Not at once: handles come and go in pairs when a capability changes hands, and a sweep looks at every worker. At most so
// often it costs nothing to speak of, whatever a worker does.
constexpr kj::Duration SWEEP_DELAY = 10 * kj::MILLISECONDS;

}  // namespace

kj::Maybe<Handle&> Kinship::tryFind(capnp::Capability::Client& client) {
  auto found = handles_.find(&innermostHook(client));
  if (found == handles_.end()) return nullptr;
  return *found->second;
}

void Kinship::planSweep() {
  if (sweepPlanned_) return;
  sweepPlanned_ = true;
  sweeping_ = core_.port.getTimer().afterDelay(SWEEP_DELAY).then([this]() {
    sweepPlanned_ = false;
    // The last worker may take the core with it, and that would be this.
    auto core = kj::addRef(core_);
    sweep();
    kj::evalLater([core = kj::mv(core)]() {}).detach([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
  }).eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

void Kinship::sweep() {
  std::unordered_set<LoadedWorker*> reached;
  std::vector<LoadedWorker*> toVisit;
  auto reach = [&](LoadedWorker* worker) {
    if (reached.insert(worker).second) toVisit.push_back(worker);
  };
  for (auto& entry: workers_) {
    if (entry.second->outsideHandles_ > 0) reach(entry.second);
  }
  while (!toVisit.empty()) {
    auto worker = toVisit.back();
    toVisit.pop_back();
    for (auto& held: worker->membrane().held()) reach(held.first);
  }
  std::vector<kj::Own<LoadedWorker>> lost;
  for (auto& entry: workers_) {
    if (reached.count(entry.second) == 0) lost.push_back(kj::addRef(*entry.second));
  }
  for (auto& worker: lost) worker->abandon();
}

Handle::Handle(kj::Own<LoadedWorker> worker, kj::Maybe<Membrane&> holder): worker_(kj::mv(worker)) {
  worker_->membrane().ledger.inwardCapabilities.take();
  KJ_IF_MAYBE(h, holder) {
    holder_ = kj::addRef(*h);
    h->held_[worker_.get()]++;
    worker_->insideHandles_++;
  } else {
    worker_->outsideHandles_++;
  }
}

Handle::~Handle() noexcept(false) {
  auto& kinship = worker_->core().kinship;
  if (hook_ != nullptr) kinship.handles_.erase(hook_);
  worker_->membrane().ledger.inwardCapabilities.give();
  KJ_IF_MAYBE(holder, holder_) {
    auto held = (*holder)->held_.find(worker_.get());
    if (--held->second == 0) (*holder)->held_.erase(held);
    worker_->insideHandles_--;
  } else {
    worker_->outsideHandles_--;
  }
  // With no handle left at all it ends by itself.
  if (worker_->outsideHandles_ == 0 && worker_->insideHandles_ > 0) kinship.planSweep();
}

void Handle::enroll(capnp::Capability::Client client) {
  hook_ = capnp::ClientHook::from(kj::mv(client)).get();
  worker_->core().kinship.handles_[hook_] = this;
}

}  // namespace glovebox
