#pragma once
// What a worker holds of others, as the supervisor serves it to the worker: a client's tool, another worker's entrypoint,
// the bytes of a large value, a loader. Calls are forwarded unread, counted, bounded and, once the membrane is cut,
// refused. Live in the worker's line; everything that calls them is hostile.

#include <kj/refcount.h>

#include "ipc/control.capnp.h"
#include "supervisor/membrane.h"
#include "supervisor/named-workers.h"
#include "supervisor/promised-result.h"
#include "supervisor/route.h"

namespace glovebox {

class Outward {
 public:
  virtual ~Outward() noexcept(false);
  KJ_DISALLOW_COPY(Outward);

  // For the status output.
  ValueExternal::Kind kind() const { return kind_; }
  kj::StringPtr label() const { return label_; }
  const Traffic& traffic() const { return traffic_; }

  // What it stands for, once that is known and as long as it may be called.
  kj::Maybe<capnp::Capability::Client> original();
  virtual void close(const kj::Exception& reason) { route_.close(reason); }

  template <typename T, typename... Params>
  static typename T::Serves::Client make(Params&&... params) {
    auto outward = kj::heap<T>(kj::fwd<Params>(params)...);
    Outward& base = *outward;
    typename T::Serves::Client client = kj::mv(outward);
    base.enroll(client);
    return client;
  }

 protected:
  Outward(kj::Own<Membrane> membrane, capnp::Capability::Client target, ValueExternal::Kind kind, kj::StringPtr label);

  kj::Own<Membrane> membrane_;
  Route route_;

  void noteCall() { note({.calls = 1}); }
  void noteOut(uint64_t bytes) { note({.bytesOut = bytes}); }
  void noteIn(uint64_t bytes) { note({.bytesIn = bytes}); }

 private:
  const ValueExternal::Kind kind_;
  const kj::String label_;
  Traffic traffic_;
  Traffic& byName_;   // of the ledger
  Traffic& byKind_;   // of the census

  void note(const Traffic& more) {
    traffic_.add(more);
    byName_.add(more);
    byKind_.add(more);
  }
  const uint64_t id_;
  capnp::ClientHook* hook_ = nullptr;

  void enroll(capnp::Capability::Client client);
};

class OutwardTarget final: public rpc::Target::Server, public Outward {
 public:
  OutwardTarget(kj::Own<Membrane> membrane, rpc::Target::Client target, ValueExternal::Kind kind, kj::StringPtr label);
  kj::Promise<void> call(CallContext context) override;

 private:
  const bool isPromise_;   // may turn out to be nothing that can be called

  kj::Promise<void> forward(CallContext context, Manifest manifest);
  void answer(rpc::Return::Reader from, CallContext& context, PromisedResult& promised);
  void fail(kj::Exception&& exception, rpc::Return::Builder to);
};

class OutwardSource final: public rpc::ByteSource::Server, public Outward {
 public:
  // `waitingBytes`: what it keeps in the supervisor's memory.
  OutwardSource(kj::Own<Membrane> membrane, rpc::ByteSource::Client source, uint64_t waitingBytes);
  ~OutwardSource() noexcept(false);
  kj::Promise<void> read(ReadContext context) override;

 private:
  const uint64_t waitingBytes_;
};

// A loader in a worker's hands: what it loads is bounded by the worker's own limits and counted as its child. Its names are the
// worker's own, whoever handed it over.
class OutwardLoader final: public rpc::Loader::Server, public Outward {
 public:
  OutwardLoader(kj::Own<Membrane> membrane, capnp::Capability::Client loader, kj::StringPtr label);
  ~OutwardLoader() noexcept(false);
  void close(const kj::Exception& reason) override;

  kj::Promise<void> load(LoadContext context) override;
  kj::Promise<void> get(GetContext context) override;
  kj::Promise<void> delete_(DeleteContext context) override;
  kj::Promise<void> abort(AbortContext context) override;
  kj::Promise<void> list(ListContext context) override;

 private:
  void noteByName();
  class Maker;
  kj::Own<Maker> maker_;
  kj::Own<NamedWorkers> names_;

  struct Child {
    rpc::Worker::Client worker;
    kj::Maybe<kj::Own<Membrane::ChildSlot>> slot;   // if it could not keep it itself
  };
  // `code` and `bulk` stay until the promise is done. Rejects with the words for the worker, or when the membrane is cut.
  kj::Promise<Child> tryLoad(rpc::WorkerCode::Reader code, kj::Maybe<rpc::LargeValue::Reader> bulk, kj::Maybe<rpc::Console::Client> console,
                             bool hasName);
  kj::Promise<Child> forward(rpc::WorkerCode::Reader code, kj::Maybe<rpc::LargeValue::Reader> bulk, kj::Maybe<rpc::Console::Client> console,
                             bool hasName, kj::Own<Membrane::ChildSlot> slot);
  kj::Promise<WorkerMaker::Made> makeNamed(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console, uint64_t expectedBytes);
};

class OutwardWorker final: public rpc::Worker::Server, public Outward {
 public:
  // `slot`: of a child that is not this supervisor's own and cannot keep it.
  OutwardWorker(kj::Own<Membrane> membrane, rpc::Worker::Client worker, kj::Maybe<kj::Own<Membrane::ChildSlot>> slot);
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override;
  kj::Promise<void> revoke(RevokeContext context) override;

 private:
  kj::Maybe<kj::Own<Membrane::ChildSlot>> slot_;
};

}  // namespace glovebox
