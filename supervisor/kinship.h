#pragma once
// Who holds whom. A worker lives for as long as something outside of all workers holds a capability of it, or a worker that
// itself lives does. Counting references is not enough for that: two workers that hold each other's functions, or one that
// was given its own back, would live for ever after their client has gone. So each wrapper around a capability of a worker
// is held either by the outside or by one worker, it knows which, and when the last one outside goes, those workers that
// nobody outside reaches any more are ended.

#include <capnp/capability.h>
#include <kj/async.h>
#include <kj/memory.h>

#include <cstdint>
#include <map>
#include <unordered_map>

namespace glovebox {

class Core;
class Handle;
class LoadedWorker;
class Membrane;

class Kinship {
 public:
  explicit Kinship(Core& core): core_(core) {}
  KJ_DISALLOW_COPY(Kinship);

  // In order of age.
  const std::map<uint64_t, LoadedWorker*>& workers() const { return workers_; }

  // The handle that a capability is, if it is one.
  kj::Maybe<Handle&> tryFind(capnp::Capability::Client& client);

 private:
  friend class Handle;
  friend class LoadedWorker;

  Core& core_;
  std::map<uint64_t, LoadedWorker*> workers_;
  uint64_t nextId_ = 0;
  std::unordered_map<capnp::ClientHook*, Handle*> handles_;
  bool sweepPlanned_ = false;
  kj::Promise<void> sweeping_ = nullptr;

  void planSweep();
  void sweep();
};

// A capability of a worker as others hold it; the base of what implements one. Keeps the worker alive.
class Handle {
 public:
  virtual ~Handle() noexcept(false);
  KJ_DISALLOW_COPY(Handle);

  // The same capability to be held by that worker, or by the outside.
  virtual capnp::Capability::Client cloneFor(kj::Maybe<Membrane&> holder) = 0;

  LoadedWorker& worker() { return *worker_; }

  template <typename T, typename... Params>
  static typename T::Serves::Client make(Params&&... params) {
    auto handle = kj::heap<T>(kj::fwd<Params>(params)...);
    Handle& base = *handle;
    typename T::Serves::Client client = kj::mv(handle);
    base.enroll(client);
    return client;
  }

 protected:
  Handle(kj::Own<LoadedWorker> worker, kj::Maybe<Membrane&> holder);

 private:
  kj::Own<LoadedWorker> worker_;
  kj::Maybe<kj::Own<Membrane>> holder_;
  capnp::ClientHook* hook_ = nullptr;

  void enroll(capnp::Capability::Client client);
};

}  // namespace glovebox
