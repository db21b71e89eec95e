#include "client/cpp/value.h"

#include <capnp/message.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "client/cpp/errors.h"
#include "client/cpp/stub.h"

namespace glovebox::client {
namespace {

// As it arrives at the other side.
Value roundTrip(Value value) {
  capnp::MallocMessageBuilder message;
  auto payload = message.initRoot<rpc::Payload>();
  std::move(value).write(payload, SIZE_MAX);
  return Value::received(readInlinePayload(payload));
}

std::string messageOf(std::function<void()> act) {
  try {
    act();
  } catch (const Thrown& thrown) {
    return thrown.name + ": " + thrown.message;
  }
  return "nothing";
}

TEST(Value, IsWrittenAsJsonIs) {
  auto value = Value::object({{"a", 1}, {"b", Value::array({true, nullptr, "x", 2.5})}, {"c", Value::object()}});
  EXPECT_EQ(value.toJson(), R"({"a":1,"b":[true,null,"x",2.5],"c":{}})");
  EXPECT_EQ(roundTrip(value).toJson(), value.toJson());
  EXPECT_EQ(Value::fromJson(value.toJson()).toJson(), value.toJson());
}

TEST(Value, IsReadAsJavaScriptReads) {
  auto value = roundTrip(Value::fromJson(R"({"a": [1, 2, {"deep": "x"}], "t": "text"})"));
  EXPECT_EQ(value["a"].size(), 3u);
  EXPECT_EQ(value["a"][1].asNumber(), 2);
  EXPECT_EQ(value["a"][2]["deep"].asString(), "x");
  EXPECT_TRUE(value["a"][3].isUndefined());
  EXPECT_TRUE(value["nope"]["deeper"].isUndefined());
  EXPECT_THAT(value.names(), testing::ElementsAre("a", "t"));
  EXPECT_EQ(value["a"][2].toJson(), R"({"deep":"x"})");
}

TEST(Value, OfAnotherKindIsRefusedAsJavaScriptWould) {
  EXPECT_EQ(messageOf([]() { Value("1").asNumber(); }), "TypeError: expected a number, got a string");
  EXPECT_EQ(messageOf([]() { Value().asStub(); }), "TypeError: expected a stub, got undefined");
  EXPECT_EQ(messageOf([]() { Value::array().asBytes(); }), "TypeError: expected bytes, got an array");
  EXPECT_EQ(messageOf([]() { Value(true).asBoolean(); }), "nothing");
}

TEST(Value, APartGoesIntoAnotherValueWithAllThatItRefersTo) {
  auto whole = Value::fromJson(R"([{"skipped": 1}, {"taken": [1, {"x": null}]}])");
  auto other = Value::object({{"part", whole[1]}, {"again", whole[1]["taken"]}, {"whole", whole}});
  EXPECT_EQ(
      roundTrip(other).toJson(),
      R"({"part":{"taken":[1,{"x":null}]},"again":[1,{"x":null}],"whole":[{"skipped":1},{"taken":[1,{"x":null}]}]})");
  EXPECT_EQ(whole.toJson(), R"([{"skipped":1},{"taken":[1,{"x":null}]}])");
}

TEST(Value, BytesAndDatesSurvive) {
  const kj::byte bytes[] = {0, 1, 255};
  auto value = roundTrip(Value::array({Value::bytes(bytes), Value::date(86'400'000), Value::date(NAN)}));
  EXPECT_EQ(value[0].asBytes(), kj::arrayPtr(bytes, 3));
  EXPECT_EQ(value[1].asDate(), 86'400'000);
  EXPECT_TRUE(std::isnan(value[2].asDate()));
}

TEST(Value, WhatCannotBeLookedIntoIsPassedOn) {
  ReceivedValue received;
  received.graph.nodes.resize(3);
  received.graph.nodes[0].kind = ValueNode::Kind::MAP;
  received.graph.nodes[0].items = {1, 2};
  received.graph.nodes[1].kind = ValueNode::Kind::BIGINT;
  received.graph.nodes[1].words = {7};
  auto map = Value::received(kj::mv(received));
  EXPECT_EQ(map.kind(), Value::Kind::OTHER);

  capnp::MallocMessageBuilder message;
  auto payload = message.initRoot<rpc::Payload>();
  Value::array({1, map}).write(payload, SIZE_MAX);
  auto graph = readInlinePayload(payload).graph;
  auto& there = graph.nodes[graph.nodes[0].items[1]];
  ASSERT_EQ(there.kind, ValueNode::Kind::MAP);
  EXPECT_EQ(graph.nodes[there.items[0]].words, std::vector<uint64_t>{7});
}

TEST(Value, ACycleIsPassedOn) {
  ReceivedValue received;
  received.graph.nodes.resize(2);
  for (auto& node: received.graph.nodes) node.kind = ValueNode::Kind::ARRAY;
  received.graph.nodes[0].items = {1};
  received.graph.nodes[1].items = {0};
  received.graph.nodes[0].length = received.graph.nodes[1].length = 1;
  auto inner = Value::received(kj::mv(received))[0];
  auto back = roundTrip(Value::array({inner}));
  EXPECT_EQ(back[0][0][0][0].kind(), Value::Kind::ARRAY);
}

TEST(Value, StubsGoWithThePartTheyAreIn) {
  Stub broken(rpc::Target::Client(KJ_EXCEPTION(FAILED, "of a test")));
  auto value = roundTrip(Value::object({{"f", broken}, {"list", Value::array({1, broken})}}));
  EXPECT_EQ(value["f"].kind(), Value::Kind::STUB);
  EXPECT_EQ(value["list"][1].asStub().kind(), ValueExternal::Kind::STUB);
  EXPECT_EQ(roundTrip(value["list"])[1].kind(), Value::Kind::STUB);
  EXPECT_EQ(value.toJson(), R"({"list":[1,null]})");
}

TEST(Value, ErrorsHaveNameMessageAndCode) {
  auto error = roundTrip(Value::error("RangeError", "too far", "E_FAR"));
  EXPECT_EQ(error.kind(), Value::Kind::ERROR);
  EXPECT_EQ(error["name"].asString() + error["message"].asString() + error["code"].asString(),
            "RangeErrortoo farE_FAR");
  EXPECT_EQ(roundTrip(Value::error("Mine", "m"))["name"].asString(), "Mine");
  EXPECT_EQ(roundTrip(Value::error("AggregateError", "m"))["name"].asString(), "AggregateError");
}

}  // namespace
}  // namespace glovebox::client
