#include "supervisor/core.h"

#include <unistd.h>

#include <algorithm>

#include "ipc/uv-event-port.h"
#include "policy/filter-compiler.h"
#include "policy/limits.h"
#include "supervisor/membrane-limits.h"
#include "supervisor/route.h"

namespace glovebox {
namespace {

// One worker being used on each core, one waiting for each; more only costs memory.
uint32_t defaultPoolSize() {
  auto cores = sysconf(_SC_NPROCESSORS_ONLN);
  return static_cast<uint32_t>(std::min(std::max(cores * 2, 2L), 16L));
}

policy::CgroupLimits cgroupLimits(const SupervisorOptions& options) {
  policy::CgroupLimits limits;
  uint64_t machine = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  limits.memoryBytesMax = options.allMemoryMbMax == 0 ? machine / 4 * 3 : uint64_t{options.allMemoryMbMax} << 20;
  limits.processesMax = policy::cgroupPidsMax(options.workersMax);
  limits.cpuPercentMax = options.allCpuPercentMax;
  return limits;
}

uint64_t machineBytes() { return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

uint64_t namedBytesMax(const SupervisorOptions& options) {
  return options.namedMemoryMbMax == 0 ? machineBytes() / 4 : uint64_t{options.namedMemoryMbMax} << 20;
}

// No policy grants more than the wire and the membrane can keep.
SupervisorOptions keepable(SupervisorOptions options) {
  options.limits = lowerOf(options.limits, {.callsInFlight = membrane::INWARD_CALLS_MAX,
                                            .capabilities = membrane::LIVE_CAPABILITIES_MAX,
                                            .resultBytes = wire::PAYLOAD_BYTES_MAX});
  return options;
}

}  // namespace

kj::Maybe<LoaderImpl&> Loaders::tryFind(capnp::Capability::Client& client) {
  auto found = loaders_.find(&innermostHook(client));
  if (found == loaders_.end()) return nullptr;
  return *found->second;
}

Core::Core(UvEventPort& port, Installation installation, SupervisorOptions options, kj::Maybe<WorkerSupply&> supply)
    : port(port),
      installation(kj::mv(installation)),
      options(keepable(options)),
      filter(policy::compileWorkerFilter(options.profile)),
      cgroups(cgroupLimits(options)),
      reaper(port),
      pool(port, reaper, poolOptions()),
      kinship(*this),
      codeCache(uint64_t{options.codeCacheMbMax} << 20, options.profile),
      codeCompiler(port.getTimer(), supply.orDefault(pool), codeCache, options.limits.memoryMb),
      warmth(port.getTimer(), namedBytesMax(options)),
      supply_(supply.orDefault(pool)) {}

void Core::noteCallSent(bool workerHasAnswered) {
  bool near = census.callsInFlight == 1 && pool.counts().starting == 0;
  auto answer = workerHasAnswered ? UvEventPort::Expected::ANSWER : UvEventPort::Expected::FIRST_ANSWER;
  port.expect(near ? answer : UvEventPort::Expected::NOTHING);
}

void Core::noteCallEnded(bool workerHadAnswered) {
  bool near = workerHadAnswered && census.callsInFlight == 0 && pool.counts().starting == 0;
  port.expect(near ? UvEventPort::Expected::CALL : UvEventPort::Expected::NOTHING);
}

PoolOptions Core::poolOptions() {
  PoolOptions pool{[this]() { return zygoteOptions(); }};
  pool.size = options.poolSize == 0 ? defaultPoolSize() : options.poolSize;
  pool.memoryMbMax = options.limits.memoryMb;
  pool.allowMissing = options.allowMissing;
  pool.zygoteForksMax = options.zygoteForksMax;
  pool.zygoteAgeMax = options.zygoteAgeSecondsMax * kj::SECONDS;
  return pool;
}

ZygoteOptions Core::zygoteOptions() {
  ZygoteOptions zygote;
  zygote.command = kj::heapArray<kj::String>(5);
  zygote.command[0] = kj::str(installation.loader);
  zygote.command[1] = kj::str("--preload");
  zygote.command[2] = kj::str(installation.worker);
  zygote.command[3] = kj::str(installation.engine);
  zygote.command[4] = kj::str(installation.snapshot);
  zygote.jailer = kj::str(installation.jailer);
  auto& files = cgroups.procsFiles();
  auto cgroupFiles = kj::heapArrayBuilder<kj::String>(files.size());
  for (auto& file: files) cgroupFiles.add(kj::str(file.c_str()));
  zygote.cgroupFiles = cgroupFiles.finish();
  zygote.profile = options.profile;
  zygote.allowMissing = options.allowMissing;
  zygote.heapMbMax = options.limits.memoryMb;
  zygote.filter = kj::arrayPtr(filter.data(), filter.size());
  return zygote;
}

}  // namespace glovebox
