#pragma once
// The way to a capability that may still be a promise. Cap'n Proto queues calls on a local promise and delivers them when
// it resolves, even if the caller has given them up by then: no revocation reaches into that queue. So the membrane never
// puts a call there. It waits here until the promise has resolved, and what waits here can be dropped.
//
// A promise that another process holds needs no waiting: a call on it leaves at once, and is cancelled by a Finish.

#include <capnp/capability.h>
#include <kj/async.h>
#include <kj/function.h>

namespace glovebox {

// What `client` has resolved to so far; only good while `client` is held and no turn of the loop passes.
capnp::ClientHook& innermostHook(capnp::Capability::Client& client);

class Route {
 public:
  // May replace a target by another that reaches the same; called when the target is known, at the latest before the
  // first call.
  using Adopt = kj::Function<capnp::Capability::Client(capnp::Capability::Client)>;

  explicit Route(capnp::Capability::Client target, kj::Maybe<Adopt> adopt = nullptr);
  KJ_DISALLOW_COPY(Route);

  // A call made now leaves at once.
  bool isOpen();
  // Resolves when it does, in the order in which it was asked. Make the call in the continuation itself.
  kj::Promise<void> whenOpen();
  // Both at once: makes the call now, or when it is open. What the call throws is the promise's.
  template <typename Func>
  kj::Promise<void> send(Func&& func) {
    if (isOpen()) return kj::evalNow(kj::fwd<Func>(func));
    return whenOpen().then(kj::fwd<Func>(func));
  }

  template <typename Interface>
  typename Interface::Client target() { return target_.castAs<Interface>(); }

  // Lets go of the target; calls fail with `reason`.
  void close(const kj::Exception& reason);

 private:
  capnp::Capability::Client target_;
  kj::Maybe<Adopt> adopt_;
  bool settled_ = false;
  uint32_t waiting_ = 0;
  kj::Maybe<kj::ForkedPromise<void>> settling_;

  void trySettle();
  kj::Promise<void> settle();
};

}  // namespace glovebox
