#pragma once
// Whether a worker's entrypoint would answer a request, without sending one: it is up, and there is a fetch() handler. The handler
// is not run.

#include <kj/async.h>

#include "ipc/call.capnp.h"
#include "tools/cli/failure.h"
#include "tools/project/stack-mapper.h"

namespace glovebox::http {

// What keeps it from answering, with the exit code for that, or null. `name` is for the words.
kj::Promise<kj::Maybe<cli::Failure>> probeHandler(rpc::Target::Client entrypoint, std::string name);

// The same, naming the places of the files that `origins` tells of. `mapper` outlives it.
kj::Promise<kj::Maybe<cli::Failure>> probeHandler(rpc::Target::Client entrypoint, std::string name, project::StackMapper& mapper, cli::ModuleOrigins origins);

}  // namespace glovebox::http
