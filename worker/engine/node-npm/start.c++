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

#include "worker/engine/worker-main.h"

extern "C" {

// V8 keeps two tables outside its page allocator and marks them, like all its own mappings, as not to be inherited; a forked
// worker would have no heap. The executable's calls to madvise land here too.
__attribute__((visibility("default"))) int madvise(void* address, size_t length, int advice) {
  if (advice == MADV_DONTFORK) return 0;
  return int(syscall(SYS_madvise, address, length, advice));
}

extern char** environ;

__attribute__((visibility("default"))) int __libc_start_main(int (*)(int, char**, char**), int argc, char** argv,
                                                             void (*)(), void (*)(), void (*)(), void*) {
  environ = argv + argc + 1;
  exit(glovebox::workerMain(argc, argv));
}

}
