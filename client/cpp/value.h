#pragma once
// A JavaScript value on its way to or from a worker: null, texts, bytes, arrays, objects, and references to what can be
// called. A Value never changes and is cheap to copy; parts of it share its memory. What came from a worker was checked
// for shape when it arrived, and may still say anything.
//
// What JavaScript knows beyond these kinds (Map, BigInt, RegExp, cycles) is OTHER: it cannot be looked into here, but it
// keeps its meaning when the value is passed on.

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kj/array.h>

#include "ipc/payload.h"

namespace glovebox::client {

class Stub;

class Value {
 public:
  enum class Kind { UNDEFINED, NIL, BOOLEAN, NUMBER, STRING, BYTES, ARRAY, OBJECT, DATE, ERROR, STUB, OTHER };
  using Properties = std::vector<std::pair<std::string, Value>>;

  Value() = default;  // undefined
  Value(std::nullptr_t);
  template <std::same_as<bool> T>
  Value(T value): Value(OfBoolean(), value) {}
  // As JavaScript's numbers are doubles, an integer beyond 2^53 is rounded.
  template <typename T>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) Value(T value)
      : Value(OfNumber(), static_cast<double>(value)) {}
  // UTF-8; a text that is not is refused when it is sent.
  Value(std::string text);
  Value(std::string_view text): Value(std::string(text)) {}
  Value(const char* text): Value(std::string(text)) {}
  Value(Stub stub);

  static Value array(std::vector<Value> elements = {});
  // In this order; of a name that comes twice the receiver keeps the last.
  static Value object(Properties properties = {});
  static Value bytes(kj::ArrayPtr<const kj::byte> bytes);  // a Uint8Array there
  static Value date(double millisecondsSinceEpoch);
  // An Error of the constructor `name` ("TypeError"), or where there is none of that name an Error with it. `code`, if
  // any, is its property `code`.
  static Value error(std::string_view name, std::string_view message, std::string_view code = "");
  // Throws kj::Exception naming the byte at which the text stops being JSON.
  static Value fromJson(std::string_view json);

  Kind kind() const;
  bool isUndefined() const { return kind() == Kind::UNDEFINED; }
  bool isNull() const { return kind() == Kind::NIL; }

  // Each throws Thrown, a TypeError, if the value is of another kind: in a tool that is what the caller gets to read.
  bool asBoolean() const;
  double asNumber() const;
  std::string asString() const;                  // UTF-8; lone surrogates as WTF-8
  kj::ArrayPtr<const kj::byte> asBytes() const;  // of an ArrayBuffer or any view of one; valid as long as this Value
  double asDate() const;                         // milliseconds since the epoch, NaN for an invalid date
  Stub asStub() const;

  // Elements of an array (at most 2^32 - 1, whatever the memory), properties of an object, else 0.
  size_t size() const;
  // Undefined where there is nothing, as in JavaScript. Of an array; of an object or an error.
  Value operator[](size_t index) const;
  Value operator[](int index) const { return (*this)[static_cast<size_t>(index)]; }
  Value operator[](std::string_view name) const;
  Value operator[](const char* name) const { return (*this)[std::string_view(name)]; }
  // The names of an object's or error's own properties. Those of an error besides name, message, stack.
  std::vector<std::string> names() const;

  // As JSON.stringify does: stubs are left out, dates are texts. Throws kj::Exception for what JSON cannot say:
  // undefined, a BigInt, a cycle.
  std::string toJson() const;

  // -- For whoever speaks the wire himself (ipc/call.capnp) ------------------------------------------------------------

  // `disposer` is kept for as long as any part of the value is.
  static Value received(ReceivedValue&& value, kj::Maybe<rpc::Target::Client> disposer = nullptr);
  // Throws if it is larger than PAYLOAD_BYTES_MAX. Larger than `inlineBytesMax`, it is offered to be pulled.
  void write(rpc::Payload::Builder payload, size_t inlineBytesMax) &&;

 private:
  struct State;
  struct OfBoolean {};
  struct OfNumber {};

  std::shared_ptr<State> state_;  // null: undefined
  NodeRef node_ = 0;

  Value(OfBoolean, bool value);
  Value(OfNumber, double value);
  Value(std::shared_ptr<State> state, NodeRef node): state_(std::move(state)), node_(node) {}
  const ValueNode& node() const;
  static Value single(ValueNode node);
  static NodeRef add(State& to, Value&& value);
  std::string textAt(NodeRef ref) const;
  const ValueNode& expect(bool isRight, const char* what) const;
};

// For messages: "a string", "undefined".
const char* kindName(Value::Kind kind);

}  // namespace glovebox::client
