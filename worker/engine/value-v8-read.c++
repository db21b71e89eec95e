// fromGraph(): see value-v8.h.
//
// Two passes: first every node becomes a JavaScript value (containers still empty), then the containers are filled, and last
// objects of the platform, by the runtime. No user code
// runs: properties are defined, never assigned, and no constructor is looked up on the global object. What
// V8's API cannot make (resizable buffers, the rarer errors) comes from hooks that captured the constructors at snapshot time.

#include "worker/engine/value-v8.h"

#include "worker/engine/memory-budget.h"
#include "worker/engine/value-v8-kinds.h"
#include "worker/web/hooks.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace glovebox {
namespace {

using Kind = ValueNode::Kind;
using v8::Local;

constexpr size_t KEY_INTERNALIZE_BYTES_MAX = 32;
constexpr size_t INTERFACE_NAME_BYTES_MAX = 32;   // as in ipc/value-check.h
constexpr size_t TAKE_BYTES_MIN = 64 * 1024;   // below it a copy is as good

class GraphReader {
public:
  GraphReader(Local<v8::Context> context, const ValueGraph& graph, const FromGraphOptions& options)
      : isolate_(v8::Isolate::GetCurrent()), context_(context), graph_(graph), nodes_(graph.nodes), options_(options),
        values_(isolate_, graph.nodes.size()), externals_(isolate_) {}

  v8::MaybeLocal<v8::Value> read() {
    if (nodes_.empty() || nodes_.size() >= NO_NODE) return malformed("it has no nodes"), v8::MaybeLocal<v8::Value>();
    for (NodeRef ref = 0; ref < nodes_.size(); ++ref) {
      if (!make(ref)) return {};
    }
    for (NodeRef ref = 0; ref < nodes_.size(); ++ref) {
      if (!fill(ref)) return {};
    }
    for (NodeRef ref = 0; ref < nodes_.size(); ++ref) {
      if (nodes_[ref].kind == Kind::PLATFORM && !fillPlatform(ref)) return {};
    }
    return values_[0];
  }

private:
  v8::Isolate* isolate_;
  Local<v8::Context> context_;
  const ValueGraph& graph_;
  const std::vector<ValueNode>& nodes_;
  const FromGraphOptions& options_;
  v8::LocalVector<v8::Value> values_;   // empty handle: not made yet
  v8::LocalVector<v8::Value> externals_;   // likewise

  bool malformed(const char* why) {
    std::string message = std::string("Malformed value: ") + why + ".";
    isolate_->ThrowException(v8::Exception::Error(v8::String::NewFromUtf8(isolate_, message.c_str()).ToLocalChecked()));
    return false;
  }

  bool tooLarge() {
    isolate_->ThrowException(v8::Exception::RangeError(v8::String::NewFromUtf8Literal(isolate_, "The value is too large")));
    return false;
  }

  bool hook(const char* name, std::span<Local<v8::Value>> args, Local<v8::Value>& result) {
    return callHook(context_, name, args).ToLocal(&result);
  }

  // ---- first pass ----

  static bool isString(const ValueNode& node) { return node.kind == Kind::TEXT || node.kind == Kind::UTF16; }

  // Makes the value of `ref` now. Nothing that is needed early needs another in turn but a string, a primitive or a buffer, so the
  // recursion is one deep.
  bool need(NodeRef ref, Local<v8::Value>& value) {
    if (ref >= nodes_.size()) return malformed("a reference points past its end");
    if (values_[ref].IsEmpty() && !make(ref)) return false;
    value = values_[ref];
    return true;
  }

  bool needString(NodeRef ref, Local<v8::String>& value) {
    if (ref >= nodes_.size() || !isString(nodes_[ref])) return malformed("a reference to a string points elsewhere");
    Local<v8::Value> result;
    if (!need(ref, result)) return false;
    value = result.As<v8::String>();
    return true;
  }

  bool make(NodeRef ref) {
    if (!values_[ref].IsEmpty()) return true;
    Local<v8::Value> value;
    if (!make(ref, nodes_[ref], value)) return false;
    values_[ref] = value;
    return true;
  }

