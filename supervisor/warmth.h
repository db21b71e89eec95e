#pragma once
// Which of the workers that have a name stay warm. All of one supervisor's together have a budget of memory, each may be idle
// for so long, and there are so many workers at once. Who has to go is the one least recently used, of those that nobody needs
// at the moment; if everybody is needed, the budget is exceeded until somebody is not.
//
// A worker's memory is looked at when it has fallen idle, and not again before it has run; in between, and before the first
// time, it counts with what is known. Looking costs more than a call, so it is never done in one.

#include <kj/async.h>
#include <kj/timer.h>

#include <array>
#include <cstdint>
#include <list>

#include "supervisor/outcome.h"

namespace glovebox {

enum class EvictionReason { IDLE, MEMORY, WORKERS };
constexpr size_t EVICTION_REASONS = 3;

// A live worker with a name.
class WarmWorker {
 public:
  // Nobody would notice if it went now, for it can be made again.
  virtual bool isIdle() = 0;
  // 0: gone.
  virtual uint64_t measure() = 0;
  // Ends it, at once. It has given up its place when this returns.
  virtual void evict(Outcome why) = 0;

 protected:
  ~WarmWorker() = default;
};

class Warmth {
 public:
  // `timer` outlives this.
  Warmth(kj::Timer& timer, uint64_t budgetBytes): timer_(timer), budgetBytes_(budgetBytes) {}
  KJ_DISALLOW_COPY(Warmth);

  // What a live worker has here.
  class Place {
   public:
    // `bytes`: what it will need, as far as is known; 0: nothing is.
    Place(Warmth& warmth, WarmWorker& worker, uint32_t idleMs, uint64_t bytes);
    ~Place() noexcept(false);
    KJ_DISALLOW_COPY(Place);

    // A call has begun, or ended.
    void used();
    kj::Duration idleTime() const { return warmth_.timer_.now() - lastUse_; }
    kj::TimePoint lastUse() const { return lastUse_; }
    uint64_t bytes() const { return bytes_; }

   private:
    friend class Warmth;
    Warmth& warmth_;
    WarmWorker& worker_;
    const kj::Duration idleMax_;
    uint64_t bytes_;
    bool measured_ = false;        // at all
    bool hasRun_ = true;           // since then
    kj::TimePoint lastUse_, measuredAt_;
    std::list<Place*>::iterator position_;

    kj::TimePoint nextLook() const;
  };

  // Before another worker is made, which is to need so much, or 0 if that is not known.
  void makeRoom(uint64_t bytes);
  // The one least recently used goes, to make room for some other worker. False: there is none that may.
  bool evictOne(Outcome why);

  uint64_t budgetBytes() const { return budgetBytes_; }
  uint64_t bytes() const { return bytes_; }
  size_t workers() const { return places_.size(); }
  uint64_t evictions(EvictionReason reason) const { return evictions_[static_cast<size_t>(reason)]; }

 private:
  kj::Timer& timer_;
  const uint64_t budgetBytes_;
  std::list<Place*> places_;       // least recently used first
  std::list<Place*>::iterator next_ = places_.end();   // in wake(): who goes may take others along
  uint64_t bytes_ = 0;             // of all
  uint64_t usualBytes_ = 1 << 20;  // what the last one that was measured has
  std::array<uint64_t, EVICTION_REASONS> evictions_{};
  bool wakePlanned_ = false;
  kj::TimePoint wakeAt_ = kj::origin<kj::TimePoint>();
  kj::Promise<void> waking_ = nullptr;

  void measure(Place& place);
  void keepToBudget(uint64_t more);
  bool evictFirst(EvictionReason reason, const Outcome& why);
  void planWake(kj::TimePoint at);
  void wake();
};

}  // namespace glovebox
