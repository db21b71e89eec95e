#include <sys/resource.h>

#include "policy/acts.h"
#include "policy/limits.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

struct Limit {
  int resource;
  uint64_t value;
};

constexpr Limit WORKER_LIMITS[] = {
    {RLIMIT_NOFILE, WORKER_NOFILE_MAX},
    {RLIMIT_NPROC, WORKER_NPROC_MAX},
    {RLIMIT_FSIZE, WORKER_FSIZE_BYTES_MAX},
    {RLIMIT_CORE, WORKER_CORE_BYTES_MAX},
    {RLIMIT_MEMLOCK, WORKER_MEMLOCK_BYTES_MAX},
    {RLIMIT_LOCKS, WORKER_LOCKS_MAX},
    {RLIMIT_MSGQUEUE, WORKER_MSGQUEUE_BYTES_MAX},
    {RLIMIT_SIGPENDING, WORKER_SIGPENDING_MAX},
    {RLIMIT_NICE, WORKER_NICE_MAX},
    {RLIMIT_RTPRIO, WORKER_RTPRIO_MAX},
    {RLIMIT_STACK, WORKER_STACK_BYTES_MAX},
};

bool setLimit(Limit limit) {
  rlimit64 both{limit.value, limit.value};
  return syscall(SYS_prlimit64, 0, limit.resource, &both, nullptr) == 0;
}

// What a worker has no use for, the gateway has none for either.
bool appliesToGateway(const Limit& limit) { return limit.resource != RLIMIT_NOFILE && limit.resource != RLIMIT_STACK; }

}  // namespace

StepResult limitGatewayResources(uint64_t descriptorsMax, uint64_t dataBytesMax) {
  for (const Limit& limit : WORKER_LIMITS) {
    if (appliesToGateway(limit) && !setLimit(limit)) return failed(Step::RLIMIT, limit.resource);
  }
  if (!setLimit({RLIMIT_NOFILE, descriptorsMax})) return failed(Step::RLIMIT, RLIMIT_NOFILE);
  if (!setLimit({RLIMIT_DATA, dataBytesMax})) return failed(Step::RLIMIT, RLIMIT_DATA);
  return {};
}

StepResult limitResources(uint64_t dataBytesMax) {
  for (const Limit& limit : WORKER_LIMITS) {
    if (!setLimit(limit)) return failed(Step::RLIMIT, limit.resource);
  }
  if (!setLimit({RLIMIT_DATA, dataBytesMax})) return failed(Step::RLIMIT, RLIMIT_DATA);
  bool bounded = dataBytesMax <= RLIM64_INFINITY - WORKER_ADDRESS_SPACE_BYTES_MAX;
  uint64_t addressSpace = bounded ? WORKER_ADDRESS_SPACE_BYTES_MAX + dataBytesMax : RLIM64_INFINITY;
  if (!setLimit({RLIMIT_AS, addressSpace})) return failed(Step::RLIMIT, RLIMIT_AS);
  return {};
}

}  // namespace glovebox::policy
