#include "policy/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

namespace glovebox::policy {

namespace {

constexpr const char* FOLDER_PREFIX = "glovebox-";
constexpr uint32_t CPU_PERIOD_US = 100'000;  // the kernel's own default
constexpr int FOLDERS_PER_PROCESS_MAX = 64;  // supervisors in one process

bool write(const std::string& path, const std::string& value) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = ::write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  int error = errno;
  close(fd);
  errno = error;
  return ok;
}

std::string readAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// In a list separated by commas or white space.
bool hasWord(std::string list, const std::string& word) {
  for (char& c : list) {
    if (c == ',') c = ' ';
  }
  std::istringstream words(list);
  for (std::string candidate; words >> candidate;) {
    if (candidate == word) return true;
  }
  return false;
}

// This process' folder in the hierarchy of `controller` (version 1), or in the unified one if it is empty. Put together
// from where the hierarchy is mounted and which part of it the mount shows.
std::optional<std::string> findOwnFolder(const std::string& controller) {
  std::string ownPath;
  std::ifstream cgroups("/proc/self/cgroup");
  for (std::string line; std::getline(cgroups, line);) {
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    bool match = controller.empty() ? controllers.empty() : hasWord(controllers, controller);
    if (match) ownPath = line.substr(second + 1);
  }
  if (ownPath.empty()) return std::nullopt;

  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream before(line);
    std::string id, parent, device, root, mountPoint;
    before >> id >> parent >> device >> root >> mountPoint;
    size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream after(line.substr(dash + 3));
    std::string type, source, options;
    after >> type >> source >> options;
    bool match = controller.empty() ? type == "cgroup2" : type == "cgroup" && hasWord(options, controller);
    if (!match) continue;
    std::string prefix = root == "/" ? "" : root;
    if (ownPath.compare(0, prefix.size(), prefix) != 0) continue;
    std::string below = ownPath.substr(prefix.size());
    return below.empty() || below == "/" ? mountPoint : mountPoint + below;
  }
  return std::nullopt;
}

// Folders of supervisors that were killed. Only of processes that do not exist any more: an empty folder of a living one
// is about to be used.
void sweep(const std::string& parent) {
  DIR* folder = opendir(parent.c_str());
  if (folder == nullptr) return;
  while (dirent* entry = readdir(folder)) {
    if (strncmp(entry->d_name, FOLDER_PREFIX, strlen(FOLDER_PREFIX)) != 0) continue;
    int pid = atoi(entry->d_name + strlen(FOLDER_PREFIX));
    if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH) rmdir((parent + "/" + entry->d_name).c_str());
  }
  closedir(folder);
}

std::string because(const std::string& what) { return what + ": " + strerror(errno); }

}  // namespace

WorkerCgroups::WorkerCgroups(const CgroupLimits& limits) {
  auto own = findOwnFolder("");
  bool unified = own && hasWord(readAll(*own + "/cgroup.controllers"), "memory");
  if (unified) tryUnified(limits);
  else tryVersion1(limits);
}

WorkerCgroups::~WorkerCgroups() {
  for (auto& folder : folders_) rmdir(folder.c_str());
  if (!supervisorLeaf_.empty()) {
    // Controllers must be off before a process may live in the folder itself again.
    write(supervisorHome_ + "/cgroup.subtree_control", "-memory -pids -cpu");
    write(supervisorHome_ + "/cgroup.procs", "0");
    rmdir(supervisorLeaf_.c_str());
  }
}

uint64_t WorkerCgroups::memoryBytes() const {
  if (memoryUsageFile_.empty()) return 0;
  return strtoull(readAll(memoryUsageFile_).c_str(), nullptr, 10);
}

