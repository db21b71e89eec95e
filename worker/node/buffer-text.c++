#include "worker/node/buffer-text.h"

#include "worker/node/natives.h"
#include "worker/web/node-exports.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

constexpr int8_t NO_DIGIT = -1;

int8_t hexDigit(uint16_t unit) {
  if (unit >= '0' && unit <= '9') return int8_t(unit - '0');
  unit |= 0x20;
  return unit >= 'a' && unit <= 'f' ? int8_t(unit - 'a' + 10) : NO_DIGIT;
}

// Of both alphabets.
int8_t base64Digit(uint16_t unit) {
  if (unit >= 'A' && unit <= 'Z') return int8_t(unit - 'A');
  if (unit >= 'a' && unit <= 'z') return int8_t(unit - 'a' + 26);
  if (unit >= '0' && unit <= '9') return int8_t(unit - '0' + 52);
  if (unit == '+' || unit == '-') return 62;
  if (unit == '/' || unit == '_') return 63;
  return NO_DIGIT;
}

// Node.js's reading: of each unit the lower byte; what is no digit is skipped, "=" ends it.
template <typename Unit>
size_t decodeBase64Loosely(const Unit* text, size_t length, Bytes into) {
  uint32_t bits = 0;
  unsigned count = 0;
  size_t written = 0;
  for (size_t i = 0; i < length && uint8_t(text[i]) != '='; ++i) {
    auto digit = base64Digit(uint8_t(text[i]));
    if (digit == NO_DIGIT) continue;
    bits = bits << 6 | uint32_t(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (written == into.size) break;
    into.data[written++] = char(bits >> count);
  }
  return written;
}

size_t writeBase64(v8::Isolate* isolate, Local<v8::String> text, Bytes into) {
  size_t length = size_t(text->Length());
  if (!text->ContainsOnlyOneByte()) {
    std::vector<uint16_t> units(length);
    text->WriteV2(isolate, 0, uint32_t(length), units.data());
    return decodeBase64Loosely(units.data(), length, into);
  }
  std::vector<uint8_t> units(length);
  text->WriteOneByteV2(isolate, 0, uint32_t(length), units.data());
  if (into.size >= (length + 3) / 4 * 3) {
    auto done = simdutf::base64_to_binary(reinterpret_cast<char*>(units.data()), length, into.data, simdutf::base64_default, simdutf::loose);
    if (done.error == simdutf::SUCCESS) return done.count;
  }
  return decodeBase64Loosely(units.data(), length, into);
}

size_t writeHex(v8::Isolate* isolate, Local<v8::String> text, Bytes into) {
  size_t pairs = std::min(size_t(text->Length()) / 2, into.size);
  std::vector<uint16_t> units(pairs * 2);
  text->WriteV2(isolate, 0, uint32_t(units.size()), units.data());
  for (size_t i = 0; i < pairs; ++i) {
    auto high = hexDigit(units[i * 2]), low = hexDigit(units[i * 2 + 1]);
    if (high == NO_DIGIT || low == NO_DIGIT) return i;
    into.data[i] = char(high << 4 | low);
  }
  return pairs;
}

size_t writeUcs2(v8::Isolate* isolate, Local<v8::String> text, Bytes into) {
  size_t units = std::min(size_t(text->Length()), into.size / 2);
  if (reinterpret_cast<uintptr_t>(into.data) % alignof(uint16_t) == 0) {
    text->WriteV2(isolate, 0, uint32_t(units), reinterpret_cast<uint16_t*>(into.data));
  } else {
    std::vector<uint16_t> aligned(units);
    text->WriteV2(isolate, 0, uint32_t(units), aligned.data());
    if (units != 0) memcpy(into.data, aligned.data(), units * 2);
  }
  return units * 2;
}

// -- Slices: text of a part of a view ------------------------------------------------------------------------------------------

// `fallback` if the value is undefined. False: an exception is pending.
bool toIndex(const Info& info, int at, size_t fallback, size_t& index) {
  auto* isolate = info.GetIsolate();
  if (info[at]->IsUndefined()) {
    index = fallback;
    return true;
  }
  int64_t value;
  if (!info[at]->IntegerValue(isolate->GetCurrentContext()).To(&value)) return false;
  if (value < 0) {
    throwCoded(isolate, true, "ERR_OUT_OF_RANGE", "Index out of range");
    return false;
  }
  index = size_t(value);
  return true;
}

bool toView(const Info& info) {
  if (info[0]->IsArrayBufferView()) return true;
  throwCoded(info.GetIsolate(), false, "ERR_INVALID_ARG_TYPE", "argument must be a buffer");
  return false;
}

template <typename Make>
void sliceText(const Info& info, Make&& make) {
  auto* isolate = info.GetIsolate();
  if (!toView(info)) return;
  size_t start, end;
  if (!toIndex(info, 1, 0, start) || !toIndex(info, 2, bytesOf(info[0]).size, end)) return;
  auto bytes = bytesOf(info[0]);   // only now: reading the numbers may have run code
  if (end > bytes.size) return throwCoded(isolate, true, "ERR_OUT_OF_RANGE", "Index out of range");
  if (start >= end) return info.GetReturnValue().Set(v8::String::Empty(isolate));
  Local<v8::String> text;
  if (make(isolate, Bytes{bytes.data + start, end - start}).ToLocal(&text)) info.GetReturnValue().Set(text);
}

v8::MaybeLocal<v8::String> tooLong(v8::Isolate* isolate) {
  throwCoded(isolate, false, "ERR_STRING_TOO_LONG",
             "Cannot create a string longer than 0x" + [] {
               char digits[20];
               snprintf(digits, sizeof digits, "%x", unsigned(v8::String::kMaxLength));
               return std::string(digits);
             }() + " characters");
  return {};
}

v8::MaybeLocal<v8::String> fromLatin1(v8::Isolate* isolate, const char* data, size_t size) {
  if (size > size_t(v8::String::kMaxLength)) return tooLong(isolate);
  return v8::String::NewFromOneByte(isolate, reinterpret_cast<const uint8_t*>(data), v8::NewStringType::kNormal, int(size));
}

void utf8Slice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) -> v8::MaybeLocal<v8::String> {
    if (bytes.size > size_t(v8::String::kMaxLength)) return tooLong(isolate);
    return v8::String::NewFromUtf8(isolate, bytes.data, v8::NewStringType::kNormal, int(bytes.size));
  });
}

