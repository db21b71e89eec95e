#include "ipc/busy-look.h"

#include <gtest/gtest.h>

namespace glovebox {
namespace {

// How many waits are skipped before the next look.
int skipped(BusyLook& look) {
  int count = 0;
  while (!look.isWorthIt()) count++;
  return count;
}

TEST(BusyLook, IsWorthItUntilItHasFailed) {
  BusyLook look;
  EXPECT_EQ(skipped(look), 0);
  look.succeeded();
  EXPECT_EQ(skipped(look), 0);
  look.failed();
  EXPECT_EQ(skipped(look), 1);
}

TEST(BusyLook, IsTriedLessOftenTheLongerItFailsButNeverGivenUp) {
  BusyLook look;
  int last = 0;
  for (int i = 0; i < 20; i++) {
    look.failed();
    int now = skipped(look);
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_GT(last, 10);
  EXPECT_LT(last, 100);
}

TEST(BusyLook, OneSuccessForgetsTheFailures) {
  BusyLook look;
  for (int i = 0; i < 20; i++) {
    look.failed();
    skipped(look);
  }
  look.succeeded();
  look.failed();
  EXPECT_EQ(skipped(look), 1);
}

}  // namespace
}  // namespace glovebox
