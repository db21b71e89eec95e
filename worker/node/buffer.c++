#include "worker/node/buffer-text.h"
#include "worker/node/natives.h"
#include "worker/web/node-exports.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

// The number, or 0 for what is none.
int64_t integer(Local<v8::Value> value) {
  if (!value->IsNumber()) return 0;
  double number = value.As<v8::Number>()->Value();
  return number >= -0x1p53 && number <= 0x1p53 ? int64_t(number) : 0;
}

size_t sizeFrom(Local<v8::Value> value) { return size_t(std::max<int64_t>(integer(value), 0)); }

std::string_view viewOf(Local<v8::Value> value) {
  auto bytes = bytesOf(value);
  return {bytes.data, bytes.size};
}

int order(std::string_view a, std::string_view b) {
  int result = std::min(a.size(), b.size()) == 0 ? 0 : memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
  if (result == 0) result = a.size() < b.size() ? -1 : a.size() > b.size();
  return (result > 0) - (result < 0);
}

void limits(const Info& info) {
  auto* isolate = info.GetIsolate();
  Local<v8::Value> pair[] = {v8::Number::New(isolate, double(v8::Uint8Array::kMaxLength)), v8::Integer::New(isolate, v8::String::kMaxLength)};
  info.GetReturnValue().Set(v8::Array::New(isolate, pair, 2));
}

void byteLengthUtf8(const Info& info) {
  if (info[0]->IsString()) info.GetReturnValue().Set(double(info[0].As<v8::String>()->Utf8LengthV2(info.GetIsolate())));
}

void compare(const Info& info) { info.GetReturnValue().Set(order(viewOf(info[0]), viewOf(info[1]))); }

std::string_view part(std::string_view of, size_t start, Local<v8::Value> end) {
  return of.substr(start, std::max(sizeFrom(end), start) - start);
}

// (source, target, targetStart, sourceStart, targetEnd, sourceEnd)
void compareOffset(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto source = viewOf(info[0]), target = viewOf(info[1]);
  auto targetStart = sizeFrom(info[2]), sourceStart = sizeFrom(info[3]);
  if (sourceStart > source.size()) return throwCoded(isolate, true, "ERR_OUT_OF_RANGE", "The value of \"sourceStart\" is out of range.");
  if (targetStart > target.size()) return throwCoded(isolate, true, "ERR_OUT_OF_RANGE", "The value of \"targetStart\" is out of range.");
  info.GetReturnValue().Set(order(part(source, sourceStart, info[5]), part(target, targetStart, info[4])));
}

// (source, target, targetStart, sourceStart, count)
void copy(const Info& info) {
  auto source = bytesOf(info[0]), target = bytesOf(info[1]);
  auto targetStart = sizeFrom(info[2]), sourceStart = sizeFrom(info[3]);
  if (targetStart >= target.size || sourceStart >= source.size) return info.GetReturnValue().Set(0);
  auto count = std::min({sizeFrom(info[4]), target.size - targetStart, source.size - sourceStart});
  memmove(target.data + targetStart, source.data + sourceStart, count);
  info.GetReturnValue().Set(double(count));
}

BufferEncoding encodingFrom(v8::Isolate* isolate, Local<v8::Value> value) {
  auto name = toUtf8(isolate, value);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c | 0x20) : c; });
  constexpr std::pair<std::string_view, BufferEncoding> NAMES[] = {
      {"ascii", BufferEncoding::ASCII},     {"base64", BufferEncoding::BASE64}, {"base64url", BufferEncoding::BASE64URL},
      {"binary", BufferEncoding::LATIN1},   {"hex", BufferEncoding::HEX},       {"latin1", BufferEncoding::LATIN1},
      {"ucs-2", BufferEncoding::UCS2},      {"ucs2", BufferEncoding::UCS2},     {"utf-16le", BufferEncoding::UCS2},
      {"utf16le", BufferEncoding::UCS2},
  };
  for (auto& [known, encoding] : NAMES) {
    if (known == name) return encoding;
  }
  return BufferEncoding::UTF8;
}

// (view, value, start, end, encoding): -2 out of bounds, -1 nothing to fill with.
void fill(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto into = bytesOf(info[0]);
  auto from = integer(info[2]), to = integer(info[3]);
  if (from < 0 || to < from || size_t(to) > into.size) return info.GetReturnValue().Set(-2);
  auto start = size_t(from), count = size_t(to) - start;
  if (count == 0) return;
  char* target = into.data + start;
  std::string text;
  std::string_view pattern;
  if (info[1]->IsString()) {
    text = encodeText(isolate, info[1].As<v8::String>(), encodingFrom(isolate, info[4]));
    pattern = text;
  } else if (info[1]->IsArrayBufferView()) {
    text = std::string(viewOf(info[1]).substr(0, count));   // it may be the same memory
    pattern = text;
  } else {
    uint32_t byte = 0;
    if (!info[1]->Uint32Value(isolate->GetCurrentContext()).To(&byte)) return;
    auto again = bytesOf(info[0]);   // reading the number may have run code
    if (again.data == nullptr || size_t(to) > again.size) return info.GetReturnValue().Set(-2);
    memset(again.data + start, int(byte & 255), count);
    return;
  }
  if (pattern.empty()) return info.GetReturnValue().Set(-1);
  size_t done = std::min(pattern.size(), count);
  memcpy(target, pattern.data(), done);
  for (; done < count; done += std::min(done, count - done)) memcpy(target + done, target, std::min(done, count - done));
}