void latin1Slice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) { return fromLatin1(isolate, bytes.data, bytes.size); });
}

void asciiSlice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) {
    if (simdutf::validate_ascii(bytes.data, bytes.size)) return fromLatin1(isolate, bytes.data, bytes.size);
    std::string masked(bytes.data, bytes.size);
    for (auto& c : masked) c = char(c & 0x7f);
    return fromLatin1(isolate, masked.data(), masked.size());
  });
}

void ucs2Slice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) -> v8::MaybeLocal<v8::String> {
    size_t units = bytes.size / 2;
    if (units > size_t(v8::String::kMaxLength)) return tooLong(isolate);
    std::vector<uint16_t> aligned(units);
    if (units != 0) memcpy(aligned.data(), bytes.data, units * 2);
    return v8::String::NewFromTwoByte(isolate, aligned.data(), v8::NewStringType::kNormal, int(units));
  });
}

void hexSlice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) -> v8::MaybeLocal<v8::String> {
    if (bytes.size > size_t(v8::String::kMaxLength) / 2) return tooLong(isolate);
    std::string text(bytes.size * 2, '\0');
    for (size_t i = 0; i < bytes.size; ++i) {
      text[i * 2] = "0123456789abcdef"[uint8_t(bytes.data[i]) >> 4];
      text[i * 2 + 1] = "0123456789abcdef"[bytes.data[i] & 15];
    }
    return fromLatin1(isolate, text.data(), text.size());
  });
}

template <simdutf::base64_options OPTIONS>
void base64Slice(const Info& info) {
  sliceText(info, [](v8::Isolate* isolate, Bytes bytes) -> v8::MaybeLocal<v8::String> {
    size_t room = (bytes.size + 2) / 3 * 4;
    if (room > size_t(v8::String::kMaxLength)) return tooLong(isolate);
    std::string text(room, '\0');
    text.resize(simdutf::binary_to_base64(bytes.data, bytes.size, text.data(), OPTIONS));
    return fromLatin1(isolate, text.data(), text.size());
  });
}

