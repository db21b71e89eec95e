// Taking more of the machine than its share: processes, memory, descriptors, time.

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

constexpr size_t MIB = 1 << 20;
constexpr int ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;

Result waitsFor(long pid) {
  if (pid == 0) rawCall(SYS_exit_group, 0);
  if (pid < 0) return refused();
  int status;
  rawCall(SYS_wait4, pid, &status, __WALL, nullptr);
  return met();
}

Result forkOnce(const Surroundings&) { return waitsFor(rawCall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

Result forkByClone3(const Surroundings&) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  return waitsFor(rawCall(SYS_clone3, &arguments, sizeof(arguments)));
}

// Outlives its parent's parent if it may: CLONE_PARENT makes a sibling, as the zygote itself does.
Result forkSibling(const Surroundings&) {
  clone_args arguments{};
  arguments.flags = CLONE_PARENT;
  long pid = rawCall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) rawCall(SYS_exit_group, 0);
  return metIf(pid > 0);
}

int threadMain(void*) {
  rawCall(SYS_exit, 0);
  return 0;
}

Result startThread(const Surroundings&) {
  alignas(16) static char stack[16384];
  return metIf(clone(threadMain, stack + sizeof(stack),
                     CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, nullptr) > 0);
}

Result manyDescriptors(const Surroundings&) {
  for (int i = 0; i < 200; ++i) {
    if (rawCall(SYS_eventfd2, 0, 0) < 0) return refused();
  }
  return met();
}

Result muchMemory(const Surroundings&) {
  constexpr size_t BYTES = 1024 * MIB;
  void* memory = reinterpret_cast<void*>(rawCall(SYS_mmap, nullptr, BYTES, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0));
  if (memory == MAP_FAILED) return refused();
  // Touching a part is enough to have been granted the rest.
  for (size_t at = 0; at < 16 * MIB; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
  return met();
}

// Reserved first, made writable in parts: must count as well.
Result memoryByParts(const Surroundings&) {
  constexpr size_t BYTES = 1024 * MIB;
  long memory = rawCall(SYS_mmap, nullptr, BYTES, PROT_NONE, ANONYMOUS, -1, 0);
  if (memory == -1) return refused();
  for (size_t at = 0; at < BYTES; at += 32 * MIB) {
    if (rawCall(SYS_mprotect, memory + at, 32 * MIB, PROT_READ | PROT_WRITE) != 0) return refused();
  }
  return met();
}

Result reserveAddresses(const Surroundings&) {
  constexpr size_t TERABYTE = size_t{1} << 40;
  return metIf(rawCall(SYS_mmap, nullptr, TERABYTE, PROT_NONE, ANONYMOUS, -1, 0) != -1);
}

Result lockMemory(const Surroundings&) {
  static char page[4096];
  return metIf(rawCall(SYS_mlock, page, sizeof(page)) == 0);
}

Result bigFile(const Surroundings&) {
  long fd = rawCall(SYS_memfd_create, "probe", 0);
  if (fd < 0) return refused();
  return metIf(rawCall(SYS_ftruncate, fd, MIB) == 0);
}

Result raisesLimit(int resource) {
  rlimit limit;
  if (rawCall(SYS_prlimit64, 0, resource, nullptr, &limit) != 0) return refused();
  limit.rlim_cur = limit.rlim_max;
  if (rawCall(SYS_prlimit64, 0, resource, &limit, nullptr) != 0) return refused();
  return limit.rlim_max >= 64 ? met() : refused(0);  // at its hard limit already, and that is next to nothing
}
Result raiseDescriptors(const Surroundings&) { return raisesLimit(RLIMIT_NOFILE); }
Result raiseCore(const Surroundings&) { return raisesLimit(RLIMIT_CORE); }

Result raisePriority(const Surroundings&) { return metIf(rawCall(SYS_setpriority, PRIO_PROCESS, 0, -5) == 0); }

Result realTime(const Surroundings&) {
  struct {
    int priority;
  } parameters{1};
  return metIf(rawCall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters) == 0);
}

Result sleeps(const Surroundings&) {
  timespec moment{0, 1000};
  return metIf(rawCall(SYS_nanosleep, &moment, nullptr) == 0);
}

Result alarmClock(const Surroundings&) { return metIf(rawCall(SYS_setitimer, ITIMER_REAL, nullptr, nullptr) == 0); }

Result ignoreSignals(const Surroundings&) {
  unsigned long all = ~0ul;
  return metIf(rawCall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, 8) == 0);
}

constexpr Attempt ATTEMPTS[] = {
    {"fork", Group::RESOURCES, "makes a process", forkOnce, {}},
    {"fork-by-clone3", Group::RESOURCES, "makes a process by clone3", forkByClone3, {}},
    {"fork-sibling", Group::RESOURCES, "makes a process that is not its child", forkSibling, {}},
    {"thread", Group::RESOURCES, "starts a thread", startThread, {}},
    {"many-descriptors", Group::RESOURCES, "opens 200 descriptors", manyDescriptors, {}},
    {"much-memory", Group::RESOURCES, "gets 1 GiB of memory", muchMemory, {}},
    {"memory-by-parts", Group::RESOURCES, "reserves 1 GiB and makes it writable part by part", memoryByParts, {}},
    {"reserve-addresses", Group::RESOURCES, "reserves 1 TiB of addresses", reserveAddresses, {}},
    {"lock-memory", Group::RESOURCES, "locks a page in memory", lockMemory, {}},
    {"big-file", Group::RESOURCES, "makes a file of 1 MiB", bigFile, {}},
    {"raise-descriptors", Group::RESOURCES, "raises its limit on descriptors", raiseDescriptors, {}},
    {"raise-core", Group::RESOURCES, "allows itself a core dump", raiseCore, {}},
    {"raise-priority", Group::RESOURCES, "raises its priority", raisePriority, {}},
    {"real-time", Group::RESOURCES, "becomes a real-time process", realTime, {}},
    {"sleep", Group::RESOURCES, "sleeps", sleeps, {}},
    {"alarm", Group::RESOURCES, "sets an interval timer", alarmClock, {}},
    {"ignore-signals", Group::RESOURCES, "blocks the supervisor's signals", ignoreSignals, {}},
};

}  // namespace

std::span<const Attempt> resourceAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
