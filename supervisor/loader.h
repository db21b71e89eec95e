#pragma once
// The supervisor's loader: code in, a worker out. What it is handed may come from a client or, by way of a membrane, from a
// worker; it is checked for shape and size and never parsed.

#include <kj/string.h>

#include "ipc/control.capnp.h"
#include "supervisor/core.h"

namespace glovebox {

class LoaderImpl final: public rpc::Loader::Server {
 public:
  // `limits`: the most that its workers get, no higher than the supervisor's policy.
  LoaderImpl(kj::Own<Core> core, WorkerLimits limits): core_(kj::mv(core)), limits_(limits) {}
  kj::Promise<void> load(LoadContext context) override;

 private:
  kj::Own<Core> core_;
  const WorkerLimits limits_;

  void load(LoadContext& context, capnp::List<rpc::Module>::Reader modules);
};

// A worker that never was: each call on it throws an Error with these words.
rpc::Worker::Client newFailedWorker(kj::String why);

}  // namespace glovebox
