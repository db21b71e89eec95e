#include "supervisor/proc-file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <kj/io.h>

namespace glovebox {

size_t readProc(pid_t pid, const char* name, char* text, size_t size) {
  char path[40];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  kj::AutoCloseFd closer(fd);
  ssize_t length = read(fd, text, size - 1);
  if (length <= 0) return 0;
  text[length] = '\0';
  return static_cast<size_t>(length);
}

}  // namespace glovebox
