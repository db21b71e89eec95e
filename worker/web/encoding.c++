#include "worker/web/encoding.h"

#include "worker/web/handle.h"
#include "worker/web/node-exports.h"
#include "worker/web/strings.h"

#include <vector>

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

void throwAllocationFailed(v8::Isolate* isolate) {
  throwRangeError(isolate, "Array buffer allocation failed");
}

void utf8Encode(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto string = info[0].As<v8::String>();
  size_t size = string->Utf8LengthV2(isolate);
  Local<v8::ArrayBuffer> buffer;
  if (!v8::ArrayBuffer::MaybeNew(isolate, size).ToLocal(&buffer)) return throwAllocationFailed(isolate);
  string->WriteUtf8V2(isolate, static_cast<char*>(buffer->Data()), size, v8::String::WriteFlags::kReplaceInvalidUtf8);
  info.GetReturnValue().Set(v8::Uint8Array::New(buffer, 0, size));
}

void utf8EncodeInto(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto into = bytesOf(info[1]);
  size_t read = 0;
  size_t written = into.size == 0 ? 0
      : info[0].As<v8::String>()->WriteUtf8V2(isolate, into.data, into.size, v8::String::WriteFlags::kReplaceInvalidUtf8, &read);
  Local<v8::Value> counts[] = {v8::Number::New(isolate, double(read)), v8::Number::New(isolate, double(written))};
  info.GetReturnValue().Set(v8::Array::New(isolate, counts, 2));
}

void utf8Decode(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto bytes = bytesOf(info[0]);
  if (info[1]->IsTrue() && !simdutf::validate_utf8(bytes.data, bytes.size)) return;
  Local<v8::String> text;
  if (bytes.size == 0) return info.GetReturnValue().Set(v8::String::Empty(isolate));
  if (fromUtf8(isolate, {bytes.data, bytes.size}).ToLocal(&text)) info.GetReturnValue().Set(text);
}

// ---- base64 ----

void base64Encode(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto string = info[0].As<v8::String>();
  if (!string->ContainsOnlyOneByte()) return;
  auto length = uint32_t(string->Length());
  std::vector<uint8_t> bytes(length);
  string->WriteOneByteV2(isolate, 0, length, bytes.data());
  std::string encoded((size_t(length) + 2) / 3 * 4, '\0');
  encoded.resize(simdutf::binary_to_base64(reinterpret_cast<char*>(bytes.data()), length, encoded.data(), simdutf::base64_default));
  Local<v8::String> text;
  if (fromUtf8(isolate, encoded).ToLocal(&text)) info.GetReturnValue().Set(text);
}

void base64Decode(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto string = info[0].As<v8::String>();
  if (!string->ContainsOnlyOneByte()) return;
  auto length = uint32_t(string->Length());
  std::vector<uint8_t> encoded(length);
  string->WriteOneByteV2(isolate, 0, length, encoded.data());
  std::vector<uint8_t> bytes((size_t(length) + 3) / 4 * 3);
  auto done = simdutf::base64_to_binary(reinterpret_cast<char*>(encoded.data()), length, reinterpret_cast<char*>(bytes.data()),
                                        simdutf::base64_default, simdutf::loose);
  if (done.error != simdutf::SUCCESS) return;
  Local<v8::String> text;
  if (v8::String::NewFromOneByte(isolate, bytes.data(), v8::NewStringType::kNormal, int(done.count)).ToLocal(&text)) {
    info.GetReturnValue().Set(text);
  }
}

// ---- legacy encodings ----

// One TextDecoder's converter.
struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close_78(converter); }
};
using Decoder = Handle<UConverter, DECODER_HANDLE, CloseConverter>;

// ICU's own substitution writes U+001A for some encodings; the Encoding standard knows only U+FFFD.
void substitute(const void*, void* args, const char*, int32_t, int reason, UErrorCode* error) {
  constexpr int IRREGULAR = 2;   // beyond it: the converter is reset, closed or copied
  if (reason > IRREGULAR) return;
  *error = U_ZERO_ERROR;
  ucnv_cbToUWriteUChars_78(args, u"\ufffd", 1, 0, error);
}

void decoderOpen(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto name = toUtf8(isolate, info[0]);
  UErrorCode error = U_ZERO_ERROR;
  std::unique_ptr<UConverter, CloseConverter> converter(ucnv_open_78(name.c_str(), &error));
  if (converter == nullptr || error > 0) return;
  ucnv_setToUCallBack_78(converter.get(), info[1]->IsTrue() ? UCNV_TO_U_CALLBACK_STOP_78 : substitute, nullptr, nullptr, nullptr, &error);
  Local<v8::Object> handle;
  if (Decoder::make(isolate, std::move(converter)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void decoderDecode(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto* converter = &Decoder::of(info[0]);
  auto bytes = bytesOf(info[1]);
  bool flush = info[2]->IsTrue();
  std::vector<char16_t> text;
  const char* source = bytes.data;
  const char* end = bytes.data + bytes.size;
  UErrorCode error;
  do {
    size_t had = text.size();
    text.resize(had + size_t(end - source) + 64);
    char16_t* target = text.data() + had;
    error = U_ZERO_ERROR;
    ucnv_toUnicode_78(converter, &target, text.data() + text.size(), &source, end, nullptr, flush, &error);
    text.resize(size_t(target - text.data()));
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  if (flush || error > 0) ucnv_reset_78(converter);
  if (error > 0) return;
  Local<v8::String> string;
  if (text.size() > size_t(v8::String::kMaxLength) ||
      !v8::String::NewFromTwoByte(isolate, reinterpret_cast<const uint16_t*>(text.data()), v8::NewStringType::kNormal,
                                  int(text.size())).ToLocal(&string)) {
    return throwRangeError(isolate, "Invalid string length");
  }
  info.GetReturnValue().Set(string);
}

constexpr NativeFunction NATIVES[] = {
  {"utf8Encode", utf8Encode}, {"utf8EncodeInto", utf8EncodeInto}, {"utf8Decode", utf8Decode},
  {"base64Encode", base64Encode}, {"base64Decode", base64Decode},
  {"decoderOpen", decoderOpen}, {"decoderDecode", decoderDecode},
};

}  // namespace

std::span<const NativeFunction> encodingNatives() { return NATIVES; }

}  // namespace glovebox
