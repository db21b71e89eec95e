#include "worker/web/compression.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>

#include "worker/engine/memory-budget.h"
#include "worker/web/compression-codec.h"
#include "worker/web/handle.h"
#include "worker/web/strings.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

constexpr size_t STEP_INPUT_MAX = 256 << 10;    // 10 ms of deflate at most: JavaScript can be stopped between steps
constexpr size_t STEP_OUTPUT_MAX = 64 << 10;

class ZlibCodec final: public CompressionCodec {
 public:
  ~ZlibCodec() override {
    if (!isOpen_) return;
    if (direction_ == Direction::COMPRESS) deflateEnd(&zlib_);
    else inflateEnd(&zlib_);
  }

  bool open(Direction direction, int windowBits) {
    direction_ = direction;
    zlib_.zalloc = [](void*, unsigned items, unsigned size) { return allocateCounted(size_t(items) * size); };
    zlib_.zfree = [](void*, void* address) { releaseCounted(address); };
    constexpr int MEMORY_LEVEL = 8;   // zlib's own default
    isOpen_ = (direction == Direction::COMPRESS
        ? deflateInit2(&zlib_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY)
        : inflateInit2(&zlib_, windowBits)) == Z_OK;
    return isOpen_;
  }

  CodecStatus step(Bytes& input, Bytes& output, bool finish) override {
    zlib_.next_in = reinterpret_cast<Bytef*>(input.data);
    zlib_.avail_in = uInt(input.size);
    zlib_.next_out = reinterpret_cast<Bytef*>(output.data);
    zlib_.avail_out = uInt(output.size);
    int result = direction_ == Direction::COMPRESS ? deflate(&zlib_, finish ? Z_FINISH : Z_NO_FLUSH) : inflate(&zlib_, Z_NO_FLUSH);
    input = {input.data + (input.size - zlib_.avail_in), zlib_.avail_in};
    output.size -= zlib_.avail_out;
    // Z_BUF_ERROR: there was nothing to do this time.
    return result == Z_STREAM_END ? CodecStatus::ENDED
         : result == Z_OK || result == Z_BUF_ERROR ? CodecStatus::GOES_ON
         : result == Z_MEM_ERROR ? CodecStatus::NO_MEMORY : CodecStatus::BROKEN;
  }

 private:
  Direction direction_ = Direction::COMPRESS;
  z_stream zlib_ = {};
  bool isOpen_ = false;
};

// A codec until it has ended, and what it holds.
class Stream {
 public:
  Stream(v8::Isolate* isolate, int format, Direction direction): isolate_(isolate) {
    constexpr int WINDOW = 15, GZIP = 16;   // the largest window; the header and trailer of gzip
    constexpr int WINDOW_BITS[] = {WINDOW + GZIP, WINDOW, -WINDOW};   // in the order of `CompressionFormat` in native.d.ts
    constexpr int BROTLI = 3;
    auto before = MemoryBudget::ofProcess().buffers;
    codec_ = format == BROTLI ? openBrotli(direction) : openZlib(direction, WINDOW_BITS[format]);
    tellCollector(before);
  }
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool isOpen() const { return codec_ != nullptr; }

  void close() {
    if (!isOpen()) return;
    auto before = MemoryBudget::ofProcess().buffers;
    codec_ = nullptr;
    tellCollector(before);
  }

  // As a codec's, of a bounded part of the input.
  CodecStatus step(Bytes& input, Bytes& output, bool finish) {
    if (!isOpen()) return CodecStatus::BROKEN;
    Bytes part{input.data, input.size < STEP_INPUT_MAX ? input.size : STEP_INPUT_MAX};
    auto rest = input.size - part.size;
    auto before = MemoryBudget::ofProcess().buffers;
    auto status = codec_->step(part, output, finish && rest == 0);
    tellCollector(before);   // some codecs take their memory when they first need it
    input = {part.data, part.size + rest};
    if (status != CodecStatus::GOES_ON) close();
    return status;
  }

