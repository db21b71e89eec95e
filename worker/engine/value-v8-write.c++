// toGraph(): see value-v8.h.
//
// One pass over a queue. add() gives a value its node; an object is queued, and its contents are read when its turn comes.
// Handles live until the end in the caller's scope: their number is bounded by the size limit, as every handle stands for
// at least as many bytes of the serialised form.

#include "worker/engine/value-v8.h"

#include "worker/engine/value-v8-kinds.h"
#include "worker/web/hooks.h"

#include <cstring>
#include <string>
#include <unordered_map>

namespace glovebox {
namespace {

using Kind = ValueNode::Kind;
using v8::Local;

// What the parts weigh in the serialised form (ipc/value.capnp), rounded up.
constexpr size_t NODE_BYTES = 24;
constexpr size_t STRUCT_BYTES = 40;     // the struct behind a node that is not a plain list
constexpr size_t ITEM_BYTES = 4;
constexpr size_t PROPERTY_BYTES = 8;

constexpr size_t BIGINT_WORDS_MAX = 16384;
constexpr uint32_t HOLES_IN_A_ROW_MAX = 1024;   // A wider gap turns the rest of an array into properties.
constexpr size_t DESCRIPTION_BYTES_MAX = 400;
constexpr size_t LINEAR_SEARCH_MAX = 12;        // Up to so many objects a scan beats a hash table.
constexpr size_t KEY_CACHE_SIZE = 16;

class GraphWriter {
public:
  GraphWriter(Local<v8::Context> context, ValueGraph& graph, const ToGraphOptions& options)
      : isolate_(v8::Isolate::GetCurrent()), context_(context), graph_(graph), options_(options),
        plainPrototype_(v8::Object::New(isolate_)->GetPrototypeV2()), objects_(isolate_), keys_(isolate_) {}

  bool write(Local<v8::Value> value) {
    graph_.nodes.clear();
    graph_.externals.clear();
    if (options_.transferredNodes != nullptr && options_.transfer != nullptr) {
      options_.transferredNodes->assign(options_.transfer->size(), NO_NODE);
    }
    NodeRef root;
    if (!add(value, root)) return false;
    for (size_t next = 0; next < objects_.size(); ++next) {
      if (!fill(objects_[next], objectNodes_[next])) return false;
    }
    return true;
  }

private:
  v8::Isolate* isolate_;
  Local<v8::Context> context_;
  ValueGraph& graph_;
  const ToGraphOptions& options_;
  Local<v8::Value> plainPrototype_;
  size_t bytes_ = 0;

  // Every object met, in the order in which their contents are read. Both lists have one length.
  v8::LocalVector<v8::Object> objects_;
  std::vector<NodeRef> objectNodes_;
  std::unordered_multimap<int, size_t> byHash_;   // filled only beyond LINEAR_SEARCH_MAX

  v8::LocalVector<v8::Value> keys_;   // The latest property names, a ring; names are unique in V8, so identity is equality.
  NodeRef keyNodes_[KEY_CACHE_SIZE];
  size_t nextKey_ = 0;

  NodeRef constants_[4] = {NO_NODE, NO_NODE, NO_NODE, NO_NODE};   // undefined, null, false, true

  // ---- failures: each leaves an exception pending and says no ----

  bool fail(const char* domName, const std::string& message) {
    Local<v8::String> text, name;
    if (!v8::String::NewFromUtf8(isolate_, message.data(), v8::NewStringType::kNormal, int(message.size())).ToLocal(&text) ||
        !v8::String::NewFromUtf8(isolate_, domName).ToLocal(&name)) {
      return false;
    }
    Local<v8::Value> args[] = {text, name};
    Local<v8::Value> exception;
    if (callHook(context_, "makeDomException", args).ToLocal(&exception)) isolate_->ThrowException(exception);
    return false;
  }

  bool failClone(const std::string& message) { return fail("DataCloneError", message); }

  // The start of a string, for messages and for comparisons with short names; a string may be hundreds of megabytes.
  std::string brief(Local<v8::String> string) {
    char text[DESCRIPTION_BYTES_MAX];
    size_t size = string->WriteUtf8V2(isolate_, text, sizeof text, v8::String::WriteFlags::kReplaceInvalidUtf8);
    return std::string(text, size);
  }

