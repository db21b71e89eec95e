// Other doors into the kernel than this architecture's own system call table: compatibility gates, and the two
// numbers that the kernel runs before it asks a filter.

#include <sys/mman.h>
#include <time.h>

#include <cstddef>
#include <cstring>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

#if defined(__x86_64__)

constexpr long X32_BIT = 0x40000000;

// In low memory, because the gate takes 32-bit pointers. MAP_32BIT is no flag that the policy allows, so it is a hint
// only; if the kernel puts the page elsewhere there is nothing to pass.
char* lowPage() {
  constexpr uintptr_t LOW_ADDRESS = 0x20000000;
  long page = rawCall(SYS_mmap, LOW_ADDRESS, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == static_cast<long>(LOW_ADDRESS) ? reinterpret_cast<char*>(page) : nullptr;
}

long gate32(long number, long a, long b, long c) {
  long result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

Result of32(long result) { return result >= 0 ? met() : refused(static_cast<int>(-result)); }

Result gateGetpid(const Surroundings&) { return of32(gate32(20 /* getpid */, 0, 0, 0)); }

Result gateOpen(const Surroundings&) {
  char* low = lowPage();
  if (low == nullptr) return refused(0);
  std::strcpy(low, "/etc/passwd");
  return of32(gate32(5 /* open */, reinterpret_cast<long>(low), 0, 0));
}

Result gateSocket(const Surroundings&) {
  char* low = lowPage();
  if (low == nullptr) return refused(0);
  const uint32_t arguments[] = {2, 1, 0};  // AF_INET, SOCK_STREAM
  std::memcpy(low, arguments, sizeof(arguments));
  return of32(gate32(102 /* socketcall */, 1, reinterpret_cast<long>(low), 0));
}

// An allowed call's number in the other table: 4 is write there, stat here; the filter must look at the gate first.
Result gateWrite(const Surroundings&) { return of32(gate32(4 /* write */, 3, 0, 0)); }

Result x32Open(const Surroundings&) { return metIfDescriptor(rawCall(X32_BIT | SYS_open, "/etc/passwd", 0)); }
Result x32Write(const Surroundings&) { return metIf(rawCall(X32_BIT | SYS_write, 3, "", 0) == 0); }

Result vsyscallPage(const Surroundings&) {
  long now = 0;
  auto gate = reinterpret_cast<long (*)(long*)>(0xffffffffff600400);  // time
  return metIf(gate(&now) > 0);
}

Result ldt(const Surroundings&) {
  char table[64];
  return metIf(rawCall(SYS_modify_ldt, 0, table, sizeof(table)) >= 0);
}

Result ports(const Surroundings&) { return metIf(rawCall(SYS_iopl, 0) == 0); }
Result portRange(const Surroundings&) { return metIf(rawCall(SYS_ioperm, 0x80, 1, 1) == 0); }

Result threadBase(const Surroundings&) {
  constexpr int GET_FS = 0x1003;
  unsigned long base;
  return metIf(rawCall(SYS_arch_prctl, GET_FS, &base) == 0);
}

// The kernel answers these itself, with SIGILL or an errno, whatever the filter says: they were made for trampolines
// the kernel puts into traced programs. Nothing follows from calling them.
Result uretprobe(const Surroundings&) {
  long result = rawCall(335);
  if (result < 0 && errno == ENOSYS) return refused();
  return {Outcome::REACHED, result < 0 ? errno : 0};
}
Result uprobe(const Surroundings&) {
  long result = rawCall(336);
  if (result < 0 && errno == ENOSYS) return refused();
  return {Outcome::REACHED, result < 0 ? errno : 0};
}

Result cycleCounter(const Surroundings&) {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return met();
}

constexpr std::string_view EXCEPTION_REMARK =
    "the kernel runs this number before it asks any filter, and answers with an error: no effect, nothing learnt";

#endif

constexpr std::string_view CLOCK_REMARK =
    "a worker can measure time as finely as the processor can; see THREATS.md on side channels";

// By the page the kernel maps into every process, without a system call.
Result mappedClock(const Surroundings&) {
  timespec now;
  return metIf(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
}

constexpr Attempt ATTEMPTS[] = {
#if defined(__x86_64__)
    {"gate32-getpid", Group::KERNEL, "calls through the 32-bit gate", gateGetpid, {}},
    {"gate32-open", Group::KERNEL, "opens /etc/passwd through the 32-bit gate", gateOpen, {}},
    {"gate32-socket", Group::KERNEL, "makes a socket through the 32-bit gate", gateSocket, {}},
    {"gate32-write", Group::KERNEL, "writes to its own socket through the 32-bit gate", gateWrite, {}},
    {"x32-open", Group::KERNEL, "opens /etc/passwd by the x32 table", x32Open, {}},
    {"x32-write", Group::KERNEL, "writes to its own socket by the x32 table", x32Write, {}},
    {"vsyscall-page", Group::KERNEL, "calls through the legacy vsyscall page", vsyscallPage, {}},
    {"modify-ldt", Group::KERNEL, "reads the processor's local descriptor table", ldt, {}},
    {"ports", Group::KERNEL, "raises its I/O privilege level", ports, {}},
    {"port-range", Group::KERNEL, "gets at an I/O port", portRange, {}},
    {"thread-base", Group::KERNEL, "asks arch_prctl for its thread base", threadBase, {}},
    {"uretprobe", Group::KERNEL, "makes call 335, uretprobe", uretprobe, {}, Known::KERNEL_EXCEPTION, EXCEPTION_REMARK},
    {"uprobe", Group::KERNEL, "makes call 336, uprobe", uprobe, {}, Known::KERNEL_EXCEPTION, EXCEPTION_REMARK},
    {"cycle-counter", Group::CLOCKS, "reads the cycle counter", cycleCounter, {}, Known::CLOCK, CLOCK_REMARK},
#endif
    {"mapped-clock",
     Group::CLOCKS,
     "reads the fine clock without a system call",
     mappedClock,
     {},
     Known::CLOCK,
     CLOCK_REMARK},
};

}  // namespace

std::span<const Attempt> gateAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
