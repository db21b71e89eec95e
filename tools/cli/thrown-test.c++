#include "tools/cli/thrown.h"

#include <gtest/gtest.h>

namespace glovebox::cli {
namespace {

using Kind = ValueNode::Kind;

class Thrown: public ::testing::Test {
 protected:
  ValueGraph graph_;

  NodeRef text(const std::string& content, Kind kind = Kind::TEXT) {
    graph_.nodes.push_back({.kind = kind, .bytes = content});
    return static_cast<NodeRef>(graph_.nodes.size() - 1);
  }
  NodeRef error(ErrorPrototype prototype, const std::string& message, const std::string& stack = "") {
    graph_.nodes.push_back({.kind = Kind::ERROR, .subkind = static_cast<uint8_t>(prototype)});
    auto ref = static_cast<NodeRef>(graph_.nodes.size() - 1);
    auto messageRef = text(message);
    auto stackRef = stack.empty() ? NO_NODE : text(stack);
    graph_.nodes[ref].ref = messageRef;
    graph_.nodes[ref].error.stack = stackRef;
    return ref;
  }
};

TEST_F(Thrown, ErrorWithoutStackIsNameAndMessage) {
  error(ErrorPrototype::TYPE, "boom");
  EXPECT_EQ(describeThrown(graph_), "TypeError: boom");
}

TEST_F(Thrown, StackThatBeginsWithTheHeadlineIsNotRepeated) {
  error(ErrorPrototype::RANGE, "far", "RangeError: far\n    at a.js:1:2");
  EXPECT_EQ(describeThrown(graph_), "RangeError: far\n    at a.js:1:2");
}

TEST_F(Thrown, StackThatSaysSomethingElseIsShownToo) {
  error(ErrorPrototype::ERROR, "now", "Error: then\n    at a.js:1:2");
  EXPECT_EQ(describeThrown(graph_), "Error: now\nError: then\n    at a.js:1:2");
}

TEST_F(Thrown, CausesFollowAndCyclesEnd) {
  auto outer = error(ErrorPrototype::ERROR, "outer");
  auto inner = error(ErrorPrototype::ERROR, "inner");
  graph_.nodes[outer].error.cause = inner;
  EXPECT_EQ(describeThrown(graph_), "Error: outer\ncaused by: Error: inner");
  graph_.nodes[inner].error.cause = outer;
  EXPECT_LT(describeThrown(graph_).size(), 500u);
}

TEST_F(Thrown, LoneSurrogatesAreReplacedAndPairsJoined) {
  error(ErrorPrototype::ERROR, "");
  graph_.nodes[0].ref = text(std::string("\x00\xd8\x3e\xd8\xe4\xdd", 6), Kind::UTF16);
  EXPECT_EQ(describeThrown(graph_), "Error: \xef\xbf\xbd\xf0\x9f\xa7\xa4");
}

}  // namespace
}  // namespace glovebox::cli
