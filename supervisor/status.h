#pragma once
// The status document: JSON for people and monitoring.

#include <kj/string.h>

#include "policy/cgroups.h"
#include "supervisor/account.h"
#include "supervisor/code-cache.h"
#include "supervisor/code-compiler.h"
#include "supervisor/census.h"
#include "supervisor/kinship.h"
#include "supervisor/pool.h"
#include "supervisor/supervisor.h"
#include "supervisor/warmth.h"

namespace glovebox {

struct StatusReport {
  const SupervisorOptions& options;
  const policy::WorkerCgroups& cgroups;
  const Census& census;
  PoolCounts pool;
  kj::Maybe<ZygoteProcess&> zygote;
  const Kinship& kinship;
  const Recent& recent;
  const CodeCache& codeCache;
  CodeCompiler::Counts codeCompiler;
  const Warmth& warmth;
};

kj::String writeStatus(const StatusReport& report);

}  // namespace glovebox
