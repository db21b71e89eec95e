#pragma once
// What a sealed worker may ask the kernel for. Everything that is not here kills the process, as does any call in the
// manner of another architecture (32-bit, x32). Rules are sorted by name; a rule without a known need goes.

#include <asm/unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <ctime>

#include "policy/limits.h"
#include "policy/rule.h"

namespace glovebox::policy {

inline constexpr auto WORKER_SYSCALLS = [] {
  using namespace words;
#define CALL GLOVEBOX_CALL
#define IS GLOVEBOX_IS
#define ERRNO GLOVEBOX_ERRNO
  return std::to_array<Rule>({
    {CALL(brk), {}, ZERO, ALL_PROFILES,
     "malloc asks for it first and then falls back to mmap; a negative answer would be taken for success"},
    {CALL(clock_gettime), {IS(0, CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                              CLOCK_THREAD_CPUTIME_ID)}, ALLOW, ALL_PROFILES,
     "timers, and the worker's own CPU time; the clocks of other processes are numbers not listed"},
    {CALL(exit_group), {}, ALLOW, ALL_PROFILES, "a worker ends itself when its socket closes or the engine gives up"},
    {CALL(futex), {IS(1, FUTEX_WAKE_PRIVATE)}, ZERO, ALL_PROFILES,
     "pthread_once wakes waiters after a first use (ICU, OpenSSL); with one thread there are none to wake"},
    {CALL(getpid), {}, ZERO, ALL_PROFILES, "V8 asks for its name in logs and for its random seeds; it need not know"},
    {CALL(getrandom), {IS(2, 0)}, ALLOW, ALL_PROFILES, "crypto.getRandomValues, Math.random, V8's own seeds"},
    {CALL(gettimeofday), {IS(1, 0)}, ALLOW, ALL_PROFILES,
     "Date.now, where the machine's clock source cannot be read without the kernel"},
    {CALL(madvise), {IS(2, MADV_DONTNEED)}, ALLOW, ALL_PROFILES, "the garbage collector gives pages back"},
    {CALL(mmap), {IS(2, PROT_NONE, PROT_READ | PROT_WRITE),
                  IS(3, MAP_PRIVATE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE)},
     ALLOW, ALL_PROFILES, "the heap grows, and a large message is read: private memory of no file, never executable"},
    {CALL(mprotect), {IS(2, PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE)}, ALLOW, ALL_PROFILES,
     "the heap commits what it reserved, and takes rights away"},
    {CALL(mprotect), {IS(2, PROT_READ | PROT_WRITE | PROT_EXEC)}, ALLOW, ONLY_DEFAULT,
     "WebAssembly makes its code space; without it the profile no-wasm never turns a page executable"},
    {CALL(mremap), {}, ERRNO(ENOMEM), ALL_PROFILES,
     "realloc of a large block tries it first; refused, it allocates and copies"},
    {CALL(munmap), {}, ALLOW, ALL_PROFILES, "the heap shrinks"},
    {CALL(openat), {}, ERRNO(ENOENT), ALL_PROFILES,
     "V8 looks for /sys/devices/system/cpu/online, the C library for time zones; there are no files"},
#ifdef __NR_poll
    {CALL(poll), {IS(1, 1)}, ALLOW, ALL_PROFILES, "waits for its one socket or the next timer"},
#else
    {CALL(ppoll), {IS(1, 1), IS(3, 0)}, ALLOW, ALL_PROFILES, "waits for its one socket or the next timer"},
#endif
    {CALL(read), {IS(0, WORKER_SOCKET)}, ALLOW, ALL_PROFILES,
     "hears the supervisor; read cannot receive descriptors, as recvmsg could"},
    {CALL(restart_syscall), {}, ALLOW, ALL_PROFILES,
     "the kernel resumes an interrupted poll with it after a stop, a freeze or a suspend of the machine"},
    {CALL(rt_sigreturn), {}, ALLOW, ALL_PROFILES,
     "the handler of the signal by which the supervisor asks running JavaScript to stop returns through it"},
    {CALL(sched_getaffinity), {}, ERRNO(ENOSYS), ALL_PROFILES,
     "V8 counts processors to size thread pools it does not have"},
    {CALL(sched_yield), {}, ALLOW, ALL_PROFILES, "gives the processor away between two looks for an answer to a call of the code's"},
    {CALL(write), {IS(0, WORKER_SOCKET)}, ALLOW, ALL_PROFILES,
     "answers the supervisor; write cannot send descriptors"},
  });
#undef CALL
#undef IS
#undef ERRNO
}();

static_assert(isSound(WORKER_SYSCALLS), "sorted by name, each with a reason, no call both free and conditional");

}  // namespace glovebox::policy
