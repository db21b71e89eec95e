#pragma once
// A Value (ipc/value.capnp) as plain C++: what the codecs on either side build and read. It knows neither Cap'n Proto
// nor V8, so that the translation units which derive from V8's classes (no RTTI) and those which speak RPC (exceptions,
// RTTI) meet here and nowhere else.
//
// A graph that came from another process was written by an attacker until decodeValue() (ipc/value-codec.h) has checked
// it; after that every reference in it is in range and has the kind its place demands.

#include <cstdint>
#include <string>
#include <vector>

namespace glovebox {

using NodeRef = uint32_t;
constexpr NodeRef NO_NODE = 0xffffffff;   // absent, or a hole in an array

struct ValueProperty {
  NodeRef key;    // TEXT or UTF16
  NodeRef value;
};

enum class ErrorPrototype : uint8_t { ERROR, EVAL, RANGE, REFERENCE, SYNTAX, TYPE, URI, AGGREGATE, SUPPRESSED };
enum class ViewKind : uint8_t {
  INT8, UINT8, UINT8_CLAMPED, INT16, UINT16, INT32, UINT32, FLOAT16, FLOAT32, FLOAT64, BIG_INT64, BIG_UINT64, DATA_VIEW
};

struct ValueNode {
  enum class Kind : uint8_t {
    UNDEFINED, NIL, BOOLEAN, NUMBER, TEXT, UTF16, BIGINT, DATE, BOXED, REGEXP, ERROR, ARRAY, NUMBERS, OBJECT, MAP, SET,
    ARRAY_BUFFER, VIEW, DOM_EXCEPTION, EXTERNAL, PLATFORM
  };

  Kind kind = Kind::UNDEFINED;
  bool flag = false;         // BOOLEAN: the value; BIGINT: negative; ARRAY_BUFFER: resizable; VIEW: tracks length
  uint8_t subkind = 0;       // ERROR: ErrorPrototype; VIEW: ViewKind
  NodeRef ref = NO_NODE;     // BOXED: primitive; REGEXP: source; VIEW: buffer; ERROR and DOM_EXCEPTION: message; EXTERNAL: which; PLATFORM: state
  double number = 0;         // NUMBER, DATE
  uint64_t length = 0;       // ARRAY: length; VIEW: length; ARRAY_BUFFER: max byte length
  uint64_t offset = 0;       // VIEW: byte offset
  std::string bytes;         // TEXT: UTF-8; UTF16: little-endian units; REGEXP: flags; ARRAY_BUFFER: content; DOM_EXCEPTION: name; PLATFORM: interface
  std::vector<NodeRef> items;           // ARRAY (NO_NODE: hole), MAP (key, value, ...), SET
  std::vector<ValueProperty> properties; // OBJECT, ARRAY, ERROR
  std::vector<double> numbers;          // NUMBERS
  std::vector<uint64_t> words;          // BIGINT, least significant first
  struct {
    NodeRef name = NO_NODE, stack = NO_NODE, cause = NO_NODE, errors = NO_NODE;
  } error;                              // ERROR, besides `ref` and `properties`
};

// What is not copied but referred to: a capability, a stream (`External` in ipc/call.capnp).
struct ValueExternal {
  enum class Kind : uint8_t { NONE, STUB, SERVICE, READABLE, WRITABLE, LOADER, SOCKET };
  static constexpr size_t KINDS = static_cast<size_t>(Kind::SOCKET) + 1;   // the last's

  Kind kind = Kind::NONE;
  // In the tables of this process: of what it exports, or of what it imports from others. Means nothing on the wire.
  bool imported = false;
  uint64_t id = 0;
  std::string label;   // for status output: the property under which it stood
};

// Something that goes on after it was handed over: calls on it are pieces of that.
constexpr bool isStream(ValueExternal::Kind kind) {
  using Kind = ValueExternal::Kind;
  return kind == Kind::READABLE || kind == Kind::WRITABLE || kind == Kind::SOCKET;
}

struct ValueGraph {
  std::vector<ValueNode> nodes;   // nodes[0] is the root; never empty once built
  std::vector<ValueExternal> externals;
};

}  // namespace glovebox
