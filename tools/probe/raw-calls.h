#pragma once
// System calls without a library around them: attempts name the exact call they make, and a refusal is that call's own.

#include <sys/syscall.h>
#include <unistd.h>

#include <type_traits>

#include "tools/probe/attempt.h"

namespace glovebox::probe {

// syscall() takes whatever it is given for 64-bit words; a plain int in the sixth place would arrive with 32 bits of
// whatever the stack held. So each argument is widened first.
template <typename Argument>
long callWord(Argument argument) {
  if constexpr (std::is_null_pointer_v<Argument>)
    return 0;
  else if constexpr (std::is_pointer_v<Argument>)
    return reinterpret_cast<long>(argument);
  else
    return static_cast<long>(argument);
}

template <typename... Arguments>
long rawCall(long number, Arguments... arguments) {
  return ::syscall(number, callWord(arguments)...);
}

// Result of a call that makes a descriptor: its being there is the goal. It is closed again.
inline Result metIfDescriptor(long fd) {
  if (fd < 0) return refused();
  rawCall(SYS_close, fd);
  return met();
}

}  // namespace glovebox::probe
