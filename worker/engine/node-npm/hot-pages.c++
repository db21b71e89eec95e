#include "worker/engine/node-npm/hot-pages.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace glovebox {
namespace {

constexpr size_t HUGE_PAGE_BYTES = 2 << 20;
constexpr size_t PAGE_BYTES = 4096;
constexpr uint64_t PAGEMAP_PRESENT = uint64_t{1} << 63;

struct Segment {
  uintptr_t begin, end;
  int protection;
};

// The executable's own read-only segments. Its objects with names are the libraries.
int collect(dl_phdr_info* info, size_t, void* out) {
  if (info->dlpi_name[0] != '\0') return 0;
  auto& segments = *static_cast<std::vector<Segment>*>(out);
  for (int i = 0; i < info->dlpi_phnum; i++) {
    auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_W)) continue;
    uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    segments.push_back({begin, begin + header.p_memsz, PROT_READ | ((header.p_flags & PF_X) ? PROT_EXEC : 0)});
  }
  return 1;   // the executable comes first
}

bool isInUse(int pagemap, uintptr_t address) {
  uint64_t entries[HUGE_PAGE_BYTES / PAGE_BYTES];
  if (pread(pagemap, entries, sizeof entries, off_t(address / PAGE_BYTES * sizeof(uint64_t))) != ssize_t(sizeof entries)) return false;
  for (auto entry: entries) {
    if (entry & PAGEMAP_PRESENT) return true;
  }
  return false;
}

// Nothing here may live in the executable itself while its page is replaced: it does not, it is in the preloaded library.
bool move(uintptr_t address, size_t length, int protection) {
  size_t roomLength = length + HUGE_PAGE_BYTES;
  auto room = static_cast<char*>(mmap(nullptr, roomLength, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (room == MAP_FAILED) return false;
  auto copy = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(room) + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1));
  if (copy > room) munmap(room, size_t(copy - room));
  if (copy + length < room + roomLength) munmap(copy + length, size_t(room + roomLength - copy - length));
  bool moved = madvise(copy, length, MADV_HUGEPAGE) == 0 &&
               memcpy(copy, reinterpret_cast<void*>(address), length) != nullptr &&
               mprotect(copy, length, protection) == 0 &&
               mremap(copy, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, address) != MAP_FAILED;
  if (!moved) munmap(copy, length);
  return moved;
}

bool hugePagesMayBeHad() {
  int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[64] = {};
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  return length > 0 && strstr(text, "[never]") == nullptr;
}

}  // namespace

size_t moveHotPages() {
  if (!hugePagesMayBeHad()) return 0;
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return 0;
  std::vector<Segment> segments;
  dl_iterate_phdr(collect, &segments);
  size_t bytes = 0;
  for (auto& segment: segments) {
    auto address = (segment.begin + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    while (address + HUGE_PAGE_BYTES <= segment.end) {
      // Whole runs at once: each piece is a mapping more that every fork has to copy.
      auto end = address;
      while (end + HUGE_PAGE_BYTES <= segment.end && isInUse(pagemap, end)) end += HUGE_PAGE_BYTES;
      if (end > address && move(address, end - address, segment.protection)) bytes += end - address;
      address = end + HUGE_PAGE_BYTES;
    }
  }
  close(pagemap);
  return bytes;
}

}  // namespace glovebox
