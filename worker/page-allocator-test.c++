// Where pages come to lie, without V8: the allocator is its own.

#include "worker/engine/page-allocator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <set>

namespace glovebox {
namespace {

constexpr size_t CHUNK = 256u << 10;   // as V8's heap asks for them
using Permission = v8::PageAllocator::Permission;

class Pages: public ::testing::Test {
 protected:
  uintptr_t allocate(size_t length = CHUNK, size_t alignment = CHUNK, Permission permission = Permission::kReadWrite) {
    return reinterpret_cast<uintptr_t>(pages.AllocatePages(pages.GetRandomMmapAddr(), length, alignment, permission));
  }

  MemoryBudget budget;
  CountingPageAllocator pages{budget};
};

TEST_F(Pages, LieSideBySide) {
  auto first = allocate();
  ASSERT_NE(first, 0u);
  for (uintptr_t i = 1; i < 20; i++) EXPECT_EQ(allocate(), first + i * CHUNK);
  EXPECT_EQ(budget.pages, 20 * CHUNK);
}

// V8 rounds an address down before it asks for pages there.
TEST_F(Pages, AreAskedForWhereTheyCanBe) {
  allocate(4096, 4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pages.GetRandomMmapAddr()) % CHUNK, 0u);
}

TEST_F(Pages, AreAlignedAfterOddOnes) {
  for (size_t length: {size_t{4096}, CHUNK, size_t{3 * 4096}, 2 * CHUNK, size_t{4096}}) {
    auto odd = allocate(length, 4096);
    auto chunk = allocate();
    EXPECT_EQ(chunk % CHUNK, 0u);
    EXPECT_GE(chunk, odd + length);
    EXPECT_LT(chunk - odd, length + CHUNK);
  }
}

TEST_F(Pages, GoOnElsewhereWhereSomethingIsMapped) {
  auto first = allocate();
  auto* next = reinterpret_cast<void*>(first + CHUNK);
  auto* inTheWay = mmap(next, CHUNK, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(inTheWay, next);
  auto second = allocate(), third = allocate(), fourth = allocate();
  for (auto address: {second, third, fourth}) {
    ASSERT_NE(address, 0u);
    EXPECT_EQ(address % CHUNK, 0u);
    EXPECT_NE(address, first + CHUNK);
    *reinterpret_cast<char*>(address) = 1;
  }
  EXPECT_EQ(fourth, third + CHUNK);
  EXPECT_EQ(munmap(inTheWay, CHUNK), 0) << "and it was left alone";
}

TEST_F(Pages, KeepTheirContentAsHugeOnes) {
  auto first = allocate();
  for (int i = 1; i < 20; i++) allocate();
  auto bytes = reinterpret_cast<char*>(first);
  for (size_t i = 0; i < 20 * CHUNK; i += 4096) bytes[i] = char(i >> 12);
  // As in V8's read-only heap.
  EXPECT_TRUE(pages.SetPermissions(bytes + 16 * CHUNK, 4096, Permission::kRead));
  size_t huge = pages.makeRegionHuge();
  EXPECT_LE(huge, 2 * 8 * CHUNK) << "the third has two mappings in it, and is not whole";
  EXPECT_EQ(huge % (8 * CHUNK), 0u);
  for (size_t i = 0; i < 20 * CHUNK; i += 4096) ASSERT_EQ(bytes[i], char(i >> 12)) << i;
  EXPECT_EQ(allocate(), first + 20 * CHUNK);
}

TEST_F(Pages, OfAnotherRegionLieSomewhereElse) {
  std::set<uintptr_t> regions;
  for (int i = 0; i < 16; i++) {
    regions.insert(allocate() >> 30);
    pages.leaveRegion();
  }
  EXPECT_GE(regions.size(), 15u) << "of 16 random places among 2^16 of 1 GiB";
}

TEST_F(Pages, ThatAreFreedCountNoMore) {
  auto kept = allocate(), freed = allocate();
  EXPECT_TRUE(pages.FreePages(reinterpret_cast<void*>(freed), CHUNK));
  EXPECT_EQ(budget.pages, CHUNK);
  auto again = allocate();
  EXPECT_EQ(budget.pages, 2 * CHUNK);
  *reinterpret_cast<char*>(again) = *reinterpret_cast<char*>(kept) = 1;
}

TEST_F(Pages, AreRefusedAboveTheLimit) {
  budget.limit = CHUNK;
  EXPECT_EQ(allocate(CHUNK + MemoryBudget::PAGE_ROOM_BYTES + 4096), 0u);
  EXPECT_TRUE(budget.refused);
  budget.refused = false;
  EXPECT_NE(allocate(), 0u);
  EXPECT_FALSE(budget.refused);
  EXPECT_EQ(allocate(SIZE_MAX - 4095, CHUNK, Permission::kNoAccess), 0u);
  EXPECT_TRUE(budget.refused);
  EXPECT_NE(allocate(), 0u);
}

}  // namespace
}  // namespace glovebox
