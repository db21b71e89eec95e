#include "tools/cli/account-json.h"

#include <capnp/message.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <limits>

namespace glovebox::cli {
namespace {

TEST(AccountJson, HasTheNamesAndShapesOfTheNodePackage) {
  capnp::MallocMessageBuilder message;
  auto account = message.initRoot<rpc::Account>();
  account.setOutcome(rpc::Ending::Code::EXCEEDED_CPU);
  account.setStartTime(1'795'635'353'553);
  account.setWallUs(1'500);
  account.setCpuUs(2'250);
  account.setPeakMemoryBytes(1 << 20);
  auto use = account.initCapabilities(1)[0];
  use.setLabel("TOOL");
  use.setKind("stub");
  use.setCalls(3);
  EXPECT_EQ(accountAsJson(account),
            R"({"outcome":"exceededCpu","startTime":"2026-11-25T19:35:53.553Z","wallMs":1.5,"cpuMs":2.25,"peakMemoryBytes":1048576,)"
            R"("subRequests":0,"bytesIn":0,"bytesOut":0,"capabilities":[{"label":"TOOL","kind":"stub","calls":3,"bytesOut":0,"bytesIn":0}],)"
            R"("logs":[],"exceptions":[],"truncated":false})");
}

TEST(AccountJson, WhatAWorkerSaidIsAsciiAndAnyTimeOfItsIsJson) {
  capnp::MallocMessageBuilder message;
  auto account = message.initRoot<rpc::Account>();
  auto logs = account.initLogs(2);
  logs[0].setText("\x1b[2J\xe2\x80\xae\n");
  logs[0].setTime(std::numeric_limits<double>::quiet_NaN());
  logs[1].setTime(-1e300);
  auto json = accountAsJson(account);
  for (char c: json) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << json;
  rapidjson::Document document;
  document.Parse(json.c_str());
  ASSERT_FALSE(document.HasParseError()) << json;
  EXPECT_STREQ(document["logs"][0]["text"].GetString(), "\x1b[2J\xe2\x80\xae\n");
  EXPECT_TRUE(document["logs"][0]["time"].IsNull());
  EXPECT_TRUE(document["logs"][1]["time"].IsNull());
}

}  // namespace
}  // namespace glovebox::cli