  bool failUncloneable(Local<v8::Value> value) {
    Local<v8::String> detail;
    if (!value->ToDetailString(context_).ToLocal(&detail)) return false;
    return failClone(brief(detail) + " could not be cloned.");
  }

  bool failUnsupported(Local<v8::Object> object) {
    return failClone("Could not serialize object of type \"" + brief(object->GetConstructorName()) +
                     "\". This type does not support serialization.");
  }

  // SIZE_ERROR. The size told is what was counted when the limit was passed.
  bool charge(size_t bytes) {
    bytes_ += bytes;
    if (bytes_ <= options_.maxBytes) return true;
    std::string message = "Serialized RPC arguments or return values are limited to " +
        std::to_string(options_.maxBytes >> 20) + "MiB, but the size of this value was: " + std::to_string(bytes_) + " bytes.";
    Local<v8::String> text;
    if (v8::String::NewFromUtf8(isolate_, message.c_str()).ToLocal(&text)) {
      isolate_->ThrowException(v8::Exception::Error(text));
    }
    return false;
  }

  // ---- one value ----

  // References into `nodes` die with the next call.
  ValueNode& newNode(Kind kind, NodeRef& ref) {
    ref = NodeRef(graph_.nodes.size());
    auto& node = graph_.nodes.emplace_back();
    node.kind = kind;
    return node;
  }

  bool addConstant(size_t which, Kind kind, NodeRef& ref) {
    if (constants_[which] == NO_NODE) {
      if (!charge(NODE_BYTES)) return false;
      newNode(kind, constants_[which]).flag = which == 3;
    }
    ref = constants_[which];
    return true;
  }

  bool addNumber(double number, NodeRef& ref) {
    newNode(Kind::NUMBER, ref).number = number;
    return charge(NODE_BYTES);
  }

  bool add(Local<v8::Value> value, NodeRef& ref) {
    if (value->IsString()) return addString(value.As<v8::String>(), ref);
    if (value->IsNumber()) return addNumber(value.As<v8::Number>()->Value(), ref);
    if (value->IsUndefined()) return addConstant(0, Kind::UNDEFINED, ref);
    if (value->IsNull()) return addConstant(1, Kind::NIL, ref);
    if (value->IsBoolean()) return addConstant(value->IsTrue() ? 3 : 2, Kind::BOOLEAN, ref);
    if (value->IsBigInt()) return addBigInt(value.As<v8::BigInt>(), ref);
    if (!value->IsObject()) return failUncloneable(value);

    auto object = value.As<v8::Object>();
    if (tryFind(object, ref)) return true;
    if (!charge(NODE_BYTES)) return false;
    newNode(Kind::OBJECT, ref);
    remember(object, ref);
    return true;
  }

  bool tryFind(Local<v8::Object> object, NodeRef& ref) {
    if (byHash_.empty()) {
      for (size_t i = 0; i < objects_.size(); ++i) {
        if (objects_[i] == object) {
          ref = objectNodes_[i];
          return true;
        }
      }
      return false;
    }
    auto [begin, end] = byHash_.equal_range(object->GetIdentityHash());
    for (auto i = begin; i != end; ++i) {
      if (objects_[i->second] == object) {
        ref = objectNodes_[i->second];
        return true;
      }
    }
    return false;
  }

  void remember(Local<v8::Object> object, NodeRef ref) {
    objects_.push_back(object);
    objectNodes_.push_back(ref);
    if (objects_.size() == LINEAR_SEARCH_MAX) {
      for (size_t i = 0; i < objects_.size(); ++i) byHash_.emplace(objects_[i]->GetIdentityHash(), i);
    } else if (objects_.size() > LINEAR_SEARCH_MAX) {
      byHash_.emplace(object->GetIdentityHash(), objects_.size() - 1);
    }
  }

