#pragma once
// What processes weigh, by /proc.

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace glovebox::bench {

struct Weight {
  uint64_t privateKb = 0;        // pages nobody else maps
  uint64_t proportionalKb = 0;   // shared pages divided by how many share them
};

Weight weigh(pid_t pid);

// CPU time so far, user and kernel, in microseconds (of a grain of 10,000). `children`: of its ended and reaped children
// instead of its own.
uint64_t cpuMicroseconds(pid_t pid, bool children);

// The processes in the pid namespace of a warden, itself excepted: its zygote and workers.
std::vector<pid_t> childrenOf(pid_t warden);

}  // namespace glovebox::bench
