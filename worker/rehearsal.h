#pragma once
// What a worker does before it has anybody's code: a small module of our own and calls on it, so that the runtime's functions
// have inline caches and machine code (in the zygote, for all workers) and the pages that a first call writes are there (in
// each worker). It does what the code of agents does most.

#include <string>
#include <vector>

#include "worker/script-host.h"

namespace glovebox {

// The module's text differs with each round, so that V8 parses and compiles it instead of finding it in a cache. `stub` and
// `argument` are numbers for the two capabilities that it is handed.
WorkerSource rehearsedSource(WarmUp how, unsigned round, uint64_t stub);
std::vector<CallRequest> rehearsedCalls(WarmUp how, uint64_t argument);

// What each call of the module's is answered.
RemoteAnswer rehearsedAnswer();

}  // namespace glovebox
