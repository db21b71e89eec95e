#include "worker/engine/page-allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "worker/engine/random.h"

namespace glovebox {

namespace {

// What V8's heap grows by, and to what it rounds the addresses that it is given, down.
constexpr uintptr_t CHUNK_BYTES = 256u << 10;

constexpr uintptr_t HUGE_PAGE_BYTES = 2u << 20;
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25   // linux/mman.h; newer than Debian 12's C library
#endif

uintptr_t alignedUp(uintptr_t address, uintptr_t alignment) { return (address + alignment - 1) & ~(alignment - 1); }

int protection(v8::PageAllocator::Permission permission) {
  using P = v8::PageAllocator::Permission;
  switch (permission) {
    case P::kNoAccess:
    case P::kNoAccessWillJitLater: return PROT_NONE;
    case P::kRead: return PROT_READ;
    case P::kReadWrite: return PROT_READ | PROT_WRITE;
    case P::kReadWriteExecute: return PROT_READ | PROT_WRITE | PROT_EXEC;
    case P::kReadExecute: return PROT_READ | PROT_EXEC;
  }
  return PROT_NONE;
}

}  // namespace

CountingPageAllocator::CountingPageAllocator(MemoryBudget& budget)
    : budget_(budget), pageSize_(size_t(sysconf(_SC_PAGESIZE))) {}

void* CountingPageAllocator::GetRandomMmapAddr() {
  if (next_ == 0) {
    uint64_t bits;
    fillRandom(&bits, sizeof bits);
    // 46 bits: the lower half of what user space has, as V8 does itself.
    region_ = next_ = bits & 0x3fffffffffffull & ~(HUGE_PAGE_BYTES - 1);
  }
  return reinterpret_cast<void*>(next_);
}

size_t CountingPageAllocator::makeRegionHuge() {
  size_t bytes = 0;
  // Where there are several mappings in one (V8's read-only heap has inaccessible parts), the kernel declines.
  for (auto at = region_; at != 0 && at + HUGE_PAGE_BYTES <= next_; at += HUGE_PAGE_BYTES) {
    if (madvise(reinterpret_cast<void*>(at), HUGE_PAGE_BYTES, MADV_COLLAPSE) == 0) bytes += HUGE_PAGE_BYTES;
  }
  return bytes;
}

void* CountingPageAllocator::mapAligned(uintptr_t hint, size_t length, size_t alignment, int protection, int flags) {
  auto map = [&](size_t size) { return mmap(reinterpret_cast<void*>(hint), size, protection, flags, -1, 0); };
  void* mapped = map(length);
  if (mapped == MAP_FAILED) return nullptr;
  if (reinterpret_cast<uintptr_t>(mapped) % alignment == 0) return mapped;
  // Something was there already. A larger one contains what is wanted.
  munmap(mapped, length);
  size_t request = length + (alignment - pageSize_);
  if (request < length || (mapped = map(request)) == MAP_FAILED) return nullptr;
  auto begin = reinterpret_cast<uintptr_t>(mapped);
  uintptr_t aligned = alignedUp(begin, alignment), wanted = aligned + length, end = begin + request;
  if (aligned > begin) munmap(mapped, aligned - begin);
  if (end > wanted) munmap(reinterpret_cast<void*>(wanted), end - wanted);
  return reinterpret_cast<void*>(aligned);
}

void* CountingPageAllocator::AllocatePages(void* address, size_t length, size_t alignment, Permission permission) {
  int prot = protection(permission);
  if (prot != PROT_NONE && !budget_.hasRoom(length, MemoryBudget::PAGE_ROOM_BYTES)) {
    budget_.refused = true;
    return nullptr;
  }
  uintptr_t hint = alignedUp(reinterpret_cast<uintptr_t>(address), alignment);
  // Never mapped executable at once: mprotect does that, under its own rule of the policy.
  bool executable = prot & PROT_EXEC;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | (prot == PROT_NONE ? MAP_NORESERVE : 0);
  int mapProt = prot == (PROT_READ | PROT_WRITE) ? prot : PROT_NONE;
  void* result = mapAligned(hint, length, alignment, mapProt, flags);
  if (result == nullptr) {
    budget_.refused = true;
    return nullptr;
  }
  if (executable || (prot != PROT_NONE && prot != mapProt)) {
    if (mprotect(result, length, prot) != 0) {
      munmap(result, length);
      return nullptr;
    }
  }
  auto begin = reinterpret_cast<uintptr_t>(result);
  if (prot != PROT_NONE) markAccessible(begin, begin + length);
  // Where the region meets what another has mapped, it goes on elsewhere.
  if (hint == next_) next_ = begin == hint ? alignedUp(begin + length, CHUNK_BYTES) : 0;
  return result;
}

bool CountingPageAllocator::FreePages(void* address, size_t length) {
  auto begin = reinterpret_cast<uintptr_t>(address);
  if (munmap(address, length) != 0) return false;
  markInaccessible(begin, begin + length);
  return true;
}

bool CountingPageAllocator::ReleasePages(void* address, size_t length, size_t newLength) {
  return FreePages(static_cast<char*>(address) + newLength, length - newLength);
}

bool CountingPageAllocator::SetPermissions(void* address, size_t length, Permission permission) {
  auto begin = reinterpret_cast<uintptr_t>(address);
  int prot = protection(permission);
  if (prot != PROT_NONE && !mayGrow(begin, begin + length)) return false;
  if (mprotect(address, length, prot) != 0) return false;
  if (prot == PROT_NONE) {
    // Gives the memory back, which is what the accounting claims.
    madvise(address, length, MADV_DONTNEED);
    markInaccessible(begin, begin + length);
  } else {
    markAccessible(begin, begin + length);
  }
  return true;
}

bool CountingPageAllocator::RecommitPages(void* address, size_t length, Permission permission) {
  return SetPermissions(address, length, permission);
}

bool CountingPageAllocator::DiscardSystemPages(void* address, size_t size) {
  return madvise(address, size, MADV_DONTNEED) == 0;
}

bool CountingPageAllocator::DecommitPages(void* address, size_t size) {
  return SetPermissions(address, size, kNoAccess);
}

// ------------------------------------------------------------------------------------------------------------------

bool CountingPageAllocator::mayGrow(uintptr_t begin, uintptr_t end) {
  size_t more = (end - begin) - accessibleIn(begin, end);
  if (more == 0 || budget_.hasRoom(more, MemoryBudget::PAGE_ROOM_BYTES)) return true;
  budget_.refused = true;
  return false;
}

size_t CountingPageAllocator::accessibleIn(uintptr_t begin, uintptr_t end) const {
  size_t sum = 0;
  auto it = accessible_.upper_bound(begin);
  if (it != accessible_.begin()) --it;
  for (; it != accessible_.end() && it->first < end; ++it) {
    uintptr_t from = std::max(begin, it->first), to = std::min(end, it->second);
    if (to > from) sum += to - from;
  }
  return sum;
}

void CountingPageAllocator::markAccessible(uintptr_t begin, uintptr_t end) {
  markInaccessible(begin, end);
  budget_.pages += end - begin;
  // Joined with its neighbours: V8 commits page by page, and the map must not grow with that.
  auto next = accessible_.find(end);
  if (next != accessible_.end()) {
    end = next->second;
    accessible_.erase(next);
  }
  auto previous = accessible_.lower_bound(begin);
  if (previous != accessible_.begin() && (--previous)->second == begin) {
    previous->second = end;
  } else {
    accessible_[begin] = end;
  }
}

void CountingPageAllocator::markInaccessible(uintptr_t begin, uintptr_t end) {
  auto it = accessible_.upper_bound(begin);
  if (it != accessible_.begin()) --it;
  while (it != accessible_.end() && it->first < end) {
    auto [from, to] = *it;
    if (to <= begin) {
      ++it;
      continue;
    }
    it = accessible_.erase(it);
    budget_.pages -= std::min(end, to) - std::max(begin, from);
    if (from < begin) accessible_[from] = begin;
    if (to > end) accessible_[end] = to;
  }
}

}  // namespace glovebox
