#pragma once
// What a worker may hold in memory: JavaScript heap, ArrayBuffers and WebAssembly memory together. The page allocator
// and the ArrayBuffer allocator count into it; the heap-limit callback and the error reports read it. Best effort from
// inside: a worker whose V8 was broken is bounded by RLIMIT_DATA and the supervisor.

#include <cstddef>
#include <cstdint>

namespace glovebox {

struct MemoryBudget {
  // Above the limit a request is refused. Page requests get some room more, because V8 answers a refused page with the
  // end of the process, while the heap limit just below ends the call.
  static constexpr size_t PAGE_ROOM_BYTES = 24u << 20;

  size_t limit = SIZE_MAX;    // bytes over `baseline`
  size_t baseline = 0;        // what the fork source already held
  size_t pages = 0;           // committed through the page allocator
  size_t buffers = 0;         // ArrayBuffer contents
  bool refused = false;       // something was refused since the flag was last cleared

  size_t used() const { return pages + buffers > baseline ? pages + buffers - baseline : 0; }
  bool hasRoom(size_t bytes, size_t room = 0) const {
    return limit == SIZE_MAX || (bytes <= limit + room && used() <= limit + room - bytes);
  }

  static MemoryBudget& ofProcess();
};

}  // namespace glovebox
