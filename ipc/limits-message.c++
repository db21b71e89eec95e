#include "ipc/limits-message.h"

namespace glovebox {
namespace {

struct Accessors {
  uint32_t WorkerLimits::* field;
  uint32_t (rpc::Limits::Reader::*get)() const;
  void (rpc::Limits::Builder::*set)(uint32_t);
};

using Reader = rpc::Limits::Reader;
using Builder = rpc::Limits::Builder;

constexpr Accessors ACCESSORS[] = {
    {&WorkerLimits::cpuMs, &Reader::getCpuMs, &Builder::setCpuMs},
    {&WorkerLimits::wallMs, &Reader::getWallMs, &Builder::setWallMs},
    {&WorkerLimits::subRequests, &Reader::getSubRequests, &Builder::setSubRequests},
    {&WorkerLimits::memoryMb, &Reader::getMemoryMb, &Builder::setMemoryMb},
    {&WorkerLimits::heapMb, &Reader::getHeapMb, &Builder::setHeapMb},
    {&WorkerLimits::startupCpuMs, &Reader::getStartupCpuMs, &Builder::setStartupCpuMs},
    {&WorkerLimits::callsInFlight, &Reader::getCallsInFlight, &Builder::setCallsInFlight},
    {&WorkerLimits::capabilities, &Reader::getCapabilities, &Builder::setCapabilities},
    {&WorkerLimits::timers, &Reader::getTimers, &Builder::setTimers},
    {&WorkerLimits::logBytes, &Reader::getLogBytes, &Builder::setLogBytes},
    {&WorkerLimits::resultBytes, &Reader::getResultBytes, &Builder::setResultBytes},
    {&WorkerLimits::idleMs, &Reader::getIdleMs, &Builder::setIdleMs},
    {&WorkerLimits::lifetimeMs, &Reader::getLifetimeMs, &Builder::setLifetimeMs},
};

}  // namespace

WorkerLimits readLimits(rpc::Limits::Reader from) {
  WorkerLimits limits;
  for (auto& limit: ACCESSORS) limits.*limit.field = (from.*limit.get)();
  return limits;
}

void writeLimits(const WorkerLimits& from, rpc::Limits::Builder to) {
  for (auto& limit: ACCESSORS) (to.*limit.set)(from.*limit.field);
}

}  // namespace glovebox
