#pragma once
// Small conversions that every file of native functions needs.

#include <v8.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace glovebox {

// UTF-8, with U+FFFD for lone surrogates: a USVString.
inline std::string toUtf8(v8::Isolate* isolate, v8::Local<v8::Value> value) {
  std::string out;
  if (!value->IsString()) return out;
  auto string = value.As<v8::String>();
  out.resize(string->Utf8LengthV2(isolate));
  out.resize(string->WriteUtf8V2(isolate, out.data(), out.size(), v8::String::WriteFlags::kReplaceInvalidUtf8));
  return out;
}

// Empty: the string would be longer than V8 allows; a RangeError is pending.
inline v8::MaybeLocal<v8::String> fromUtf8(v8::Isolate* isolate, std::string_view text) {
  v8::Local<v8::String> string;
  if (text.size() > size_t(v8::String::kMaxLength) ||
      !v8::String::NewFromUtf8(isolate, text.data(), v8::NewStringType::kNormal, int(text.size())).ToLocal(&string)) {
    isolate->ThrowException(v8::Exception::RangeError(v8::String::NewFromUtf8Literal(isolate, "Invalid string length")));
    return {};
  }
  return string;
}

// The bytes of a view or buffer; empty for anything else. Valid until JavaScript runs again.
struct Bytes {
  char* data = nullptr;
  size_t size = 0;
};

inline Bytes bytesOf(v8::Local<v8::Value> value) {
  if (value->IsArrayBufferView()) {
    auto view = value.As<v8::ArrayBufferView>();
    size_t size = view->ByteLength();   // 0 if out of bounds
    return size == 0 ? Bytes{} : Bytes{static_cast<char*>(view->Buffer()->Data()) + view->ByteOffset(), size};
  }
  if (value->IsArrayBuffer()) return {static_cast<char*>(value.As<v8::ArrayBuffer>()->Data()), value.As<v8::ArrayBuffer>()->ByteLength()};
  if (value->IsSharedArrayBuffer()) {
    auto buffer = value.As<v8::SharedArrayBuffer>();
    return {static_cast<char*>(buffer->Data()), buffer->ByteLength()};
  }
  return {};
}

}  // namespace glovebox
