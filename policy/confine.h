#pragma once
// The acts that shut a process in, one function each, in the order in which they happen. They run in the jailer (while
// it is a single thread), in the zygote (once) and in each forked worker (what must be per process, 0.15 ms in all).
//
// Nothing here allocates, throws, locks or logs: some of it runs between fork and the first instruction of untrusted
// code. A failed act says which step and which errno; the supervisor finds the words (describeStep).

#include <cstddef>
#include <cstdint>

#include "policy/layers.h"
#include "policy/profile.h"

struct sock_filter;

namespace glovebox::policy {

// Every act that can fail, for StepFailed records. Words for each are in describeStep().
enum class Step : uint32_t {
  NONE,
  UNSHARE_USER, MAP_IDS, UNSHARE_MOUNT, UNSHARE_PID, UNSHARE_NET, UNSHARE_IPC, UNSHARE_UTS, UNSHARE_CGROUP,
  JOIN_CGROUP, FORK_WARDEN, WARDEN_SEAL, FORK_ZYGOTE, EXEC_ZYGOTE, ZYGOTE_CONFIGURE, ENGINE_START,
  LIMIT_USER_NAMESPACES, EMPTY_ROOT, DROP_BOUNDING_SET, SECURE_BITS, CAPABILITIES, NO_NEW_PRIVS, LANDLOCK_RULESET,
  LANDLOCK_RESTRICT, RLIMIT, SET_IDS, NOT_DUMPABLE, SPECULATION, MOVE_SOCKET, CLOSE_DESCRIPTORS, SECCOMP,
};

struct StepResult {
  Step step = Step::NONE;  // NONE: it worked
  int error = 0;           // errno
  uint32_t detail = 0;     // which rlimit, which capability, ...
  bool ok() const { return step == Step::NONE; }
};

// A sentence without a full stop: "enter a new network namespace". And the layer the step belongs to.
const char* describeStep(Step step);
Layer layerOf(Step step);

// -- In the jailer --------------------------------------------------------------------------------------------------

struct IdMap {
  bool manyIds = false;         // workers can have uids of their own
  uint32_t firstWorkerUid = 0;  // inside the namespace
  uint32_t workerUidCount = 0;
  uint32_t outerUidOffset = 0;  // outer uid = inner uid + this; only where manyIds
};

// New user namespace. As root, a range of unprivileged ids of the outer namespace is mapped (a helper forked before the
// unshare writes the maps, and is reaped); as an ordinary user, the one own id, setgroups denied. Either way no id in it
// is 0. The caller keeps its outer id, and with it access to the supervisor's files, until it changes ids.
StepResult enterUserNamespace(IdMap& map);

// Mount (all propagation private), pid (for children), net, ipc, uts, cgroup. A namespace whose layer is in `mayMiss`
// and cannot be had is left out of `inForce`; one in `notWanted` is not tried.
StepResult enterNamespaces(LayerSet mayMiss, LayerSet& inForce, LayerSet notWanted = {});

// -- In the zygote, after everything it needs from files is loaded -----------------------------------------------------

// An empty tmpfs becomes the root, read-only, nosuid, nodev, noexec; the old root is detached. Also sets
// user.max_user_namespaces of this user namespace to 0 first, while /proc is still there: a second lock. The warden, which
// stands at the same root, finds itself in the new one too.
StepResult enterEmptyRoot();

// Bounding and ambient sets emptied, secure bits locked; keeps only what forking workers needs (CAP_SETUID and
// CAP_SETGID, and only where workers get uids of their own: then the zygote itself becomes ZYGOTE_UID here, because until
// now it was still the supervisor's user outside). Not dumpable afterwards.
StepResult reduceCapabilities(bool keepSetIds);

StepResult setNoNewPrivs();

// No file, no TCP port; since ABI 6, no abstract socket and no signal out of this domain. `abi` receives the kernel's ABI.
StepResult restrictWithLandlock(int& abi);

// The same, but for connecting to these TCP ports; without any, to all. Kernels before ABI 4 do not look at ports.
StepResult restrictWithLandlockButConnecting(const uint16_t* ports, size_t count, int& abi);

// -- In each worker, in this order -------------------------------------------------------------------------------------

struct WorkerConfinement {
  int socket = -1;                     // becomes descriptor 3, the only one
  bool setIds = false;
  uint32_t uid = 0;
  uint64_t dataBytesMax = 0;           // RLIMIT_DATA
  const sock_filter* filter = nullptr; // compiled by the supervisor for `profile`
  uint16_t filterLength = 0;
  LayerSet mayMiss;
};

// Everything before the filter: no_new_privs, own uid, no capabilities, not dumpable, Landlock domain of its own,
// speculation controls where the hardware has them, descriptors, rlimits. What holds is added to `inForce`. The zygote's
// control socket is gone after MOVE_SOCKET: a failure there or later can only be told by the exit code.
StepResult confineWorker(const WorkerConfinement& confinement, LayerSet& inForce);

// The filter. Last; after it only the calls of policy/syscalls.h exist.
StepResult seal(const WorkerConfinement& confinement);

}  // namespace glovebox::policy
