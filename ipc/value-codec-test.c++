#include "ipc/value-codec.h"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/debug.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <iostream>
#include <random>

#include "ipc/value-check.h"

namespace glovebox {
namespace {

using Kind = ValueNode::Kind;

ValueNode node(Kind kind) {
  ValueNode result;
  result.kind = kind;
  return result;
}
ValueNode text(std::string bytes) {
  auto result = node(Kind::TEXT);
  result.bytes = std::move(bytes);
  return result;
}
ValueNode number(double value) {
  auto result = node(Kind::NUMBER);
  result.number = value;
  return result;
}

bool same(double a, double b) { return memcmp(&a, &b, sizeof(a)) == 0; }
bool same(const ValueNode& a, const ValueNode& b) {
  auto sameProperties = [&]() {
    if (a.properties.size() != b.properties.size()) return false;
    for (size_t i = 0; i < a.properties.size(); ++i) {
      if (a.properties[i].key != b.properties[i].key || a.properties[i].value != b.properties[i].value) return false;
    }
    return true;
  };
  return a.kind == b.kind && a.flag == b.flag && a.subkind == b.subkind && a.ref == b.ref && same(a.number, b.number) &&
         a.length == b.length && a.offset == b.offset && a.bytes == b.bytes && a.items == b.items && sameProperties() &&
         a.numbers == b.numbers && a.words == b.words && a.error.name == b.error.name && a.error.stack == b.error.stack &&
         a.error.cause == b.error.cause && a.error.errors == b.error.errors;
}

ValueGraph roundTrip(const ValueGraph& graph) {
  capnp::MallocMessageBuilder message(encodedWords(graph));
  encodeValue(graph, message.initRoot<rpc::Value>());
  EXPECT_EQ(message.getSegmentsForOutput().size(), 1u);
  EXPECT_EQ(message.getSegmentsForOutput()[0].size(), encodedWords(graph));
  auto words = capnp::messageToFlatArray(message);
  capnp::FlatArrayMessageReader reader(words);
  return decodeValue(reader.getRoot<rpc::Value>(), graph.externals.size());
}

std::string errorOf(std::function<void()> act) {
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { act(); })) return exception->getDescription().cStr();
  return "no error";
}
// What the receiver says to a Value that `fill` wrote.
std::string decodeError(std::function<void(rpc::Value::Builder)> fill) {
  capnp::MallocMessageBuilder message;
  auto value = message.initRoot<rpc::Value>();
  fill(value);
  return errorOf([&]() { decodeValue(value.asReader()); });
}

