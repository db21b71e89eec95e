#pragma once
// One compressed stream, in one direction, whatever its format. The bytes are user code's. Runs in a worker, on its one thread; owned by
// the handle that JavaScript holds (compression.c++).

#include <cstddef>
#include <memory>

#include "worker/web/strings.h"

namespace glovebox {

enum class Direction { COMPRESS, DECOMPRESS };
enum class CodecStatus { GOES_ON, ENDED, BROKEN, NO_MEMORY };   // in the order of native.d.ts, where the last is an exception

class CompressionCodec {
 public:
  CompressionCodec() = default;
  virtual ~CompressionCodec() = default;
  CompressionCodec(const CompressionCodec&) = delete;
  CompressionCodec& operator=(const CompressionCodec&) = delete;

  // Moves on in `input` and `output`; `output` then is what was written. `finish`: this is the last of the input.
  virtual CodecStatus step(Bytes& input, Bytes& output, bool finish) = 0;
};

// Null: there is no memory.
std::unique_ptr<CompressionCodec> openZlib(Direction direction, int windowBits);   // see deflateInit2 in zlib.h
std::unique_ptr<CompressionCodec> openBrotli(Direction direction);

// What a codec allocates counts as the worker's buffers do. Null: that would be too much, by more than `room`.
void* allocateCounted(size_t bytes, size_t room = 0);
void releaseCounted(void* block);   // or null

}  // namespace glovebox