 private:
  // Or it would not hurry to take streams that are dropped half-way.
  void tellCollector(size_t before) {
    auto now = MemoryBudget::ofProcess().buffers;
    if (now != before) isolate_->AdjustAmountOfExternalAllocatedMemory(int64_t(now) - int64_t(before));
  }

  v8::Isolate* isolate_;
  std::unique_ptr<CompressionCodec> codec_;
};

void throwNoMemory(v8::Isolate* isolate) {
  MemoryBudget::ofProcess().refused = true;
  throwRangeError(isolate, "There is no memory for another compression stream");
}

using StreamHandle = Handle<Stream, ZLIB_HANDLE>;

void zlibOpen(const Info& info) {
  auto* isolate = info.GetIsolate();
  int format = int(info[0].As<v8::Uint32>()->Value());
  auto direction = info[1]->IsTrue() ? Direction::DECOMPRESS : Direction::COMPRESS;
  auto stream = std::make_unique<Stream>(isolate, format, direction);
  if (!stream->isOpen()) {
    isolate->LowMemoryNotification();   // streams that nobody holds any more give their memory back
    stream = std::make_unique<Stream>(isolate, format, direction);
  }
  if (!stream->isOpen()) return throwNoMemory(isolate);
  Local<v8::Object> handle;
  if (StreamHandle::make(isolate, std::move(stream)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

void zlibStep(const Info& info) {
  auto* isolate = info.GetIsolate();
  static char room[STEP_OUTPUT_MAX];
  auto input = bytesOf(info[1]);
  auto size = input.size;
  Bytes output{room, sizeof room};
  auto status = StreamHandle::of(info[0]).step(input, output, info[2]->IsTrue());
  if (status == CodecStatus::NO_MEMORY) return throwNoMemory(isolate);   // inflate asks for its window when it first needs it
  Local<v8::Value> bytes = v8::Undefined(isolate);
  if (output.size > 0) {
    Local<v8::ArrayBuffer> buffer;
    if (!v8::ArrayBuffer::MaybeNew(isolate, output.size).ToLocal(&buffer)) return throwRangeError(isolate, "Array buffer allocation failed");
    memcpy(buffer->Data(), output.data, output.size);
    bytes = v8::Uint8Array::New(buffer, 0, output.size);
  }
  Local<v8::Value> parts[] = {v8::Integer::New(isolate, int(status)), v8::Number::New(isolate, double(size - input.size)), bytes};
  info.GetReturnValue().Set(v8::Array::New(isolate, parts, 3));
}

void zlibClose(const Info& info) { StreamHandle::of(info[0]).close(); }

constexpr NativeFunction NATIVES[] = {{"zlibOpen", zlibOpen}, {"zlibStep", zlibStep}, {"zlibClose", zlibClose}};

}  // namespace

std::unique_ptr<CompressionCodec> openZlib(Direction direction, int windowBits) {
  auto codec = std::make_unique<ZlibCodec>();
  if (!codec->open(direction, windowBits)) return nullptr;
  return codec;
}

// The size stands in front of each block.
constexpr size_t HEADER_BYTES = alignof(max_align_t);

void* allocateCounted(size_t size, size_t room) {
  auto& budget = MemoryBudget::ofProcess();
  size_t bytes = size + HEADER_BYTES;
  auto* block = bytes > size && budget.hasRoom(bytes, room) ? static_cast<char*>(malloc(bytes)) : nullptr;
  if (block == nullptr) return nullptr;
  budget.buffers += bytes;
  *reinterpret_cast<size_t*>(block) = bytes;
  return block + HEADER_BYTES;
}

void releaseCounted(void* address) {
  if (address == nullptr) return;
  auto* block = static_cast<char*>(address) - HEADER_BYTES;
  MemoryBudget::ofProcess().buffers -= *reinterpret_cast<size_t*>(block);
  free(block);
}

std::span<const NativeFunction> compressionNatives() { return NATIVES; }

}  // namespace glovebox
