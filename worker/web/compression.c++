#include "worker/web/compression.h"

#include <zlib.h>

#include <cstdlib>
#include <cstring>

#include "worker/engine/memory-budget.h"
#include "worker/web/handle.h"
#include "worker/web/strings.h"

namespace glovebox {
namespace {

using Info = v8::FunctionCallbackInfo<v8::Value>;
using v8::Local;

constexpr size_t STEP_INPUT_MAX = 256 << 10;    // 10 ms of deflate at most: JavaScript can be stopped between steps
constexpr size_t STEP_OUTPUT_MAX = 64 << 10;

enum class Direction { COMPRESS, DECOMPRESS };
enum class Status { GOES_ON, ENDED, BROKEN, NO_MEMORY };   // in the order of native.d.ts, where the last is an exception

// zlib's memory (270 kB to compress, 40 kB to decompress) counts as the worker's buffers do.
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
  // windowBits: see deflateInit2 in zlib.h.
  Stream(v8::Isolate* isolate, Direction direction, int windowBits): isolate_(isolate), direction_(direction) {
    zlib_.zalloc = allocate;
    zlib_.zfree = release;
    constexpr int MEMORY_LEVEL = 8;   // zlib's own default
    auto before = MemoryBudget::ofProcess().buffers;
    isOpen_ = (direction == Direction::COMPRESS
        ? deflateInit2(&zlib_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, windowBits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY)
        : inflateInit2(&zlib_, windowBits)) == Z_OK;
    // Or the collector would not hurry to take streams that are dropped half-way.
    bytes_ = isOpen_ ? int64_t(MemoryBudget::ofProcess().buffers - before) : 0;
    isolate_->AdjustAmountOfExternalAllocatedMemory(bytes_);
  }
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool isOpen() const { return isOpen_; }

  void close() {
    if (!isOpen_) return;
    isOpen_ = false;
    if (direction_ == Direction::COMPRESS) deflateEnd(&zlib_);
    else inflateEnd(&zlib_);
    isolate_->AdjustAmountOfExternalAllocatedMemory(-bytes_);
  }

  // Moves on in `input` and `output`; `output` then is what was written.
  Status step(Bytes& input, Bytes& output, bool finish) {
    if (!isOpen_) return Status::BROKEN;
    auto size = input.size < STEP_INPUT_MAX ? input.size : STEP_INPUT_MAX;
    zlib_.next_in = reinterpret_cast<Bytef*>(input.data);
    zlib_.avail_in = uInt(size);
    zlib_.next_out = reinterpret_cast<Bytef*>(output.data);
    zlib_.avail_out = uInt(output.size);
    int result = direction_ == Direction::COMPRESS ? deflate(&zlib_, finish && size == input.size ? Z_FINISH : Z_NO_FLUSH)
                                                   : inflate(&zlib_, Z_NO_FLUSH);
    input = {input.data + (size - zlib_.avail_in), input.size - (size - zlib_.avail_in)};
    output.size -= zlib_.avail_out;
    // Z_BUF_ERROR: there was nothing to do this time.
    auto status = result == Z_STREAM_END ? Status::ENDED
                : result == Z_OK || result == Z_BUF_ERROR ? Status::GOES_ON
                : result == Z_MEM_ERROR ? Status::NO_MEMORY : Status::BROKEN;
    if (status != Status::GOES_ON) close();
    return status;
  }

 private:
  v8::Isolate* isolate_;
  Direction direction_;
  z_stream zlib_ = {};
  int64_t bytes_ = 0;
  bool isOpen_ = false;
};

void throwNoMemory(v8::Isolate* isolate) {
  MemoryBudget::ofProcess().refused = true;
  throwRangeError(isolate, "There is no memory for another compression stream");
}

using StreamHandle = Handle<Stream, ZLIB_HANDLE>;

void zlibOpen(const Info& info) {
  auto* isolate = info.GetIsolate();
  constexpr int WINDOW = 15, GZIP = 16;   // the largest window; the header and trailer of gzip
  constexpr int WINDOW_BITS[] = {WINDOW + GZIP, WINDOW, -WINDOW};   // in the order of `CompressionFormat` in native.d.ts
  int windowBits = WINDOW_BITS[info[0].As<v8::Uint32>()->Value()];
  auto direction = info[1]->IsTrue() ? Direction::DECOMPRESS : Direction::COMPRESS;
  auto stream = std::make_unique<Stream>(isolate, direction, windowBits);
  if (!stream->isOpen()) {
    isolate->LowMemoryNotification();   // streams that nobody holds any more give their memory back
    stream = std::make_unique<Stream>(isolate, direction, windowBits);
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
  if (status == Status::NO_MEMORY) return throwNoMemory(isolate);   // inflate asks for its window when it first needs it
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

std::span<const NativeFunction> compressionNatives() { return NATIVES; }

}  // namespace glovebox
