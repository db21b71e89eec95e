#include "supervisor/kinship.h"

#include <kj/debug.h>

#include <unordered_set>
#include <vector>

#include "ipc/uv-event-port.h"
#include "supervisor/core.h"
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
  std::unordered_set<Kin*> reached;
  std::vector<Kin*> toVisit;
  auto reach = [&](Kin& kin) {
    if (reached.insert(&kin).second) toVisit.push_back(&kin);
  };
  for (auto kin: all_) {
    if (kin->outsideHolds_ > 0) reach(*kin);
  }
  while (!toVisit.empty()) {
    auto kin = toVisit.back();
    toVisit.pop_back();
    kin->visitHeld(reach);
  }
  std::vector<kj::Own<Kin>> lost;
  for (auto kin: all_) {
    if (reached.count(kin) == 0) lost.push_back(kj::addRef(*kin));
  }
  for (auto& kin: lost) kin->abandon();
}

Kin::Kin(kj::Own<Core> core): core_(kj::mv(core)) { core_->kinship.all_.insert(this); }
Kin::~Kin() noexcept(false) { core_->kinship.all_.erase(this); }

Hold::Hold(kj::Own<Kin> kin, kj::Maybe<Holder&> holder): kin_(kj::mv(kin)) {
  KJ_IF_MAYBE(h, holder) {
    holder_ = kj::addRef(*h);
    h->held_[kin_.get()]++;
    kin_->insideHolds_++;
  } else {
    kin_->outsideHolds_++;
  }
}

Hold::~Hold() noexcept(false) {
  KJ_IF_MAYBE(holder, holder_) {
    auto held = (*holder)->held_.find(kin_.get());
    if (--held->second == 0) (*holder)->held_.erase(held);
    kin_->insideHolds_--;
  } else {
    kin_->outsideHolds_--;
  }
  // With no hold left at all it ends by itself.
  if (kin_->outsideHolds_ == 0 && kin_->insideHolds_ > 0) kin_->core().kinship.planSweep();
}

Handle::~Handle() noexcept(false) {
  if (hook_ != nullptr) hold_.kin().core().kinship.handles_.erase(hook_);
}

void Handle::enroll(capnp::Capability::Client client) {
  hook_ = capnp::ClientHook::from(kj::mv(client)).get();
  hold_.kin().core().kinship.handles_[hook_] = this;
}

}  // namespace glovebox