ValueGraph randomGraph(std::mt19937& random) {
  auto upTo = [&](size_t max) { return std::uniform_int_distribution<size_t>(0, max)(random); };
  ValueGraph graph;
  graph.externals.resize(3);
  // Some of everything that others refer to.
  graph.nodes.push_back(node(Kind::ARRAY));
  graph.nodes.push_back(text("kéy\0 \xf0\x9f\x98\x80"));
  auto utf16 = node(Kind::UTF16);
  utf16.bytes = std::string("\x00\xd8", 2);
  graph.nodes.push_back(utf16);
  auto buffer = node(Kind::ARRAY_BUFFER);
  buffer.bytes = std::string(64, '\x7f');
  buffer.flag = true;
  buffer.length = 128;
  graph.nodes.push_back(buffer);
  size_t count = 5 + upTo(60);
  auto any = [&]() { return NodeRef(upTo(count - 1)); };
  auto aString = [&]() { return NodeRef(1 + upTo(1)); };
  auto properties = [&](ValueNode& of) {
    for (size_t i = upTo(4); i > 0; --i) of.properties.push_back({aString(), any()});
  };
  auto fillArray = [&](ValueNode& array) {
    for (size_t i = upTo(5); i > 0; --i) array.items.push_back(upTo(3) == 0 ? NO_NODE : any());
    array.length = array.items.size() + upTo(1'000'000);
    properties(array);
  };
  fillArray(graph.nodes[0]);
  while (graph.nodes.size() < count) {
    auto next = node(static_cast<Kind>(upTo(20)));
    switch (next.kind) {
      case Kind::UNDEFINED:
      case Kind::NIL: break;
      case Kind::BOOLEAN: next.flag = upTo(1); break;
      case Kind::NUMBER:
      case Kind::DATE: next.number = upTo(4) == 0 ? NAN : upTo(4) == 0 ? -0.0 : double(random()) / 3; break;
      case Kind::TEXT: next.bytes = std::string(upTo(40), 'a' + upTo(20)); break;
      case Kind::UTF16: next.bytes = std::string(2 * upTo(20), '\xdc'); break;
      case Kind::BIGINT:
        next.flag = upTo(1);
        for (size_t i = upTo(4); i > 0; --i) next.words.push_back(random());
        break;
      case Kind::BOXED: next.ref = aString(); break;
      case Kind::REGEXP:
        next.ref = aString();
        next.bytes = upTo(1) ? "gi" : "";
        break;
      case Kind::ERROR:
        next.subkind = upTo(8);
        if (upTo(1)) next.ref = aString();
        if (upTo(1)) next.error.name = aString();
        if (upTo(1)) next.error.stack = aString();
        if (upTo(1)) next.error.cause = any();
        if (upTo(1)) next.error.errors = 0;
        properties(next);
        break;
      case Kind::ARRAY: fillArray(next); break;
      case Kind::NUMBERS:
        for (size_t i = upTo(9); i > 0; --i) next.numbers.push_back(double(random()));
        break;
      case Kind::OBJECT: properties(next); break;
      case Kind::MAP:
        for (size_t i = 2 * upTo(4); i > 0; --i) next.items.push_back(any());
        break;
      case Kind::SET:
        for (size_t i = upTo(4); i > 0; --i) next.items.push_back(any());
        break;
      case Kind::ARRAY_BUFFER: next.bytes = std::string(upTo(100), '\x01'); break;
      case Kind::VIEW:
        next.subkind = upTo(12);
        next.ref = 3;
        next.offset = 8 * upTo(4);
        next.flag = upTo(1);
        if (!next.flag) next.length = upTo((64 - next.offset) / elementSize(static_cast<ViewKind>(next.subkind)));
        break;
      case Kind::DOM_EXCEPTION:
        next.bytes = "DataCloneError";
        next.ref = aString();
        break;
      case Kind::EXTERNAL: next.ref = upTo(graph.externals.size() - 1); break;
      case Kind::PLATFORM:
        next.bytes = upTo(1) ? "Headers" : "Request";
        next.ref = any();
        break;
    }
    graph.nodes.push_back(std::move(next));
  }
  return graph;
}

TEST(ValueCodec, RandomGraphsComeBackAsTheyWere) {
  auto seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    auto graph = randomGraph(random);
    auto back = roundTrip(graph);
    ASSERT_EQ(back.nodes.size(), graph.nodes.size());
    for (size_t n = 0; n < graph.nodes.size(); ++n) ASSERT_TRUE(same(graph.nodes[n], back.nodes[n])) << "node " << n;
  }
}

