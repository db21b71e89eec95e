#pragma once
// What others hold of a worker, as the supervisor serves it to them. Calls run under the worker's limits and have an answer
// whatever becomes of the process; each of these keeps the worker alive. What the worker answers is hostile.

#include "ipc/control.capnp.h"
#include "supervisor/kinship.h"
#include "supervisor/loaded-worker.h"

namespace glovebox {

// Where a target comes from, which says what it means if it fails as a Cap'n Proto exception.
enum class Origin {
  OBJECT,    // it exists: the worker breaks the rules
  PROMISED,  // it may turn out to be nothing that can be called
  STREAM,    // it exists, and calls on it are parts of others
};

// A capability of a worker.
class Inward: public Handle {
 public:
  ~Inward() noexcept(false);
  LoadedWorker& worker() { return *worker_; }
  kj::Maybe<LoadedWorker&> tryGetWorker() override { return *worker_; }

 protected:
  Inward(kj::Own<LoadedWorker> worker, kj::Maybe<Holder&> holder);

 private:
  kj::Own<LoadedWorker> worker_;
};

class InwardTarget final: public rpc::Target::Server, public Inward {
 public:
  // `entrypoint`: its name, if it is one.
  InwardTarget(kj::Own<LoadedWorker> worker, rpc::Target::Client inner, CallLimits limits, Origin origin,
               kj::StringPtr entrypoint = ""_kj, kj::Maybe<Holder&> holder = nullptr);
  kj::Promise<void> call(CallContext context) override;
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override;

 private:
  rpc::Target::Client inner_;
  Route route_;
  const CallLimits limits_;
  const Origin origin_;
  const kj::String entrypoint_;
};

class InwardSource final: public rpc::ByteSource::Server, public Inward {
 public:
  InwardSource(kj::Own<LoadedWorker> worker, rpc::ByteSource::Client inner, kj::Maybe<Holder&> holder = nullptr);
  kj::Promise<void> read(ReadContext context) override;
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override;

 private:
  rpc::ByteSource::Client inner_;
  Route route_;
};

// The console that a worker gives to a worker it loads.
class InwardConsole final: public rpc::Console::Server, public Inward {
 public:
  InwardConsole(kj::Own<LoadedWorker> worker, rpc::Console::Client inner, kj::Maybe<Holder&> holder = nullptr);
  kj::Promise<void> write(WriteContext context) override;
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override;

 private:
  rpc::Console::Client inner_;
  Route route_;
};

// The loaded worker itself.
class InwardWorker final: public rpc::Worker::Server, public Inward {
 public:
  explicit InwardWorker(kj::Own<LoadedWorker> worker, kj::Maybe<Holder&> holder = nullptr);
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override;
  kj::Promise<void> revoke(RevokeContext context) override;
  capnp::Capability::Client cloneFor(kj::Maybe<Holder&> holder) override;
};

}  // namespace glovebox
