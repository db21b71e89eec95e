// Getting more rights than the seal left: namespaces, ids, capabilities, and changes to the jail itself.

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>

#include "tools/probe/probe-record.h"
#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

Result unshares(int flag) { return metIf(rawCall(SYS_unshare, flag) == 0); }
Result unshareUser(const Surroundings&) { return unshares(CLONE_NEWUSER); }
Result unshareMount(const Surroundings&) { return unshares(CLONE_NEWNS); }
Result unshareNet(const Surroundings&) { return unshares(CLONE_NEWNET); }

// The parent of a new process reports; the child only ends.
Result madeProcess(long pid) {
  if (pid == 0) rawCall(SYS_exit_group, 0);
  if (pid < 0) return refused();
  int status;
  rawCall(SYS_wait4, pid, &status, __WALL, nullptr);
  return met();
}

Result cloneUser(const Surroundings&) { return madeProcess(rawCall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)); }

Result clone3User(const Surroundings&) {
  clone_args arguments{};
  arguments.flags = CLONE_NEWUSER;
  arguments.exit_signal = SIGCHLD;
  return madeProcess(rawCall(SYS_clone3, &arguments, sizeof(arguments)));
}

Result becomeRoot(const Surroundings&) { return metIf(rawCall(SYS_setresuid, 0, 0, 0) == 0); }
Result becomeRootGroup(const Surroundings&) { return metIf(rawCall(SYS_setresgid, 0, 0, 0) == 0); }
Result dropGroups(const Surroundings&) { return metIf(rawCall(SYS_setgroups, 0, nullptr) == 0); }

Result raiseCapabilities(const Surroundings&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {{1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0}, {0, 0, 0}};
  return metIf(rawCall(SYS_capset, &header, data) == 0);
}

Result askCapabilities(const Surroundings&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (rawCall(SYS_capget, &header, data) != 0) return refused();
  return (data[0].effective | data[1].effective) != 0 ? met() : refused(0);
}

// -- The jail itself -----------------------------------------------------------------------------------------------

Result addFilter(const Surroundings&) {
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{1, allow};
  rawCall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return metIf(rawCall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

Result listenOnFilter(const Surroundings&) {
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog program{1, allow};
  rawCall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return metIfDescriptor(rawCall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

Result strictMode(const Surroundings&) {
  if (rawCall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0) return refused();
  rawCall(SYS_exit, EXIT_GOAL_MET);  // strict mode knows exit, not exit_group
  return met();
}

Result landlockDomain(const Surroundings&) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE;
  return metIfDescriptor(rawCall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
}

Result prctlCall(int option, unsigned long a, unsigned long b = 0, unsigned long c = 0, unsigned long d = 0) {
  return metIf(rawCall(SYS_prctl, option, a, b, c, d) == 0);
}
Result becomeDumpable(const Surroundings&) { return prctlCall(PR_SET_DUMPABLE, 1); }
Result rename(const Surroundings&) { return prctlCall(PR_SET_NAME, reinterpret_cast<unsigned long>("systemd")); }
Result deathSignal(const Surroundings&) { return prctlCall(PR_SET_PDEATHSIG, 0); }
Result adoptOrphans(const Surroundings&) { return prctlCall(PR_SET_CHILD_SUBREAPER, 1); }

Result moveBreak(const Surroundings&) {
  return metIf(rawCall(SYS_prctl, PR_SET_MM, PR_SET_MM_ARG_START, 0x1000, 0, 0) == 0 || errno == EINVAL);
}

Result catchOwnCalls(const Surroundings&) { return prctlCall(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 0); }

// -- The machine -----------------------------------------------------------------------------------------------------

// Answers that come after the privilege check count as met: the next call would have worked.
Result restartMachine(const Surroundings&) { return metIf(rawCall(SYS_reboot, 0, 0, 0, 0) == 0 || errno == EINVAL); }
Result loadKernel(const Surroundings&) { return metIf(rawCall(SYS_kexec_load, 0, 0, 0, ~0ul) == 0 || errno == EINVAL); }
Result loadModule(const Surroundings&) { return metIf(rawCall(SYS_init_module, "", 0, "") == 0 || errno == ENOEXEC); }
Result swapOn(const Surroundings&) { return metIf(rawCall(SYS_swapon, "/nonexistent", 0) == 0 || errno == ENOENT); }
Result accountProcesses(const Surroundings&) {
  return metIf(rawCall(SYS_acct, "/nonexistent") == 0 || errno == ENOENT);
}
Result kernelLog(const Surroundings&) {
  char text[64];
  constexpr int READ_ALL = 3;
  return metIf(rawCall(SYS_syslog, READ_ALL, text, sizeof(text)) >= 0);
}
Result nameMachine(const Surroundings&) { return metIf(rawCall(SYS_sethostname, "glovebox-probe", 14) == 0); }
Result setClock(const Surroundings&) {
  timex change{};
  change.modes = ADJ_TICK;
  change.tick = 0;
  return metIf(rawCall(SYS_clock_adjtime, CLOCK_REALTIME, &change) >= 0 || errno == EINVAL);
}

constexpr Attempt ATTEMPTS[] = {
    {"unshare-user", Group::KERNEL, "makes a user namespace by unshare", unshareUser, {}},
    {"unshare-mount", Group::KERNEL, "makes a mount namespace by unshare", unshareMount, {}},
    {"unshare-net", Group::KERNEL, "makes a network namespace by unshare", unshareNet, {}},
    {"clone-user", Group::KERNEL, "makes a user namespace by clone", cloneUser, {}},
    {"clone3-user", Group::KERNEL, "makes a user namespace by clone3", clone3User, {}},
    {"become-root", Group::KERNEL, "becomes uid 0", becomeRoot, {}},
    {"become-root-group", Group::KERNEL, "becomes gid 0", becomeRootGroup, {}},
    {"drop-groups", Group::KERNEL, "changes its supplementary groups", dropGroups, {}},
    {"raise-capabilities", Group::KERNEL, "gives itself CAP_SYS_ADMIN", raiseCapabilities, {}},
    {"ask-capabilities", Group::KERNEL, "finds a capability left to it", askCapabilities, {}},
    {"add-filter", Group::KERNEL, "installs a system call filter", addFilter, {}},
    {"listen-on-filter", Group::KERNEL, "becomes the supervisor of its own filter", listenOnFilter, {}},
    {"strict-mode", Group::KERNEL, "enters seccomp's strict mode", strictMode, {}},
    {"landlock-domain", Group::KERNEL, "makes a Landlock ruleset", landlockDomain, {}},
    {"become-dumpable", Group::KERNEL, "makes itself dumpable and traceable", becomeDumpable, {}},
    {"rename", Group::KERNEL, "takes the name of another program", rename, {}},
    {"death-signal", Group::KERNEL, "turns off its parent-death signal", deathSignal, {}},
    {"adopt-orphans", Group::KERNEL, "becomes a reaper of orphans", adoptOrphans, {}},
    {"move-arguments", Group::KERNEL, "moves what /proc shows as its arguments", moveBreak, {}},
    {"catch-own-calls", Group::KERNEL, "uses syscall user dispatch", catchOwnCalls, {}},
    {"restart-machine", Group::KERNEL, "restarts the machine (with a wrong magic number)", restartMachine,
     "one wrong constant away from a restart"},
    {"load-kernel", Group::KERNEL, "loads another kernel (with wrong flags)", loadKernel, "touches the running kernel"},
    {"load-module", Group::KERNEL, "loads a kernel module (of no bytes)", loadModule, "touches the running kernel"},
    {"swap-on", Group::KERNEL, "turns on swap (on a file that is not there)", swapOn, "touches the running kernel"},
    {"account-processes", Group::KERNEL, "turns on accounting (to a file that is not there)", accountProcesses,
     "touches the running kernel"},
    {"kernel-log", Group::KERNEL, "reads the kernel's log", kernelLog, {}},
    {"name-machine", Group::KERNEL, "renames the machine", nameMachine, "renames the machine"},
    {"set-clock", Group::KERNEL, "changes the speed of the clock (to an impossible one)", setClock,
     "one wrong constant away from a clock change"},
};

}  // namespace

std::span<const Attempt> privilegeAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
