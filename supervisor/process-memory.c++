#include "supervisor/process-memory.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include "supervisor/proc-file.h"

namespace glovebox {
namespace {

// The sum of some lines of a file of /proc, each "Name:   123 kB".
uint64_t sumOf(pid_t pid, const char* file, std::initializer_list<const char*> names) {
  char text[4096];
  if (readProc(pid, file, text, sizeof(text)) == 0) return 0;
  uint64_t kilobytes = 0;
  for (auto name: names) {
    auto line = strstr(text, name);
    unsigned long value = 0;
    if (line != nullptr && sscanf(line + strlen(name), " %lu kB", &value) == 1) kilobytes += value;
  }
  return kilobytes * 1024;
}

}  // namespace

uint64_t privateBytesOf(pid_t pid) {
  auto pages = sumOf(pid, "smaps_rollup", {"\nPrivate_Clean:", "\nPrivate_Dirty:"});
  if (pages == 0) return 0;
  return pages + sumOf(pid, "status", {"\nVmPTE:"});
}

uint64_t anonymousBytesOf(pid_t pid) {
  char text[128];
  if (readProc(pid, "statm", text, sizeof(text)) == 0) return 0;
  unsigned long size, resident, shared;
  if (sscanf(text, "%lu %lu %lu", &size, &resident, &shared) != 3) return 0;
  return (resident - shared) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t peakBytesOf(pid_t pid) { return sumOf(pid, "status", {"\nVmHWM:"}); }

}  // namespace glovebox
