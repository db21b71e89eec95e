// Takes over the official Node.js executable: this object is loaded ahead of it (`ld.so --preload`), so the executable's
// startup code finds this __libc_start_main instead of the C library's and Node never starts. What is left of Node is
// what it exports: V8's C++ API, ICU, OpenSSL, zlib. The executable's static constructors do not run either; V8 has
// none, and nothing else here relies on one of its.
//
// Another provider of V8 is another folder beside this one, which calls workerMain() in its own way.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "ipc/zygote-protocol.h"
#include "worker/engine/worker-main.h"

extern "C" {

// V8 keeps two tables outside its page allocator and marks them, like all its own mappings, as not to be inherited; a forked
// worker would have no heap. The executable's calls to madvise land here too.
__attribute__((visibility("default"))) int madvise(void* address, size_t length, int advice) {
  if (advice == MADV_DONTFORK) return 0;
  return int(syscall(SYS_madvise, address, length, advice));
}

// When one of those tables shrinks, V8 maps the part anew, at its place and inaccessible. That manner of mmap is not in a
// worker's policy, and need not be: this comes to the same.
// (The name is mmap64 in the binary, there as here, by _FILE_OFFSET_BITS.)
__attribute__((visibility("default"))) void* mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset) {
  if (protection == PROT_NONE && flags == (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)) {
    bool done = mprotect(address, length, PROT_NONE) == 0 && madvise(address, length, MADV_DONTNEED) == 0;
    return done ? address : MAP_FAILED;
  }
  auto result = syscall(SYS_mmap, address, length, protection, flags, fd, offset);
  return reinterpret_cast<void*>(result);   // -1 is MAP_FAILED
}

// RLIMIT_DATA may refuse what lies outside V8's heap: ICU's objects, a result on its way out. Who asked is not prepared for
// that: ICU goes on with a null pointer, C++ aborts by a system call that is not in the policy. That the memory is used up
// is the truth, and the supervisor words it.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);

namespace {
void* orEnd(void* block) {
  if (block == nullptr) _exit(glovebox::zygote::EXIT_OUT_OF_MEMORY);
  return block;
}
}  // namespace

__attribute__((visibility("default"))) void* malloc(size_t size) { return orEnd(__libc_malloc(size)); }
__attribute__((visibility("default"))) void* calloc(size_t count, size_t size) { return orEnd(__libc_calloc(count, size)); }
__attribute__((visibility("default"))) void* realloc(void* block, size_t size) {
  auto* result = __libc_realloc(block, size);
  return size == 0 ? result : orEnd(result);
}

extern char** environ;

__attribute__((visibility("default"))) int __libc_start_main(int (*)(int, char**, char**), int argc, char** argv,
                                                             void (*)(), void (*)(), void (*)(), void*) {
  environ = argv + argc + 1;
  exit(glovebox::workerMain(argc, argv));
}

}
