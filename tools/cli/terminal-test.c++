#include "tools/cli/terminal.h"

#include <gtest/gtest.h>

namespace glovebox::cli {
namespace {

TEST(EscapeControls, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(escapeControls("a\tb\nGrüße, 世界 🧤"), "a\tb\nGrüße, 世界 🧤");
}

TEST(EscapeControls, DisarmsTerminalSequences) {
  EXPECT_EQ(escapeControls("\x1b]0;title\x07\x1b[2J\r"), "\\x1b]0;title\\x07\\x1b[2J\\x0d");
  EXPECT_EQ(escapeControls(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
}

TEST(EscapeControls, DisarmsEightBitControlsInBothSpellings) {
  EXPECT_EQ(escapeControls("\xc2\x9b" "2J"), "\\u{9b}2J");
  EXPECT_EQ(escapeControls("\x9b" "2J"), "\\x9b2J");
}

TEST(EscapeControls, ShowsBidirectionalOverrides) { EXPECT_EQ(escapeControls("a\u202eb"), "a\\u{202e}b"); }

TEST(EscapeControls, ShowsMalformedUtf8ByteByByte) {
  EXPECT_EQ(escapeControls("\xe4\xb8"), "\\xe4\\xb8");
  EXPECT_EQ(escapeControls("\xc0\x9b"), "\\xc0\\x9b");
  EXPECT_EQ(escapeControls("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(escapeControls("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

}  // namespace
}  // namespace glovebox::cli