TEST(ValueCodec, RandomlyDamagedMessagesAreReadOrRefusedButNeverCrash) {
  auto seed = std::random_device()();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  size_t refused = 0;
  for (int i = 0; i < 5000; ++i) {
    auto graph = randomGraph(random);
    capnp::MallocMessageBuilder message;
    encodeValue(graph, message.initRoot<rpc::Value>());
    auto words = capnp::messageToFlatArray(message);
    auto bytes = words.asBytes();
    for (int hits = 1 + random() % 8; hits > 0; --hits) bytes[8 + random() % (bytes.size() - 8)] = random();
    if (errorOf([&]() {
          capnp::FlatArrayMessageReader reader(words);
          checkValueGraph(decodeValue(reader.getRoot<rpc::Value>()));
        }) != "no error") {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100u);
}

TEST(ValueCodec, CycleAndSharedReferencesSurvive) {
  ValueGraph graph;
  auto object = node(Kind::OBJECT);
  object.properties = {{1, 0}, {1, 2}, {1, 2}};
  graph.nodes = {object, text("self"), number(1)};
  auto back = roundTrip(graph);
  EXPECT_EQ(back.nodes[0].properties[0].value, 0u);
  EXPECT_EQ(back.nodes[0].properties[1].value, back.nodes[0].properties[2].value);
}

TEST(ValueCodec, TextMayHoldNulAndEmptyIsNotAbsent) {
  ValueGraph graph;
  graph.nodes = {text(std::string("a\0b", 3))};
  EXPECT_EQ(roundTrip(graph).nodes[0].bytes, std::string("a\0b", 3));
  graph.nodes = {text("")};
  EXPECT_EQ(roundTrip(graph).nodes[0].bytes, "");
}

TEST(ValueCodec, EncoderRefusesAGraphThatIsWrong) {
  ValueGraph graph;
  auto array = node(Kind::ARRAY);
  array.items = {7};
  array.length = 1;
  graph.nodes = {array};
  capnp::MallocMessageBuilder message;
  EXPECT_EQ(errorOf([&]() { encodeValue(graph, message.initRoot<rpc::Value>()); }),
            "value: node 0 (array): an item refers to node 7, but there are only 1");
}

TEST(ValueCodec, RefusesAValueWithoutNodes) {
  EXPECT_EQ(decodeError([](auto value) {}), "value: got no nodes, expected at least one");
}

TEST(ValueCodec, RefusesNodesThatTakeNoSpaceOnTheWire) {
  // A list of 2^20 empty structs is 2 words long.
  capnp::MallocMessageBuilder bomb;
  auto value = bomb.initRoot<rpc::Value>();
  capnp::AnyStruct::Builder anyValue = rpc::Value::Builder(value);
  anyValue.getPointerSection()[0].initAsListOfAnyStruct(0, 0, 1 << 20);
  EXPECT_NE(errorOf([&]() { decodeValue(value.asReader()); }).find("got nodes of 0 words"), std::string::npos);
}

TEST(ValueCodec, RefusesEachReferenceThatIsOutOfRange) {
  auto bad = [](std::function<void(rpc::Node::Builder)> fill) {
    return decodeError([&](rpc::Value::Builder value) { fill(value.initNodes(1)[0]); });
  };
  EXPECT_NE(bad([](auto n) { n.setBoxed(1); }).find("refers to node 1, but there are only 1"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initRegexp().setSource(9); }).find("node 9"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initMap(2).set(0, 5); }).find("node 5"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initSet(1).set(0, 0xffffffff); }).find("node 4294967295"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initObject(1)[0].setKey(3); }).find("node 3"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initView().setBuffer(3); }).find("node 3"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto platform = n.initPlatform();
              platform.setInterface("Headers");
              platform.setState(3);
            }).find("the state refers to node 3"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initDomException().setMessage(3); }).find("node 3"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto error = n.initError();
              error.setCause(3);
              error.setHasCause(true);
            }).find("node 3"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto error = n.initError();
              error.setCause(0xffffffff);
              error.setHasCause(true);
            }).find("4294967295"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto array = n.initArray();
              array.setLength(1);
              array.initItems(1).set(0, 1);
            }).find("node 1"), std::string::npos);
}

TEST(ValueCodec, RefusesReferencesOfTheWrongKind) {
  auto bad = [](std::function<void(rpc::Node::Builder)> fill) {
    return decodeError([&](rpc::Value::Builder value) {
      auto nodes = value.initNodes(2);
      fill(nodes[0]);
      nodes[1].setNull();
    });
  };
  EXPECT_EQ(bad([](auto n) { n.setBoxed(1); }), "value: node 0 (boxed): node 1, a null, cannot be boxed");
  EXPECT_NE(bad([](auto n) { n.initObject(1)[0].setKey(1); }).find("a null, expected a string"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initView().setBuffer(1); }).find("expected an arrayBuffer"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto error = n.initError();
              error.setErrors(1);
              error.setHasErrors(true);
            }).find("expected an array"), std::string::npos);
}

