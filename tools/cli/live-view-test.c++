#include "tools/cli/live-view.h"

#include <gtest/gtest.h>

namespace glovebox::cli {
namespace {

std::string view(const char* json) {
  rapidjson::Document document;
  document.Parse(json);
  EXPECT_FALSE(document.HasParseError());
  return liveView(document);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(LiveView, ShowsWorkersTheLastRunFirstAndTheEndingsThereWere) {
  auto shown = view(R"({"liveWorkers":2,"callsInFlight":1,"workersMemoryBytes":2097152,"loads":3,"calls":9,
    "endings":{"crashed":0,"exceededCpu":2},
    "workers":[{"pid":11,"callsInFlight":1,"cpuMs":20,"memoryBytes":1048576,
                "capabilities":[{"label":"TOOL","kind":"stub","calls":4,"bytesOut":2048,"bytesIn":3},{"label":"unused","calls":0,"bytesOut":0,"bytesIn":0}]}],
    "recent":[{"time":1000,"pid":11,"method":"first","outcome":"ok","cpuUs":1500,"wallUs":2500},
              {"time":2000,"pid":11,"method":"second","outcome":"exceededCpu","cpuUs":0,"wallUs":0}]})");
  EXPECT_TRUE(contains(shown, "2 workers, 1 calls in flight, 2.0 MiB; so far 3 loads, 9 calls\n")) << shown;
  EXPECT_TRUE(contains(shown, "  11   -     1      20      1.0 MiB  TOOL 4 (2.0 KiB out, 3 B in)\n")) << shown;
  EXPECT_TRUE(contains(shown, "  and 1 more\n")) << shown;
  EXPECT_LT(shown.find("second"), shown.find("first")) << shown;
  EXPECT_TRUE(contains(shown, "1.5     2.5      first\n")) << shown;
  EXPECT_TRUE(contains(shown, "endings\n  exceededCpu 2\n")) << shown;
}

TEST(LiveView, WhatOthersNamedCannotActOnATerminalOrBreakTheTable) {
  auto shown = view(R"({"workers":[{"pid":1,"name":"a\u001b[2J\nb","capabilities":[{"label":"\u202e","calls":1}]}],
                        "recent":[{"method":"m\u0007\n"}]})");
  EXPECT_EQ(shown.find('\x1b'), std::string::npos) << shown;
  EXPECT_EQ(shown.find("\xe2\x80\xae"), std::string::npos) << shown;
  EXPECT_TRUE(contains(shown, "a\\x1b[2J b")) << shown;
  EXPECT_TRUE(contains(shown, "m\\x07 \n")) << shown;
}

}  // namespace
}  // namespace glovebox::cli