  bool make(NodeRef ref, const ValueNode& node, Local<v8::Value>& value) {
    switch (node.kind) {
      case Kind::UNDEFINED: value = v8::Undefined(isolate_); return true;
      case Kind::NIL: value = v8::Null(isolate_); return true;
      case Kind::BOOLEAN: value = v8::Boolean::New(isolate_, node.flag); return true;
      case Kind::NUMBER: value = v8::Number::New(isolate_, node.number); return true;
      case Kind::TEXT: return makeText(node, value);
      case Kind::UTF16: return makeUtf16(node, value);
      case Kind::BIGINT: return makeBigInt(node, value);
      case Kind::DATE: return v8::Date::New(context_, node.number).ToLocal(&value);
      case Kind::BOXED: return makeBoxed(node, value);
      case Kind::REGEXP: return makeRegExp(node, value);
      case Kind::ERROR: return makeError(node, value);
      case Kind::ARRAY:
        if (node.length > 0xffffffff || node.items.size() > node.length) return malformed("an array is longer than it says");
        if (node.items.size() > size_t(INT32_MAX)) return tooLarge();
        value = v8::Array::New(isolate_, int(node.items.size()));
        return true;
      case Kind::NUMBERS: return makeNumbers(node, value);
      case Kind::OBJECT: value = v8::Object::New(isolate_); return true;
      case Kind::MAP: value = v8::Map::New(isolate_); return true;
      case Kind::SET: value = v8::Set::New(isolate_); return true;
      case Kind::ARRAY_BUFFER: return makeBuffer(ref, node, value);
      case Kind::VIEW: return makeView(node, value);
      case Kind::DOM_EXCEPTION: return makeDomException(node, value);
      case Kind::EXTERNAL: return makeExternal(node, value);
      case Kind::PLATFORM: return makePlatform(node, value);
    }
    return malformed("a node is of no known kind");
  }

  bool makeText(const ValueNode& node, Local<v8::Value>& value) {
    if (node.bytes.size() > size_t(v8::String::kMaxLength)) return tooLarge();
    // Short strings are mostly property names, and those V8 wants unique.
    auto type = node.bytes.size() <= KEY_INTERNALIZE_BYTES_MAX ? v8::NewStringType::kInternalized : v8::NewStringType::kNormal;
    Local<v8::String> text;
    if (!v8::String::NewFromUtf8(isolate_, node.bytes.data(), type, int(node.bytes.size())).ToLocal(&text)) return tooLarge();
    value = text;
    return true;
  }

  bool makeUtf16(const ValueNode& node, Local<v8::Value>& value) {
    if (node.bytes.size() % 2 != 0) return malformed("a UTF-16 string has an odd number of bytes");
    if (node.bytes.size() / 2 > size_t(v8::String::kMaxLength)) return tooLarge();
    std::vector<uint16_t> units(node.bytes.size() / 2);
    for (size_t i = 0; i < units.size(); ++i) {
      units[i] = uint16_t(uint8_t(node.bytes[2 * i]) | uint8_t(node.bytes[2 * i + 1]) << 8);
    }
    Local<v8::String> text;
    if (!v8::String::NewFromTwoByte(isolate_, units.data(), v8::NewStringType::kNormal, int(units.size())).ToLocal(&text)) {
      return tooLarge();
    }
    value = text;
    return true;
  }

  bool makeBigInt(const ValueNode& node, Local<v8::Value>& value) {
    if (node.words.size() > size_t(INT32_MAX)) return tooLarge();
    Local<v8::BigInt> bigint;
    if (!v8::BigInt::NewFromWords(context_, node.flag, int(node.words.size()), node.words.data()).ToLocal(&bigint)) return false;
    value = bigint;
    return true;
  }

  bool makeBoxed(const ValueNode& node, Local<v8::Value>& value) {
    if (node.ref >= nodes_.size()) return malformed("a boxed primitive points past its end");
    auto kind = nodes_[node.ref].kind;
    if (kind != Kind::NUMBER && kind != Kind::BOOLEAN && kind != Kind::BIGINT && !isString(nodes_[node.ref])) {
      return malformed("something other than a primitive is boxed");
    }
    Local<v8::Value> primitive;
    // ToObject() of a primitive makes the wrapper without a look at any constructor.
    Local<v8::Object> wrapper;
    if (!need(node.ref, primitive) || !primitive->ToObject(context_).ToLocal(&wrapper)) return false;
    value = wrapper;
    return true;
  }

