// What each forked worker does to itself, before the first byte of untrusted code.

#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "policy/acts.h"
#include "policy/limits.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

// True if at least one control exists here and is now on. That neither exists is a fact about the machine, not a failure.
bool restrainSpeculation() {
  bool any = false;
  for (unsigned long control : {PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH}) {
    any |= syscall(SYS_prctl, PR_SET_SPECULATION_CTRL, control, PR_SPEC_FORCE_DISABLE, 0, 0) == 0;
  }
  return any;
}

StepResult keepOnly(int socket) {
  if (socket != WORKER_SOCKET && syscall(SYS_dup3, socket, WORKER_SOCKET, 0) < 0) return failed(Step::MOVE_SOCKET);
  if (syscall(SYS_close_range, WORKER_SOCKET + 1, ~0u, 0) != 0) return failed(Step::CLOSE_DESCRIPTORS, 1);
  if (syscall(SYS_close_range, 0, WORKER_SOCKET - 1, 0) != 0) return failed(Step::CLOSE_DESCRIPTORS, 0);
  return {};
}

}  // namespace

StepResult becomeUndumpable() {
  if (syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed(Step::NOT_DUMPABLE);
  return {};
}

StepResult confineWorker(const WorkerConfinement& confinement, LayerSet& inForce) {
  auto apply = [&](Layer layer, StepResult result) {
    if (result.ok()) inForce.add(layer);
    else if (confinement.mayMiss.has(layer)) result = {};
    return result;
  };
  StepResult result;
  if (!(result = apply(Layer::NO_NEW_PRIVS, setNoNewPrivs())).ok()) return result;
  if (confinement.setIds) {
    if (!(result = apply(Layer::WORKER_UID, becomeUser(confinement.uid))).ok()) return result;
  }
  if (!(result = apply(Layer::CAPABILITIES, dropCapabilities())).ok()) return result;
  // After the ids: a change of ids sets it anew.
  if (!(result = apply(Layer::NOT_DUMPABLE, becomeUndumpable())).ok()) return result;
  // Before the limit on descriptors: a ruleset is one.
  int abi = 0;
  if (!(result = apply(Layer::LANDLOCK, restrictWithLandlock(abi))).ok()) return result;
  if (restrainSpeculation()) inForce.add(Layer::SPECULATION);
  if (!(result = keepOnly(confinement.socket)).ok()) return result;
  return apply(Layer::RLIMITS, limitResources(confinement.dataBytesMax));
}

StepResult seal(const WorkerConfinement& confinement) {
  StepResult result = installFilter(confinement.filter, confinement.filterLength);
  if (!result.ok() && confinement.mayMiss.has(Layer::SECCOMP)) return {};
  return result;
}

StepResult installFilter(const sock_filter* filter, uint16_t length) {
  sock_fprog program{length, const_cast<sock_filter*>(filter)};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return failed(Step::SECCOMP);
  return {};
}

}  // namespace glovebox::policy
