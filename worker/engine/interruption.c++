#include "worker/engine/interruption.h"

#include <link.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace glovebox {

namespace {

struct Range {
  uintptr_t begin = 0, end = 0;
  bool has(uintptr_t address) const { return address >= begin && address < end; }
};

// No vector: read by a signal handler. The engine has a dozen libraries, most with one segment of code each.
std::array<Range, 64> machineCode;   // of executables and libraries
size_t machineCodeCount = 0;
Range builtins;                      // V8's, which stand in the middle of its executable's code and are JavaScript's

// A part of the engine (its big integers, its interpreter of regular expressions) is not larger than this. The locks are
// elsewhere than those who take them.
constexpr uintptr_t NEARBY_BYTES = 128 * 1024;
constexpr int TIMES_OF_A_LONG_CALL = 16;
Range nearby;   // the span of where the last signals found the process
int timesNearby = 0;

bool isLongCall(uintptr_t at) {
  Range span{std::min(nearby.begin, at), std::max(nearby.end, at)};
  if (timesNearby == 0 || span.end - span.begin > NEARBY_BYTES) {
    nearby = {at, at};
    timesNearby = 1;
    return false;
  }
  nearby = span;
  if (++timesNearby < TIMES_OF_A_LONG_CALL) return false;
  timesNearby = 0;
  return true;
}

int collect(dl_phdr_info* info, size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || machineCodeCount == machineCode.size()) continue;
    auto begin = static_cast<uintptr_t>(info->dlpi_addr + segment.p_vaddr);
    machineCode[machineCodeCount++] = {begin, begin + segment.p_memsz};
  }
  return 0;
}

}  // namespace

void learnWhereCodeIs(v8::Isolate* isolate) {
  const void* start = nullptr;
  size_t length = 0;
  isolate->GetEmbeddedCodeRange(&start, &length);
  builtins.begin = reinterpret_cast<uintptr_t>(start);
  builtins.end = builtins.begin + length;
  machineCodeCount = 0;
  dl_iterate_phdr(collect, nullptr);
}

bool mayStopHere(const void* context) {
  auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  auto at = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#else
  auto at = static_cast<uintptr_t>(machine.pc);
#endif
  bool inCplusplus = false;
  for (size_t i = 0; i < machineCodeCount; i++) inCplusplus = inCplusplus || machineCode[i].has(at);
  if (inCplusplus && !builtins.has(at)) return isLongCall(at);
  timesNearby = 0;
  return true;
}

}  // namespace glovebox
