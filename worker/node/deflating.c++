// zlib as node:zlib drives it: every format, level and flush, into buffers of the caller.

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "worker/engine/memory-budget.h"
#include "worker/node/natives.h"
#include "worker/web/handle.h"
#include "worker/web/strings.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

constexpr size_t STEP_INPUT_MAX = 256 << 10;    // JavaScript can be stopped between steps
constexpr size_t STEP_OUTPUT_MAX = 1 << 20;

// As Node.js numbers them.
enum Mode : uint8_t { NONE, DEFLATE, INFLATE, GZIP, GUNZIP, DEFLATERAW, INFLATERAW, UNZIP };

// zlib's memory counts as the worker's buffers do.
constexpr size_t HEADER_BYTES = alignof(max_align_t);

void* allocate(void*, unsigned items, unsigned size) {
  auto& budget = MemoryBudget::ofProcess();
  size_t bytes = size_t(items) * size + HEADER_BYTES;
  auto* block = budget.hasRoom(bytes) ? static_cast<char*>(malloc(bytes)) : nullptr;
  if (block == nullptr) return Z_NULL;
  budget.buffers += bytes;
  *reinterpret_cast<size_t*>(block) = bytes;
  return block + HEADER_BYTES;
}

void release(void*, void* address) {
  auto* block = static_cast<char*>(address) - HEADER_BYTES;
  MemoryBudget::ofProcess().buffers -= *reinterpret_cast<size_t*>(block);
  free(block);
}

class Stream {
 public:
  Stream(v8::Isolate* isolate, Mode mode, int windowBits, int level, int memoryLevel, int strategy, std::string dictionary)
      : isolate_(isolate), mode_(mode), dictionary_(std::move(dictionary)) {
    zlib_.zalloc = allocate;
    zlib_.zfree = release;
    constexpr int WITH_GZIP = 16, GZIP_OR_ZLIB = 32;
    if (mode == GZIP || mode == GUNZIP) windowBits += WITH_GZIP;
    if (mode == UNZIP) windowBits += GZIP_OR_ZLIB;
    if (mode == DEFLATERAW || mode == INFLATERAW) windowBits = -windowBits;
    auto before = MemoryBudget::ofProcess().buffers;
    result_ = compresses() ? deflateInit2(&zlib_, level, Z_DEFLATED, windowBits, memoryLevel, strategy) : inflateInit2(&zlib_, windowBits);
    isOpen_ = result_ == Z_OK;
    // Or the collector would not hurry to take streams that are dropped half-way.
    bytes_ = isOpen_ ? int64_t(MemoryBudget::ofProcess().buffers - before) : 0;
    isolate_->AdjustAmountOfExternalAllocatedMemory(bytes_);
    if (isOpen_) setDictionary();
  }
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool isOpen() const { return isOpen_; }

  void close() {
    if (!isOpen_) return;
    isOpen_ = false;
    if (compresses()) deflateEnd(&zlib_);
    else inflateEnd(&zlib_);
    isolate_->AdjustAmountOfExternalAllocatedMemory(-bytes_);
  }

  int reset() {
    if (!isOpen_) return Z_STREAM_ERROR;
    result_ = compresses() ? deflateReset(&zlib_) : inflateReset(&zlib_);
    setDictionary();
    return result_;
  }

  int params(int level, int strategy) {
    if (!isOpen_ || !compresses()) return Z_OK;
    auto result = deflateParams(&zlib_, level, strategy);
    return result == Z_BUF_ERROR ? Z_OK : result;
  }

  // Moves on in both.
  int step(int flush, Bytes& input, Bytes& output) {
    if (!isOpen_) return Z_STREAM_ERROR;
    auto inSize = std::min(input.size, STEP_INPUT_MAX), outSize = std::min(output.size, STEP_OUTPUT_MAX);
    if (inSize < input.size) flush = Z_NO_FLUSH;
    zlib_.next_in = reinterpret_cast<Bytef*>(input.data);
    zlib_.avail_in = uInt(inSize);
    zlib_.next_out = reinterpret_cast<Bytef*>(output.data);
    zlib_.avail_out = uInt(outSize);
    if (result_ == Z_NEED_DICT || result_ == Z_OK || result_ == Z_BUF_ERROR || result_ == Z_STREAM_END) run(flush);
    input = {input.data + (inSize - zlib_.avail_in), input.size - (inSize - zlib_.avail_in)};
    output = {output.data + (outSize - zlib_.avail_out), output.size - (outSize - zlib_.avail_out)};
    return result_;
  }

  // What zlib says of the last failure; may be null.
  const char* message() const { return zlib_.msg; }

 private:
  bool compresses() const { return mode_ == DEFLATE || mode_ == GZIP || mode_ == DEFLATERAW; }