  bool makeRegExp(const ValueNode& node, Local<v8::Value>& value) {
    int flags = 0;
    for (char letter : node.bytes) {
      auto* found = std::find_if(std::begin(REGEXP_FLAGS), std::end(REGEXP_FLAGS), [&](auto& entry) { return entry.letter == letter; });
      if (found == std::end(REGEXP_FLAGS) || (flags & found->flag)) return malformed("a regular expression has unknown flags");
      flags |= found->flag;
    }
    Local<v8::String> source;
    Local<v8::RegExp> regexp;
    if (!needString(node.ref, source) || !v8::RegExp::New(context_, source, v8::RegExp::Flags(flags)).ToLocal(&regexp)) return false;
    value = regexp;
    return true;
  }

  bool makeNumbers(const ValueNode& node, Local<v8::Value>& value) {
    if (node.numbers.size() > size_t(INT32_MAX)) return tooLarge();
    v8::LocalVector<v8::Value> elements(isolate_, node.numbers.size());
    for (size_t i = 0; i < node.numbers.size(); ++i) elements[i] = v8::Number::New(isolate_, node.numbers[i]);
    value = v8::Array::New(isolate_, elements.data(), elements.size());
    return true;
  }

  bool makeBuffer(NodeRef ref, const ValueNode& node, Local<v8::Value>& value) {
    if (options_.transferredNodes != nullptr) {
      for (size_t i = 0; i < options_.transferredNodes->size(); ++i) {
        if ((*options_.transferredNodes)[i] == ref) {
          value = (*options_.transferred)[i];
          return true;
        }
      }
    }
    if (node.flag) {
      if (node.length < node.bytes.size()) return malformed("a resizable buffer is larger than its maximum");
      Local<v8::Value> args[] = {v8::Number::New(isolate_, double(node.bytes.size())), v8::Number::New(isolate_, double(node.length))};
      if (!hook("makeResizableBuffer", args, value)) return false;
    } else if (options_.mayTake != nullptr && node.bytes.size() >= TAKE_BYTES_MIN) {
      return takeBuffer(options_.mayTake->nodes[ref], value);
    } else {
      Local<v8::ArrayBuffer> buffer;
      if (!v8::ArrayBuffer::MaybeNew(isolate_, node.bytes.size(), v8::BackingStoreInitializationMode::kZeroInitialized)
               .ToLocal(&buffer)) {
        isolate_->ThrowException(v8::Exception::RangeError(
            v8::String::NewFromUtf8Literal(isolate_, "Array buffer allocation failed")));
        return false;
      }
      value = buffer;
    }
    if (!node.bytes.empty()) memcpy(value.As<v8::ArrayBuffer>()->Data(), node.bytes.data(), node.bytes.size());
    return true;
  }

  // The bytes become the buffer's memory. It counts like what our allocator gives.
  bool takeBuffer(ValueNode& node, Local<v8::Value>& value) {
    auto& budget = MemoryBudget::ofProcess();
    size_t size = node.bytes.size();
    if (!budget.hasRoom(size)) {
      budget.refused = true;
      isolate_->ThrowException(v8::Exception::RangeError(
          v8::String::NewFromUtf8Literal(isolate_, "Array buffer allocation failed")));
      return false;
    }
    auto* bytes = new std::string(std::move(node.bytes));
    budget.buffers += size;
    auto store = v8::ArrayBuffer::NewBackingStore(bytes->data(), size, [](void*, size_t length, void* owner) {
      MemoryBudget::ofProcess().buffers -= length;
      delete static_cast<std::string*>(owner);
    }, bytes);
    value = v8::ArrayBuffer::New(isolate_, std::move(store));
    return true;
  }

  template <typename View>
  bool makeTyped(const ValueNode& node, Local<v8::ArrayBuffer> buffer, Local<v8::Value>& value) {
    size_t elementBytes = ELEMENT_BYTES[node.subkind];
    // In this order nothing overflows. A transferred or resizable buffer is measured as it is now.
    size_t available = buffer->ByteLength();
    if (node.offset > available || node.offset % elementBytes != 0 || node.length > (available - node.offset) / elementBytes) {
      return malformed("a view reaches past its buffer");
    }
    value = View::New(buffer, size_t(node.offset), size_t(node.length));
    return true;
  }

