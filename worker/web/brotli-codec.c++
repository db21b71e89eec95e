// Brotli, as the engine's executable has it. Its headers do not come with the engine; this is what we use of them, and brotli keeps the
// names and numbers of its interface for good.

#include <cstdint>

#include "worker/web/compression-codec.h"

extern "C" {
struct BrotliEncoderState;
struct BrotliDecoderState;
typedef void* (*brotli_alloc_func)(void* opaque, size_t size);
typedef void (*brotli_free_func)(void* opaque, void* address);
BrotliEncoderState* BrotliEncoderCreateInstance(brotli_alloc_func, brotli_free_func, void* opaque);
void BrotliEncoderDestroyInstance(BrotliEncoderState*);
int BrotliEncoderSetParameter(BrotliEncoderState*, int parameter, uint32_t value);
int BrotliEncoderCompressStream(BrotliEncoderState*, int operation, size_t* inputSize, const uint8_t** input, size_t* outputSize, uint8_t** output, size_t* total);
int BrotliEncoderIsFinished(BrotliEncoderState*);
BrotliDecoderState* BrotliDecoderCreateInstance(brotli_alloc_func, brotli_free_func, void* opaque);
void BrotliDecoderDestroyInstance(BrotliDecoderState*);
int BrotliDecoderDecompressStream(BrotliDecoderState*, size_t* inputSize, const uint8_t** input, size_t* outputSize, uint8_t** output, size_t* total);
}

namespace glovebox {
namespace {

constexpr int PARAMETER_QUALITY = 1, PARAMETER_WINDOW = 2;
constexpr int OPERATION_PROCESS = 0, OPERATION_FINISH = 2;
constexpr int RESULT_ERROR = 0, RESULT_SUCCESS = 1;

// Its own default, 11, takes a second for 1 MB, and no step can be stopped half-way; a window of 256 kB keeps it to a few MB.
constexpr uint32_t QUALITY = 5, WINDOW_BITS = 18;

void* allocate(void* opaque, size_t size) {
  void* block = allocateCounted(size);
  if (block == nullptr) *static_cast<bool*>(opaque) = true;
  return block;
}
void release(void*, void* address) { releaseCounted(address); }

class Encoder final: public CompressionCodec {
 public:
  ~Encoder() override {
    if (state_ != nullptr) BrotliEncoderDestroyInstance(state_);
  }
  bool open() {
    state_ = BrotliEncoderCreateInstance(allocate, release, &noMemory_);
    return state_ != nullptr && BrotliEncoderSetParameter(state_, PARAMETER_QUALITY, QUALITY) != 0 &&
        BrotliEncoderSetParameter(state_, PARAMETER_WINDOW, WINDOW_BITS) != 0;
  }

  CodecStatus step(Bytes& input, Bytes& output, bool finish) override {
    size_t in = input.size, out = output.size;
    auto* from = reinterpret_cast<const uint8_t*>(input.data);
    auto* to = reinterpret_cast<uint8_t*>(output.data);
    bool worked = BrotliEncoderCompressStream(state_, finish ? OPERATION_FINISH : OPERATION_PROCESS, &in, &from, &out, &to, nullptr) != 0;
    input = {input.data + (input.size - in), in};
    output.size -= out;
    if (noMemory_) return CodecStatus::NO_MEMORY;
    if (!worked) return CodecStatus::BROKEN;
    return BrotliEncoderIsFinished(state_) != 0 ? CodecStatus::ENDED : CodecStatus::GOES_ON;
  }

 private:
  BrotliEncoderState* state_ = nullptr;
  bool noMemory_ = false;
};

class Decoder final: public CompressionCodec {
 public:
  ~Decoder() override {
    if (state_ != nullptr) BrotliDecoderDestroyInstance(state_);
  }
  bool open() {
    state_ = BrotliDecoderCreateInstance(allocate, release, &noMemory_);
    return state_ != nullptr;
  }

  CodecStatus step(Bytes& input, Bytes& output, bool) override {
    size_t in = input.size, out = output.size;
    auto* from = reinterpret_cast<const uint8_t*>(input.data);
    auto* to = reinterpret_cast<uint8_t*>(output.data);
    int result = BrotliDecoderDecompressStream(state_, &in, &from, &out, &to, nullptr);
    input = {input.data + (input.size - in), in};
    output.size -= out;
    if (noMemory_) return CodecStatus::NO_MEMORY;
    return result == RESULT_ERROR ? CodecStatus::BROKEN : result == RESULT_SUCCESS ? CodecStatus::ENDED : CodecStatus::GOES_ON;
  }

 private:
  BrotliDecoderState* state_ = nullptr;
  bool noMemory_ = false;
};

template <typename Codec>
std::unique_ptr<CompressionCodec> opened() {
  auto codec = std::make_unique<Codec>();
  if (!codec->open()) return nullptr;
  return codec;
}

}  // namespace

std::unique_ptr<CompressionCodec> openBrotli(Direction direction) {
  return direction == Direction::COMPRESS ? opened<Encoder>() : opened<Decoder>();
}

}  // namespace glovebox
