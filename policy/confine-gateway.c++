#include "policy/confine-gateway.h"

#include "policy/acts.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

StepResult note(const GatewayConfinement& confinement, LayerSet& inForce, Layer layer, StepResult result) {
  if (result.ok()) inForce.add(layer);
  else if (confinement.mayMiss.has(layer)) result = {};
  return result;
}

}  // namespace

LayerSet gatewayLayers() {
  LayerSet layers;
  for (Layer layer : {Layer::USER_NAMESPACE, Layer::MOUNT_NAMESPACE, Layer::NET_NAMESPACE, Layer::IPC_NAMESPACE,
                      Layer::UTS_NAMESPACE, Layer::CGROUP_NAMESPACE, Layer::EMPTY_ROOT, Layer::CAPABILITIES, Layer::NO_NEW_PRIVS,
                      Layer::RLIMITS, Layer::LANDLOCK, Layer::NOT_DUMPABLE, Layer::SECCOMP}) {
    layers.add(layer);
  }
  return layers;
}

LayerSet egressLayers() {
  LayerSet layers = gatewayLayers();
  layers.remove(Layer::NET_NAMESPACE);
  return layers;
}

StepResult enterGatewayJail(const GatewayConfinement& confinement, LayerSet& inForce) {
  auto apply = [&](Layer layer, StepResult result) { return note(confinement, inForce, layer, result); };
  bool root = geteuid() == 0;
  IdMap ids;
  StepResult result = enterUserNamespace(ids);
  if (result.ok()) {
    inForce.add(Layer::USER_NAMESPACE);
  } else if (root || !confinement.mayMiss.has(Layer::USER_NAMESPACE)) {
    // As root what follows would be done to the machine itself.
    return result;
  }
  LayerSet notWanted;
  if (confinement.connects) notWanted.add(Layer::NET_NAMESPACE);
  if (!(result = enterNamespaces(confinement.mayMiss, inForce, notWanted)).ok()) return result;
  // Only a child would be in it. That it was left all the same has a use: a process that did so cannot start a thread.
  inForce.remove(Layer::PID_NAMESPACE);
  // Without a mount namespace of its own the machine's root would be emptied.
  if (inForce.has(Layer::MOUNT_NAMESPACE)) {
    if (!(result = apply(Layer::EMPTY_ROOT, enterEmptyRoot())).ok()) return result;
  } else if (!confinement.mayMiss.has(Layer::EMPTY_ROOT)) {
    return {Step::EMPTY_ROOT, EPERM, 0};
  }
  if (inForce.has(Layer::USER_NAMESPACE)) {
    if (!(result = apply(Layer::CAPABILITIES, reduceCapabilities(ids.manyIds))).ok()) return result;
    if (ids.manyIds) inForce.add(Layer::WORKER_UID);
  }
  if (!(result = apply(Layer::NO_NEW_PRIVS, setNoNewPrivs())).ok()) return result;
  if (!(result = apply(Layer::CAPABILITIES, dropCapabilities())).ok()) return result;
  return apply(Layer::NOT_DUMPABLE, becomeUndumpable());
}

StepResult sealGateway(const GatewayConfinement& confinement, LayerSet& inForce) {
  auto apply = [&](Layer layer, StepResult result) { return note(confinement, inForce, layer, result); };
  int abi = 0;
  StepResult result;
  result = confinement.connects ? restrictWithLandlockButConnecting(confinement.ports, confinement.portCount, abi) : restrictWithLandlock(abi);
  if (!(result = apply(Layer::LANDLOCK, result)).ok()) return result;
  if (!(result = apply(Layer::RLIMITS, limitGatewayResources(confinement.descriptorsMax, confinement.dataBytesMax))).ok()) {
    return result;
  }
  return apply(Layer::SECCOMP, installFilter(confinement.filter, confinement.filterLength));
}

}  // namespace glovebox::policy
