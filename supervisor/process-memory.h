#pragma once
// What a process costs the machine, by the kernel's account: the pages that go when it does, and others.

#include <sys/types.h>

#include <cstdint>

namespace glovebox {

// Pages that no other process has (those that a worker still shares with its zygote are the zygote's), and its page tables, in
// bytes. By the kernel's account, which walks the page tables for it: 0.1 to 0.3 ms. 0 if the process is gone.
uint64_t privateBytesOf(pid_t pid);

// What it has resident and is no file's. 0 if it is gone.
uint64_t anonymousBytesOf(pid_t pid);

// The most that it has had resident. 0 if it is gone.
uint64_t peakBytesOf(pid_t pid);

}  // namespace glovebox
