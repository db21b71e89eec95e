#include "policy/layers.h"

namespace glovebox::policy {

namespace {

constexpr std::string_view USER_NAMESPACE_FIX =
    "allow user namespaces: sysctl user.max_user_namespaces=15000, on Debian and Ubuntu also "
    "kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0; in a container, run it "
    "with a seccomp profile that permits unshare(2) and clone(2). Root cannot go without, whatever is allowed to be missing";
constexpr std::string_view NAMESPACE_FIX =
    "use a kernel built with namespaces (CONFIG_NAMESPACES and its options) and raise the limit of this kind under "
    "/proc/sys/user/max_*_namespaces if it is 0";
constexpr std::string_view CGROUP_FIX =
    "start as root, or let the service manager delegate a cgroup: systemd-run --user --scope -p Delegate=yes ...";

}  // namespace

constexpr std::array<LayerInfo, LAYER_COUNT> LAYERS = {{
    {Layer::USER_NAMESPACE, "user-namespace", Need::REQUIRED,
     "privileges that mean nothing outside: every other namespace can be made without being root", USER_NAMESPACE_FIX},
    {Layer::PID_NAMESPACE, "pid-namespace", Need::REQUIRED,
     "no process of the machine can be named, and all workers die with their warden", NAMESPACE_FIX},
    {Layer::MOUNT_NAMESPACE, "mount-namespace", Need::REQUIRED,
     "the file systems of the machine can be taken away without touching them", NAMESPACE_FIX},
    {Layer::NET_NAMESPACE, "net-namespace", Need::REQUIRED,
     "no network interface, and none of the machine's abstract sockets", NAMESPACE_FIX},
    {Layer::IPC_NAMESPACE, "ipc-namespace", Need::REQUIRED,
     "no System V shared memory or POSIX message queue of anybody else", NAMESPACE_FIX},
    {Layer::UTS_NAMESPACE, "uts-namespace", Need::REQUIRED, "the host name cannot be changed", NAMESPACE_FIX},
    {Layer::CGROUP_NAMESPACE, "cgroup-namespace", Need::REQUIRED,
     "the layout of the machine's services cannot be seen", NAMESPACE_FIX},
    {Layer::EMPTY_ROOT, "empty-root", Need::REQUIRED,
     "there is no file: the root is an empty read-only tmpfs, and the old root is detached",
     "use a kernel with tmpfs, and a root file system that is not the initramfs (pivot_root cannot leave that one)"},
    {Layer::WORKER_UID, "worker-uid", Need::WHERE_POSSIBLE,
     "two workers are different users to the kernel: no signal and no ptrace between them even without the filter",
     "start as root; an ordinary user may map only its own id"},
    {Layer::CAPABILITIES, "capabilities", Need::REQUIRED,
     "no privilege is left, not even inside the namespaces", "this cannot be missing on Linux; report it as a bug"},
    {Layer::NO_NEW_PRIVS, "no-new-privs", Need::REQUIRED,
     "no program can give privileges back", "this cannot be missing on Linux; report it as a bug"},
    {Layer::RLIMITS, "rlimits", Need::REQUIRED,
     "memory, descriptors, files, processes and locked pages are bounded by the kernel",
     "start with hard limits that are not below those of policy/limits.h (ulimit -H -a shows them)"},
    {Layer::LANDLOCK, "landlock", Need::REQUIRED,
     "no file, TCP port, abstract socket or signal beyond the worker, whatever root it has",
     "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and with landlock in the boot parameter lsm= if it is set"},
    {Layer::NOT_DUMPABLE, "not-dumpable", Need::REQUIRED,
     "no core dump, and no look into its memory by processes of the same user",
     "this cannot be missing on Linux; report it as a bug"},
    {Layer::SECCOMP, "seccomp", Need::REQUIRED,
     "of the kernel's system calls, only those of policy/syscalls.h exist; any other kills the worker",
     "use a kernel with CONFIG_SECCOMP_FILTER; in a container, permit seccomp(2)"},
    {Layer::SPECULATION, "speculation", Need::WHERE_POSSIBLE,
     "speculative store bypass and indirect branches are restrained in this process",
     "nothing to do: this processor or hypervisor offers no control per process"},
    {Layer::CGROUP_MEMORY, "cgroup-memory", Need::WHERE_POSSIBLE,
     "all workers together cannot take the memory of the machine", CGROUP_FIX},
    {Layer::CGROUP_PIDS, "cgroup-pids", Need::WHERE_POSSIBLE,
     "all workers together cannot take the process table of the machine", CGROUP_FIX},
    {Layer::CGROUP_CPU, "cgroup-cpu", Need::WHERE_POSSIBLE,
     "all workers together cannot starve the rest of the machine", CGROUP_FIX},
}};

namespace {

constexpr bool isComplete() {
  for (uint32_t i = 0; i < LAYER_COUNT; i++) {
    if (static_cast<uint32_t>(LAYERS[i].layer) != i) return false;
    if (LAYERS[i].name.empty() || LAYERS[i].purpose.empty() || LAYERS[i].fix.empty()) return false;
  }
  return true;
}
static_assert(isComplete(), "LAYERS follows the order of the enumeration, and each has a name, a purpose and a fix");

}  // namespace

std::optional<Layer> tryParseLayer(std::string_view name) {
  for (auto& layer : LAYERS) {
    if (layer.name == name) return layer.layer;
  }
  return std::nullopt;
}

}  // namespace glovebox::policy
