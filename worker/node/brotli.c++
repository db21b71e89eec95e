// Brotli as node:zlib drives it: every parameter and operation, into buffers of the caller. What makes a step long is bounded for all of
// them: a higher quality, window or block becomes the highest there is here, which any decoder reads, and large windows are refused.

#include "worker/web/brotli.h"

#include <cstring>
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
constexpr uint32_t PARAMETERS_MAX = 16;         // there are ten
constexpr uint32_t ABSENT = UINT32_MAX;

enum class Opened { DONE, REFUSED, NO_MEMORY };

// In the order of `BrotliStatus` in native.d.ts.
enum class Status { FINE, NEEDS_INPUT, FAILED };

class Stream {
 public:
  Stream(v8::Isolate* isolate, Direction direction, std::basic_string<uint32_t> parameters)
      : isolate_(isolate), direction_(direction), parameters_(std::move(parameters)) {}
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Again: from the start.
  Opened open() {
    close();
    auto before = MemoryBudget::ofProcess().buffers;
    noMemory_ = hasBegun_ = false;
    if (!compresses()) decoder_ = BrotliDecoderCreateInstance(brotli::allocateForDecoder, brotli::release, &noMemory_);
    else if (brotli::mayEncode()) encoder_ = BrotliEncoderCreateInstance(brotli::allocateForEncoder, brotli::release, nullptr);
    tellCollector(before);
    if (!isOpen()) return Opened::NO_MEMORY;
    for (uint32_t i = 0; i < parameters_.size(); i++) {
      if (parameters_[i] == ABSENT) continue;
      bool isLarge = int(i) == (compresses() ? int(brotli::LARGE_WINDOW) : int(brotli::DECODE_LARGE_WINDOW)) && parameters_[i] != 0;
      if (isLarge || !setParameter(int(i), parameters_[i])) return Opened::REFUSED;
    }
    if (compresses()) {
      setParameter(brotli::QUALITY, std::min(given(brotli::QUALITY), brotli::QUALITY_MAX));
      setParameter(brotli::WINDOW, std::min(given(brotli::WINDOW), brotli::WINDOW_BITS_MAX));
      if (given(brotli::BLOCK) != ABSENT) setParameter(brotli::BLOCK, std::min(given(brotli::BLOCK), brotli::WINDOW_BITS_MAX));
    }
    return Opened::DONE;
  }

  void close() {
    auto before = MemoryBudget::ofProcess().buffers;
    if (encoder_ != nullptr) BrotliEncoderDestroyInstance(encoder_);
    if (decoder_ != nullptr) BrotliDecoderDestroyInstance(decoder_);
    encoder_ = nullptr;
    decoder_ = nullptr;
    tellCollector(before);
  }

  // Moves on in both.
  Status step(int operation, Bytes& input, Bytes& output) {
    if (!isOpen()) return Status::FAILED;
    auto before = MemoryBudget::ofProcess().buffers;
    // Metadata is copied, not compressed, and brotli wants to see all of it.
    auto inSize = operation == brotli::EMIT_METADATA ? input.size : std::min(input.size, STEP_INPUT_MAX);
    auto outSize = std::min(output.size, STEP_OUTPUT_MAX);
    size_t in = inSize, out = outSize;
    auto* from = reinterpret_cast<const uint8_t*>(input.data);
    auto* to = reinterpret_cast<uint8_t*>(output.data);
    Status status;
    if (compresses()) {
      if (!brotli::mayEncode()) {
        noMemory_ = true;
        return Status::FAILED;
      }
      // As brotli itself would, of all that it is given at first.
      if (!hasBegun_ && given(brotli::SIZE_HINT) == ABSENT) setParameter(brotli::SIZE_HINT, uint32_t(std::min(input.size, size_t(1) << 30)));
      hasBegun_ = true;
      if (inSize < input.size) operation = brotli::PROCESS;
      status = BrotliEncoderCompressStream(encoder_, operation, &in, &from, &out, &to, nullptr) != 0 ? Status::FINE : Status::FAILED;
    } else {
      auto result = BrotliDecoderDecompressStream(decoder_, &in, &from, &out, &to, nullptr);
      status = result == brotli::ERROR ? Status::FAILED : result == brotli::NEEDS_INPUT ? Status::NEEDS_INPUT : Status::FINE;
    }
    tellCollector(before);
    input = {input.data + (inSize - in), input.size - (inSize - in)};
    output = {output.data + (outSize - out), output.size - (outSize - out)};
    return status;
  }

  bool noMemory() const { return noMemory_; }

