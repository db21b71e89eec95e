#include "tools/cli/thrown.h"

#include <kj/exception.h>

#include "ipc/value-json.h"

namespace glovebox::cli {
namespace {

// Causes and collected errors may form a cycle, and nobody reads further.
constexpr int DEPTH_MAX = 5;
constexpr size_t ERRORS_MAX = 5;

void appendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
  } else {
    out += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
            static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
  }
}

// A string with lone surrogates, which become the replacement character.
std::string fromUtf16(const std::string& bytes) {
  auto unit = [&](size_t i) -> uint32_t {
    return static_cast<uint8_t>(bytes[2 * i]) | static_cast<uint32_t>(static_cast<uint8_t>(bytes[2 * i + 1])) << 8;
  };
  std::string out;
  size_t count = bytes.size() / 2;
  for (size_t i = 0; i < count; i++) {
    uint32_t c = unit(i);
    if (c >= 0xd800 && c < 0xdc00 && i + 1 < count && (unit(i + 1) & 0xfc00) == 0xdc00) {
      c = 0x10000 + ((c - 0xd800) << 10) + (unit(++i) - 0xdc00);
    } else if (c >= 0xd800 && c < 0xe000) {
      c = 0xfffd;
    }
    appendUtf8(out, c);
  }
  return out;
}

std::string textAt(const ValueGraph& graph, NodeRef ref) {
  if (ref == NO_NODE || ref >= graph.nodes.size()) return "";
  auto& node = graph.nodes[ref];
  if (node.kind == ValueNode::Kind::TEXT) return node.bytes;
  if (node.kind == ValueNode::Kind::UTF16) return fromUtf16(node.bytes);
  return "";
}

const char* prototypeName(uint8_t subkind) {
  switch (static_cast<ErrorPrototype>(subkind)) {
    case ErrorPrototype::ERROR: return "Error";
    case ErrorPrototype::EVAL: return "EvalError";
    case ErrorPrototype::RANGE: return "RangeError";
    case ErrorPrototype::REFERENCE: return "ReferenceError";
    case ErrorPrototype::SYNTAX: return "SyntaxError";
    case ErrorPrototype::TYPE: return "TypeError";
    case ErrorPrototype::URI: return "URIError";
    case ErrorPrototype::AGGREGATE: return "AggregateError";
    case ErrorPrototype::SUPPRESSED: return "SuppressedError";
  }
  return "Error";
}

std::string headline(const ValueGraph& graph, const ValueNode& node) {
  auto name = node.kind == ValueNode::Kind::DOM_EXCEPTION ? node.bytes : textAt(graph, node.error.name);
  if (name.empty()) name = node.kind == ValueNode::Kind::ERROR ? prototypeName(node.subkind) : "DOMException";
  auto message = textAt(graph, node.ref);
  return message.empty() ? name : name + ": " + message;
}

std::string describe(const ValueGraph& graph, NodeRef ref, int depth) {
  auto& node = graph.nodes[ref];
  if (node.kind != ValueNode::Kind::ERROR && node.kind != ValueNode::Kind::DOM_EXCEPTION) {
    if (depth > 0) return "a value that is not an Error";
    try {
      return "a value that is not an Error: " + stringifyJson(graph);
    } catch (const kj::Exception&) {
      return "a value that is neither an Error nor JSON";
    }
  }
  auto text = headline(graph, node);
  // V8's stack begins with the headline as it was when the error was made, which is what the reader wants once.
  auto stack = textAt(graph, node.error.stack);
  if (!stack.empty()) text = stack.starts_with(text) ? stack : text + "\n" + stack;
  if (depth >= DEPTH_MAX) return text;
  if (node.error.cause != NO_NODE && node.error.cause < graph.nodes.size()) {
    text += "\ncaused by: " + describe(graph, node.error.cause, depth + 1);
  }
  if (node.error.errors != NO_NODE && node.error.errors < graph.nodes.size()) {
    size_t shown = 0;
    for (auto item: graph.nodes[node.error.errors].items) {
      if (item >= graph.nodes.size()) continue;
      if (shown++ == ERRORS_MAX) {
        text += "\nand more errors";
        break;
      }
      text += "\none of its errors: " + describe(graph, item, depth + 1);
    }
  }
  return text;
}

}  // namespace

std::string describeThrown(const ValueGraph& graph) { return describe(graph, 0, 0); }

}  // namespace glovebox::cli
