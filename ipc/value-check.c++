#include "ipc/value-check.h"

#include <kj/exception.h>
#include <kj/string.h>

#include <cstring>
#include <string_view>

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;

const char* kindName(Kind kind) {
  constexpr const char* NAMES[] = {"undefined", "null",   "boolean", "number", "text",        "utf16", "bigint",
                                   "date",      "boxed",  "regexp",  "error",  "array",       "numbers", "object",
                                   "map",       "set",    "arrayBuffer", "view", "domException", "external",
                                   "platform"};
  auto index = static_cast<size_t>(kind);
  return index < std::size(NAMES) ? NAMES[index] : "unknown kind";
}

class Checker {
 public:
  explicit Checker(const ValueGraph& graph): nodes_(graph.nodes), externals_(graph.externals.size()) {}

  void run() {
    if (nodes_.empty()) fail("a value has at least one node");
    if (nodes_.size() >= NO_NODE) fail("too many nodes");
    for (at_ = 0; at_ < nodes_.size(); ++at_) check(nodes_[at_]);
  }

 private:
  const std::vector<ValueNode>& nodes_;
  const size_t externals_;
  size_t at_ = 0;

  template <typename... Params>
  [[noreturn]] void fail(Params&&... params) {
    auto where = nodes_.empty() ? kj::str("value: ") : kj::str("value: node ", at_, " (", kindName(nodes_[at_].kind), "): ");
    kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                          kj::str(where, kj::fwd<Params>(params)...)));
  }

  const ValueNode& target(NodeRef ref, const char* role) {
    if (ref >= nodes_.size()) fail(role, " refers to node ", ref, ", but there are only ", nodes_.size());
    return nodes_[ref];
  }
  void requireString(NodeRef ref, const char* role) {
    auto& node = target(ref, role);
    if (!isString(node)) fail(role, " is node ", ref, ", a ", kindName(node.kind), ", expected a string");
  }
  void optionalString(NodeRef ref, const char* role) {
    if (ref != NO_NODE) requireString(ref, role);
  }
  void properties(const ValueNode& node) {
    for (auto& property: node.properties) {
      requireString(property.key, "a property's key");
      target(property.value, "a property's value");
    }
  }

  void check(const ValueNode& node) {
    switch (node.kind) {
      case Kind::UNDEFINED:
      case Kind::NIL:
      case Kind::BOOLEAN:
      case Kind::NUMBER:
      case Kind::DATE:
      case Kind::NUMBERS:
        return;
      case Kind::TEXT:
        if (!isUtf8(node.bytes)) fail("not valid UTF-8");
        return;
      case Kind::UTF16:
        if (node.bytes.size() % 2 != 0) fail("got ", node.bytes.size(), " bytes, expected an even number");
        return;
      case Kind::BIGINT:
        if (node.words.size() > BIGINT_WORDS_MAX) {
          fail("got ", node.words.size(), " words, expected at most ", BIGINT_WORDS_MAX);
        }
        return;
      case Kind::BOXED: {
        auto& primitive = target(node.ref, "the primitive");
        if (primitive.kind != Kind::BOOLEAN && primitive.kind != Kind::NUMBER && primitive.kind != Kind::BIGINT &&
            !isString(primitive)) {
          fail("node ", node.ref, ", a ", kindName(primitive.kind), ", cannot be boxed");
        }
        return;
      }
      case Kind::REGEXP: {
        requireString(node.ref, "the source");
        constexpr std::string_view LETTERS = "dgimsuvy";
        uint32_t seen = 0;
        for (char letter: node.bytes) {
          auto index = LETTERS.find(letter);
          if (index == LETTERS.npos || (seen & (1u << index))) fail("flags may hold each of dgimsuvy once");
          seen |= 1u << index;
        }
        return;
      }
      case Kind::ERROR:
        if (node.subkind > static_cast<uint8_t>(ErrorPrototype::SUPPRESSED)) fail("unknown prototype ", node.subkind);
        optionalString(node.ref, "message");
        optionalString(node.error.name, "name");
        optionalString(node.error.stack, "stack");
        if (node.error.cause != NO_NODE) target(node.error.cause, "cause");
        if (node.error.errors != NO_NODE) {
          auto kind = target(node.error.errors, "errors").kind;
          if (kind != Kind::ARRAY && kind != Kind::NUMBERS) fail("errors is a ", kindName(kind), ", expected an array");
        }
        properties(node);
        return;
      case Kind::ARRAY:
        if (node.length > UINT32_MAX) fail("length ", node.length, " is more than an array can have");
        if (node.items.size() > node.length) fail("got ", node.items.size(), " items, expected at most its length, ", node.length);
        for (auto item: node.items) {
          if (item != NO_NODE) target(item, "an item");
        }
        properties(node);
        return;
      case Kind::OBJECT:
        properties(node);
        return;
      case Kind::MAP:
        if (node.items.size() % 2 != 0) fail("got ", node.items.size(), " items, expected keys and values in turn");
        for (auto item: node.items) target(item, "an item");
        return;
      case Kind::SET:
        for (auto item: node.items) target(item, "an item");
        return;
      case Kind::ARRAY_BUFFER:
        if (node.flag && (node.length < node.bytes.size() || node.length > BUFFER_LENGTH_MAX)) {
          fail("maxByteLength is ", node.length, ", expected ", node.bytes.size(), " to ", BUFFER_LENGTH_MAX);
        }
        return;
      case Kind::VIEW:
        checkView(node);
        return;
      case Kind::DOM_EXCEPTION:
        if (!isUtf8(node.bytes)) fail("the name is not valid UTF-8");
        requireString(node.ref, "message");
        return;
      case Kind::EXTERNAL:
        if (node.ref >= externals_) fail("refers to external ", node.ref, ", but there are only ", externals_);
        return;
      case Kind::PLATFORM:
        if (!isInterfaceName(node.bytes)) fail("the interface's name must be 1 to ", INTERFACE_NAME_BYTES_MAX, " ASCII letters");
        target(node.ref, "the state");
        return;
    }
    fail("unknown kind ", static_cast<uint>(node.kind));
  }

  void checkView(const ValueNode& node) {
    if (node.subkind > static_cast<uint8_t>(ViewKind::DATA_VIEW)) fail("unknown kind of view ", node.subkind);
    auto& buffer = target(node.ref, "the buffer");
    if (buffer.kind != Kind::ARRAY_BUFFER) {
      fail("the buffer is node ", node.ref, ", a ", kindName(buffer.kind), ", expected an arrayBuffer");
    }
    size_t unit = elementSize(static_cast<ViewKind>(node.subkind));
    size_t size = buffer.bytes.size();
    if (node.offset > size) fail("byteOffset ", node.offset, " is beyond its buffer's ", size, " bytes");
    if (node.offset % unit != 0) fail("byteOffset ", node.offset, " is not a multiple of ", unit);
    if (node.flag) {
      if (!buffer.flag) fail("tracksLength needs a resizable buffer");
    } else if (node.length > (size - node.offset) / unit) {
      fail("got ", node.length, " elements of ", unit, " bytes from ", node.offset, ", but its buffer has ", size, " bytes");
    }
  }
};

}  // namespace