// -- Writes: (view, text, offset, length) ------------------------------------------------------------------------------------------

template <BufferEncoding ENCODING>
void write(const Info& info) {
  auto* isolate = info.GetIsolate();
  if (!toView(info)) return;
  if (!info[1]->IsString()) return throwCoded(isolate, false, "ERR_INVALID_ARG_TYPE", "argument must be a string");
  auto text = info[1].As<v8::String>();
  size_t offset, length;
  if (!toIndex(info, 2, 0, offset)) return;
  if (offset > bytesOf(info[0]).size) {
    return throwCoded(isolate, true, "ERR_BUFFER_OUT_OF_BOUNDS", "\"offset\" is outside of buffer bounds");
  }
  if (!toIndex(info, 3, bytesOf(info[0]).size - offset, length)) return;
  auto bytes = bytesOf(info[0]);
  if (offset > bytes.size) return info.GetReturnValue().Set(0);
  Bytes into{bytes.data + offset, std::min(length, bytes.size - offset)};
  info.GetReturnValue().Set(double(into.size == 0 ? 0 : writeText(isolate, text, ENCODING, into)));
}

constexpr NativeFunction NATIVES[] = {
  {"bufferAsciiSlice", asciiSlice}, {"bufferBase64Slice", base64Slice<simdutf::base64_default>},
  {"bufferBase64urlSlice", base64Slice<simdutf::base64_url>}, {"bufferHexSlice", hexSlice}, {"bufferLatin1Slice", latin1Slice},
  {"bufferUcs2Slice", ucs2Slice}, {"bufferUtf8Slice", utf8Slice},
  {"bufferBase64Write", write<BufferEncoding::BASE64>}, {"bufferHexWrite", write<BufferEncoding::HEX>},
  {"bufferLatin1Write", write<BufferEncoding::LATIN1>}, {"bufferUcs2Write", write<BufferEncoding::UCS2>},
  {"bufferUtf8Write", write<BufferEncoding::UTF8>},
};

}  // namespace

std::span<const NativeFunction> bufferTextNatives() { return NATIVES; }

size_t writeText(v8::Isolate* isolate, Local<v8::String> text, BufferEncoding encoding, Bytes into) {
  if (into.size == 0) return 0;
  switch (encoding) {
    case BufferEncoding::BASE64:
    case BufferEncoding::BASE64URL: return writeBase64(isolate, text, into);
    case BufferEncoding::HEX: return writeHex(isolate, text, into);
    case BufferEncoding::UCS2: return writeUcs2(isolate, text, into);
    case BufferEncoding::ASCII:
    case BufferEncoding::LATIN1: {
      size_t length = std::min(size_t(text->Length()), into.size);
      text->WriteOneByteV2(isolate, 0, uint32_t(length), reinterpret_cast<uint8_t*>(into.data));
      return length;
    }
    case BufferEncoding::UTF8:
    case BufferEncoding::BUFFER: break;
  }
  return text->WriteUtf8V2(isolate, into.data, into.size, v8::String::WriteFlags::kReplaceInvalidUtf8);
}

std::string encodeText(v8::Isolate* isolate, Local<v8::String> text, BufferEncoding encoding) {
  size_t units = size_t(text->Length()), room = units;   // the most that it can become
  if (encoding == BufferEncoding::UTF8 || encoding == BufferEncoding::BUFFER) room = text->Utf8LengthV2(isolate);
  if (encoding == BufferEncoding::UCS2) room = units * 2;
  std::string bytes(room, '\0');
  bytes.resize(writeText(isolate, text, encoding, {bytes.data(), bytes.size()}));
  return bytes;
}

void throwCoded(v8::Isolate* isolate, bool isRange, const char* code, const std::string& message) {
  auto context = isolate->GetCurrentContext();
  auto string = [&](std::string_view text) {
    return v8::String::NewFromUtf8(isolate, text.data(), v8::NewStringType::kNormal, int(text.size())).ToLocalChecked();
  };
  auto error = (isRange ? v8::Exception::RangeError(string(message)) : v8::Exception::TypeError(string(message))).As<v8::Object>();
  if (error->CreateDataProperty(context, string("code"), string(code)).IsNothing()) return;
  isolate->ThrowException(error);
}

}  // namespace glovebox
