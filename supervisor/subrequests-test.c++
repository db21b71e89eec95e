#include "supervisor/subrequests.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace glovebox {
namespace {

TEST(Subrequests, EachCallMayHaveItsLimit) {
  Subrequests subrequests;
  EXPECT_TRUE(subrequests.add() == nullptr);   // nobody's
  auto call = subrequests.begin(2);
  EXPECT_TRUE(subrequests.add() == nullptr);
  EXPECT_TRUE(subrequests.add() == nullptr);
  EXPECT_EQ(KJ_ASSERT_NONNULL(subrequests.add()), 2u);
  EXPECT_EQ(KJ_ASSERT_NONNULL(subrequests.add()), 2u);
  subrequests.end(call);
  EXPECT_TRUE(subrequests.add() == nullptr);
  EXPECT_EQ(subrequests.count(), 6u);
}

TEST(Subrequests, CallsThatOverlapAreAllCharged) {
  Subrequests subrequests;
  auto generous = subrequests.begin(4);
  EXPECT_TRUE(subrequests.add() == nullptr);
  auto strict = subrequests.begin(1);
  EXPECT_TRUE(subrequests.add() == nullptr);
  EXPECT_EQ(KJ_ASSERT_NONNULL(subrequests.add()), 1u);
  subrequests.end(strict);
  EXPECT_TRUE(subrequests.add() == nullptr);
  EXPECT_EQ(KJ_ASSERT_NONNULL(subrequests.add()), 4u);
  subrequests.end(generous);
}

TEST(Subrequests, KnowsWhoWasUnderWay) {
  Subrequests subrequests;
  auto first = subrequests.begin(1);
  auto serial = subrequests.nextSerial();
  auto second = subrequests.begin(1);
  EXPECT_TRUE(subrequests.anyBefore(serial));
  subrequests.end(first);
  EXPECT_FALSE(subrequests.anyBefore(serial));
  subrequests.end(second);
}

}  // namespace
}  // namespace glovebox