void checkValueGraph(const ValueGraph& graph) { Checker(graph).run(); }

size_t elementSize(ViewKind kind) {
  switch (kind) {
    case ViewKind::INT8:
    case ViewKind::UINT8:
    case ViewKind::UINT8_CLAMPED:
    case ViewKind::DATA_VIEW: return 1;
    case ViewKind::INT16:
    case ViewKind::UINT16:
    case ViewKind::FLOAT16: return 2;
    case ViewKind::INT32:
    case ViewKind::UINT32:
    case ViewKind::FLOAT32: return 4;
    case ViewKind::FLOAT64:
    case ViewKind::BIG_INT64:
    case ViewKind::BIG_UINT64: return 8;
  }
  return 1;
}

bool isUtf8(std::string_view text) {
  auto next = reinterpret_cast<const uint8_t*>(text.data());
  auto end = next + text.size();
  while (next < end) {
    if (end - next >= 8) {
      uint64_t eight;
      memcpy(&eight, next, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        next += 8;
        continue;
      }
    }
    uint8_t lead = *next;
    if (lead < 0x80) {
      ++next;
      continue;
    }
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - next <= more) return false;
    uint8_t second = next[1];
    if (lead == 0xe0 && second < 0xa0) return false;
    if (lead == 0xed && second > 0x9f) return false;
    if (lead == 0xf0 && second < 0x90) return false;
    if (lead == 0xf4 && second > 0x8f) return false;
    for (int i = 1; i <= more; ++i) {
      if ((next[i] & 0xc0) != 0x80) return false;
    }
    next += more + 1;
  }
  return true;
}

bool isInterfaceName(std::string_view name) {
  if (name.empty() || name.size() > INTERFACE_NAME_BYTES_MAX) return false;
  for (char letter: name) {
    if (!(letter >= 'A' && letter <= 'Z') && !(letter >= 'a' && letter <= 'z')) return false;
  }
  return true;
}

bool isString(const ValueNode& node) { return node.kind == Kind::TEXT || node.kind == Kind::UTF16; }

}  // namespace glovebox