  const Bytef* dictionary() const { return reinterpret_cast<const Bytef*>(dictionary_.data()); }

  void setDictionary() {
    if (dictionary_.empty() || result_ != Z_OK) return;
    if (mode_ == DEFLATE || mode_ == DEFLATERAW) result_ = deflateSetDictionary(&zlib_, dictionary(), uInt(dictionary_.size()));
    else if (mode_ == INFLATERAW) result_ = inflateSetDictionary(&zlib_, dictionary(), uInt(dictionary_.size()));
  }

  void run(int flush) {
    if (compresses()) {
      result_ = deflate(&zlib_, flush);
      return;
    }
    result_ = inflate(&zlib_, flush);
    if (result_ == Z_NEED_DICT && !dictionary_.empty()) {
      result_ = inflateSetDictionary(&zlib_, dictionary(), uInt(dictionary_.size()));
      if (result_ == Z_OK) result_ = inflate(&zlib_, flush);
      else if (result_ == Z_DATA_ERROR) result_ = Z_NEED_DICT;   // the wrong one: Node.js tells it by this
    }
    // Another member may follow the first; zeros after it are padding.
    while (zlib_.avail_in > 0 && (mode_ == GUNZIP || mode_ == UNZIP) && result_ == Z_STREAM_END && zlib_.next_in[0] != 0) {
      if (inflateReset(&zlib_) != Z_OK) return;
      result_ = inflate(&zlib_, flush);
    }
  }

  v8::Isolate* isolate_;
  Mode mode_;
  std::string dictionary_;
  z_stream zlib_ = {};
  int result_ = Z_OK;
  int64_t bytes_ = 0;
  bool isOpen_ = false;
};

using StreamHandle = Handle<Stream, NODE_ZLIB_HANDLE>;

void throwNoMemory(v8::Isolate* isolate) {
  MemoryBudget::ofProcess().refused = true;
  throwRangeError(isolate, "There is no memory for another compression stream");
}

int number(Local<v8::Value> value) { return value->IsInt32() ? value.As<v8::Int32>()->Value() : 0; }

// (mode, windowBits, level, memoryLevel, strategy, dictionary)
void open(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto bytes = bytesOf(info[5]);
  auto make = [&] {
    return std::make_unique<Stream>(isolate, Mode(number(info[0])), number(info[1]), number(info[2]), number(info[3]), number(info[4]),
                                    std::string(bytes.data == nullptr ? "" : bytes.data, bytes.size));
  };
  auto stream = make();
  if (!stream->isOpen()) {
    isolate->LowMemoryNotification();   // streams that nobody holds any more give their memory back
    stream = make();
  }
  if (!stream->isOpen()) return throwNoMemory(isolate);
  Local<v8::Object> handle;
  if (StreamHandle::make(isolate, std::move(stream)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

// (stream, flush, input, output)
void step(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto input = bytesOf(info[2]), output = bytesOf(info[3]);
  auto result = StreamHandle::of(info[0]).step(number(info[1]), input, output);
  if (result == Z_MEM_ERROR) return throwNoMemory(isolate);
  Local<v8::Value> parts[] = {v8::Integer::New(isolate, result), v8::Number::New(isolate, double(input.size)),
                              v8::Number::New(isolate, double(output.size))};
  info.GetReturnValue().Set(v8::Array::New(isolate, parts, 3));
}

void message(const Info& info) {
  auto* text = StreamHandle::of(info[0]).message();
  Local<v8::String> string;
  if (text != nullptr && fromUtf8(info.GetIsolate(), text).ToLocal(&string)) info.GetReturnValue().Set(string);
}

void params(const Info& info) { info.GetReturnValue().Set(StreamHandle::of(info[0]).params(number(info[1]), number(info[2]))); }
void reset(const Info& info) { info.GetReturnValue().Set(StreamHandle::of(info[0]).reset()); }
void close(const Info& info) { StreamHandle::of(info[0]).close(); }

// (bytes, start)
void checksum(const Info& info) {
  auto bytes = bytesOf(info[0]);
  uint32_t start = info[1]->IsUint32() ? info[1].As<v8::Uint32>()->Value() : 0;
  info.GetReturnValue().Set(double(crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data == nullptr ? "" : bytes.data), bytes.size)));
}

constexpr NativeFunction NATIVES[] = {
  {"deflatingOpen", open}, {"deflatingStep", step}, {"deflatingParams", params}, {"deflatingReset", reset}, {"deflatingClose", close},
  {"deflatingMessage", message}, {"crc32", checksum},
};

}  // namespace

std::span<const NativeFunction> deflatingNatives() { return NATIVES; }

}  // namespace glovebox
