#include "supervisor/process-memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include <kj/io.h>

namespace glovebox {
namespace {

// The sum of some lines of a file of /proc, each "Name:   123 kB".
uint64_t sumOf(pid_t pid, const char* file, std::initializer_list<const char*> names) {
  char path[40];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  kj::AutoCloseFd closer(fd);
  char text[4096];
  ssize_t length = read(fd, text, sizeof(text) - 1);
  if (length <= 0) return 0;
  text[length] = '\0';
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

}  // namespace glovebox