  // Of the last failure; a compressor has none.
  int error() const { return decoder_ == nullptr ? 0 : BrotliDecoderGetErrorCode(decoder_); }

 private:
  bool compresses() const { return direction_ == Direction::COMPRESS; }
  bool isOpen() const { return encoder_ != nullptr || decoder_ != nullptr; }
  uint32_t given(uint32_t parameter) const { return parameter < parameters_.size() ? parameters_[parameter] : ABSENT; }

  bool setParameter(int parameter, uint32_t value) {
    return (compresses() ? BrotliEncoderSetParameter(encoder_, parameter, value) : BrotliDecoderSetParameter(decoder_, parameter, value)) != 0;
  }

  // Or it would not hurry to take streams that are dropped half-way.
  void tellCollector(size_t before) {
    auto now = MemoryBudget::ofProcess().buffers;
    if (now != before) isolate_->AdjustAmountOfExternalAllocatedMemory(int64_t(now) - int64_t(before));
  }

  v8::Isolate* isolate_;
  Direction direction_;
  std::basic_string<uint32_t> parameters_;
  BrotliEncoderState* encoder_ = nullptr;
  BrotliDecoderState* decoder_ = nullptr;
  bool noMemory_ = false, hasBegun_ = false;
};

using StreamHandle = Handle<Stream, NODE_BROTLI_HANDLE>;

void throwNoMemory(v8::Isolate* isolate) {
  MemoryBudget::ofProcess().refused = true;
  throwRangeError(isolate, "There is no memory for another compression stream");
}

// False: an exception is pending, or brotli refuses a parameter.
bool begin(v8::Isolate* isolate, Stream& stream) {
  auto opened = stream.open();
  if (opened == Opened::NO_MEMORY) {
    isolate->LowMemoryNotification();   // streams that nobody holds any more give their memory back
    opened = stream.open();
  }
  if (opened == Opened::NO_MEMORY) throwNoMemory(isolate);
  return opened == Opened::DONE;
}

// (decompress, parameters)
void open(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto bytes = bytesOf(info[1]);
  std::basic_string<uint32_t> parameters(std::min(bytes.size / sizeof(uint32_t), size_t(PARAMETERS_MAX)), ABSENT);
  if (!parameters.empty()) memcpy(parameters.data(), bytes.data, parameters.size() * sizeof(uint32_t));
  auto stream = std::make_unique<Stream>(isolate, info[0]->IsTrue() ? Direction::DECOMPRESS : Direction::COMPRESS, std::move(parameters));
  if (!begin(isolate, *stream)) return;
  Local<v8::Object> handle;
  if (StreamHandle::make(isolate, std::move(stream)).ToLocal(&handle)) info.GetReturnValue().Set(handle);
}

// (stream, operation, input, output)
void step(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto input = bytesOf(info[2]), output = bytesOf(info[3]);
  auto& stream = StreamHandle::of(info[0]);
  auto operation = info[1]->IsUint32() ? info[1].As<v8::Uint32>()->Value() : uint32_t(brotli::PROCESS);
  auto status = stream.step(operation > brotli::EMIT_METADATA ? brotli::PROCESS : int(operation), input, output);
  if (stream.noMemory()) return throwNoMemory(isolate);
  Local<v8::Value> parts[] = {v8::Integer::New(isolate, int(status)), v8::Number::New(isolate, double(input.size)),
                              v8::Number::New(isolate, double(output.size))};
  info.GetReturnValue().Set(v8::Array::New(isolate, parts, 3));
}

// [code, name]
void error(const Info& info) {
  auto* isolate = info.GetIsolate();
  auto code = StreamHandle::of(info[0]).error();
  Local<v8::String> name;
  if (code == 0 || !fromUtf8(isolate, BrotliDecoderErrorString(code)).ToLocal(&name)) return;
  Local<v8::Value> parts[] = {v8::Integer::New(isolate, code), name};
  info.GetReturnValue().Set(v8::Array::New(isolate, parts, 2));
}

void reset(const Info& info) { info.GetReturnValue().Set(begin(info.GetIsolate(), StreamHandle::of(info[0]))); }
void close(const Info& info) { StreamHandle::of(info[0]).close(); }

constexpr NativeFunction NATIVES[] = {
  {"brotliOpen", open}, {"brotliStep", step}, {"brotliError", error}, {"brotliReset", reset}, {"brotliClose", close},
};

}  // namespace

std::span<const NativeFunction> brotliNatives() { return NATIVES; }

}  // namespace glovebox
