#include "supervisor/loader.h"

#include <kj/debug.h>

#include "ipc/large-value.h"
#include "ipc/limits-message.h"
#include "supervisor/cancellation.h"
#include "supervisor/inward.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/named-workers.h"
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

namespace {

// The worker, if there may be one more.
kj::Own<LoadedWorker> load(Core& core, const WorkerLimits& limits, rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules,
                           kj::Maybe<rpc::Console::Client> console) {
  KJ_REQUIRE(!core.closing, "the supervisor is shutting down");
  auto max = core.options.workersMax;
  while (core.census.liveWorkers >= max && core.warmth.evictOne(evictedForOthers())) {}
  if (core.census.liveWorkers >= max) {
    kj::throwFatalException(kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                                          kj::str("Too many live workers: the limit is ", max, ". Dispose of some, then try again.")));
  }
  return kj::refcounted<LoadedWorker>(kj::addRef(core), limits, code, modules, kj::mv(console));
}

class ClientsMaker final: public WorkerMaker {
 public:
  ClientsMaker(kj::Own<Core> core, WorkerLimits limits): core_(kj::mv(core)), limits_(limits) {}

  kj::Promise<Made> make(rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console, uint64_t expectedBytes) override {
    auto asked = factory.codeRequest().send();
    return asked.then([this, console = kj::mv(console), expectedBytes](capnp::Response<rpc::WorkerFactory::CodeResults>&& response) mutable -> kj::Promise<Made> {
      if (!response.hasBulk()) return made(response.getCode(), response.getCode().getModules(), kj::mv(console), expectedBytes);
      auto pulled = pullLarge(response.getBulk(), membrane::BULK_BYTES_MAX);
      return pulled.then([this, response = kj::mv(response), console = kj::mv(console), expectedBytes](kj::Array<capnp::word> words) mutable {
        kj::Maybe<Made> result;
        withLargeMessage(words, [&](capnp::MessageReader& message) {
          result = made(response.getCode(), message.getRoot<rpc::WorkerCode>().getModules(), kj::mv(console), expectedBytes);
        });
        return kj::mv(KJ_ASSERT_NONNULL(result));
      });
    });
  }

 private:
  kj::Own<Core> core_;
  const WorkerLimits limits_;

  Made made(rpc::WorkerCode::Reader code, capnp::List<rpc::Module>::Reader modules, kj::Maybe<rpc::Console::Client> console, uint64_t expectedBytes) {
    core_->warmth.makeRoom(expectedBytes);
    auto limits = lowerOf(readLimits(code.getLimits()), limits_);
    // Idleness is the name's business: it knows who needs the worker.
    auto idleMs = limits.idleMs;
    limits.idleMs = 0;
    return {load(*core_, limits, code, modules, kj::mv(console)), idleMs};
  }
};

}  // namespace

rpc::Loader::Client LoaderImpl::make(kj::Own<Core> core, WorkerLimits limits) {
  auto& loaders = core->loaders;
  auto maker = kj::refcounted<ClientsMaker>(kj::addRef(*core), limits);
  auto loader = kj::heap<LoaderImpl>(kj::addRef(*core), limits);
  auto& l = *loader;
  l.names_ = kj::refcounted<NamedWorkers>(kj::mv(core), kj::mv(maker), nullptr);
  rpc::Loader::Client client = kj::mv(loader);
  l.hook_ = capnp::ClientHook::from(capnp::Capability::Client(client)).get();
  loaders.loaders_[l.hook_] = &l;
  return client;
}

LoaderImpl::LoaderImpl(kj::Own<Core> core, WorkerLimits limits): core_(kj::mv(core)), limits_(limits) {}

LoaderImpl::~LoaderImpl() noexcept(false) {
  if (hook_ != nullptr) core_->loaders.loaders_.erase(hook_);
}

rpc::Loader::Client LoaderImpl::withoutNames() { return kj::heap<LoaderImpl>(kj::addRef(*core_), limits_); }

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
  auto params = context.getParams();
  auto limits = lowerOf(readLimits(params.getCode().getLimits()), limits_);
  kj::Maybe<rpc::Console::Client> console;
  if (params.hasConsole()) console = params.getConsole();
  auto worker = glovebox::load(*core_, limits, params.getCode(), modules, kj::mv(console));
  context.releaseParams();
  context.getResults().setWorker(Handle::make<InwardWorker>(kj::mv(worker)));
}

// ---------------------------------------------------------------------------------------------------------------------
// Names

NamedWorkers& LoaderImpl::names() {
  KJ_IF_MAYBE(names, names_) return **names;
  KJ_FAIL_REQUIRE("this loader has no names");
}

kj::Promise<void> LoaderImpl::get(GetContext context) {
  auto params = context.getParams();
  kj::Maybe<rpc::Console::Client> console;
  if (params.hasConsole()) console = params.getConsole();
  context.getResults().setWorker(names().get(params.getName(), params.getFactory(), kj::mv(console)));
  return kj::READY_NOW;
}

kj::Promise<void> LoaderImpl::delete_(DeleteContext context) {
  context.getResults().setFound(names().remove(context.getParams().getName()));
  return kj::READY_NOW;
}

kj::Promise<void> LoaderImpl::abort(AbortContext context) {
  context.getResults().setFound(names().abort(context.getParams().getName()));
  return kj::READY_NOW;
}

kj::Promise<void> LoaderImpl::list(ListContext context) {
  names().list(context.getResults(), SIZE_MAX);
  return kj::READY_NOW;
}

}  // namespace glovebox