  bool addString(Local<v8::String> string, NodeRef& ref) {
    auto length = uint32_t(string->Length());
    if (!charge(NODE_BYTES + length)) return false;
    if (!string->IsOneByte()) {
      std::vector<uint16_t> units(length);
      string->WriteV2(isolate_, 0, length, units.data());
      if (!isWellFormed(units)) {
        auto& node = newNode(Kind::UTF16, ref);
        node.bytes.resize(size_t(length) * 2);
        for (size_t i = 0; i < length; ++i) {
          node.bytes[2 * i] = char(units[i] & 0xff);
          node.bytes[2 * i + 1] = char(units[i] >> 8);
        }
        return charge(length);
      }
    }
    auto& node = newNode(Kind::TEXT, ref);
    node.bytes.resize(string->Utf8LengthV2(isolate_));
    string->WriteUtf8V2(isolate_, node.bytes.data(), node.bytes.size());
    return charge(node.bytes.size() - length);
  }

  bool addBigInt(Local<v8::BigInt> bigint, NodeRef& ref) {
    size_t count = size_t(bigint->WordCount());
    if (options_.rules == CloneRules::RPC && count > BIGINT_WORDS_MAX) {
      return failClone("A BigInt of " + std::to_string(count * 64) + " bits could not be cloned: at most " +
                       std::to_string(BIGINT_WORDS_MAX * 64) + " are supported.");
    }
    if (!charge(NODE_BYTES + STRUCT_BYTES + count * 8)) return false;
    auto& node = newNode(Kind::BIGINT, ref);
    node.words.resize(count);
    int sign = 0, words = int(count);
    bigint->ToWordsArray(&sign, &words, node.words.data());
    node.flag = sign != 0 && count > 0;
    return true;
  }

