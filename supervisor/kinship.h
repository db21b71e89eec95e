#pragma once
// Who holds whom. A worker lives for as long as something outside of all workers holds a capability of it, or a worker that
// itself lives does. Counting references is not enough for that: two workers that hold each other's functions, or one that
// was given its own back, would live for ever after their client has gone. So each wrapper around a capability of a worker
// is held either by the outside or by one holder inside, it knows which, and when the last one outside goes, those workers
// that nobody outside reaches any more are ended.
//
// A name (supervisor/named-worker.h) is kin too: it is held as a worker is, and holds the worker that it stands for.

#include <capnp/capability.h>
#include <kj/async.h>
#include <kj/function.h>
#include <kj/memory.h>
#include <kj/refcount.h>

#include <cstdint>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace glovebox {

class Core;
class Handle;
class Holder;
class Kin;
class LoadedWorker;

class Kinship {
 public:
  explicit Kinship(Core& core): core_(core) {}
  KJ_DISALLOW_COPY(Kinship);

  // In order of age.
  const std::map<uint64_t, LoadedWorker*>& workers() const { return workers_; }
  const std::unordered_set<Kin*>& all() const { return all_; }

  // The handle that a capability is, if it is one.
  kj::Maybe<Handle&> tryFind(capnp::Capability::Client& client);

 private:
  friend class Handle;
  friend class Hold;
  friend class Kin;
  friend class LoadedWorker;

  Core& core_;
  std::map<uint64_t, LoadedWorker*> workers_;
  std::unordered_set<Kin*> all_;
  uint64_t nextId_ = 0;
  std::unordered_map<capnp::ClientHook*, Handle*> handles_;
  bool sweepPlanned_ = false;
  kj::Promise<void> sweeping_ = nullptr;

  void planSweep();
  void sweep();
};

// What lives because it is held.
class Kin: public kj::Refcounted {
 public:
  explicit Kin(kj::Own<Core> core);
  ~Kin() noexcept(false);
  KJ_DISALLOW_COPY(Kin);

  Core& core() { return *core_; }

  // What it holds as others' capabilities.
  virtual const Holder& holder() const = 0;
  // It is that worker, or was made for it or for one that was, so it does not live on without it.
  virtual bool endsWith(const LoadedWorker& worker) const = 0;
  // Those that it keeps alive.
  virtual void visitHeld(kj::FunctionParam<void(Kin&)> visit) = 0;
  // Nobody reaches it any more.
  virtual void abandon() = 0;

  bool isHeld() const { return outsideHolds_ + insideHolds_ > 0; }

 protected:
  kj::Own<Core> core_;
  uint32_t outsideHolds_ = 0;   // by others than workers and names
  uint32_t insideHolds_ = 0;

 private:
  friend class Hold;
  friend class Kinship;
};

// Somebody inside who holds: the membrane of a worker, or a name.
class Holder: public kj::Refcounted {
 public:
  // How many holds of each.
  const std::map<Kin*, uint32_t>& held() const { return held_; }

 private:
  friend class Hold;
  std::map<Kin*, uint32_t> held_;
};

// That something is kept alive, by a holder or by the outside.
class Hold {
 public:
  Hold(kj::Own<Kin> kin, kj::Maybe<Holder&> holder);
  ~Hold() noexcept(false);
  KJ_DISALLOW_COPY(Hold);

  Kin& kin() { return *kin_; }

 private:
  kj::Own<Kin> kin_;
  kj::Maybe<kj::Own<Holder>> holder_;
};

// A capability that keeps something alive, as others hold it; the base of what implements one.
class Handle {
 public:
  virtual ~Handle() noexcept(false);
  KJ_DISALLOW_COPY(Handle);

  // The same capability to be held by that holder, or by the outside.
  virtual capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) = 0;
  // The worker that it is a capability of, if it is one of a process.
  virtual kj::Maybe<LoadedWorker&> tryGetWorker() { return nullptr; }

  template <typename T, typename... Params>
  static typename T::Serves::Client make(Params&&... params) {
    auto handle = kj::heap<T>(kj::fwd<Params>(params)...);
    Handle& base = *handle;
    typename T::Serves::Client client = kj::mv(handle);
    base.enroll(client);
    return client;
  }

 protected:
  Handle(kj::Own<Kin> kin, kj::Maybe<Holder&> holder): hold_(kj::mv(kin), holder) {}

 private:
  Hold hold_;
  capnp::ClientHook* hook_ = nullptr;

  void enroll(capnp::Capability::Client client);
};

}  // namespace glovebox
