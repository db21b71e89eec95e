// The empty root, made by the zygote when everything it needs from files is in memory.

#include <sys/mount.h>

#include "policy/raw.h"

namespace glovebox::policy {

StepResult enterEmptyRoot() {
  // While /proc can still be named. A worker that got past its filter could otherwise make itself a user namespace, and
  // in it be privileged towards a great deal of kernel code.
  // Where /proc/sys is read-only (some containers), the root is emptied all the same before the failure is told.
  StepResult limited;
  if (!writeFile("/proc/sys/user/max_user_namespaces", "0", 1)) limited = failed(Step::LIMIT_USER_NAMESPACES);

  // Any directory does as the place; /proc is one that must exist.
  constexpr unsigned long FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("none", "/proc", "tmpfs", FLAGS, "size=4k,nr_inodes=1,mode=555") != 0) return failed(Step::EMPTY_ROOT, 1);
  if (chdir("/proc") != 0) return failed(Step::EMPTY_ROOT, 2);
  // With the same place for both, the old root ends up on top of the new one, and is then peeled off. Also moves the
  // root of the warden, which stands at the same old root.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return failed(Step::EMPTY_ROOT, 3);
  if (umount2(".", MNT_DETACH) != 0) return failed(Step::EMPTY_ROOT, 4);
  if (chdir("/") != 0) return failed(Step::EMPTY_ROOT, 5);
  if (mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | FLAGS, nullptr) != 0) {
    return failed(Step::EMPTY_ROOT, 6);
  }
  return limited;
}

}  // namespace glovebox::policy
