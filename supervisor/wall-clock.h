#pragma once
// The time of day, as JavaScript says it.

#include <kj/time.h>

namespace glovebox {

// Milliseconds since the epoch, with their fraction.
inline double wallClockMs() {
  return static_cast<double>((kj::systemPreciseCalendarClock().now() - kj::UNIX_EPOCH) / kj::MICROSECONDS) / 1'000;
}

}  // namespace glovebox
