#pragma once
// Small files of /proc/PID.

#include <sys/types.h>

#include <cstddef>

namespace glovebox {

// Reads at most `size` - 1 bytes of it into `text`, and ends them with a 0. How many; 0 if the process is gone.
size_t readProc(pid_t pid, const char* name, char* text, size_t size);

}  // namespace glovebox
