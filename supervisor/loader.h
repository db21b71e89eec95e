#pragma once
// The supervisor's loader: code in, a worker out. What it is handed may come from a client or, by way of a membrane, from a
// worker; it is checked for shape and size and never parsed.

#include <kj/string.h>

#include "ipc/control.capnp.h"
#include "supervisor/core.h"

namespace glovebox {

class NamedWorkers;

class LoaderImpl final: public rpc::Loader::Server {
 public:
  // One with names.
  static rpc::Loader::Client make(kj::Own<Core> core, WorkerLimits limits);
  // `limits`: the most that its workers get, no higher than the supervisor's policy.
  LoaderImpl(kj::Own<Core> core, WorkerLimits limits);
  ~LoaderImpl() noexcept(false);

  // One that can load, and has no names.
  rpc::Loader::Client withoutNames();

  kj::Promise<void> load(LoadContext context) override;
  kj::Promise<void> get(GetContext context) override;
  kj::Promise<void> delete_(DeleteContext context) override;
  kj::Promise<void> abort(AbortContext context) override;
  kj::Promise<void> list(ListContext context) override;

 private:
  kj::Own<Core> core_;
  const WorkerLimits limits_;
  kj::Maybe<kj::Own<NamedWorkers>> names_;
  capnp::ClientHook* hook_ = nullptr;

  NamedWorkers& names();
  void load(LoadContext& context, capnp::List<rpc::Module>::Reader modules);
};

// A worker that never was: each call on it throws an Error with these words.
rpc::Worker::Client newFailedWorker(kj::String why);

}  // namespace glovebox