  // A property name. Objects of one shape share the nodes of their names.
  bool addKey(Local<v8::Name> name, NodeRef& ref) {
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] == name) {
        ref = keyNodes_[i];
        return true;
      }
    }
    if (!addString(name.As<v8::String>(), ref)) return false;
    if (keys_.size() < KEY_CACHE_SIZE) {
      keyNodes_[keys_.size()] = ref;
      keys_.push_back(name);
    } else {
      keyNodes_[nextKey_] = ref;
      keys_[nextKey_] = name;
      nextKey_ = (nextKey_ + 1) % KEY_CACHE_SIZE;
    }
    return true;
  }

  // ---- the contents of one object ----

  ValueNode& at(NodeRef ref) { return graph_.nodes[ref]; }

  bool fill(Local<v8::Object> object, NodeRef ref) {
    if (object->IsProxy() || object->IsFunction()) {
      bool handedOver;
      if (!tryExternal(object, ref, handedOver)) return false;
      return handedOver || failUncloneable(object);
    }
    if (object->IsArray()) return fillArray(object.As<v8::Array>(), ref);
    if (object->GetPrototypeV2() == plainPrototype_ && !isExotic(object)) return fillProperties(object, ref);
    if (object->IsNativeError()) return fillError(object, ref);
    if (object->IsMap()) return fillList(object.As<v8::Map>()->AsArray(), Kind::MAP, ref);
    if (object->IsSet()) return fillList(object.As<v8::Set>()->AsArray(), Kind::SET, ref);
    if (object->IsDate()) {
      at(ref).kind = Kind::DATE;
      at(ref).number = object.As<v8::Date>()->ValueOf();
      return true;
    }
    if (object->IsArrayBuffer()) return fillBuffer(object.As<v8::ArrayBuffer>(), ref);
    if (object->IsArrayBufferView()) return fillView(object.As<v8::ArrayBufferView>(), ref);
    if (object->IsRegExp()) return fillRegExp(object.As<v8::RegExp>(), ref);
    if (object->IsNumberObject()) {
      NodeRef inner;
      return addNumber(object.As<v8::NumberObject>()->ValueOf(), inner) && box(ref, inner);
    }
    if (object->IsStringObject()) {
      NodeRef inner;
      return addString(object.As<v8::StringObject>()->ValueOf(), inner) && box(ref, inner);
    }
    if (object->IsBooleanObject()) {
      NodeRef inner;
      bool isTrue = object.As<v8::BooleanObject>()->ValueOf();
      return addConstant(isTrue ? 3 : 2, Kind::BOOLEAN, inner) && box(ref, inner);
    }
    if (object->IsBigIntObject()) {
      NodeRef inner;
      return addBigInt(object.As<v8::BigIntObject>()->ValueOf(), inner) && box(ref, inner);
    }
    if (isUncloneable(object)) return failUncloneable(object);
    if (options_.rules == CloneRules::RPC) {
      bool handedOver;
      if (!tryExternal(object, ref, handedOver)) return false;
      if (handedOver) return true;
    }
    bool isPlatform;
    if (!tryPlatform(object, ref, isPlatform)) return false;
    if (isPlatform) return true;
    if (options_.rules == CloneRules::RPC) return failUnsupported(object);
    Local<v8::Value> args[] = {object};
    Local<v8::Value> isPlatformObject;
    if (!callHook(context_, "isPlatformObject", args).ToLocal(&isPlatformObject)) return false;
    return isPlatformObject->IsTrue() ? failUncloneable(object) : fillProperties(object, ref);
  }

  // What is handed over instead of copied: the runtime knows.
  bool tryExternal(Local<v8::Object> object, NodeRef ref, bool& handedOver) {
    handedOver = false;
    if (options_.rules != CloneRules::RPC) return true;
    Local<v8::Value> args[] = {object};
    Local<v8::Value> result, kind, id, imported;
    if (!callHook(context_, "externalOf", args).ToLocal(&result)) return false;
    if (!result->IsArray()) return true;
    auto parts = result.As<v8::Array>();
    if (!parts->Get(context_, 0).ToLocal(&kind) || !parts->Get(context_, 1).ToLocal(&id) || !parts->Get(context_, 2).ToLocal(&imported)) {
      return false;
    }
    handedOver = true;
    at(ref).kind = Kind::EXTERNAL;
    at(ref).ref = NodeRef(graph_.externals.size());
    auto& external = graph_.externals.emplace_back();
    external.kind = ValueExternal::Kind(kind.As<v8::Number>()->Value());
    external.id = uint64_t(id.As<v8::Number>()->Value());
    external.imported = imported->IsTrue();
    if (graph_.externals.size() <= options_.maxExternals) return true;
    return fail("DataCloneError", "One call or return may carry at most " + std::to_string(options_.maxExternals) +
                " functions, RpcTargets, stubs and streams. Hand over one object with methods instead.");
  }

  // An object of the platform: its state is an array that the runtime makes of it, and a value like others.
  bool tryPlatform(Local<v8::Object> object, NodeRef ref, bool& found) {
    Local<v8::Value> args[] = {object, v8::Boolean::New(isolate_, options_.rules == CloneRules::RPC)};
    Local<v8::Value> result, name, state;
    if (!callHook(context_, "platformOf", args).ToLocal(&result)) return false;
    found = result->IsArray();
    if (!found) return true;
    auto parts = result.As<v8::Array>();
    NodeRef stateRef;
    if (!parts->Get(context_, 0).ToLocal(&name) || !parts->Get(context_, 1).ToLocal(&state) || !charge(STRUCT_BYTES) || !add(state, stateRef)) {
      return false;
    }
    auto& node = at(ref);
    node.kind = Kind::PLATFORM;
    node.ref = stateRef;
    node.bytes = brief(name.As<v8::String>());
    return true;
  }

  bool box(NodeRef ref, NodeRef inner) {
    at(ref).kind = Kind::BOXED;
    at(ref).ref = inner;
    return true;
  }

  bool ownKeys(Local<v8::Object> object, v8::IndexFilter indices, v8::KeyConversionMode conversion, Local<v8::Array>& keys) {
    auto filter = static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS);
    return object->GetPropertyNames(context_, v8::KeyCollectionMode::kOwnOnly, filter, indices, conversion).ToLocal(&keys);
  }

  // Reads one property once. A getter of an earlier one may have deleted it: then there is nothing to add.
  bool addProperty(Local<v8::Object> object, Local<v8::Name> key, NodeRef ref) {
    bool present;
    if (!object->HasOwnProperty(context_, key).To(&present)) return false;
    if (!present) return true;
    Local<v8::Value> value;
    ValueProperty property;
    if (!object->Get(context_, key).ToLocal(&value) || !addKey(key, property.key) || !add(value, property.value) ||
        !charge(PROPERTY_BYTES)) {
      return false;
    }
    at(ref).properties.push_back(property);
    return true;
  }

  bool fillProperties(Local<v8::Object> object, NodeRef ref) {
    Local<v8::Array> keys;
    if (!ownKeys(object, v8::IndexFilter::kIncludeIndices, v8::KeyConversionMode::kConvertToString, keys)) return false;
    uint32_t count = keys->Length();
    at(ref).properties.reserve(count);
    for (uint32_t i = 0; i < count; ++i) {
      Local<v8::Value> key;
      if (!keys->Get(context_, i).ToLocal(&key) || !addProperty(object, key.As<v8::Name>(), ref)) return false;
    }
    return true;
  }

  bool fillArray(Local<v8::Array> array, NodeRef ref) {
    at(ref).kind = Kind::ARRAY;
    uint32_t length = array->Length();
    at(ref).length = length;
    if (!charge(STRUCT_BYTES)) return false;

    // Indices come first and ascending, names after them.
    Local<v8::Array> keys;
    if (!ownKeys(array, v8::IndexFilter::kIncludeIndices, v8::KeyConversionMode::kKeepNumbers, keys)) return false;
    uint32_t count = keys->Length();
    Local<v8::Value> last;
    if (count == length && count > 0) {
      if (!keys->Get(context_, count - 1).ToLocal(&last)) return false;
      if (last->IsUint32() && last.As<v8::Uint32>()->Value() == count - 1) return fillDense(array, count, ref);
    }
    uint32_t filled = 0;
    bool sparse = false;
    for (uint32_t i = 0; i < count; ++i) {
      Local<v8::Value> key;
      if (!keys->Get(context_, i).ToLocal(&key)) return false;
      if (!key->IsUint32()) {
        if (!addProperty(array, key.As<v8::Name>(), ref)) return false;
        continue;
      }
      uint32_t index = key.As<v8::Uint32>()->Value();
      sparse = sparse || index - filled > HOLES_IN_A_ROW_MAX;
      if (sparse) {
        Local<v8::String> name;
        if (!key->ToString(context_).ToLocal(&name) || !addProperty(array, name, ref)) return false;
        continue;
      }
      bool present;
      Local<v8::Value> value;
      if (!array->HasOwnProperty(context_, index).To(&present)) return false;
      if (!present) continue;
      NodeRef item;
      if (!array->Get(context_, index).ToLocal(&value) || !add(value, item) ||
          !charge(ITEM_BYTES * (size_t(index - filled) + 1))) {
        return false;
      }
      at(ref).items.resize(index, NO_NODE);
      at(ref).items.push_back(item);
      filled = index + 1;
    }
    return true;
  }

  // Every index of the array is an own property, and there is nothing else.
  bool fillDense(Local<v8::Array> array, uint32_t length, NodeRef ref) {
    if (!charge(ITEM_BYTES * size_t(length))) return false;
    std::vector<double> numbers;
    std::vector<NodeRef> items;
    bool allNumbers = true;
    for (uint32_t i = 0; i < length; ++i) {
      Local<v8::Value> value;
      if (!array->Get(context_, i).ToLocal(&value)) return false;
      if (allNumbers && value->IsNumber()) {
        if (!charge(sizeof(double) - ITEM_BYTES)) return false;
        numbers.push_back(value.As<v8::Number>()->Value());
        continue;
      }
      if (allNumbers) {
        allNumbers = false;
        items.reserve(length);
        for (double number : numbers) {
          if (!addNumber(number, items.emplace_back())) return false;
        }
      }
      NodeRef item;
      if (!add(value, item)) return false;
      items.push_back(item);
    }
    auto& node = at(ref);
    if (allNumbers) {
      node.kind = Kind::NUMBERS;
      node.length = 0;
      node.numbers = std::move(numbers);
    } else {
      node.items = std::move(items);
    }
    return true;
  }

  bool fillList(Local<v8::Array> flat, Kind kind, NodeRef ref) {
    at(ref).kind = kind;
    uint32_t length = flat->Length();
    if (!charge(ITEM_BYTES * size_t(length))) return false;
    std::vector<NodeRef> items(length);
    for (uint32_t i = 0; i < length; ++i) {
      Local<v8::Value> value;
      if (!flat->Get(context_, i).ToLocal(&value) || !add(value, items[i])) return false;
    }
    at(ref).items = std::move(items);
    return true;
  }

  bool fillRegExp(Local<v8::RegExp> regexp, NodeRef ref) {
    NodeRef source;
    if (!charge(STRUCT_BYTES) || !addString(regexp->GetSource(), source)) return false;
    auto& node = at(ref);
    node.kind = Kind::REGEXP;
    node.ref = source;
    auto flags = regexp->GetFlags();
    for (auto& entry : REGEXP_FLAGS) {
      if (flags & entry.flag) node.bytes.push_back(entry.letter);
    }
    return true;
  }

  bool fillBuffer(Local<v8::ArrayBuffer> buffer, NodeRef ref) {
    if (buffer->WasDetached()) return failClone("An ArrayBuffer is detached and could not be cloned.");
    at(ref).kind = Kind::ARRAY_BUFFER;
    if (options_.transfer != nullptr) {
      for (size_t i = 0; i < options_.transfer->size(); ++i) {
        if ((*options_.transfer)[i] == buffer) {
          (*options_.transferredNodes)[i] = ref;
          return true;
        }
      }
    }
    size_t length = buffer->ByteLength();
    if (!charge(STRUCT_BYTES + length)) return false;
    auto& node = at(ref);
    node.bytes.assign(static_cast<const char*>(buffer->Data()), length);
    node.flag = buffer->IsResizableByUserJavaScript();
    if (node.flag) node.length = buffer->MaxByteLength();
    return true;
  }

  bool fillView(Local<v8::ArrayBufferView> view, NodeRef ref) {
    auto shared = view->Buffer().As<v8::Value>();
    if (shared->IsSharedArrayBuffer()) return failUncloneable(shared);
    auto buffer = view->Buffer();
    auto kind = viewKindOf(view);
    if (!kind) return failUncloneable(view);
    bool tracksLength = false;
    if (buffer->IsResizableByUserJavaScript() && !viewTracksLength(view, buffer, tracksLength)) return false;
    NodeRef bufferRef;
    if (!charge(STRUCT_BYTES) || !add(buffer, bufferRef)) return false;
    auto& node = at(ref);
    node.kind = Kind::VIEW;
    node.subkind = uint8_t(*kind);
    node.ref = bufferRef;
    node.offset = view->ByteOffset();
    node.flag = tracksLength;
    if (!tracksLength) node.length = view->ByteLength() / ELEMENT_BYTES[size_t(*kind)];
    return true;
  }

  // V8's API does not tell whether a view follows its buffer's length, but its serialiser writes it down: a view whose
  // buffer is transferred (so that no content is copied) ends in a byte of flags.
  bool viewTracksLength(Local<v8::ArrayBufferView> view, Local<v8::ArrayBuffer> buffer, bool& tracksLength) {
    bool written;
    {
      v8::TryCatch guard(isolate_);
      v8::ValueSerializer serializer(isolate_);
      serializer.TransferArrayBuffer(0, buffer);
      written = serializer.WriteValue(context_, view).FromMaybe(false);
      if (guard.HasTerminated()) {
        guard.ReThrow();
        return false;
      }
      auto [data, size] = serializer.Release();
      tracksLength = written && size > 0 && (data[size - 1] & 1) != 0;
      free(data);
    }
    return written || failClone("A view out of the bounds of its resizable ArrayBuffer could not be cloned.");
  }

  // ---- errors ----

  Local<v8::String> literal(const char* text) {
    return v8::String::NewFromUtf8(isolate_, text, v8::NewStringType::kInternalized).ToLocalChecked();
  }

  bool fillError(Local<v8::Object> error, NodeRef ref) {
    bool ordinary;
    ErrorPrototype prototype = ErrorPrototype::ERROR;
    if (!tryOwnPrototype(error, prototype, ordinary)) return false;
    if (!ordinary) {
      Local<v8::Value> args[] = {error};
      Local<v8::Value> parts;
      if (!callHook(context_, "domExceptionParts", args).ToLocal(&parts)) return false;
      if (parts->IsArray()) return fillDomException(parts.As<v8::Array>(), ref);
    }
    if (!charge(2 * STRUCT_BYTES)) return false;
    at(ref).kind = Kind::ERROR;

    Local<v8::Value> name;
    if (!error->Get(context_, literal("name")).ToLocal(&name)) return false;
    std::optional<ErrorPrototype> named;
    if (name->IsString()) named = nativeErrorNamed(brief(name.As<v8::String>()));
    if (!ordinary || options_.rules == CloneRules::STRUCTURED_CLONE) prototype = named.value_or(ErrorPrototype::ERROR);
    at(ref).subkind = uint8_t(prototype);
    if (options_.rules == CloneRules::RPC && name->IsString() && named != prototype) {
      NodeRef nameRef;
      if (!addString(name.As<v8::String>(), nameRef)) return false;
      at(ref).error.name = nameRef;
    }

    NodeRef part;
    if (!addErrorPart(error, "message", true, part)) return false;
    at(ref).ref = part;
    if (!addErrorPart(error, "stack", true, part)) return false;
    at(ref).error.stack = part;
    if (!addErrorPart(error, "cause", false, part)) return false;
    at(ref).error.cause = part;
    if (prototype == ErrorPrototype::AGGREGATE) {
      if (!addErrorList(error, part)) return false;
      at(ref).error.errors = part;
    }
    if (prototype == ErrorPrototype::SUPPRESSED) {
      if (!addProperty(error, literal("error"), ref) || !addProperty(error, literal("suppressed"), ref)) return false;
    }
    return options_.rules == CloneRules::STRUCTURED_CLONE || addErrorProperties(error, ref);
  }

  bool tryOwnPrototype(Local<v8::Object> error, ErrorPrototype& prototype, bool& found) {
    found = false;
    Local<v8::Value> list;
    if (!runtimeHooks(context_)->Get(context_, literal("errorPrototypes")).ToLocal(&list)) return false;
    auto own = error->GetPrototypeV2();
    auto prototypes = list.As<v8::Array>();
    for (uint32_t i = 0; i < prototypes->Length() && !found; ++i) {
      Local<v8::Value> candidate;
      if (!prototypes->Get(context_, i).ToLocal(&candidate)) return false;
      found = candidate == own;
      if (found) prototype = ErrorPrototype(i);
    }
    return true;
  }

  bool addErrorPart(Local<v8::Object> error, const char* name, bool mustBeString, NodeRef& part) {
    part = NO_NODE;
    auto key = literal(name);
    bool present;
    if (!error->HasOwnProperty(context_, key).To(&present)) return false;
    if (!present) return true;
    Local<v8::Value> value;
    if (!error->Get(context_, key).ToLocal(&value)) return false;
    if (!mustBeString) return add(value, part);
    if (strcmp(name, "stack") == 0 && !value->IsString()) return true;
    Local<v8::String> text;
    return value->ToString(context_).ToLocal(&text) && addString(text, part);
  }

  bool addErrorList(Local<v8::Object> error, NodeRef& part) {
    part = NO_NODE;
    Local<v8::Value> errors;
    if (!error->Get(context_, literal("errors")).ToLocal(&errors)) return false;
    return !errors->IsArray() || errors->IsProxy() || add(errors, part);
  }

  bool addErrorProperties(Local<v8::Object> error, NodeRef ref) {
    Local<v8::Array> keys;
    if (!ownKeys(error, v8::IndexFilter::kIncludeIndices, v8::KeyConversionMode::kConvertToString, keys)) return false;
    for (uint32_t i = 0; i < keys->Length(); ++i) {
      Local<v8::Value> key;
      if (!keys->Get(context_, i).ToLocal(&key)) return false;
      if (isErrorPart(brief(key.As<v8::String>()), ErrorPrototype(at(ref).subkind))) continue;
      if (!addProperty(error, key.As<v8::Name>(), ref)) return false;
    }
    return true;
  }

  bool fillDomException(Local<v8::Array> parts, NodeRef ref) {
    Local<v8::Value> name, message;
    NodeRef messageRef;
    if (!parts->Get(context_, 0).ToLocal(&name) || !parts->Get(context_, 1).ToLocal(&message) || !charge(STRUCT_BYTES) ||
        !addString(message.As<v8::String>(), messageRef)) {
      return false;
    }
    auto& node = at(ref);
    node.kind = Kind::DOM_EXCEPTION;
    node.ref = messageRef;
    node.bytes = brief(name.As<v8::String>());
    return charge(node.bytes.size());
  }
};

}  // namespace

bool toGraph(Local<v8::Context> context, Local<v8::Value> value, ValueGraph& graph, ToGraphOptions options) {
  return GraphWriter(context, graph, options).write(value);
}

}  // namespace glovebox
