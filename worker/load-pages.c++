#include "worker/load-pages.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "worker/packet.h"

namespace glovebox {
namespace {

constexpr size_t PAGE_BYTES = 4096;
constexpr uint64_t PAGEMAP_PRESENT = uint64_t{1} << 63, PAGEMAP_EXCLUSIVE = uint64_t{1} << 56;
constexpr unsigned TRIAL_SECONDS_MAX = 10;

struct Mapping {
  uintptr_t begin, end;
  bool writable;
};

// This process's own. What is not readable has no pages.
std::vector<Mapping> mappings() {
  std::vector<Mapping> found;
  FILE* file = fopen("/proc/self/maps", "re");
  if (file == nullptr) return found;
  char* line = nullptr;
  size_t room = 0;
  while (getline(&line, &room, file) > 0) {
    unsigned long begin, end;
    char permissions[5];
    if (sscanf(line, "%lx-%lx %4s", &begin, &end, permissions) != 3 || permissions[0] != 'r' || permissions[3] != 'p') continue;
    if (strstr(line, "[v") == nullptr) found.push_back({begin, end, permissions[1] == 'w'});   // vvar, vdso, vsyscall
  }
  free(line);
  fclose(file);
  return found;
}

// One word a page: has this process a page of its own there, and has it any.
std::vector<uint64_t> pagesOf(int pagemap, const std::vector<Mapping>& mappings) {
  std::vector<uint64_t> entries;
  for (auto& mapping : mappings) {
    size_t count = (mapping.end - mapping.begin) / PAGE_BYTES, at = entries.size();
    entries.resize(at + count);
    auto bytes = ssize_t(count * sizeof(uint64_t));
    if (pread(pagemap, entries.data() + at, size_t(bytes), off_t(mapping.begin / PAGE_BYTES * sizeof(uint64_t))) != bytes) return {};
  }
  return entries;
}

// What became the process's own, or present, between the two.
std::vector<LoadPages::Range> difference(const std::vector<Mapping>& mappings, const std::vector<uint64_t>& before, const std::vector<uint64_t>& after) {
  std::vector<LoadPages::Range> ranges;
  size_t at = 0;
  for (auto& mapping : mappings) {
    for (auto address = mapping.begin; address < mapping.end; address += PAGE_BYTES, at++) {
      bool isOwn = mapping.writable && (after[at] & PAGEMAP_PRESENT) && (after[at] & PAGEMAP_EXCLUSIVE);
      bool wasOwn = mapping.writable && (before[at] & PAGEMAP_PRESENT) && (before[at] & PAGEMAP_EXCLUSIVE);
      bool came = (after[at] & PAGEMAP_PRESENT) && !(before[at] & PAGEMAP_PRESENT);
      bool written = isOwn && !wasOwn;
      if (!written && !came) continue;
      auto* last = ranges.empty() ? nullptr : &ranges.back();
      if (last != nullptr && last->written == written && last->address + last->pages * PAGE_BYTES == address) last->pages++;
      else ranges.push_back({address, 1, written});
    }
  }
  return ranges;
}

// Or by itself.
void endWithParent() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(TRIAL_SECONDS_MAX);
}

}  // namespace

void LoadPages::learn(const std::function<void(int socket)>& serve) {
  int line[2], report[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0) return;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report) != 0) {
    close(line[0]);
    close(line[1]);
    return;
  }
  pid_t worker = ::fork();
  if (worker == 0) {
    endWithParent();
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    char nothing = 0;
    if (pagemap < 0 || !sendPacket(report[1], &nothing, sizeof nothing, pagemap)) _exit(1);
    close(pagemap);
    serve(line[1]);
    _exit(1);
  }
  pid_t client = worker < 0 ? -1 : ::fork();
  if (client == 0) {
    endWithParent();
    close(line[1]);
    int pagemap;
    char nothing;
    receivePacket(report[0], &nothing, sizeof nothing, pagemap);
    auto all = mappings();
    std::vector<uint64_t> before, after;
    if (pagemap < 0) _exit(1);
    try {
      tryLoad(line[0], [&] { before = pagesOf(pagemap, all); }, [&] { after = pagesOf(pagemap, all); });
    } catch (...) {
      _exit(1);
    }
    if (before.empty() || before.size() != after.size()) _exit(1);
    auto ranges = difference(all, before, after);
    if (ranges.size() > ranges_.size()) ranges.resize(ranges_.size());
    auto bytes = ssize_t(ranges.size() * sizeof(Range));
    _exit(write(report[1], ranges.data(), size_t(bytes)) == bytes ? 0 : 1);
  }
  close(line[0]);
  close(line[1]);
  int status = 1;
  bool done = client > 0 && waitpid(client, &status, 0) == client && status == 0;
  if (worker > 0) {
    kill(worker, SIGKILL);
    waitpid(worker, nullptr, 0);
  }
  close(report[1]);
  auto got = done ? recv(report[0], ranges_.data(), sizeof ranges_, 0) : 0;
  if (got > 0) count_ = size_t(got) / sizeof(Range);
  close(report[0]);
}

void LoadPages::make() const {
  for (size_t i = 0; i < count_; i++) {
    auto& range = ranges_[i];
    madvise(reinterpret_cast<void*>(range.address), range.pages * PAGE_BYTES, range.written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
  }
}

size_t LoadPages::pageCount() const {
  size_t sum = 0;
  for (size_t i = 0; i < count_; i++) sum += ranges_[i].pages;
  return sum;
}

}  // namespace glovebox