  bool makeView(const ValueNode& node, Local<v8::Value>& value) {
    if (node.ref >= nodes_.size() || nodes_[node.ref].kind != Kind::ARRAY_BUFFER) return malformed("a view has no buffer");
    if (node.subkind > uint8_t(ViewKind::DATA_VIEW)) return malformed("a view is of no known kind");
    Local<v8::Value> made;
    if (!need(node.ref, made)) return false;
    auto buffer = made.As<v8::ArrayBuffer>();
    if (node.flag) {
      if (node.offset > buffer->ByteLength()) return malformed("a view reaches past its buffer");
      Local<v8::Value> args[] = {v8::Integer::New(isolate_, node.subkind), buffer, v8::Number::New(isolate_, double(node.offset))};
      return hook("makeTrackingView", args, value);
    }
    switch (ViewKind(node.subkind)) {
      case ViewKind::INT8: return makeTyped<v8::Int8Array>(node, buffer, value);
      case ViewKind::UINT8: return makeTyped<v8::Uint8Array>(node, buffer, value);
      case ViewKind::UINT8_CLAMPED: return makeTyped<v8::Uint8ClampedArray>(node, buffer, value);
      case ViewKind::INT16: return makeTyped<v8::Int16Array>(node, buffer, value);
      case ViewKind::UINT16: return makeTyped<v8::Uint16Array>(node, buffer, value);
      case ViewKind::INT32: return makeTyped<v8::Int32Array>(node, buffer, value);
      case ViewKind::UINT32: return makeTyped<v8::Uint32Array>(node, buffer, value);
      case ViewKind::FLOAT16: return makeTyped<v8::Float16Array>(node, buffer, value);
      case ViewKind::FLOAT32: return makeTyped<v8::Float32Array>(node, buffer, value);
      case ViewKind::FLOAT64: return makeTyped<v8::Float64Array>(node, buffer, value);
      case ViewKind::BIG_INT64: return makeTyped<v8::BigInt64Array>(node, buffer, value);
      case ViewKind::BIG_UINT64: return makeTyped<v8::BigUint64Array>(node, buffer, value);
      case ViewKind::DATA_VIEW: return makeTyped<v8::DataView>(node, buffer, value);
    }
    return false;
  }

  bool makeDomException(const ValueNode& node, Local<v8::Value>& value) {
    Local<v8::String> message, name;
    if (!needString(node.ref, message)) return false;
    if (node.bytes.size() > size_t(v8::String::kMaxLength) ||
        !v8::String::NewFromUtf8(isolate_, node.bytes.data(), v8::NewStringType::kNormal, int(node.bytes.size())).ToLocal(&name)) {
      return tooLarge();
    }
    Local<v8::Value> args[] = {message, name};
    return hook("makeDomException", args, value);
  }

  // Two nodes may say the same external: it is one object then.
  bool makeExternal(const ValueNode& node, Local<v8::Value>& value) {
    if (node.ref >= graph_.externals.size()) return malformed("it refers to a capability that did not come with it");
    if (externals_.empty()) externals_.resize(graph_.externals.size());
    if (externals_[node.ref].IsEmpty()) {
      auto& external = graph_.externals[node.ref];
      Local<v8::Value> args[] = {v8::Integer::New(isolate_, int(external.kind)), v8::Number::New(isolate_, double(external.id))};
      if (!hook("fromExternal", args, value)) return false;
      externals_[node.ref] = value;
    }
    value = externals_[node.ref];
    return true;
  }

  // The runtime refuses interfaces that it does not know. Nothing of a name is looked up on an object.
  bool makePlatform(const ValueNode& node, Local<v8::Value>& value) {
    Local<v8::String> name;
    if (!interfaceName(node, name)) return false;
    Local<v8::Value> args[] = {name};
    return hook("makePlatform", args, value);
  }

  bool interfaceName(const ValueNode& node, Local<v8::String>& name) {
    if (node.bytes.empty() || node.bytes.size() > INTERFACE_NAME_BYTES_MAX) return malformed("an object of the platform has no name");
    return v8::String::NewFromUtf8(isolate_, node.bytes.data(), v8::NewStringType::kInternalized, int(node.bytes.size())).ToLocal(&name) ||
        tooLarge();
  }

  bool makeError(const ValueNode& node, Local<v8::Value>& value) {
    if (node.subkind > uint8_t(ErrorPrototype::SUPPRESSED)) return malformed("an error is of no known kind");
    Local<v8::Value> args[] = {v8::Integer::New(isolate_, node.subkind)};
    return hook("makeError", args, value);
  }