void WorkerCgroups::tryUnified(const CgroupLimits& limits) {
  std::string home = *findOwnFolder("");
  auto missAll = [&](const std::string& reason) {
    for (Layer layer : {Layer::CGROUP_MEMORY, Layer::CGROUP_PIDS, Layer::CGROUP_CPU}) miss(layer, reason);
  };
  sweep(home);
  std::string folder = makeFolder(home);
  if (folder.empty()) return missAll(because("its cgroup " + home + " is not delegated to this user"));

  // Controllers reach the folder only if its parent passes them on, and a parent that does so may hold no process: this
  // one moves into a leaf of its own. Where other processes live beside it, that is not ours to change.
  const std::string all = "+memory +pids +cpu";
  if (!write(home + "/cgroup.subtree_control", all) && errno == EBUSY) {
    std::string leaf = makeFolder(home);
    if (!leaf.empty() && write(leaf + "/cgroup.procs", "0")) {
      supervisorHome_ = home;
      supervisorLeaf_ = leaf;
      folders_.pop_back();
      write(home + "/cgroup.subtree_control", all);
    }
  }
  std::string passedOn = readAll(folder + "/cgroup.controllers");
  if (!hasWord(passedOn, "memory") && !hasWord(passedOn, "pids")) {
    return missAll("the cgroup " + home + " passes no controllers on; are there other processes in it?");
  }
  procsFiles_.push_back(folder + "/cgroup.procs");
  setUp(folder, Layer::CGROUP_MEMORY, "memory", "memory.max",
        limits.memoryBytesMax == 0 ? "" : std::to_string(limits.memoryBytesMax));
  if (inForce_.has(Layer::CGROUP_MEMORY)) {
    write(folder + "/memory.swap.max", "0");  // absent where there is no swap
    memoryUsageFile_ = folder + "/memory.current";
  }
  setUp(folder, Layer::CGROUP_PIDS, "pids", "pids.max",
        limits.processesMax == 0 ? "" : std::to_string(limits.processesMax));
  setUp(folder, Layer::CGROUP_CPU, "cpu", "cpu.max",
        limits.cpuPercentMax == 0
            ? ""
            : std::to_string(uint64_t{limits.cpuPercentMax} * CPU_PERIOD_US / 100) + " " + std::to_string(CPU_PERIOD_US));
}

void WorkerCgroups::tryVersion1(const CgroupLimits& limits) {
  struct Kind {
    Layer layer;
    const char* controller;
    const char* file;
    uint64_t value;
  };
  const Kind kinds[] = {
      {Layer::CGROUP_MEMORY, "memory", "memory.limit_in_bytes", limits.memoryBytesMax},
      {Layer::CGROUP_PIDS, "pids", "pids.max", limits.processesMax},
      {Layer::CGROUP_CPU, "cpu", "cpu.cfs_quota_us", uint64_t{limits.cpuPercentMax} * CPU_PERIOD_US / 100},
  };
  for (const Kind& kind : kinds) {
    if (kind.value == 0) {
      miss(kind.layer, "no limit was asked for");
      continue;
    }
    auto home = findOwnFolder(kind.controller);
    if (!home) {
      miss(kind.layer, std::string("no cgroup hierarchy with the controller ") + kind.controller + " is mounted");
      continue;
    }
    sweep(*home);
    std::string folder = makeFolder(*home);
    if (folder.empty()) {
      miss(kind.layer, because("no cgroup can be made in " + *home));
      continue;
    }
    setUp(folder, kind.layer, kind.controller, kind.file, std::to_string(kind.value));
    if (!inForce_.has(kind.layer)) continue;
    procsFiles_.push_back(folder + "/cgroup.procs");
    if (kind.layer == Layer::CGROUP_MEMORY) {
      write(folder + "/memory.memsw.limit_in_bytes", std::to_string(kind.value));  // absent without swap accounting
      memoryUsageFile_ = folder + "/memory.usage_in_bytes";
    }
  }
}

void WorkerCgroups::setUp(const std::string& folder, Layer layer, const std::string& controller, const std::string& file,
                          const std::string& value) {
  if (value.empty()) miss(layer, "no limit was asked for");
  else if (write(folder + "/" + file, value)) inForce_.add(layer);
  else miss(layer, because("the controller " + controller + " does not take a limit in " + folder + "/" + file));
}

std::string WorkerCgroups::makeFolder(const std::string& parent) {
  for (int i = 0; i < FOLDERS_PER_PROCESS_MAX; i++) {
    std::string folder = parent + "/" + FOLDER_PREFIX + std::to_string(getpid()) + "-" + std::to_string(i);
    if (mkdir(folder.c_str(), 0755) == 0) {
      folders_.push_back(folder);
      return folder;
    }
    if (errno != EEXIST) break;
  }
  return {};
}

void WorkerCgroups::miss(Layer layer, std::string reason) { missing_.push_back({layer, std::move(reason)}); }

}  // namespace glovebox::policy
