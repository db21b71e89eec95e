#include "ipc/value-json.h"

#include <gtest/gtest.h>
#include <kj/debug.h>

#include <cmath>
#include <functional>

#include "ipc/value-check.h"

namespace glovebox {
namespace {

using Kind = ValueNode::Kind;

std::string errorOf(std::function<void()> act) {
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { act(); })) return exception->getDescription().cStr();
  return "no error";
}
std::string again(std::string_view text) {
  auto graph = parseJson(text);
  checkValueGraph(graph);
  return stringifyJson(graph);
}
ValueNode node(Kind kind) {
  ValueNode result;
  result.kind = kind;
  return result;
}
std::string one(ValueNode value) {
  ValueGraph graph;
  graph.nodes = {std::move(value)};
  return stringifyJson(graph);
}
std::string number(double value) {
  auto n = node(Kind::NUMBER);
  n.number = value;
  return one(n);
}
std::string date(double value) {
  auto n = node(Kind::DATE);
  n.number = value;
  return one(n);
}

TEST(ValueJson, TextComesBackAsJavaScriptWouldWriteIt) {
  for (auto text: {"null", "true", "1", "-1.5", "\"\"", "[]", "{}", "[1,2,3]", "[1,\"a\",null,[],{}]", "{\"a\":{\"b\":[1,{\"c\":2}]}}",
                   "[[1,2],[3,4]]", "[{\"x\":1},{\"x\":2}]", "\"\\u0000\\u001f\\\"\\\\\\n\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"", "[[[[]]]]"}) {
    EXPECT_EQ(again(text), text);
  }
  EXPECT_EQ(again(" { \"a\" : [ 1 , 2 ] } "), "{\"a\":[1,2]}");
  EXPECT_EQ(again("\"\\u00e9\\/\""), "\"\xc3\xa9/\"");
  EXPECT_EQ(again("\"\\ud83d\\ude00\""), "\"\xf0\x9f\x98\x80\"");
  EXPECT_EQ(again("{\"a\":1,\"b\":2,\"a\":3}"), "{\"a\":3,\"b\":2}");
  EXPECT_EQ(again("[1e-999,-0,0.1,1e300]"), "[0,0,0.1,1e+300]");
}

TEST(ValueJson, LoneSurrogatesSurvive) {
  for (auto text: {"\"\\ud800\"", "\"\\udc00\"", "\"a\\ud800b\"", "\"\\udc00\\ud800\"", "\"\\ud800\\ud800\"", "{\"\\udfff\":1}"}) {
    EXPECT_EQ(again(text), text);
  }
  EXPECT_EQ(parseJson("\"\\ud800\"").nodes[0].kind, Kind::UTF16);
  EXPECT_EQ(again("\"\\\\ud800\""), "\"\\\\ud800\"");   // an escaped backslash, not a surrogate
  EXPECT_EQ(again("\"\\ud800\xc3\xa9\\ud83d\\ude00\""), "\"\\ud800\xc3\xa9\xf0\x9f\x98\x80\"");
}

TEST(ValueJson, ErrorsSayWhere) {
  EXPECT_EQ(errorOf([]() { parseJson("[1,]"); }), "JSON: byte 3: Invalid value.");
  EXPECT_EQ(errorOf([]() { parseJson("\"\\ud800\" x"); }).substr(0, 14), "JSON: byte 9: ");
  EXPECT_EQ(errorOf([]() { parseJson(std::string_view("1\0", 2)); }), "JSON: byte 1: a NUL stands for nothing here");
  for (auto bad: {"", " ", "{", "[", "nul", "'a'", "{a:1}", "01", "1 2", "\"\t\"", "// c\n1", "NaN", "1e999", "[1 2]", "\"\\x\"", "\xff", "\"\xed\xa0\x80\""}) {
    EXPECT_EQ(errorOf([&]() { parseJson(bad); }).substr(0, 6), "JSON: ") << bad;
  }
}

TEST(ValueJson, SizeIsBoundedBothWays) {
  JsonLimits limits;
  limits.bytesMax = 10;
  EXPECT_EQ(errorOf([&]() { parseJson("[1,2,3,4,5]", limits); }), "JSON: got 11 bytes, expected at most 10");
  auto graph = parseJson("[1,2,3,4,5]");
  EXPECT_EQ(errorOf([&]() { stringifyJson(graph, limits); }), "JSON: the value takes more than 10 bytes");
  std::string many = "[";
  for (int i = 0; i < 2'100'000; ++i) many += "{},";
  EXPECT_NE(errorOf([&]() { parseJson(many + "1]"); }).find("more than 2000000 values"), std::string::npos);
}

TEST(ValueJson, DepthCostsNoStack) {
  std::string deep(1'000'000, '[');
  deep += std::string(1'000'000, ']');
  EXPECT_EQ(again(deep), deep);
  EXPECT_NE(errorOf([&]() { parseJson(deep.substr(0, 1'500'000)); }), "no error");
}

TEST(ValueJson, NumbersAreWrittenAsJavaScriptDoes) {
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(-0.0), "0");
  EXPECT_EQ(number(NAN), "null");
  EXPECT_EQ(number(-INFINITY), "null");
  EXPECT_EQ(number(100), "100");
  EXPECT_EQ(number(123.456), "123.456");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(0.000001), "0.000001");
  EXPECT_EQ(number(1e-7), "1e-7");
  EXPECT_EQ(number(1.5e-9), "1.5e-9");
  EXPECT_EQ(number(1e20), "100000000000000000000");
  EXPECT_EQ(number(1e21), "1e+21");
  EXPECT_EQ(number(-1.7976931348623157e308), "-1.7976931348623157e+308");
  EXPECT_EQ(number(9007199254740993.0), "9007199254740992");
}

