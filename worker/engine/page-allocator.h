#pragma once
// V8's pages. Ours rather than V8's own because V8 hides its own from a fork (MADV_DONTFORK),
// because every page counts towards the worker's memory limit, and because it uses exactly the system calls that
// policy/syscalls.h allows: mmap (PROT_NONE or read-write, private anonymous), munmap, mprotect, madvise(DONTNEED).

#include <v8-platform.h>

#include <map>

#include "worker/engine/memory-budget.h"

namespace glovebox {

class CountingPageAllocator final: public v8::PageAllocator {
 public:
  explicit CountingPageAllocator(MemoryBudget& budget);

  size_t AllocatePageSize() override { return pageSize_; }
  size_t CommitPageSize() override { return pageSize_; }
  void SetRandomMmapSeed(int64_t seed) override {}   // addresses come from fillRandom()
  // Where the next pages go. All lie side by side from a random address on: each lone page would need three pages of page
  // table, which every fork copies, every end frees and every walk of the table reads.
  void* GetRandomMmapAddr() override;
  void* AllocatePages(void* address, size_t length, size_t alignment, Permission permission) override;
  bool FreePages(void* address, size_t length) override;
  bool ReleasePages(void* address, size_t length, size_t newLength) override;
  bool SetPermissions(void* address, size_t length, Permission permission) override;
  bool RecommitPages(void* address, size_t length, Permission permission) override;
  bool DiscardSystemPages(void* address, size_t size) override;
  bool DecommitPages(void* address, size_t size) override;

  // What is mapped from now on lies in a region of its own, at a random place. For a process that was forked: what its
  // siblings have does not tell where its own pages are.
  void leaveRegion() { next_ = 0; }

  // For a process that will be forked, when it has done what it does with its heap: the region becomes huge pages where it can. A fork
  // copies one entry of a huge page instead of 512, and a write to it copies 4 KiB as ever. What is not used in them yet costs
  // memory, once. Returns the bytes; 0 where the kernel (before Linux 6.1, or out of huge pages) has none to give.
  size_t makeRegionHuge();

 private:
  // Null if there is no memory.
  void* mapAligned(uintptr_t hint, size_t length, size_t alignment, int protection, int flags);

  // Disjoint ranges that are accessible now, by start; the sum of their lengths is budget_.pages.
  void markAccessible(uintptr_t begin, uintptr_t end);
  void markInaccessible(uintptr_t begin, uintptr_t end);
  size_t accessibleIn(uintptr_t begin, uintptr_t end) const;
  bool mayGrow(uintptr_t begin, uintptr_t end);

  MemoryBudget& budget_;
  size_t pageSize_;
  uintptr_t region_ = 0, next_ = 0;   // where the region begins and goes on; 0: there is none yet
  std::map<uintptr_t, uintptr_t> accessible_;
};

}  // namespace glovebox
