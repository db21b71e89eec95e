#include "supervisor/supervisor.h"

#include <algorithm>

#include <kj/debug.h>

#include "supervisor/core.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/membrane.h"
#include "supervisor/status.h"

namespace glovebox {
namespace {

// The lower of what was asked for and what the policy allows; 0 asks for the policy's.
uint32_t bounded(uint32_t asked, uint32_t policy) { return asked == 0 ? policy : std::min(asked, policy); }

class LoaderImpl final: public rpc::Loader::Server {
 public:
  explicit LoaderImpl(kj::Own<Core> core): core_(kj::mv(core)) {}

  kj::Promise<void> load(LoadContext context) override {
    auto& options = core_->options;
    KJ_REQUIRE(!core_->closing, "the supervisor is shutting down");
    if (core_->census.liveWorkers >= options.workersMax) {
      return KJ_EXCEPTION(OVERLOADED, "too many live workers; dispose of some and try again", options.workersMax);
    }
    auto params = context.getParams();
    auto asked = params.getCode().getLimits();
    LoadedWorker::Policy policy{{bounded(asked.getCpuMs(), options.cpuMsMax), bounded(asked.getWallMs(), options.wallMsMax)},
                                bounded(asked.getMemoryMb(), options.memoryMbMax)};
    kj::Maybe<rpc::Console::Client> console;
    if (params.hasConsole()) console = params.getConsole();
    auto worker = kj::refcounted<LoadedWorker>(kj::addRef(*core_), policy, params.getCode(), kj::mv(console));
    context.releaseParams();
    context.getResults().setWorker(kj::heap<WorkerMembrane>(kj::mv(worker)));
    return kj::READY_NOW;
  }

 private:
  kj::Own<Core> core_;
};

class Bootstrap final: public rpc::Supervisor::Server {
 public:
  explicit Bootstrap(kj::Own<Core> core): core_(kj::mv(core)) {}

  kj::Promise<void> loader(LoaderContext context) override {
    context.getResults().setLoader(kj::heap<LoaderImpl>(kj::addRef(*core_)));
    return kj::READY_NOW;
  }

  kj::Promise<void> status(StatusContext context) override {
    context.getResults().setJson(writeStatus({core_->options, core_->cgroups, core_->census, core_->pool.counts(), core_->pool.zygote()}));
    return kj::READY_NOW;
  }

 private:
  kj::Own<Core> core_;
};

class SupervisorImpl final: public Supervisor {
 public:
  explicit SupervisorImpl(kj::Own<Core> core): core_(kj::mv(core)) {}

  ~SupervisorImpl() noexcept(false) {
    core_->closing = true;
    core_->reaper.killAll();
  }

  rpc::Supervisor::Client client() override { return kj::heap<Bootstrap>(kj::addRef(*core_)); }

  kj::Promise<void> shutdown() override {
    core_->closing = true;
    core_->pool.close();
    core_->reaper.killAll();
    return core_->reaper.whenAllReaped();
  }

 private:
  kj::Own<Core> core_;
};

}  // namespace

kj::Promise<kj::Own<Supervisor>> Supervisor::start(UvEventPort& port, Installation installation, SupervisorOptions options) {
  auto core = kj::refcounted<Core>(port, kj::mv(installation), options);
  auto started = core->pool.start();
  return started.then([core = kj::mv(core)]() mutable -> kj::Own<Supervisor> { return kj::heap<SupervisorImpl>(kj::mv(core)); });
}

}  // namespace glovebox
