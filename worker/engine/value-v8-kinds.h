#pragma once
// The correspondences between V8's kinds of values and those of ipc/value-graph.h, for both directions of the codec.

#include "ipc/value-graph.h"

#include <v8.h>

#include <optional>
#include <string_view>
#include <vector>

namespace glovebox {

struct RegExpFlag {
  char letter;
  v8::RegExp::Flags flag;
};

// Those of the schema. V8 has one more (`l`, for its linear-time engine).
constexpr RegExpFlag REGEXP_FLAGS[] = {
  {'d', v8::RegExp::kHasIndices}, {'g', v8::RegExp::kGlobal}, {'i', v8::RegExp::kIgnoreCase}, {'m', v8::RegExp::kMultiline},
  {'s', v8::RegExp::kDotAll}, {'u', v8::RegExp::kUnicode}, {'v', v8::RegExp::kUnicodeSets}, {'y', v8::RegExp::kSticky},
};

constexpr size_t ELEMENT_BYTES[] = {1, 1, 1, 2, 2, 4, 4, 2, 4, 8, 8, 8, 1};   // by ViewKind

inline std::optional<ViewKind> viewKindOf(v8::Local<v8::ArrayBufferView> view) {
  if (view->IsUint8Array()) return ViewKind::UINT8;
  if (view->IsInt8Array()) return ViewKind::INT8;
  if (view->IsUint8ClampedArray()) return ViewKind::UINT8_CLAMPED;
  if (view->IsInt16Array()) return ViewKind::INT16;
  if (view->IsUint16Array()) return ViewKind::UINT16;
  if (view->IsInt32Array()) return ViewKind::INT32;
  if (view->IsUint32Array()) return ViewKind::UINT32;
  if (view->IsFloat16Array()) return ViewKind::FLOAT16;
  if (view->IsFloat32Array()) return ViewKind::FLOAT32;
  if (view->IsFloat64Array()) return ViewKind::FLOAT64;
  if (view->IsBigInt64Array()) return ViewKind::BIG_INT64;
  if (view->IsBigUint64Array()) return ViewKind::BIG_UINT64;
  if (view->IsDataView()) return ViewKind::DATA_VIEW;
  return {};
}

// Which of the language's own errors has this name.
inline std::optional<ErrorPrototype> nativeErrorNamed(std::string_view name) {
  constexpr std::string_view NAMES[] = {"Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError",
                                        "AggregateError", "SuppressedError"};
  for (size_t i = 0; i < std::size(NAMES); ++i) {
    if (name == NAMES[i]) return ErrorPrototype(i);
  }
  return {};
}

// Whether a property name is one that an ERROR node has a place of its own for.
inline bool isErrorPart(std::string_view key, ErrorPrototype prototype) {
  return key == "name" || key == "message" || key == "stack" || key == "cause" ||
      (prototype == ErrorPrototype::AGGREGATE && key == "errors") ||
      (prototype == ErrorPrototype::SUPPRESSED && (key == "error" || key == "suppressed"));
}

// No lone surrogates.
inline bool isWellFormed(const std::vector<uint16_t>& units) {
  for (size_t i = 0; i < units.size(); ++i) {
    if ((units[i] & 0xf800) != 0xd800) continue;
    if (units[i] >= 0xdc00 || i + 1 == units.size() || (units[i + 1] & 0xfc00) != 0xdc00) return false;
    ++i;
  }
  return true;
}

// Objects that are not plain whatever their prototype is (`Object.setPrototypeOf(new Map(), Object.prototype)`).
inline bool isExotic(v8::Local<v8::Object> object) {
  return object->IsNativeError() || object->IsMap() || object->IsSet() || object->IsDate() || object->IsArrayBuffer() ||
      object->IsArrayBufferView() || object->IsRegExp() || object->IsPromise() || object->IsSharedArrayBuffer() ||
      object->IsNumberObject() || object->IsStringObject() || object->IsBooleanObject() || object->IsBigIntObject() ||
      object->IsSymbolObject() || object->IsWeakMap() || object->IsWeakSet() || object->IsWeakRef() ||
      object->IsGeneratorObject() || object->IsMapIterator() || object->IsSetIterator();
}

// Objects nothing can clone.
inline bool isUncloneable(v8::Local<v8::Object> object) {
  return object->IsPromise() || object->IsWeakMap() || object->IsWeakSet() || object->IsWeakRef() || object->IsSymbolObject() ||
      object->IsSharedArrayBuffer() || object->IsGeneratorObject() || object->IsMapIterator() || object->IsSetIterator() ||
      object->IsModuleNamespaceObject() || object->IsWasmModuleObject() || object->IsWasmMemoryObject();
}

}  // namespace glovebox
