// Reaching files: by name, by handle, through /proc, or by rebuilding the mount tree.

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "tools/probe/raw-calls.h"

namespace glovebox::probe {
namespace {

constexpr char SCRATCH_FILE[] = "/tmp/glovebox-probe-file";
constexpr char SCRATCH_FOLDER[] = "/tmp/glovebox-probe-folder";

long openRaw(const char* path, int flags, int mode = 0) { return rawCall(SYS_openat, AT_FDCWD, path, flags, mode); }

Result readsFrom(const char* path) {
  long fd = openRaw(path, O_RDONLY);
  if (fd < 0) return refused();
  char byte;
  bool read = rawCall(SYS_read, fd, &byte, 1) == 1;
  Result result = metIf(read);
  rawCall(SYS_close, fd);
  return result;
}

// More than "." and "..": a name of something.
Result listsFolder(const char* path) {
  long fd = openRaw(path, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return refused();
  char entries[1024];
  long bytes = rawCall(SYS_getdents64, fd, entries, sizeof(entries));
  Result result = bytes > 48 ? met() : refused(bytes < 0 ? errno : 0);  // the two dots take 24 bytes each
  rawCall(SYS_close, fd);
  return result;
}

Result openPasswd(const Surroundings&) { return readsFrom("/etc/passwd"); }

#ifdef SYS_open
Result openOldCall(const Surroundings&) { return metIfDescriptor(rawCall(SYS_open, "/etc/passwd", O_RDONLY)); }
#endif

Result openat2Root(const Surroundings&) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY;
  return metIfDescriptor(rawCall(SYS_openat2, AT_FDCWD, "/etc", &how, sizeof(how)));
}

Result createFile(const Surroundings&) {
  long fd = openRaw(SCRATCH_FILE, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) return refused();
  rawCall(SYS_unlinkat, AT_FDCWD, SCRATCH_FILE, 0);
  return metIfDescriptor(fd);
}

Result truncateFile(const Surroundings&) {
  long fd = openRaw(SCRATCH_FILE, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) return refused();
  Result result = metIf(rawCall(SYS_truncate, SCRATCH_FILE, 4096) == 0);
  rawCall(SYS_unlinkat, AT_FDCWD, SCRATCH_FILE, 0);
  rawCall(SYS_close, fd);
  return result;
}

Result makeFolder(const Surroundings&) {
  if (rawCall(SYS_mkdirat, AT_FDCWD, SCRATCH_FOLDER, 0700) != 0) return refused();
  rawCall(SYS_unlinkat, AT_FDCWD, SCRATCH_FOLDER, AT_REMOVEDIR);
  return met();
}

Result makeSymlink(const Surroundings&) {
  if (rawCall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, SCRATCH_FILE) != 0) return refused();
  rawCall(SYS_unlinkat, AT_FDCWD, SCRATCH_FILE, 0);
  return met();
}

Result listRoot(const Surroundings&) { return listsFolder("/"); }
Result listProc(const Surroundings&) { return listsFolder("/proc"); }

Result statPasswd(const Surroundings&) {
  struct statx info;
  return metIf(rawCall(SYS_statx, AT_FDCWD, "/etc/passwd", 0, STATX_BASIC_STATS, &info) == 0);
}

Result readlinkSelf(const Surroundings&) {
  char target[256];
  return metIf(rawCall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", target, sizeof(target)) > 0);
}

// "/proc/PID/REST" without a library.
class ProcPath {
 public:
  ProcPath(pid_t pid, std::string_view rest) {
    append("/proc/");
    char digits[12];
    size_t count = 0;
    do digits[count++] = static_cast<char>('0' + pid % 10);
    while ((pid /= 10) != 0);
    while (count > 0) append({&digits[--count], 1});
    append(rest);
  }
  const char* text() const { return text_; }

 private:
  void append(std::string_view part) {
    for (char c : part) text_[length_++] = c;
  }
  char text_[64] = {};
  size_t length_ = 0;
};

Result procRoot(const Surroundings& around) { return readsFrom(ProcPath(around.trusted, "/./root/etc/passwd").text()); }
Result procMemory(const Surroundings&) { return metIfDescriptor(openRaw("/proc/self/mem", O_RDWR)); }
Result procEnvironment(const Surroundings& around) { return readsFrom(ProcPath(around.trusted, "/environ").text()); }

Result chrootEscape(const Surroundings&) { return metIf(rawCall(SYS_chroot, "/") == 0); }

Result mountTmpfs(const Surroundings&) { return metIf(rawCall(SYS_mount, "none", "/", "tmpfs", 0, nullptr) == 0); }

Result remountRoot(const Surroundings&) {
  return metIf(rawCall(SYS_mount, nullptr, "/", nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0);
}

Result unmountRoot(const Surroundings&) { return metIf(rawCall(SYS_umount2, "/", MNT_DETACH) == 0); }
Result pivotRoot(const Surroundings&) { return metIf(rawCall(SYS_pivot_root, ".", ".") == 0); }

// The new mount interface needs no mount point: a detached procfs is as good as /proc.
Result newMountInterface(const Surroundings&) {
  long context = rawCall(SYS_fsopen, "proc", 0);
  if (context < 0) return refused();
  if (rawCall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return refused();
  return metIfDescriptor(rawCall(SYS_fsmount, context, 0, 0));
}

Result cloneMountTree(const Surroundings&) {
  return metIfDescriptor(rawCall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE));
}

Result makeDevice(const Surroundings&) {
  if (rawCall(SYS_mknodat, AT_FDCWD, SCRATCH_FILE, S_IFBLK | 0600, makedev(8, 0)) != 0) return refused();
  rawCall(SYS_unlinkat, AT_FDCWD, SCRATCH_FILE, 0);
  return met();
}

Result openByHandle(const Surroundings&) {
  struct {
    file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle{};
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  int mountId;
  if (rawCall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mountId, 0) != 0) return refused();
  long root = openRaw("/", O_RDONLY | O_DIRECTORY);
  if (root < 0) return refused();
  Result result = metIfDescriptor(rawCall(SYS_open_by_handle_at, root, &handle, O_RDONLY));
  rawCall(SYS_close, root);
  return result;
}

Result watchFolder(const Surroundings&) {
  long fd = rawCall(SYS_inotify_init1, 0);
  if (fd < 0) return refused();
  Result result = metIf(rawCall(SYS_inotify_add_watch, fd, "/etc", IN_ACCESS) >= 0);
  rawCall(SYS_close, fd);
  return result;
}

Result watchFilesystem(const Surroundings&) {
  return metIfDescriptor(rawCall(SYS_fanotify_init, FAN_CLASS_NOTIF, O_RDONLY));
}

Result memoryFile(const Surroundings&) { return metIfDescriptor(rawCall(SYS_memfd_create, "probe", 0)); }

Result readAttribute(const Surroundings&) {
  char value[64];
  long bytes = rawCall(SYS_getxattr, "/etc", "user.probe", value, sizeof(value));
  return metIf(bytes >= 0 || errno == ENODATA);  // ENODATA: the file system was asked
}

Result flushDisks(const Surroundings&) { return metIf(rawCall(SYS_sync) == 0); }

constexpr Attempt ATTEMPTS[] = {
    {"open-passwd", Group::FILES, "reads /etc/passwd", openPasswd, {}},
#ifdef SYS_open
    {"open-old-call", Group::FILES, "opens /etc/passwd by the old open call", openOldCall, {}},
#endif
    {"openat2", Group::FILES, "opens /etc by openat2", openat2Root, {}},
    {"create-file", Group::FILES, "creates a file in /tmp", createFile, {}},
    {"truncate-file", Group::FILES, "creates a file in /tmp and grows it by name", truncateFile, {}},
    {"make-folder", Group::FILES, "makes a folder in /tmp", makeFolder, {}},
    {"make-symlink", Group::FILES, "makes a symbolic link to /etc/passwd", makeSymlink, {}},
    {"list-root", Group::FILES, "lists /", listRoot, {}},
    {"list-proc", Group::FILES, "lists the processes in /proc", listProc, {}},
    {"stat-passwd", Group::FILES, "learns owner and size of /etc/passwd", statPasswd, {}},
    {"readlink-self", Group::FILES, "learns the path of its own program", readlinkSelf, {}},
    {"proc-root", Group::FILES, "reads a file through the root of the trusted side", procRoot, {}},
    {"proc-memory", Group::FILES, "opens its own memory as a file, past page protections", procMemory, {}},
    {"proc-environment", Group::FILES, "reads the environment of the trusted side", procEnvironment, {}},
    {"chroot", Group::FILES, "changes its root", chrootEscape, {}},
    {"mount-tmpfs", Group::FILES, "mounts over /", mountTmpfs, "changes the machine's mount tree"},
    {"remount-root", Group::FILES, "makes / writable", remountRoot, "changes the machine's mount tree"},
    {"unmount-root", Group::FILES, "takes / away", unmountRoot, "changes the machine's mount tree"},
    {"pivot-root", Group::FILES, "moves / elsewhere", pivotRoot, "changes the machine's mount tree"},
    {"new-mount-interface", Group::FILES, "makes a detached procfs by fsopen", newMountInterface, {}},
    {"clone-mount-tree", Group::FILES, "copies the mount tree by open_tree", cloneMountTree, {}},
    {"make-device", Group::FILES, "makes a node for the first disk", makeDevice, {}},
    {"open-by-handle", Group::FILES, "opens a folder by its inode's handle", openByHandle, {}},
    {"watch-folder", Group::FILES, "watches /etc by inotify", watchFolder, {}},
    {"watch-filesystem", Group::FILES, "makes a fanotify group", watchFilesystem, {}},
    {"memory-file", Group::FILES, "makes a file in memory", memoryFile, {}},
    {"read-attribute", Group::FILES, "asks for an extended attribute of /etc", readAttribute, {}},
    {"flush-disks", Group::FILES, "makes the machine flush every disk", flushDisks,
     "stalls every program on the machine"},
};

}  // namespace

std::span<const Attempt> fileAttempts() { return ATTEMPTS; }

}  // namespace glovebox::probe