TEST(ValueJson, DatesAreWrittenAsJavaScriptDoes) {
  EXPECT_EQ(date(0), "\"1970-01-01T00:00:00.000Z\"");
  EXPECT_EQ(date(-1), "\"1969-12-31T23:59:59.999Z\"");
  EXPECT_EQ(date(951782400000), "\"2000-02-29T00:00:00.000Z\"");
  EXPECT_EQ(date(1761140000123), "\"2025-10-22T13:33:20.123Z\"");
  EXPECT_EQ(date(8.64e15), "\"+275760-09-13T00:00:00.000Z\"");
  EXPECT_EQ(date(-8.64e15), "\"-271821-04-20T00:00:00.000Z\"");
  EXPECT_EQ(date(-62198755200000), "\"-000001-01-01T00:00:00.000Z\"");
  EXPECT_EQ(date(NAN), "null");
}

TEST(ValueJson, WhatJsonCannotSayFollowsStringify) {
  ValueGraph graph;
  auto array = node(Kind::ARRAY);
  array.length = 5;
  array.items = {1, NO_NODE, 2};   // undefined, a hole, a Map
  auto key = node(Kind::TEXT);
  key.bytes = "4";
  array.properties = {{3, 4}};     // and an element beyond, under its index
  auto set = node(Kind::SET);
  graph.nodes = {array, node(Kind::UNDEFINED), node(Kind::MAP), key, set};
  EXPECT_EQ(stringifyJson(graph), "[null,null,{},null,{}]");

  auto object = node(Kind::OBJECT);
  object.properties = {{3, 1}, {3, 2}};
  graph.nodes[0] = object;
  EXPECT_EQ(stringifyJson(graph), "{\"4\":{}}");

  auto error = node(Kind::ERROR);
  error.ref = 3;
  error.properties = {{3, 3}};
  graph.nodes[0] = error;
  EXPECT_EQ(stringifyJson(graph), "{\"4\":\"4\"}");

  auto buffer = node(Kind::ARRAY_BUFFER);
  buffer.bytes = std::string("\x01\x00\x00\x3c", 4);
  auto view = node(Kind::VIEW);
  view.ref = 1;
  view.subkind = uint8_t(ViewKind::UINT8);
  view.length = 2;
  graph.nodes = {view, buffer};
  EXPECT_EQ(stringifyJson(graph), "{\"0\":1,\"1\":0}");
  graph.nodes[0].subkind = uint8_t(ViewKind::FLOAT16);
  graph.nodes[0].offset = 2;
  graph.nodes[0].length = 1;
  EXPECT_EQ(stringifyJson(graph), "{\"0\":1}");

  auto boxed = node(Kind::BOXED);
  boxed.ref = 1;
  graph.nodes = {boxed, key};
  EXPECT_EQ(stringifyJson(graph), "\"4\"");
}

TEST(ValueJson, WhatStringifyRefusesIsRefusedClearly) {
  EXPECT_NE(errorOf([]() { one(node(Kind::UNDEFINED)); }).find("undefined"), std::string::npos);
  EXPECT_NE(errorOf([]() { one(node(Kind::BIGINT)); }).find("BigInt"), std::string::npos);
  ValueGraph platform;
  auto response = node(Kind::PLATFORM);
  response.bytes = "Response";
  response.ref = 1;
  platform.nodes = {response, node(Kind::ARRAY)};
  EXPECT_NE(errorOf([&]() { stringifyJson(platform); }).find("a Response (node 0) cannot be written"), std::string::npos);
  ValueGraph cycle;
  auto object = node(Kind::OBJECT);
  object.properties = {{1, 0}};
  auto key = node(Kind::TEXT);
  key.bytes = "self";
  cycle.nodes = {object, key};
  EXPECT_NE(errorOf([&]() { stringifyJson(cycle); }).find("refers to itself"), std::string::npos);
}

TEST(ValueJson, HostileGraphsEndInBoundedTime) {
  // Each level refers twice to the next: 2^40 leaves.
  ValueGraph graph;
  for (NodeRef i = 0; i < 40; ++i) {
    auto array = node(Kind::ARRAY);
    array.items = {i + 1, i + 1};
    array.length = 2;
    graph.nodes.push_back(array);
  }
  graph.nodes.push_back(node(Kind::NIL));
  JsonLimits limits;
  limits.bytesMax = 1 << 20;
  EXPECT_NE(errorOf([&]() { stringifyJson(graph, limits); }).find("more than"), std::string::npos);

  // An array that is only long.
  auto array = node(Kind::ARRAY);
  array.length = 0xffffffff;
  graph.nodes = {array};
  EXPECT_NE(errorOf([&]() { stringifyJson(graph, limits); }).find("more than"), std::string::npos);

  // Many references to an object that is large and writes nothing.
  auto empty = node(Kind::OBJECT);
  for (int i = 0; i < 100'000; ++i) empty.properties.push_back({2, 3});
  auto many = node(Kind::ARRAY);
  many.items.assign(100'000, 1);
  many.length = 100'000;
  auto key = node(Kind::TEXT);
  graph.nodes = {many, empty, key, node(Kind::UNDEFINED)};
  EXPECT_NE(errorOf([&]() { stringifyJson(graph, limits); }).find("too long"), std::string::npos);
}

}  // namespace
}  // namespace glovebox
