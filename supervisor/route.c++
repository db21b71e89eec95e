#include "supervisor/route.h"

#include <kj/debug.h>

namespace glovebox {
namespace {

// Cap'n Proto's local queue is the one kind of promise that has no brand.
bool isQueue(capnp::ClientHook& hook) { return hook.getBrand() == nullptr && hook.whenMoreResolved() != nullptr; }

}  // namespace

capnp::ClientHook& innermostHook(capnp::Capability::Client& client) {
  // `client` keeps the whole chain alive.
  auto hook = capnp::ClientHook::from(capnp::Capability::Client(client));
  capnp::ClientHook* innermost = hook.get();
  for (;;) {
    KJ_IF_MAYBE(resolved, innermost->getResolved()) {
      innermost = resolved;
    } else {
      return *innermost;
    }
  }
}

Route::Route(capnp::Capability::Client target, kj::Maybe<Adopt> adopt): target_(kj::mv(target)), adopt_(kj::mv(adopt)) { trySettle(); }

void Route::trySettle() {
  auto& hook = innermostHook(target_);
  if (isQueue(hook)) return;
  settled_ = true;
  KJ_IF_MAYBE(adopt, adopt_) target_ = (*adopt)(kj::mv(target_));
}

bool Route::isOpen() {
  // Whoever waits goes first.
  return settled_ && waiting_ == 0;
}

kj::Promise<void> Route::whenOpen() {
  if (settling_ == nullptr) settling_ = settle().fork();
  waiting_++;
  return KJ_ASSERT_NONNULL(settling_).addBranch().attach(kj::defer([this]() { waiting_--; }));
}

kj::Promise<void> Route::settle() {
  if (settled_) return kj::READY_NOW;
  auto& hook = innermostHook(target_);
  KJ_IF_MAYBE(promise, hook.whenMoreResolved()) {
    return promise->then([this](kj::Own<capnp::ClientHook>&&) {
      trySettle();
      return settle();
    });
  }
  trySettle();
  return kj::READY_NOW;
}

void Route::close(const kj::Exception& reason) {
  settled_ = true;
  adopt_ = nullptr;
  target_ = capnp::Capability::Client(kj::cp(reason));
}

}  // namespace glovebox
