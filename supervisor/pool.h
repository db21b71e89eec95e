#pragma once
// The warm workers, and the zygote they come from.
//
// A load takes a warm worker at once; the place is filled again after the answer (noteAnswered), or at once if somebody
// waits. The zygote is replaced after a number of forks, after a time, and after every abnormal death of a worker, and
// whenever it dies; workers in use keep their own zygote's warden and go on.

#include <deque>

#include <kj/async.h>

#include "supervisor/supervisor.h"
#include "supervisor/worker-handle.h"

namespace glovebox {

struct PoolOptions {
  kj::Function<ZygoteOptions()> zygoteOptions;
  uint32_t size = 1;
  uint32_t memoryMbMax = 128;
  policy::LayerSet allowMissing;
  uint32_t zygoteForksMax = 2'000;
  kj::Duration zygoteAgeMax = 10 * kj::MINUTES;
};

struct PoolCounts {
  uint32_t warm = 0, starting = 0, waiting = 0;
  uint64_t forked = 0, failed = 0, zygotesStarted = 0;
};

class Pool final: public WorkerSupply, private kj::TaskSet::ErrorHandler {
 public:
  Pool(UvEventPort& port, Reaper& reaper, PoolOptions options);
  ~Pool() noexcept(false);
  KJ_DISALLOW_COPY(Pool);

  // Resolves when a zygote stands and a first worker is warm; rejects with the reason why there can be none.
  kj::Promise<void> start();

  kj::Maybe<kj::Own<WorkerPeer>> tryTake() override;
  kj::Promise<kj::Own<WorkerPeer>> take() override;
  kj::Promise<kj::Own<WorkerPeer>> takeSpare() override;
  // Fills the places that loads have emptied.
  void noteAnswered() override;

  // No more workers from here.
  void close();

  PoolCounts counts() const;
  // The zygote that new workers come from; null while there is none.
  kj::Maybe<ZygoteProcess&> zygote();

 private:
  UvEventPort& port_;
  Reaper& reaper_;
  PoolOptions options_;
  KernelLog kernelLog_;   // outlives every worker
  kj::Maybe<kj::Own<ZygoteProcess>> zygote_;
  bool zygoteStarting_ = false;
  uint32_t failuresInARow_ = 0;        // since a worker was last made
  uint64_t lastDeadZygote_ = 0;        // by its number, totals_.zygotesStarted
  std::deque<kj::Own<WorkerHandle>> warm_;   // the newest at the back
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<WorkerPeer>>>> waiters_;
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<WorkerPeer>>>> spareWaiters_;   // served when all places are filled
  uint32_t starting_ = 0;
  uint64_t nextSpawnId_ = 1;
  bool refillPlanned_ = false;
  bool closed_ = false;
  PoolCounts totals_;
  kj::Promise<void> refillTimer_ = nullptr;
  kj::TaskSet tasks_;

  void planRefill();
  void refillIn(kj::Duration delay);
  void refill();
  void startZygote();
  void adopt(kj::Own<ZygoteProcess> zygote);
  void startWorker();
  // Of the zygote that new ones come from; others are replaced, one by one.
  bool isFresh(WorkerHandle& worker);
  void offer(kj::Own<WorkerHandle> worker);
  void failWaiters(kj::StringPtr why);
  bool shouldRenew(ZygoteProcess& zygote) const;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox
