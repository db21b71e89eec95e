// Touching another process: the supervisor's side of the jail, or the worker next door.

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "tools/probe/raw-calls.h"
#include "tools/probe/victim.h"

namespace glovebox::probe {

uint64_t secret = SECRET_OF_NOBODY;

namespace {

// Its default action is to be ignored; the permission check is every signal's.
constexpr int HARMLESS_SIGNAL = SIGURG;

Result signals(pid_t pid) { return metIf(rawCall(SYS_kill, pid, HARMLESS_SIGNAL) == 0); }
Result signalTrusted(const Surroundings& around) { return signals(around.trusted); }
Result signalSibling(const Surroundings& around) { return signals(around.sibling); }
// The kernel answers 0 here even if each single signal was refused; so ask for one of them again.
Result signalEveryone(const Surroundings& around) {
  if (rawCall(SYS_kill, -1, HARMLESS_SIGNAL) != 0) return refused();
  return signals(around.sibling);
}

Result signalThread(const Surroundings& around) {
  return metIf(rawCall(SYS_tgkill, around.sibling, around.sibling, HARMLESS_SIGNAL) == 0);
}

Result queueSignal(const Surroundings& around) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return metIf(rawCall(SYS_rt_sigqueueinfo, around.sibling, HARMLESS_SIGNAL, &info) == 0);
}

Result signalByPidfd(const Surroundings& around) {
  long pidfd = rawCall(SYS_pidfd_open, around.sibling, 0);
  if (pidfd < 0) return refused();
  return metIf(rawCall(SYS_pidfd_send_signal, pidfd, HARMLESS_SIGNAL, nullptr, 0) == 0);
}

// SEIZE, because ATTACH would stop the victim.
Result traces(pid_t pid) {
  if (rawCall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) != 0) return refused();
  rawCall(SYS_ptrace, PTRACE_DETACH, pid, 0, 0);
  return met();
}
Result traceTrusted(const Surroundings& around) { return traces(around.trusted); }
Result traceSibling(const Surroundings& around) { return traces(around.sibling); }
Result traceMe(const Surroundings&) { return metIf(rawCall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0); }

Result copiesSecret(long call, pid_t pid, uint64_t& value) {
  iovec here{&value, sizeof(value)};
  iovec there{&secret, sizeof(secret)};
  return metIf(rawCall(call, pid, &here, 1, &there, 1, 0) == sizeof(value));
}
Result readsSecret(pid_t pid) {
  uint64_t value = 0;
  Result result = copiesSecret(SYS_process_vm_readv, pid, value);
  if (result.outcome == Outcome::MET && value != SECRET_OF_VICTIM) return refused(0);
  return result;
}
Result readTrusted(const Surroundings& around) { return readsSecret(around.trusted); }
Result readSibling(const Surroundings& around) { return readsSecret(around.sibling); }
Result writeSibling(const Surroundings& around) {
  uint64_t value = SECRET_OF_VICTIM;
  return copiesSecret(SYS_process_vm_writev, around.sibling, value);
}

Result takesDescriptor(pid_t pid) {
  long pidfd = rawCall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) return refused();
  return metIfDescriptor(rawCall(SYS_pidfd_getfd, pidfd, 3, 0));
}
Result takeFromTrusted(const Surroundings& around) { return takesDescriptor(around.trusted); }
Result takeFromSibling(const Surroundings& around) { return takesDescriptor(around.sibling); }

Result openPidfd(const Surroundings& around) { return metIfDescriptor(rawCall(SYS_pidfd_open, around.sibling, 0)); }

Result siblingLimits(const Surroundings& around) {
  rlimit limit;
  return metIf(rawCall(SYS_prlimit64, around.sibling, RLIMIT_NOFILE, nullptr, &limit) == 0);
}

Result siblingPriority(const Surroundings& around) {
  return metIf(rawCall(SYS_setpriority, PRIO_PROCESS, around.sibling, 19) == 0);
}

Result siblingProcessors(const Surroundings& around) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return metIf(rawCall(SYS_sched_setaffinity, around.sibling, sizeof(set), &set) == 0);
}

Result compareSibling(const Surroundings& around) {
  return metIf(rawCall(SYS_kcmp, around.trusted, around.sibling, KCMP_VM, 0, 0) >= 0);
}

Result adviseSibling(const Surroundings& around) {
  long pidfd = rawCall(SYS_pidfd_open, around.sibling, 0);
  if (pidfd < 0) return refused();
  iovec there{reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(&secret) & ~uintptr_t{0xffff}), 4096};
  // ENOMEM comes after the permission check: part of the range may be no mapping.
  return metIf(rawCall(SYS_process_madvise, pidfd, &there, 1, MADV_COLD, 0) >= 0 || errno == ENOMEM);
}

Result siblingFutexes(const Surroundings& around) {
  void* head;
  size_t length;
  return metIf(rawCall(SYS_get_robust_list, around.sibling, &head, &length) == 0);
}

Result enterNamespace(const Surroundings& around) {
  long pidfd = rawCall(SYS_pidfd_open, around.trusted, 0);
  if (pidfd < 0) return refused();
  return metIf(rawCall(SYS_setns, pidfd, CLONE_NEWUTS | CLONE_NEWNET) == 0);
}

Result newSession(const Surroundings&) { return metIf(rawCall(SYS_setsid) >= 0); }

constexpr Attempt ATTEMPTS[] = {
    {"signal-trusted", Group::PROCESSES, "sends a signal to the trusted side", signalTrusted, {}},
    {"signal-sibling", Group::PROCESSES, "sends a signal to another worker", signalSibling, {}},
    {"signal-everyone", Group::PROCESSES, "sends a signal to every process it can see", signalEveryone,
     "signals every process of the user"},
    {"signal-thread", Group::PROCESSES, "sends a signal to another worker's thread", signalThread, {}},
    {"queue-signal", Group::PROCESSES, "queues a forged signal for another worker", queueSignal, {}},
    {"signal-by-pidfd", Group::PROCESSES, "sends a signal to another worker by pidfd", signalByPidfd, {}},
    {"trace-trusted", Group::PROCESSES, "traces the trusted side", traceTrusted, {}},
    {"trace-sibling", Group::PROCESSES, "traces another worker", traceSibling, {}},
    {"trace-me", Group::PROCESSES, "asks to be traced by its parent", traceMe, {}},
    {"read-trusted", Group::PROCESSES, "reads a secret in the memory of the trusted side", readTrusted, {}},
    {"read-sibling", Group::PROCESSES, "reads a secret in another worker's memory", readSibling, {}},
    {"write-sibling", Group::PROCESSES, "writes into another worker's memory", writeSibling, {}},
    {"take-from-trusted", Group::PROCESSES, "takes a descriptor out of the trusted side", takeFromTrusted, {}},
    {"take-from-sibling", Group::PROCESSES, "takes another worker's socket", takeFromSibling, {}},
    {"open-pidfd", Group::PROCESSES, "gets a handle on another worker", openPidfd, {}},
    {"sibling-limits", Group::PROCESSES, "asks for another worker's limits", siblingLimits, {}},
    {"sibling-priority", Group::PROCESSES, "lowers another worker's priority", siblingPriority, {}},
    {"sibling-processors", Group::PROCESSES, "moves another worker to one processor", siblingProcessors, {}},
    {"compare-sibling", Group::PROCESSES, "compares kernel objects of two other processes", compareSibling, {}},
    {"advise-sibling", Group::PROCESSES, "advises the kernel on another worker's pages", adviseSibling, {}},
    {"sibling-futexes", Group::PROCESSES, "learns an address in another worker", siblingFutexes, {}},
    {"enter-namespace", Group::PROCESSES, "enters the trusted side's namespaces", enterNamespace, {}},
    {"new-session", Group::PROCESSES, "leads a session of its own", newSession, {}},
};

}  // namespace

std::span<const Attempt> processAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
