// Brotli for CompressionStream and DecompressionStream.

#include "worker/web/brotli.h"

namespace glovebox {
namespace {

class Encoder final: public CompressionCodec {
 public:
  ~Encoder() override {
    if (state_ != nullptr) BrotliEncoderDestroyInstance(state_);
  }
  bool open() {
    if (!brotli::mayEncode()) return false;
    state_ = BrotliEncoderCreateInstance(brotli::allocateForEncoder, brotli::release, nullptr);
    return state_ != nullptr && BrotliEncoderSetParameter(state_, brotli::QUALITY, brotli::QUALITY_MAX) != 0 &&
        BrotliEncoderSetParameter(state_, brotli::WINDOW, brotli::WINDOW_BITS_MAX) != 0;
  }

  CodecStatus step(Bytes& input, Bytes& output, bool finish) override {
    if (!brotli::mayEncode()) {
      output.size = 0;
      return CodecStatus::NO_MEMORY;
    }
    size_t in = input.size, out = output.size;
    auto* from = reinterpret_cast<const uint8_t*>(input.data);
    auto* to = reinterpret_cast<uint8_t*>(output.data);
    bool worked = BrotliEncoderCompressStream(state_, finish ? brotli::FINISH : brotli::PROCESS, &in, &from, &out, &to, nullptr) != 0;
    input = {input.data + (input.size - in), in};
    output.size -= out;
    if (!worked) return CodecStatus::BROKEN;
    return BrotliEncoderIsFinished(state_) != 0 ? CodecStatus::ENDED : CodecStatus::GOES_ON;
  }

 private:
  BrotliEncoderState* state_ = nullptr;
};

class Decoder final: public CompressionCodec {
 public:
  ~Decoder() override {
    if (state_ != nullptr) BrotliDecoderDestroyInstance(state_);
  }
  bool open() {
    state_ = BrotliDecoderCreateInstance(brotli::allocateForDecoder, brotli::release, &noMemory_);
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
    return result == brotli::ERROR ? CodecStatus::BROKEN : result == brotli::SUCCESS ? CodecStatus::ENDED : CodecStatus::GOES_ON;
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
