#include "supervisor/pool.h"

#include <algorithm>
#include <utility>

#include <kj/debug.h>

#include "ipc/uv-event-port.h"

namespace glovebox {
namespace {

// The zygote forks one at a time; more requests than this only wait in its socket.
constexpr uint32_t STARTING_MAX = 8;

// An answer is written at the end of the loop's turn; a fork before that would compete with it for the processor. The
// next turn of a timer is after it.
constexpr kj::Duration ANSWER_DELAY = 1 * kj::MILLISECONDS;

// If no answer comes to say that it is a good moment, places are filled after this: soon if nobody else could be served now; else not while
// a load of a megabyte (5 ms) is under way, because a new worker's warming up keeps the other processor busy for 2 ms.
constexpr kj::Duration REFILL_DELAY = 3 * kj::MILLISECONDS, REFILL_DELAY_WITH_SPARE = 8 * kj::MILLISECONDS;

// After this many failures in a row whoever waits hears of it.
constexpr uint32_t FAILURES_MAX = 3;
constexpr kj::Duration RETRY_DELAY = 100 * kj::MILLISECONDS;

}  // namespace

Pool::Pool(UvEventPort& port, Reaper& reaper, PoolOptions options)
    : port_(port), reaper_(reaper), options_(kj::mv(options)), tasks_(*this) {}

Pool::~Pool() noexcept(false) = default;

kj::Promise<void> Pool::start() {
  // The first zygote and the first worker are not retried: what stops them is what the user must hear.
  return ZygoteProcess::start(port_, reaper_, options_.zygoteOptions())
      .then([this](kj::Own<ZygoteProcess> zygote) {
        auto first = WorkerHandle::start(port_, kj::addRef(*zygote), nextSpawnId_++, options_.memoryMbMax, options_.allowMissing, kernelLog_);
        totals_.forked++;
        adopt(kj::mv(zygote));
        return kj::mv(first);
      })
      .then([this](kj::Own<WorkerHandle> worker) {
        offer(kj::mv(worker));
        refill();
      });
}

kj::Maybe<kj::Own<WorkerPeer>> Pool::tryTake() {
  while (!warm_.empty()) {
    // The newest: what it has touched is most likely in a cache of the machine's still.
    auto worker = kj::mv(warm_.back());
    warm_.pop_back();
    if (worker->hasEnded()) continue;   // died while it waited
    planRefill();
    return kj::Own<WorkerPeer>(kj::mv(worker));
  }
  return nullptr;
}

kj::Promise<kj::Own<WorkerPeer>> Pool::take() {
  KJ_IF_MAYBE(worker, tryTake()) return kj::mv(*worker);
  auto paf = kj::newPromiseAndFulfiller<kj::Own<WorkerPeer>>();
  waiters_.push_back(kj::mv(paf.fulfiller));
  refill();
  return kj::mv(paf.promise);
}

kj::Promise<kj::Own<WorkerPeer>> Pool::takeSpare() {
  auto paf = kj::newPromiseAndFulfiller<kj::Own<WorkerPeer>>();
  spareWaiters_.push_back(kj::mv(paf.fulfiller));
  planRefill();
  return kj::mv(paf.promise);
}

void Pool::noteAnswered() {
  if (refillPlanned_) refillIn(ANSWER_DELAY);
}

void Pool::planRefill() {
  if (refillPlanned_) return;
  refillPlanned_ = true;
  refillIn(warm_.empty() ? REFILL_DELAY : REFILL_DELAY_WITH_SPARE);
}

void Pool::refillIn(kj::Duration delay) {
  refillTimer_ = port_.getTimer().afterDelay(delay).then([this]() { refill(); }).eagerlyEvaluate([this](kj::Exception&& exception) {
    taskFailed(kj::mv(exception));
  });
}

bool Pool::shouldRenew(ZygoteProcess& zygote) const {
  return !zygote.canFork() || zygote.isTainted() || zygote.forkCount() >= options_.zygoteForksMax ||
         port_.getTimer().now() - zygote.startTime() > options_.zygoteAgeMax;
}

void Pool::refill() {
  refillPlanned_ = false;
  if (closed_) return;
  KJ_IF_MAYBE(zygote, zygote_) {
    // The old one goes on while the new one starts, unless it is dead.
    if (shouldRenew(**zygote)) startZygote();
    if (!(*zygote)->canFork()) zygote_ = nullptr;
  } else {
    startZygote();
  }
  if (zygote_ == nullptr) return;
  std::erase_if(warm_, [](auto& worker) { return worker->hasEnded(); });
  while (!waiters_.empty() && !waiters_.front()->isWaiting()) waiters_.pop_front();
  while (!spareWaiters_.empty() && !spareWaiters_.front()->isWaiting()) spareWaiters_.pop_front();
  uint32_t wanted = options_.size + waiters_.size() + (spareWaiters_.empty() ? 0 : 1);
  auto fresh = uint32_t(std::count_if(warm_.begin(), warm_.end(), [this](auto& worker) { return isFresh(*worker); }));
  while (starting_ < STARTING_MAX && fresh + starting_ < wanted) startWorker();
}

bool Pool::isFresh(WorkerHandle& worker) {
  KJ_IF_MAYBE(current, zygote()) return &worker.zygote() == current;
  return true;
}

void Pool::startZygote() {
  if (zygoteStarting_) return;
  zygoteStarting_ = true;
  tasks_.add(ZygoteProcess::start(port_, reaper_, options_.zygoteOptions())
                 .then(
                     [this](kj::Own<ZygoteProcess> zygote) {
                       zygoteStarting_ = false;
                       if (closed_) return;
                       adopt(kj::mv(zygote));
                       refill();
                     },
                     [this](kj::Exception&& exception) {
                       zygoteStarting_ = false;
                       if (closed_) return;
                       totals_.failed++;
                       KJ_LOG(ERROR, "a zygote could not be started", exception);
                       if (++failuresInARow_ >= FAILURES_MAX) failWaiters(exception.getDescription());
                       tasks_.add(port_.getTimer().afterDelay(RETRY_DELAY).then([this]() { refill(); }));
                     }));
}

void Pool::adopt(kj::Own<ZygoteProcess> zygote) {
  // Warm workers of a tainted zygote are not handed out any more.
  std::erase_if(warm_, [](auto& worker) { return worker->zygote().isTainted(); });
  // It rejects if we let go of the zygote ourselves, which is no news.
  tasks_.add(zygote->whenGone().then([this]() { planRefill(); }, [](kj::Exception&&) {}));
  zygote_ = kj::mv(zygote);
  totals_.zygotesStarted++;
}

void Pool::startWorker() {
  auto& zygote = *KJ_ASSERT_NONNULL(zygote_);
  auto number = totals_.zygotesStarted;
  starting_++;
  totals_.forked++;
  tasks_.add(kj::evalNow([&]() {
               return WorkerHandle::start(port_, kj::addRef(zygote), nextSpawnId_++, options_.memoryMbMax, options_.allowMissing, kernelLog_);
             }).then(
      [this](kj::Own<WorkerHandle> worker) {
        starting_--;
        failuresInARow_ = 0;
        offer(kj::mv(worker));
        refill();
      },
      [this, number](kj::Exception&& exception) {
        starting_--;
        if (closed_) return;
        totals_.failed++;
        // A zygote that dies takes with it all that it was asked for: that is one failure.
        bool isDeath = exception.getType() == kj::Exception::Type::DISCONNECTED;
        bool isKnown = isDeath && std::exchange(lastDeadZygote_, number) == number;
        if (!isDeath) KJ_LOG(ERROR, "a worker could not be started", exception);
        if (!isKnown && ++failuresInARow_ >= FAILURES_MAX) failWaiters(exception.getDescription());
        tasks_.add(port_.getTimer().afterDelay(failuresInARow_ > 1 ? RETRY_DELAY : 0 * kj::MILLISECONDS).then([this]() { refill(); }));
      }));
}

void Pool::offer(kj::Own<WorkerHandle> worker) {
  while (!waiters_.empty()) {
    auto waiter = kj::mv(waiters_.front());
    waiters_.pop_front();
    if (!waiter->isWaiting()) continue;
    waiter->fulfill(kj::mv(worker));
    return;
  }
  while (!spareWaiters_.empty() && warm_.size() >= options_.size) {
    auto waiter = kj::mv(spareWaiters_.front());
    spareWaiters_.pop_front();
    if (!waiter->isWaiting()) continue;
    waiter->fulfill(kj::mv(worker));
    return;
  }
  warm_.push_back(kj::mv(worker));
  while (warm_.size() > options_.size && !isFresh(*warm_.front())) warm_.pop_front();
}

void Pool::failWaiters(kj::StringPtr why) {
  auto waiters = kj::mv(waiters_);
  waiters_.clear();
  for (auto& waiter: spareWaiters_) waiters.push_back(kj::mv(waiter));
  spareWaiters_.clear();
  for (auto& waiter: waiters) waiter->reject(KJ_EXCEPTION(FAILED, "no worker can be made", why));
}

void Pool::close() {
  closed_ = true;
  warm_.clear();
  zygote_ = nullptr;
  failWaiters("the supervisor is shutting down"_kj);
}

PoolCounts Pool::counts() const {
  PoolCounts counts = totals_;
  counts.warm = warm_.size();
  counts.starting = starting_;
  counts.waiting = waiters_.size();
  return counts;
}

kj::Maybe<ZygoteProcess&> Pool::zygote() {
  KJ_IF_MAYBE(zygote, zygote_) return **zygote;
  return nullptr;
}

void Pool::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "the pool stumbled", exception); }

}  // namespace glovebox
