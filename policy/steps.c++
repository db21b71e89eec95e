// The words for policy::Step.

#include "policy/confine.h"

namespace glovebox::policy {

namespace {

struct StepInfo {
  Step step;
  Layer layer;
  const char* words;
};

constexpr StepInfo STEPS[] = {
    {Step::NONE, Layer::SECCOMP, "nothing failed"},
    {Step::UNSHARE_USER, Layer::USER_NAMESPACE, "enter a new user namespace"},
    {Step::MAP_IDS, Layer::USER_NAMESPACE, "map user and group ids into the new user namespace"},
    {Step::UNSHARE_MOUNT, Layer::MOUNT_NAMESPACE, "enter a new mount namespace and make its mounts private"},
    {Step::UNSHARE_PID, Layer::PID_NAMESPACE, "enter a new pid namespace"},
    {Step::UNSHARE_NET, Layer::NET_NAMESPACE, "enter a new network namespace"},
    {Step::UNSHARE_IPC, Layer::IPC_NAMESPACE, "enter a new ipc namespace"},
    {Step::UNSHARE_UTS, Layer::UTS_NAMESPACE, "enter a new uts namespace"},
    {Step::UNSHARE_CGROUP, Layer::CGROUP_NAMESPACE, "enter a new cgroup namespace"},
    {Step::JOIN_CGROUP, Layer::CGROUP_MEMORY, "join the workers' cgroups"},
    {Step::FORK_WARDEN, Layer::PID_NAMESPACE, "start the warden"},
    {Step::WARDEN_SEAL, Layer::SECCOMP, "shut in the warden"},
    {Step::FORK_ZYGOTE, Layer::PID_NAMESPACE, "fork the zygote"},
    {Step::EXEC_ZYGOTE, Layer::USER_NAMESPACE, "execute the zygote's program inside the user namespace"},
    {Step::ZYGOTE_CONFIGURE, Layer::SECCOMP, "understand the supervisor's configuration"},
    {Step::ENGINE_START, Layer::SECCOMP, "start the JavaScript engine"},
    {Step::LIMIT_USER_NAMESPACES, Layer::EMPTY_ROOT, "forbid further user namespaces (/proc/sys/user/max_user_namespaces)"},
    {Step::EMPTY_ROOT, Layer::EMPTY_ROOT, "change to an empty root"},
    {Step::DROP_BOUNDING_SET, Layer::CAPABILITIES, "empty the ambient and bounding sets of capabilities"},
    {Step::SECURE_BITS, Layer::CAPABILITIES, "lock the secure bits"},
    {Step::CAPABILITIES, Layer::CAPABILITIES, "drop capabilities"},
    {Step::NO_NEW_PRIVS, Layer::NO_NEW_PRIVS, "set no_new_privs"},
    {Step::LANDLOCK_RULESET, Layer::LANDLOCK, "create a Landlock ruleset"},
    {Step::LANDLOCK_RESTRICT, Layer::LANDLOCK, "enter a Landlock domain"},
    {Step::RLIMIT, Layer::RLIMITS, "set a resource limit"},
    {Step::SET_IDS, Layer::WORKER_UID, "change to a user id of its own"},
    {Step::NOT_DUMPABLE, Layer::NOT_DUMPABLE, "become not dumpable"},
    {Step::SPECULATION, Layer::SPECULATION, "restrain speculation"},
    {Step::MOVE_SOCKET, Layer::RLIMITS, "move its socket to descriptor 3"},
    {Step::CLOSE_DESCRIPTORS, Layer::RLIMITS, "close all other descriptors"},
    {Step::SECCOMP, Layer::SECCOMP, "install the system call filter"},
};

constexpr bool isComplete() {
  uint32_t expected = 0;
  for (auto& info : STEPS) {
    if (static_cast<uint32_t>(info.step) != expected++) return false;
  }
  return expected == static_cast<uint32_t>(Step::SECCOMP) + 1;
}
static_assert(isComplete(), "one line for each Step, in the order of the enumeration");

const StepInfo* find(Step step) {
  auto index = static_cast<uint32_t>(step);
  return index < sizeof(STEPS) / sizeof(STEPS[0]) ? &STEPS[index] : nullptr;
}

}  // namespace

const char* describeStep(Step step) {
  auto info = find(step);
  return info == nullptr ? "do something this version has no word for" : info->words;
}

Layer layerOf(Step step) {
  auto info = find(step);
  return info == nullptr ? Layer::SECCOMP : info->layer;
}

}  // namespace glovebox::policy
