#pragma once
// What the supervisor has seen so far, for the status output and for monitoring (supervisor/metrics.h).

#include <array>
#include <cstdint>

#include "ipc/call.capnp.h"
#include "supervisor/histogram.h"
#include "supervisor/traffic.h"

namespace glovebox {

class Census {
 public:
  uint64_t loads = 0;
  uint64_t calls = 0;
  uint32_t liveWorkers = 0;
  uint32_t callsInFlight = 0;
  uint64_t tailCallsFailed = 0;     // a tail threw, ended or was gone
  uint64_t tailEventsDropped = 0;   // it had too many calls under way
  Histogram callTime, loadTime;
  kj::Duration cpuOfGone = 0 * kj::SECONDS;   // of workers that are there no more
  std::array<Traffic, ValueExternal::KINDS> passed{};   // of workers to others, by kind

  void noteEnding(rpc::Ending::Code code) {
    auto index = static_cast<size_t>(code);
    if (index < endings_.size()) endings_[index]++;
  }
  uint64_t endings(rpc::Ending::Code code) const { return endings_[static_cast<size_t>(code)]; }

  // A call on a worker has ended; pieces of streams are no calls here.
  void noteRun(rpc::Ending::Code outcome, kj::Duration wall) {
    auto index = static_cast<size_t>(outcome);
    if (index < runs_.size()) runs_[index]++;
    callTime.note(wall);
  }
  uint64_t runs(rpc::Ending::Code code) const { return runs_[static_cast<size_t>(code)]; }

  static constexpr size_t CODE_COUNT = static_cast<size_t>(rpc::Ending::Code::EXCEPTION) + 1;   // the schema's last

 private:
  std::array<uint64_t, CODE_COUNT> endings_{}, runs_{};
};

}  // namespace glovebox