void isAscii(const Info& info) {
  auto bytes = viewOf(info[0]);
  info.GetReturnValue().Set(bytes.empty() || simdutf::validate_ascii(bytes.data(), bytes.size()));
}

void isUtf8(const Info& info) {
  auto bytes = viewOf(info[0]);
  info.GetReturnValue().Set(bytes.empty() || simdutf::validate_utf8(bytes.data(), bytes.size()));
}

// -- Search ------------------------------------------------------------------------------------------------------------------------

constexpr int64_t NOWHERE = -1;
constexpr size_t SHORT_NEEDLE_BYTES_MAX = 64;   // up to here it is looked for byte by byte

// Where a search begins; negative: nowhere.
int64_t startOf(size_t length, int64_t offset, size_t needle, bool forward) {
  auto size = int64_t(length);
  if (offset < 0) {
    if (offset + size >= 0) return size + offset;
    return forward || needle == 0 ? 0 : NOWHERE;
  }
  if (offset + int64_t(needle) <= size) return offset;
  if (needle == 0) return size;
  return forward ? NOWHERE : size - 1;
}

int64_t find(std::string_view in, std::string_view needle, size_t from, size_t step) {
  while (from + needle.size() <= in.size()) {
    auto* hit = static_cast<const char*>(memmem(in.data() + from, in.size() - from, needle.data(), needle.size()));
    if (hit == nullptr) return NOWHERE;
    auto at = size_t(hit - in.data());
    if (at % step == 0) return int64_t(at);
    from = at + 1;
  }
  return NOWHERE;
}

int64_t findLast(std::string_view in, std::string_view needle, size_t from, size_t step) {
  from = std::min(from, in.size() - needle.size());
  if (needle.size() > SHORT_NEEDLE_BYTES_MAX && step == 1) {
    // memmem() takes linear time, going backward byte by byte would not.
    std::string reversed(in.rend() - ptrdiff_t(from + needle.size()), in.rend()), wanted(needle.rbegin(), needle.rend());
    auto at = find(reversed, wanted, 0, 1);
    return at == NOWHERE ? NOWHERE : int64_t(from) - at;
  }
  for (size_t at = from - from % step;; at -= step) {
    if (memcmp(in.data() + at, needle.data(), needle.size()) == 0) return int64_t(at);
    if (at < step) return NOWHERE;
  }
}

int64_t search(std::string_view in, std::string_view needle, int64_t offset, bool forward, bool isUcs2) {
  size_t step = isUcs2 ? 2 : 1;
  if (isUcs2) in = in.substr(0, in.size() & ~size_t(1));
  auto start = startOf(in.size(), offset, needle.size(), forward);
  if (needle.empty()) return start;
  if (in.empty() || start < 0 || needle.size() > in.size()) return NOWHERE;
  if (isUcs2 && (in.size() < 2 || needle.size() < 2)) return NOWHERE;
  if (forward && size_t(start) + needle.size() > in.size()) return NOWHERE;
  auto from = size_t(start) / step * step;
  return forward ? find(in, needle, from, step) : findLast(in, needle, from, step);
}

// (view, text, offset, encoding, forward)
void indexOfString(const Info& info) {
  if (!info[1]->IsString()) return;
  auto encoding = BufferEncoding(integer(info[3]));
  auto needle = encodeText(info.GetIsolate(), info[1].As<v8::String>(), encoding);
  info.GetReturnValue().Set(double(search(viewOf(info[0]), needle, integer(info[2]), info[4]->IsTrue(), encoding == BufferEncoding::UCS2)));
}

// (view, view, offset, encoding, forward)
void indexOfBuffer(const Info& info) {
  bool isUcs2 = BufferEncoding(integer(info[3])) == BufferEncoding::UCS2;
  auto needle = viewOf(info[1]);
  if (isUcs2) needle = needle.substr(0, needle.size() < 2 ? needle.size() : needle.size() & ~size_t(1));
  info.GetReturnValue().Set(double(search(viewOf(info[0]), needle, integer(info[2]), info[4]->IsTrue(), isUcs2)));
}

// (view, number, offset, forward)
void indexOfNumber(const Info& info) {
  uint32_t byte;
  if (!info[1]->Uint32Value(info.GetIsolate()->GetCurrentContext()).To(&byte)) return;
  char needle = char(byte);
  info.GetReturnValue().Set(double(search(viewOf(info[0]), {&needle, 1}, integer(info[2]), info[3]->IsTrue(), false)));
}

template <size_t SIZE>
void swap(const Info& info) {
  auto bytes = bytesOf(info[0]);
  for (size_t at = 0; at + SIZE <= bytes.size; at += SIZE) std::reverse(bytes.data + at, bytes.data + at + SIZE);
  info.GetReturnValue().Set(info[0]);
}

constexpr NativeFunction NATIVES[] = {
  {"bufferLimits", limits}, {"bufferByteLengthUtf8", byteLengthUtf8}, {"bufferCompare", compare}, {"bufferCompareOffset", compareOffset},
  {"bufferCopy", copy}, {"bufferFill", fill}, {"bufferIsAscii", isAscii}, {"bufferIsUtf8", isUtf8},
  {"bufferIndexOfString", indexOfString}, {"bufferIndexOfBuffer", indexOfBuffer}, {"bufferIndexOfNumber", indexOfNumber},
  {"bufferSwap16", swap<2>}, {"bufferSwap32", swap<4>}, {"bufferSwap64", swap<8>},
};

}  // namespace

std::span<const NativeFunction> bufferNatives() { return NATIVES; }

}  // namespace glovebox
