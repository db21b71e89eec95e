#pragma once
// Connections to servers: a name is looked up anew for each, every address is checked, and the very address that was checked is the one
// that is connected to. No second look-up happens in between, so a name server that answers differently each time gains nothing.

#include <kj/async-io.h>
#include <kj/compat/tls.h>
#include <kj/timer.h>

#include "tools/egress/egress-policy.h"
#include "tools/egress/resolver.h"

namespace glovebox::egress {

// What all connections share; outlives them.
struct Network {
  kj::LowLevelAsyncIoProvider& io;
  kj::Timer& timer;
  Resolver& resolver;
  kj::TlsContext& tls;
  const EgressPolicy& policy;
};

// Rejects with a sentence that says what was tried.
kj::Promise<kj::Own<kj::AsyncIoStream>> connectTo(Network& network, const Destination& destination);

}  // namespace glovebox::egress
