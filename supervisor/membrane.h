#pragma once
// The membrane of one worker: every capability that passes between the worker and the rest of the world is wrapped here,
// in both directions, so that it can be counted, bounded and cut.
//
//   inward   a capability of the worker, held by others: supervisor/inward.h. Its calls run under the worker's limits.
//   outward  a capability of others, held by the worker: supervisor/outward.h. Its calls are counted and bounded, and from
//            the moment the membrane is cut none of them reaches anybody.
//
// What the worker hands on of what it was handed is unwrapped again, so whoever receives it depends on its owner and not
// on the messenger. Its own capabilities, when they come back, are wrapped twice and not recognised: then the line never
// has to be told that a promise points back to where it came from, and a capability that is bounced back and forth grows
// until it meets the bound on live ones.
//
// Owned by the LoadedWorker and by everything the worker holds; it outlives the worker by as long as the line takes to go.

#include <kj/async.h>
#include <kj/refcount.h>

#include <map>
#include <unordered_map>

#include "supervisor/core.h"
#include "supervisor/ledger.h"
#include "supervisor/payload-membrane.h"

namespace glovebox {

class ConsoleMembrane;
class LoadedWorker;
class Outward;

class Membrane final: public Holder {
 public:
  Membrane(kj::Own<Core> core, LoadedWorker& worker, uint32_t capabilitiesMax);
  ~Membrane() noexcept(false);
  KJ_DISALLOW_COPY(Membrane);

  Ledger ledger;
  Core& core() { return *core_; }
  // The worker; throws once the membrane is cut.
  LoadedWorker& worker();

  // From now on no call of the worker reaches anybody; those under way are dropped a turn later (this may be one of them).
  // Idempotent.
  void cut();
  bool isCut() const { return cut_; }
  // Cuts it because somebody wants the worker gone, and not because it died: then not even its logs are of interest.
  void revoke();
  bool isRevoked() const { return revoked_; }
  // Throws if it is cut.
  void requireWhole() const;
  // Ends the promise when the membrane is cut.
  template <typename T>
  kj::Promise<T> untilCut(kj::Promise<T> promise) { return canceler_.wrap(kj::mv(promise)); }

  // What crosses into the worker, and out of it.
  Crossing& intoWorker() { return into_; }
  Crossing& outOfWorker() { return outOf_; }

  // A capability as this worker is to hold it: what belongs to another worker is marked as held by this one.
  capnp::Capability::Client adopt(capnp::Capability::Client client);

  // One more child, with this worker and all those it is a child of; null if one of them has as many as it may.
  class ChildSlot;
  kj::Maybe<kj::Own<ChildSlot>> tryTakeChildSlot();
  void setParent(kj::Own<Membrane> parent) { parent_ = kj::mv(parent); }
  // Whether it is that worker's, or that of one which that worker, or one that it has loaded, has loaded.
  bool belongsTo(const LoadedWorker& worker) const;

  // What the worker is called among those that another one has loaded; and whether it is one of these.
  void setLabel(kj::StringPtr label) { label_ = kj::str(label); }
  kj::StringPtr label() const { return label_; }
  bool isChild() const { return parent_ != nullptr; }
  kj::Maybe<const Membrane&> parent() const { return parent_.map([](const kj::Own<Membrane>& own) -> const Membrane& { return *own; }); }

  // Its console, if this is it.
  kj::Maybe<ConsoleMembrane&> tryGetConsole(capnp::Capability::Client& client);

  // Whether this is something that the worker was handed.
  bool isOutward(capnp::Capability::Client& client);
  // What the worker holds, in order of age.
  const std::map<uint64_t, Outward*>& outward() const { return outward_; }

 private:
  class Into final: public Crossing {
   public:
    explicit Into(Membrane& membrane): membrane_(membrane) {}
    rpc::Target::Client target(rpc::Target::Client from, ValueExternal::Kind kind, kj::StringPtr label) override;
    capnp::Capability::Client loader(capnp::Capability::Client from, kj::StringPtr label) override;
    rpc::ByteSource::Client source(rpc::ByteSource::Client from) override;
    void setLarge(rpc::Value::Reader value, uint64_t bytes, rpc::LargeValue::Builder to) override;

   private:
    Membrane& membrane_;
  };
  class OutOf final: public Crossing {
   public:
    explicit OutOf(Membrane& membrane): membrane_(membrane) {}
    rpc::Target::Client target(rpc::Target::Client from, ValueExternal::Kind kind, kj::StringPtr label) override;
    capnp::Capability::Client loader(capnp::Capability::Client from, kj::StringPtr label) override;
    rpc::ByteSource::Client source(rpc::ByteSource::Client from) override;
    void setLarge(rpc::Value::Reader value, uint64_t bytes, rpc::LargeValue::Builder to) override;

   private:
    Membrane& membrane_;
  };

  friend class ConsoleMembrane;
  friend class Outward;

  kj::Own<Core> core_;
  kj::Maybe<LoadedWorker&> worker_;   // until cut
  kj::Maybe<kj::Own<Membrane>> parent_;
  bool cut_ = false;
  bool revoked_ = false;
  kj::String label_;
  kj::Maybe<ConsoleMembrane&> console_;   // while there is one
  capnp::ClientHook* consoleHook_ = nullptr;
  kj::Canceler canceler_;
  Into into_;
  OutOf outOf_;
  std::map<uint64_t, Outward*> outward_;
  std::unordered_map<capnp::ClientHook*, Outward*> outwardByHook_;
  uint64_t nextOutward_ = 0;

  void dropAll();
  // What the worker hands out, if that is something it was handed.
  kj::Maybe<capnp::Capability::Client> tryUnwrap(capnp::Capability::Client& client);
};

class Membrane::ChildSlot {
 public:
  explicit ChildSlot(kj::Array<kj::Own<Membrane>> line): line_(kj::mv(line)) {}
  ~ChildSlot() noexcept(false);
  KJ_DISALLOW_COPY(ChildSlot);

  Membrane& parent() { return *line_[0]; }

 private:
  kj::Array<kj::Own<Membrane>> line_;   // the parent, its parent, ...
};

// Why a call of a worker goes nowhere.
kj::Exception membraneCut();

}  // namespace glovebox
