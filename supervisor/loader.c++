#include "supervisor/loader.h"

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "ipc/limits-message.h"
#include "supervisor/cancellation.h"
#include "supervisor/inward.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/thrown.h"

namespace glovebox {
namespace {

class FailedTarget final: public rpc::Target::Server {
 public:
  explicit FailedTarget(kj::StringPtr why): why_(kj::str(why)) {}
  kj::Promise<void> call(CallContext context) override {
    setThrown(context.getResults(), ErrorPrototype::ERROR, why_);
    return kj::READY_NOW;
  }

 private:
  const kj::String why_;
};

class FailedWorker final: public rpc::Worker::Server {
 public:
  explicit FailedWorker(kj::String why): why_(kj::mv(why)) {}
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override {
    context.getResults().setEntrypoint(kj::heap<FailedTarget>(why_));
    return kj::READY_NOW;
  }
  kj::Promise<void> revoke(RevokeContext) override { return kj::READY_NOW; }

 private:
  const kj::String why_;
};

}  // namespace

rpc::Worker::Client newFailedWorker(kj::String why) { return kj::heap<FailedWorker>(kj::mv(why)); }

kj::Promise<void> LoaderImpl::load(LoadContext context) {
  allowCancellation(context);
  auto params = context.getParams();
  if (!params.hasBulk()) {
    load(context, params.getCode().getModules());
    return kj::READY_NOW;
  }
  // Calls on the worker wait in the meantime: it is still a promise.
  return pullLarge(params.getBulk(), membrane::BULK_BYTES_MAX).then([this, context](kj::Array<capnp::word> words) mutable {
    withLargeMessage(words, [&](capnp::MessageReader& message) { load(context, message.getRoot<rpc::WorkerCode>().getModules()); });
  });
}

void LoaderImpl::load(LoadContext& context, capnp::List<rpc::Module>::Reader modules) {
  auto& options = core_->options;
  KJ_REQUIRE(!core_->closing, "the supervisor is shutting down");
  if (core_->census.liveWorkers >= options.workersMax) {
    kj::throwFatalException(kj::Exception(
        kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
        kj::str("Too many live workers: the limit is ", options.workersMax, ". Dispose of some, then try again.")));
  }
  auto params = context.getParams();
  auto limits = lowerOf(readLimits(params.getCode().getLimits()), limits_);
  kj::Maybe<rpc::Console::Client> console;
  if (params.hasConsole()) console = params.getConsole();
  auto worker = kj::refcounted<LoadedWorker>(kj::addRef(*core_), limits, params.getCode(), modules, kj::mv(console));
  context.releaseParams();
  context.getResults().setWorker(Handle::make<InwardWorker>(kj::mv(worker)));
}

}  // namespace glovebox
