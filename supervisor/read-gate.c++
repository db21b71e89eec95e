#include "supervisor/read-gate.h"

#include <kj/debug.h>

#include "ipc/guard-limits.h"

namespace glovebox {

void ReadGate::close() {
  peer_ = nullptr;
  watch_ = nullptr;
  waiting_.clear();
}

kj::Promise<void> ReadGate::enter() {
  KJ_IF_MAYBE(peer, peer_) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    waiting_.push_back(kj::mv(paf.fulfiller));
    pump(*peer);
    return kj::mv(paf.promise);
  }
  return kj::NEVER_DONE;
}

void ReadGate::pump(WorkerPeer& peer) {
  std::erase_if(waiting_, [](auto& read) { return !read->isWaiting(); });   // given up
  // All that are open, but for those that wait here, have been answered or are about to be.
  while (!waiting_.empty() && peer.openReads() < waiting_.size() + guard::READS_ANSWERED_MAX) {
    waiting_.front()->fulfill();
    waiting_.pop_front();
  }
  if (waiting_.empty() || watching_) return;
  watching_ = true;
  watch_ = watch(peer).eagerlyEvaluate([](kj::Exception&& exception) { KJ_LOG(ERROR, exception); });
}

kj::Promise<void> ReadGate::watch(WorkerPeer& peer) {
  return peer.whenReadFinished().then([this, &peer]() -> kj::Promise<void> {
    pump(peer);
    if (!waiting_.empty()) return watch(peer);
    watching_ = false;
    return kj::READY_NOW;
  });
}

}  // namespace glovebox
