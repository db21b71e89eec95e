#include "ipc/busy-look.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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

TEST(BusyLook, EndsWhenItHasComeAndIsTriedAgainAtOnce) {
  BusyLook look;
  for (int round = 0; round < 3; round++) {
    int times = 0;
    EXPECT_TRUE(look.look(std::chrono::minutes(1), [&]() { return ++times == 1; }));
    EXPECT_EQ(times, 1);
  }
}

TEST(BusyLook, LooksUntilItComes) {
  BusyLook look;
  int times = 0;
  auto fifth = [&]() { return ++times == 5; };
  // Unless somebody else takes the processor meanwhile.
  for (int i = 0; i < 1000 && !look.look(std::chrono::minutes(1), fifth); i++) times = 0;
  EXPECT_EQ(times, 5);
}

TEST(BusyLook, EndsWhenNothingComesAndIsSkippedNext) {
  BusyLook look;
  int times = 0;
  auto never = [&]() { times++; return false; };
  EXPECT_FALSE(look.look(std::chrono::microseconds(50), never));
  EXPECT_GE(times, 1);
  times = 0;
  EXPECT_FALSE(look.look(std::chrono::minutes(1), never));
  EXPECT_EQ(times, 0);
}

// Who comes first may stand behind the one that looks.
TEST(BusyLook, GivesTheProcessorAway) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);   // inherited by the thread
  std::atomic<int> turn = 0;
  std::thread peer([&]() {
    for (int i = 0; i < 200; i++) {
      while (turn != 2 * i + 1) sched_yield();
      turn = 2 * i + 2;
    }
  });
  BusyLook look;
  int came = 0;
  for (int i = 0; i < 200; i++) {
    turn = 2 * i + 1;
    if (look.look(std::chrono::milliseconds(3), [&]() { return turn == 2 * i + 2; })) came++;
    while (turn != 2 * i + 2) std::this_thread::yield();
  }
  peer.join();
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_GT(came, 100);
}

}  // namespace
}  // namespace glovebox
