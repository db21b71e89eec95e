#pragma once
// Connections to one origin: its name is looked up anew for each, every address is checked, and the very address that was checked is the one
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

// The origin as kj-http's client wants it: an address that makes connections.
kj::Own<kj::NetworkAddress> addressOf(Network& network, Destination destination);

}  // namespace glovebox::egress
