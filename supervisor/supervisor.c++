#include "supervisor/supervisor.h"

#include <kj/debug.h>

#include "ipc/limits-message.h"
#include "supervisor/core.h"
#include "supervisor/loader.h"
#include "supervisor/metrics.h"
#include "supervisor/status.h"

namespace glovebox {
namespace {

class Bootstrap final: public rpc::Supervisor::Server {
 public:
  explicit Bootstrap(kj::Own<Core> core): core_(kj::mv(core)) {}

  kj::Promise<void> loader(LoaderContext context) override {
    auto limits = lowerOf(readLimits(context.getParams().getLimits()), core_->options.limits);
    context.getResults().setLoader(LoaderImpl::make(kj::addRef(*core_), limits));
    return kj::READY_NOW;
  }

  kj::Promise<void> status(StatusContext context) override {
    context.getResults().setJson(writeStatus({core_->options, core_->cgroups, core_->census, core_->pool.counts(), core_->pool.zygote(), core_->kinship,
                                              core_->recent, core_->codeCache, core_->codeCompiler.counts(), core_->warmth}));
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

  Metrics metrics() override { return readMetrics(*core_); }

  Journal& openJournal() override {
    if (core_->journal == nullptr) core_->journal = kj::heap<Journal>();
    return *KJ_ASSERT_NONNULL(core_->journal);
  }

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
  return started.then(
      [core = kj::addRef(*core)]() mutable -> kj::Promise<kj::Own<Supervisor>> {
        return kj::Own<Supervisor>(kj::heap<SupervisorImpl>(kj::mv(core)));
      },
      [core = kj::addRef(*core)](kj::Exception&& why) mutable -> kj::Promise<kj::Own<Supervisor>> {
        // An embedder may go on for long: no zombie stays with it.
        auto ended = SupervisorImpl(kj::addRef(*core)).shutdown();
        return ended.then([why = kj::mv(why), core = kj::mv(core)]() mutable -> kj::Own<Supervisor> { kj::throwFatalException(kj::mv(why)); });
      });
}

}  // namespace glovebox