  // ---- second pass ----

  bool fill(NodeRef ref) {
    auto& node = nodes_[ref];
    switch (node.kind) {
      case Kind::OBJECT: return defineAll(ref, node.properties, v8::None);
      case Kind::ARRAY: return fillArray(ref, node);
      case Kind::ERROR: return fillError(ref, node);
      case Kind::MAP: {
        if (node.items.size() % 2 != 0) return malformed("a map has a key without a value");
        auto map = values_[ref].As<v8::Map>();
        for (size_t i = 0; i < node.items.size(); i += 2) {
          Local<v8::Value> key, value;
          if (!need(node.items[i], key) || !need(node.items[i + 1], value) || map->Set(context_, key, value).IsEmpty()) return false;
        }
        return true;
      }
      case Kind::SET: {
        auto set = values_[ref].As<v8::Set>();
        for (NodeRef item : node.items) {
          Local<v8::Value> value;
          if (!need(item, value) || set->Add(context_, value).IsEmpty()) return false;
        }
        return true;
      }
      default: return true;
    }
  }

  bool define(NodeRef ref, Local<v8::Name> key, Local<v8::Value> value, v8::PropertyAttribute attributes) {
    auto object = values_[ref].As<v8::Object>();
    auto done = attributes == v8::None ? object->CreateDataProperty(context_, key, value)
                                       : object->DefineOwnProperty(context_, key, value, attributes);
    bool defined;
    if (!done.To(&defined)) return false;
    return defined || malformed("a property cannot be defined");
  }

  bool defineAll(NodeRef ref, const std::vector<ValueProperty>& properties, v8::PropertyAttribute attributes) {
    for (auto& property : properties) {
      Local<v8::String> key;
      Local<v8::Value> value;
      if (!needString(property.key, key) || !need(property.value, value) || !define(ref, key, value, attributes)) return false;
    }
    return true;
  }

  bool fillArray(NodeRef ref, const ValueNode& node) {
    auto array = values_[ref].As<v8::Array>();
    for (size_t i = 0; i < node.items.size(); ++i) {
      if (node.items[i] == NO_NODE) continue;
      Local<v8::Value> value;
      if (!need(node.items[i], value) || array->CreateDataProperty(context_, uint32_t(i), value).IsNothing()) return false;
    }
    if (node.length != node.items.size()) {
      // `length` is the array's own data property: no setter can stand in the way.
      auto key = v8::String::NewFromUtf8Literal(isolate_, "length", v8::NewStringType::kInternalized);
      if (array->Set(context_, key, v8::Number::New(isolate_, double(node.length))).IsNothing()) return false;
    }
    return defineAll(ref, node.properties, v8::None);
  }

  // Once its state is whole.
  bool fillPlatform(NodeRef ref) {
    Local<v8::String> name;
    Local<v8::Value> state, done;
    if (!interfaceName(nodes_[ref], name) || !need(nodes_[ref].ref, state)) return false;
    Local<v8::Value> args[] = {name, values_[ref], state};
    return hook("fillPlatform", args, done);
  }

  bool fillError(NodeRef ref, const ValueNode& node) {
    auto part = [&](const char* name, NodeRef source, bool mustBeString) {
      if (source == NO_NODE) return true;
      Local<v8::Value> value;
      Local<v8::String> text;
      if (mustBeString ? !needString(source, text) : !need(source, value)) return false;
      if (mustBeString) value = text;
      auto key = v8::String::NewFromUtf8(isolate_, name, v8::NewStringType::kInternalized).ToLocalChecked();
      return define(ref, key, value, v8::DontEnum);
    };
    bool suppressed = ErrorPrototype(node.subkind) == ErrorPrototype::SUPPRESSED;
    return part("name", node.error.name, true) && part("message", node.ref, true) && part("stack", node.error.stack, true) &&
        part("cause", node.error.cause, false) && part("errors", node.error.errors, false) &&
        defineAll(ref, node.properties, suppressed ? v8::DontEnum : v8::None);
  }
};

}  // namespace

v8::MaybeLocal<v8::Value> fromGraph(Local<v8::Context> context, const ValueGraph& graph, FromGraphOptions options) {
  return GraphReader(context, graph, options).read();
}

}  // namespace glovebox
