#include "policy/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "policy/limits.h"

namespace glovebox::policy {

namespace {

using Findings = std::vector<std::string>;

struct Namespace {
  const char* name;
  Layer layer;
};

constexpr Namespace NAMESPACES[] = {
    {"user", Layer::USER_NAMESPACE}, {"pid", Layer::PID_NAMESPACE}, {"mnt", Layer::MOUNT_NAMESPACE},
    {"net", Layer::NET_NAMESPACE},   {"ipc", Layer::IPC_NAMESPACE}, {"uts", Layer::UTS_NAMESPACE},
    {"cgroup", Layer::CGROUP_NAMESPACE},
};

class Descriptor {
 public:
  explicit Descriptor(int fd): fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string problem(std::string_view what) { return std::string(what) + ": " + strerror(errno); }

std::string linkTarget(int folder, const char* name) {
  char target[64];
  ssize_t length = readlinkat(folder, name, target, sizeof(target));
  return length < 0 ? std::string() : std::string(target, length);
}

// The value of one line of /proc/PID/status; lines look like "Name:\tvalue\n".
std::string_view field(std::string_view status, std::string_view name) {
  size_t position = 0;
  while (position < status.size()) {
    size_t end = status.find('\n', position);
    if (end == std::string_view::npos) end = status.size();
    std::string_view line = status.substr(position, end - position);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      line.remove_prefix(name.size() + 1);
      while (!line.empty() && (line.front() == '\t' || line.front() == ' ')) line.remove_prefix(1);
      return line;
    }
    position = end + 1;
  }
  return {};
}

void checkStatus(int folder, LayerSet inForce, LayerSet mayMiss, Findings& findings) {
  char buffer[8192];
  Descriptor file(openat(folder, "status", O_RDONLY | O_CLOEXEC));
  ssize_t length = file ? read(file.get(), buffer, sizeof(buffer)) : -1;
  if (length <= 0) {
    findings.push_back(problem("its status cannot be read"));
    return;
  }
  std::string_view status(buffer, length);

  auto expect = [&](Layer layer, std::string_view name, std::string_view expected, std::string_view meaning) {
    if (mayMiss.has(layer)) return;
    std::string_view got = field(status, name);
    if (got == expected) return;
    findings.push_back(std::string(meaning) + ": " + std::string(name) + " is '" + std::string(got) + "', expected '" +
                       std::string(expected) + "'");
  };
  expect(Layer::NO_NEW_PRIVS, "NoNewPrivs", "1", "a program it executes could gain privileges");
  expect(Layer::SECCOMP, "Seccomp", "2", "it has no system call filter");
  expect(Layer::SECCOMP, "Seccomp_filters", "1", "it has not exactly one system call filter");
  for (std::string_view set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    expect(Layer::CAPABILITIES, set, "0000000000000000", "it has capabilities");
  }
  if (field(status, "Threads") != "1") {
    findings.push_back("it has " + std::string(field(status, "Threads")) + " threads, expected 1");
  }

  // Four equal numbers: real, effective, saved, file system.
  std::string_view uids = field(status, "Uid");
  uint32_t uid = 0;
  std::from_chars(uids.data(), uids.data() + uids.size(), uid);
  std::string one = std::to_string(uid);
  if (uids != one + "\t" + one + "\t" + one + "\t" + one) {
    findings.push_back("its user ids are '" + std::string(uids) + "', expected four times the same");
  }
  if (inForce.has(Layer::WORKER_UID)) {
    if (uid == geteuid()) findings.push_back("it has the supervisor's user id");
    if (uid == 0) findings.push_back("it is a process of root");
  }
}

// The names in a folder but for "." and "..", in one read; a sealed worker never has more than fit.
bool listFolder(int at, const char* path, std::vector<std::string>& names) {
  int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  DIR* folder = fdopendir(fd);
  if (folder == nullptr) {
    close(fd);
    return false;
  }
  errno = 0;
  while (dirent* entry = readdir(folder)) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  bool complete = errno == 0;
  closedir(folder);
  return complete;
}

// By fdinfo, because an ordinary user may not enter the folder fd of a process that is not dumpable.
void checkDescriptors(int folder, Findings& findings) {
  std::vector<std::string> names;
  if (!listFolder(folder, "fdinfo", names)) {
    findings.push_back(problem("its descriptors cannot be listed"));
    return;
  }
  if (names.size() == 1 && names[0] == std::to_string(WORKER_SOCKET)) return;
  std::string text = "it holds descriptors {";
  for (auto& name : names) text += (text.back() == '{' ? "" : ", ") + name;
  findings.push_back(text + "}, expected {" + std::to_string(WORKER_SOCKET) + "}");
}

void checkRoot(int folder, Findings& findings) {
  struct statfs fs;
  Descriptor root(openat(folder, "root/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root || fstatfs(root.get(), &fs) != 0) {
    findings.push_back(problem("its root cannot be read"));
    return;
  }
  if (fs.f_type != TMPFS_MAGIC) findings.push_back("its root is not the empty tmpfs but another file system");
  if ((fs.f_flags & ST_RDONLY) == 0) findings.push_back("its root is writable");
  std::vector<std::string> names;
  if (!listFolder(root.get(), ".", names)) findings.push_back(problem("its root cannot be listed"));
  else if (!names.empty()) findings.push_back("its root is not empty: it holds " + names[0]);
}

}  // namespace

std::vector<std::string> findSealFlaws(pid_t pid, LayerSet inForce, LayerSet mayMiss) {
  Findings findings;
  // One descriptor for all: should the pid be reused meanwhile, the reads fail instead of meeting another process.
  Descriptor folder(open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    findings.push_back(problem("it is not in /proc"));
    return findings;
  }
  checkStatus(folder.get(), inForce, mayMiss, findings);
  Descriptor own(open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (auto& ns : NAMESPACES) {
    if (mayMiss.has(ns.layer)) continue;
    std::string link = "ns/" + std::string(ns.name);
    std::string theirs = linkTarget(folder.get(), link.c_str()), ours = linkTarget(own.get(), link.c_str());
    std::string which = "its " + std::string(ns.name) + " namespace ";
    if (theirs.empty() || ours.empty()) findings.push_back(problem(which + "cannot be read"));
    else if (theirs == ours) findings.push_back(which + "is the supervisor's own");
  }
  checkDescriptors(folder.get(), findings);
  if (!mayMiss.has(Layer::EMPTY_ROOT)) checkRoot(folder.get(), findings);
  return findings;
}

std::optional<pid_t> tryGetPid(int pidfd) {
  char buffer[1024];
  Descriptor file(open(("/proc/self/fdinfo/" + std::to_string(pidfd)).c_str(), O_RDONLY | O_CLOEXEC));
  ssize_t length = file ? read(file.get(), buffer, sizeof(buffer)) : -1;
  if (length <= 0) return std::nullopt;
  std::string_view text = field(std::string_view(buffer, length), "Pid");
  pid_t pid = -1;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  if (pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace glovebox::policy
