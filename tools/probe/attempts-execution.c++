// Running code that was not there at the seal: another program, or bytes of the attacker's own as instructions.

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>

#include <cstring>

#include "tools/probe/probe-record.h"
#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

constexpr size_t PAGE_BYTES = 65536;  // a multiple of every page size there is
constexpr int READ_WRITE = PROT_READ | PROT_WRITE;
constexpr int ALL = PROT_READ | PROT_WRITE | PROT_EXEC;

// "return 42" for this processor.
#if defined(__x86_64__)
constexpr unsigned char RETURN_42[] = {0xb8, 0x2a, 0x00, 0x00, 0x00, 0xc3};
#elif defined(__aarch64__)
constexpr unsigned char RETURN_42[] = {0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#else
#error "write down the instructions that return 42 on this processor"
#endif

void writeCode(void* page) {
  std::memcpy(page, RETURN_42, sizeof(RETURN_42));
  __builtin___clear_cache(static_cast<char*>(page), static_cast<char*>(page) + sizeof(RETURN_42));
}

// Faults if the page cannot be executed, and the ending says so.
Result runsCode(void* page) { return metIf(reinterpret_cast<int (*)()>(page)() == 42); }

void* mapRaw(int protection, int flags = MAP_PRIVATE | MAP_ANONYMOUS, int fd = -1) {
  return reinterpret_cast<void*>(rawCall(SYS_mmap, nullptr, PAGE_BYTES, protection, flags, fd, 0));
}

Result mapWritableExecutable(const Surroundings&) {
  void* page = mapRaw(ALL);
  if (page == MAP_FAILED) return refused();
  writeCode(page);
  return runsCode(page);
}

Result mapThenProtect(int protection) {
  void* page = mapRaw(READ_WRITE);
  if (page == MAP_FAILED) return refused();
  writeCode(page);
  if (rawCall(SYS_mprotect, page, PAGE_BYTES, protection) != 0) return refused();
  return runsCode(page);
}

Result protectExecutable(const Surroundings&) { return mapThenProtect(PROT_READ | PROT_EXEC); }
Result protectExecuteOnly(const Surroundings&) { return mapThenProtect(PROT_EXEC); }
Result protectWritableExecutable(const Surroundings&) { return mapThenProtect(ALL); }

#ifdef SYS_pkey_mprotect
Result protectByKey(const Surroundings&) {
  void* page = mapRaw(READ_WRITE);
  if (page == MAP_FAILED) return refused();
  writeCode(page);
  if (rawCall(SYS_pkey_mprotect, page, PAGE_BYTES, ALL, -1) != 0) return refused();
  return runsCode(page);
}
#endif

// One memory, mapped writable here and executable there.
Result mapTwice(const Surroundings&) {
  long fd = rawCall(SYS_memfd_create, "probe", MFD_CLOEXEC);
  if (fd < 0) return refused();
  if (rawCall(SYS_ftruncate, fd, PAGE_BYTES) != 0) return refused();
  void* writable = mapRaw(READ_WRITE, MAP_SHARED, fd);
  void* executable = mapRaw(PROT_READ | PROT_EXEC, MAP_SHARED, fd);
  if (writable == MAP_FAILED || executable == MAP_FAILED) return refused();
  writeCode(writable);
  return runsCode(executable);
}

// Old programs' "readable means executable".
Result readImpliesExecute(const Surroundings&) {
  if (rawCall(SYS_personality, READ_IMPLIES_EXEC) < 0) return refused();
  void* page = mapRaw(READ_WRITE);
  if (page == MAP_FAILED) return refused();
  writeCode(page);
  return runsCode(page);
}

Result executableSegment(const Surroundings&) {
  long id = rawCall(SYS_shmget, IPC_PRIVATE, PAGE_BYTES, IPC_CREAT | 0700);
  if (id < 0) return refused();
  void* page = reinterpret_cast<void*>(rawCall(SYS_shmat, id, nullptr, SHM_EXEC));
  int error = errno;
  rawCall(SYS_shmctl, id, IPC_RMID, nullptr);
  if (page == MAP_FAILED) return refused(error);
  writeCode(page);
  return runsCode(page);
}

char shellPath[] = "/bin/sh";
char commandFlag[] = "-c";
char commandText[] = "exit 77";
static_assert(EXIT_GOAL_MET == 77);
char* const SHELL_ARGUMENTS[] = {shellPath, commandFlag, commandText, nullptr};
char* const NO_ENVIRONMENT[] = {nullptr};

Result executeShell(const Surroundings&) {
  rawCall(SYS_execve, shellPath, SHELL_ARGUMENTS, NO_ENVIRONMENT);
  return refused();
}

Result executeItself(const Surroundings&) {
  char name[] = "glovebox-probe";
  char flag[] = "--exit-goal-met";
  char* const arguments[] = {name, flag, nullptr};
  rawCall(SYS_execve, "/proc/self/exe", arguments, NO_ENVIRONMENT);
  return refused();
}

Result executeFromMemory(const Surroundings&) {
  constexpr char SCRIPT[] = "#!/bin/sh\nexit 77\n";
  long fd = rawCall(SYS_memfd_create, "probe", 0);
  if (fd < 0) return refused();
  if (rawCall(SYS_write, fd, SCRIPT, sizeof(SCRIPT) - 1) < 0) return refused();
  rawCall(SYS_execveat, fd, "", SHELL_ARGUMENTS, NO_ENVIRONMENT, AT_EMPTY_PATH);
  return refused();
}

constexpr std::string_view WASM_REMARK =
    "WebAssembly's code space is made this way after the seal; V8's own code range is writable and executable all "
    "along";

constexpr Attempt ATTEMPTS[] = {
    {"execute-shell", Group::EXECUTION, "replaces itself by /bin/sh", executeShell, {}},
    {"execute-itself", Group::EXECUTION, "starts its own program afresh", executeItself, {}},
    {"execute-from-memory", Group::EXECUTION, "executes a script out of a memory file", executeFromMemory, {}},
    {"map-writable-executable",
     Group::EXECUTION,
     "maps a page writable and executable and runs it",
     mapWritableExecutable,
     {}},
    {"protect-executable", Group::EXECUTION, "writes code, makes it executable and runs it", protectExecutable, {}},
    {"protect-execute-only",
     Group::EXECUTION,
     "writes code, makes it execute-only and runs it",
     protectExecuteOnly,
     {}},
    {"protect-writable-executable",
     Group::EXECUTION,
     "makes a page writable and executable and runs it",
     protectWritableExecutable,
     {},
     Known::PROFILE_DEFAULT,
     WASM_REMARK},
#ifdef SYS_pkey_mprotect
    {"protect-by-key", Group::EXECUTION, "makes a page executable by pkey_mprotect and runs it", protectByKey, {}},
#endif
    {"map-twice",
     Group::EXECUTION,
     "maps one memory file writable and executable, and runs what it wrote",
     mapTwice,
     {}},
    {"read-implies-execute",
     Group::EXECUTION,
     "turns on READ_IMPLIES_EXEC and runs a data page",
     readImpliesExecute,
     {}},
    {"executable-segment",
     Group::EXECUTION,
     "attaches a System V segment as executable and runs it",
     executableSegment,
     {}},
};

}  // namespace

std::span<const Attempt> executionAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
