#include "ipc/trace.h"

#include <gtest/gtest.h>

#include <set>

namespace glovebox {
namespace {

constexpr const char* EXAMPLE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";   // the standard's

TEST(Trace, TheHeaderIsReadAndWritten) {
  auto trace = tryParseTraceparent(EXAMPLE);
  ASSERT_TRUE(trace);
  EXPECT_EQ(trace->high, 0x0af7651916cd43ddu);
  EXPECT_EQ(trace->low, 0x8448eb211c80319cu);
  EXPECT_EQ(trace->span, 0xb7ad6b7169203331u);
  EXPECT_EQ(trace->flags, 1);
  EXPECT_EQ(traceparent(*trace), EXAMPLE);
  EXPECT_EQ(traceIdText(*trace), "0af7651916cd43dd8448eb211c80319c");
}

// A later version may have more flags, and more behind them.
TEST(Trace, ALaterVersionIsReadAsThisOne) {
  EXPECT_TRUE(tryParseTraceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-has"));
  EXPECT_EQ(tryParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff")->flags, 1);
}

TEST(Trace, WhatIsNotValidIsNone) {
  for (auto text: {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
                   "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                   "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                   "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033311-01",
                   "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
                   "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more", " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"}) {
    EXPECT_FALSE(tryParseTraceparent(text)) << text;
  }
}

TEST(Trace, NoIdComesTwice) {
  TraceIds ids;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1'000; i++) EXPECT_TRUE(seen.insert(ids.next()).second);
  EXPECT_FALSE(seen.contains(0));
}

}  // namespace
}  // namespace glovebox
