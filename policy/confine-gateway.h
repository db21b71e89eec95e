#pragma once
// How the gateway shuts itself in. Unlike a worker it is executed on its own, keeps its descriptors, and goes on to accept
// connections on sockets that it was born with: those belong to the network namespace they were made in, wherever their holder goes.
//
// Runs in the gateway, in a single thread, before it has read a byte from anybody. A step that fails leaves the process half
// confined and good for nothing but to end.

#include "policy/confine.h"

namespace glovebox::policy {

struct GatewayConfinement {
  uint64_t descriptorsMax = 0;         // RLIMIT_NOFILE
  uint64_t dataBytesMax = 0;           // RLIMIT_DATA
  const sock_filter* filter = nullptr; // compiled from policy/gateway-syscalls.h before the first step
  uint16_t filterLength = 0;
  LayerSet mayMiss;
  // Of the egress process (policy/egress-syscalls.h): it stays in the machine's network, and may connect to these TCP ports; to all if
  // there are none.
  bool connects = false;
  const uint16_t* ports = nullptr;
  size_t portCount = 0;
};

// Namespaces of its own (no interface, no mount, no name of anything), an empty root, own ids where they can be had, no capability,
// not dumpable. What holds is added to `inForce`.
//
// PID_NAMESPACE never is: a process does not move into another one, and this one has no children. Other processes are kept from
// it by the filter, by Landlock's scopes and, as root, by its own user id.
StepResult enterGatewayJail(const GatewayConfinement& confinement, LayerSet& inForce);

// Landlock, rlimits, and the filter at last. When this returns only the calls of the table exist.
StepResult sealGateway(const GatewayConfinement& confinement, LayerSet& inForce);

// The layers without which there is no gateway, or no egress process.
LayerSet gatewayLayers();
LayerSet egressLayers();

}  // namespace glovebox::policy