TEST(ValueCodec, RefusesWrongSizes) {
  auto bad = [](std::function<void(rpc::Node::Builder)> fill) {
    return decodeError([&](rpc::Value::Builder value) { fill(value.initNodes(1)[0]); });
  };
  EXPECT_NE(bad([](auto n) { n.initMap(1); }).find("keys and values in turn"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initUtf16(3); }).find("expected an even number"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initBigint().initMagnitude(16'385); }).find("at most 16384"), std::string::npos);
  EXPECT_NE(bad([](auto n) { n.initArray().initItems(2); }).find("expected at most its length"), std::string::npos);
  EXPECT_NE(bad([](auto n) {
              auto buffer = n.initArrayBuffer();
              buffer.initBytes(10);
              buffer.setResizable(true);
              buffer.setMaxByteLength(9);
            }).find("maxByteLength is 9"), std::string::npos);
}

TEST(ValueCodec, RefusesViewsThatLeaveTheirBuffer) {
  auto bad = [](std::function<void(rpc::View::Builder)> fill) {
    return decodeError([&](rpc::Value::Builder value) {
      auto nodes = value.initNodes(2);
      auto view = nodes[0].initView();
      view.setBuffer(1);
      fill(view);
      nodes[1].initArrayBuffer().initBytes(16);
    });
  };
  using V = rpc::View::Kind;
  EXPECT_EQ(bad([](auto v) { v.setKind(V::FLOAT64); v.setLength(2); }), "no error");
  EXPECT_NE(bad([](auto v) { v.setKind(V::FLOAT64); v.setLength(3); }).find("its buffer has 16 bytes"), std::string::npos);
  EXPECT_NE(bad([](auto v) { v.setKind(V::FLOAT64); v.setLength(uint64_t(1) << 61); }).find("its buffer"), std::string::npos);
  EXPECT_NE(bad([](auto v) { v.setKind(V::INT32); v.setByteOffset(2); }).find("not a multiple of 4"), std::string::npos);
  EXPECT_NE(bad([](auto v) { v.setByteOffset(17); }).find("beyond its buffer"), std::string::npos);
  EXPECT_NE(bad([](auto v) { v.setTracksLength(true); }).find("needs a resizable buffer"), std::string::npos);
  EXPECT_NE(bad([](auto v) { v.setKind(static_cast<V>(13)); }).find("unknown kind of view"), std::string::npos);
}

TEST(ValueCodec, RefusesTextThatIsNotUtf8) {
  auto bad = [](std::string bytes) {
    ValueGraph graph;
    graph.nodes = {text(std::move(bytes))};
    return errorOf([&]() { checkValueGraph(graph); });
  };
  for (auto good: {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "0123456789\xc3\xa9", "\xef\xbf\xbf"}) {
    EXPECT_EQ(bad(good), "no error") << good;
  }
  for (auto broken: {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
                     "01234567\xff", "\xe2\x82", "\xc3\x28"}) {
    EXPECT_EQ(bad(broken), "value: node 0 (text): not valid UTF-8");
  }
}

TEST(ValueCodec, RefusesNamesThatNoInterfaceHas) {
  auto named = [](std::string name) {
    return decodeError([&](rpc::Value::Builder value) { value.initNodes(1)[0].initPlatform().setInterface(capnp::Text::Reader(name.c_str(), name.size())); });
  };
  EXPECT_EQ(named("Headers"), "no error");
  EXPECT_EQ(named(std::string(32, 'a')), "no error");
  for (auto bad: {std::string(), std::string(33, 'a'), std::string("__proto__"), std::string("a b"), std::string("Headers\0", 8), std::string("\xc3\xa9")}) {
    EXPECT_EQ(named(bad), "value: node 0 (platform): the interface's name must be 1 to 32 ASCII letters");
  }
}

TEST(ValueCodec, RefusesRegExpFlagsThatDoNotExist) {
  for (auto flags: {"x", "gg", "g i"}) {
    EXPECT_NE(decodeError([&](rpc::Value::Builder value) {
                auto nodes = value.initNodes(2);
                auto regexp = nodes[0].initRegexp();
                regexp.setSource(1);
                regexp.setFlags(flags);
                nodes[1].setText("a");
              }).find("each of dgimsuvy once"), std::string::npos);
  }
}

}  // namespace
}  // namespace glovebox
