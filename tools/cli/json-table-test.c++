#include "tools/cli/json-table.h"

#include <gtest/gtest.h>

namespace glovebox::cli {
namespace {

std::string table(const char* json) {
  rapidjson::Document document;
  document.Parse(json);
  EXPECT_FALSE(document.HasParseError());
  return jsonTable(document);
}

TEST(JsonTable, ScalarsAreAlignedLines) { EXPECT_EQ(table(R"({"profile":"default","up":true,"n":7})"), "profile  default\nup       yes\nn        7\n"); }

TEST(JsonTable, ObjectsAreIndentedSections) {
  EXPECT_EQ(table(R"({"a":1,"pool":{"warm":2},"b":[],"c":["x","y"]})"), "a     1\n\npool\n  warm  2\n\nb     -\nc     x, y\n");
}

TEST(JsonTable, RowsBecomeATable) {
  EXPECT_EQ(table(R"({"layers":[{"name":"seccomp","on":true},{"name":"net","on":false},{"name":"odd"}]})"),
            "layers\n  name     on\n  seccomp  yes\n  net      no\n  odd      \n");
}

}  // namespace
}  // namespace glovebox::cli
