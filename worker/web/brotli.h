#pragma once
// Brotli, as the engine's executable has it. Its headers do not come with the engine; this is what we use of them, and brotli keeps the
// names and numbers of its interface for good. With it the bounds that hold for whatever a worker compresses.

#include <algorithm>
#include <cstdint>

#include "worker/engine/memory-budget.h"
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
int BrotliDecoderSetParameter(BrotliDecoderState*, int parameter, uint32_t value);
int BrotliDecoderDecompressStream(BrotliDecoderState*, size_t* inputSize, const uint8_t** input, size_t* outputSize, uint8_t** output, size_t* total);
int BrotliDecoderGetErrorCode(const BrotliDecoderState*);
const char* BrotliDecoderErrorString(int code);
}

namespace glovebox::brotli {

enum EncoderParameter { MODE, QUALITY, WINDOW, BLOCK, LITERAL_CONTEXTS, SIZE_HINT, LARGE_WINDOW };
enum DecoderParameter { NO_REALLOCATION, DECODE_LARGE_WINDOW };
enum Operation { PROCESS, FLUSH, FINISH, EMIT_METADATA };
enum DecoderResult { ERROR, SUCCESS, NEEDS_INPUT, NEEDS_OUTPUT };

// Its own default of quality, 11, takes a second for 1 MB, and no step can be stopped half-way; a window of 256 kB keeps it to a few MB.
constexpr uint32_t QUALITY_MAX = 5, WINDOW_BITS_MAX = 18;

// The engine's compressor ends the process when it gets no memory. So none begins a step beyond the limit, and within one it may go
// beyond it by this much: more than a compressor takes at these bounds.
constexpr size_t ENCODER_ROOM_BYTES = 16 << 20;
inline bool mayEncode() { return MemoryBudget::ofProcess().hasRoom(1); }
inline void* allocateForEncoder(void*, size_t size) { return allocateCounted(size, ENCODER_ROOM_BYTES); }

// `opaque` is a bool: it has run out of memory.
inline void* allocateForDecoder(void* opaque, size_t size) {
  void* block = allocateCounted(size);
  if (block == nullptr) *static_cast<bool*>(opaque) = true;
  return block;
}
inline void release(void*, void* address) { releaseCounted(address); }

}  // namespace glovebox::brotli
