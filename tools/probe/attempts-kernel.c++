// Parts of the kernel that an ordinary process may use, and where kernel bugs have been found again and again.

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <time.h>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

Result mapOfBpf(const Surroundings&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return metIfDescriptor(rawCall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes)));
}

Result ring(const Surroundings&) {
  io_uring_params params{};
  return metIfDescriptor(rawCall(SYS_io_uring_setup, 1, &params));
}

Result pageFaults(const Surroundings&) {
  return metIfDescriptor(rawCall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
}

Result perfEvents(const Surroundings&) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.exclude_kernel = 1;
  return metIfDescriptor(rawCall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

Result addKey(const Surroundings&) {
  long key = rawCall(SYS_add_key, "user", "glovebox-probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
  return metIf(key >= 0);  // the process keyring goes with the process
}

Result sessionKeyring(const Surroundings&) {
  return metIf(rawCall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0);
}

Result requestKey(const Surroundings&) {
  // ENOKEY: the keyrings were searched.
  long key = rawCall(SYS_request_key, "user", "glovebox-probe-none", nullptr, KEY_SPEC_PROCESS_KEYRING);
  return metIf(key >= 0 || errno == ENOKEY);
}

Result asynchronousIo(const Surroundings&) {
  aio_context_t context = 0;
  if (rawCall(SYS_io_setup, 1, &context) != 0) return refused();
  rawCall(SYS_io_destroy, context);
  return met();
}

Result spliceUserPages(const Surroundings&) {
  int fds[2];
  if (rawCall(SYS_pipe2, fds, 0) != 0) return refused();
  char byte = 'x';
  iovec part{&byte, 1};
  return metIf(rawCall(SYS_vmsplice, fds[1], &part, 1, 0) == 1);
}

Result remapPages(const Surroundings&) {
  constexpr size_t BYTES = 65536;
  void* pages = mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return refused();
  return metIf(rawCall(SYS_remap_file_pages, pages, BYTES, 0, 0, 0) == 0);
}

Result moveMapping(const Surroundings&) {
  constexpr size_t BYTES = 65536;
  void* pages = mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return refused();
  return metIf(rawCall(SYS_mremap, pages, BYTES, 2 * BYTES, MREMAP_MAYMOVE) != -1);
}

Result memoryPolicy(const Surroundings&) { return metIf(rawCall(SYS_set_mempolicy, MPOL_DEFAULT, nullptr, 0) == 0); }

Result wherePagesAre(const Surroundings&) {
  char byte = 0;
  void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(&byte) & ~uintptr_t{4095});
  int node = -1;
  return metIf(rawCall(SYS_move_pages, 0, 1, &page, nullptr, &node, 0) == 0);
}

#ifdef SYS_memfd_secret
Result secretMemory(const Surroundings&) { return metIfDescriptor(rawCall(SYS_memfd_secret, 0)); }
#endif

Result protectionKey(const Surroundings&) { return metIf(rawCall(SYS_pkey_alloc, 0, 0) >= 0); }

Result timer(const Surroundings&) {
  sigevent event{};
  event.sigev_notify = SIGEV_NONE;
  int id;
  return metIf(rawCall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0);
}

Result memoryBarrier(const Surroundings&) { return metIf(rawCall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) >= 0); }

Result priorityFutex(const Surroundings&) {
  uint32_t word = 0;
  return metIf(rawCall(SYS_futex, &word, FUTEX_LOCK_PI, 0, nullptr, nullptr, 0) == 0);
}

Result askClock(const Surroundings&) {
  timex state{};
  return metIf(rawCall(SYS_clock_adjtime, CLOCK_REALTIME, &state) >= 0);
}

Result clockCall(const Surroundings&) {
  timespec now;
  return metIf(rawCall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &now) == 0);
}

Result restartableSequence(const Surroundings&) {
#ifdef SYS_rseq
  // Registered already by the C library (EBUSY or EINVAL): the call was there to be made.
  return metIf(rawCall(SYS_rseq, nullptr, 0, 0, 0) == 0 || errno == EINVAL || errno == EBUSY || errno == EPERM);
#else
  return refused(ENOSYS);
#endif
}

Result machineName(const Surroundings&) {
  char buffer[6 * 65];
  return metIf(rawCall(SYS_uname, buffer) == 0);
}

constexpr Attempt ATTEMPTS[] = {
    {"bpf-map", Group::KERNEL, "makes a BPF map", mapOfBpf, {}},
    {"io-uring", Group::KERNEL, "makes an io_uring", ring, {}},
    {"userfaultfd", Group::KERNEL, "takes over its own page faults", pageFaults, {}},
    {"perf-event", Group::KERNEL, "opens a performance counter", perfEvents, {}},
    {"add-key", Group::KERNEL, "stores a key in a keyring", addKey, {}},
    {"session-keyring", Group::KERNEL, "finds its session's keyring", sessionKeyring, {}},
    {"request-key", Group::KERNEL, "searches the keyrings", requestKey, {}},
    {"asynchronous-io", Group::KERNEL, "makes an AIO context", asynchronousIo, {}},
    {"splice-user-pages", Group::KERNEL, "gives its pages to a pipe", spliceUserPages, {}},
    {"remap-pages", Group::KERNEL, "rearranges a mapping by remap_file_pages", remapPages, {}},
    {"move-mapping", Group::KERNEL, "moves a mapping", moveMapping, {}},
    {"memory-policy", Group::KERNEL, "sets its NUMA policy", memoryPolicy, {}},
    {"where-pages-are", Group::KERNEL, "asks on which node a page is", wherePagesAre, {}},
#ifdef SYS_memfd_secret
    {"secret-memory", Group::KERNEL, "makes memory the kernel itself cannot see", secretMemory, {}},
#endif
    {"protection-key", Group::KERNEL, "allocates a memory protection key", protectionKey, {}},
    {"timer", Group::KERNEL, "makes a timer", timer, {}},
    {"memory-barrier", Group::KERNEL, "asks for memory barriers on other processors", memoryBarrier, {}},
    {"priority-futex", Group::KERNEL, "takes a priority-inheriting futex", priorityFutex, {}},
    {"ask-clock", Group::KERNEL, "reads the state of the clock discipline", askClock, {}},
    {"clock-call", Group::KERNEL, "asks the kernel for the raw clock", clockCall, {}},
    {"restartable-sequence", Group::KERNEL, "registers a restartable sequence", restartableSequence, {}},
    {"machine-name", Group::KERNEL, "learns the machine's name and kernel", machineName, {}},
};

}  // namespace

std::span<const Attempt> kernelAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
