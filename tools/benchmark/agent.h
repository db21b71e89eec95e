#pragma once
// What is measured: the module of an agent's step, loaded and called as a client does it.

#include <kj/async.h>

#include "ipc/control.capnp.h"

namespace glovebox::bench {

// The module text that an agent would send.
extern const char* const AGENT_MODULE;

struct LoadedAgent {
  rpc::Worker::Client worker;
  rpc::Target::Client entrypoint;
};

// All three calls leave in one batch when `callAgent` follows at once.
LoadedAgent loadAgent(rpc::Loader::Client& loader, const char* module = AGENT_MODULE);

// myAgent({value: 21}); checks that 42 comes back.
kj::Promise<void> callAgent(rpc::Target::Client& entrypoint);

}  // namespace glovebox::bench
