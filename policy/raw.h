#pragma once
// System calls without the C library's wrappers where those lock, allocate or broadcast to threads (setresuid and its
// kin), and the small helpers of the confinement code. Only for policy/*.c++ and the jailer.

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "policy/confine.h"

namespace glovebox::policy {

inline StepResult failed(Step step, uint32_t detail = 0) { return {step, errno, detail}; }

// Writes a whole short text to a file of /proc; false with errno otherwise.
inline bool writeFile(const char* path, const char* text, size_t length) {
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t written = syscall(SYS_write, fd, text, length);
  int error = errno;
  syscall(SYS_close, fd);
  errno = written >= 0 ? EIO : error;
  return written == static_cast<ssize_t>(length);
}

}  // namespace glovebox::policy
