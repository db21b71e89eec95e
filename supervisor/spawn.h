#pragma once
// Starts a program with exactly the descriptors it is given: standard input and output are /dev/null, standard error is
// ours (for the last words of a program that cannot start), 3 and up are `fds`, nothing else is inherited. The child has
// a clean signal mask, default handlers, its own process group and an environment of its own.

#include <kj/array.h>
#include <kj/string.h>

#include <sys/types.h>

namespace glovebox {

pid_t spawnProcess(kj::ArrayPtr<const kj::String> command, kj::ArrayPtr<const int> fds);

}  // namespace glovebox
