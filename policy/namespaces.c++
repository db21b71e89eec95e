// The namespaces, entered by the jailer while it is one thread.

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "policy/limits.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

struct OuterRange {
  uint32_t first = 0;
  uint32_t count = 0;
};

// Reads one of /proc/self/{uid,gid}_map and finds ids to give away: this process' own slot of the unclaimed range if it
// exists here, else the upper part of the largest extent (without 65534, which everybody takes for "nobody").
OuterRange findOuterRange(const char* path) {
  FILE* file = fopen(path, "re");
  if (file == nullptr) return {};
  uint64_t slot = OUTER_ID_FIRST + static_cast<uint64_t>(getpid() % OUTER_ID_SLOTS) * MAPPED_IDS;
  OuterRange best;
  unsigned long inside, outside, count;
  while (fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3) {
    if (inside <= slot && slot + MAPPED_IDS <= inside + count) {
      best = {static_cast<uint32_t>(slot), MAPPED_IDS};
      break;
    }
    uint64_t end = inside + count;
    if (end > 65'534 && inside < 65'534) end = 65'534;
    uint64_t usable = (end - inside) / 2;
    if (usable > MAPPED_IDS) usable = MAPPED_IDS;
    if (usable > best.count) best = {static_cast<uint32_t>(end - usable), static_cast<uint32_t>(usable)};
  }
  fclose(file);
  return best.count >= MAPPED_IDS_MIN ? best : OuterRange{};
}

bool writeMap(pid_t pid, const char* which, uint32_t inner, uint32_t outer, uint32_t count) {
  char path[64], line[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
  int length = snprintf(line, sizeof(line), "%u %u %u\n", inner, outer, count);
  return writeFile(path, line, length);
}

// Runs in the helper, which stayed outside: only it still has the privilege to map ids that are not its own.
int writeMapsFor(pid_t pid, OuterRange uids, OuterRange gids) {
  uint32_t count = uids.count < gids.count ? uids.count : gids.count;
  if (!writeMap(pid, "gid_map", 1, gids.first, count) || !writeMap(pid, "uid_map", 1, uids.first, count)) return errno;
  return 0;
}

StepResult mapRange(OuterRange uids, OuterRange gids) {
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) return failed(Step::MAP_IDS);
  pid_t self = getpid();
  pid_t helper = fork();
  if (helper < 0) return failed(Step::MAP_IDS);
  if (helper == 0) {
    close(go[1]);
    char byte;
    if (read(go[0], &byte, 1) != 1) _exit(ECANCELED);  // the unshare failed
    _exit(writeMapsFor(self, uids, gids));
  }
  close(go[0]);
  StepResult result;
  if (unshare(CLONE_NEWUSER) != 0) result = failed(Step::UNSHARE_USER);
  if (result.ok() && write(go[1], "", 1) != 1) result = failed(Step::MAP_IDS);
  close(go[1]);
  int status = -1;
  while (waitpid(helper, &status, 0) < 0 && errno == EINTR) {}
  if (result.ok() && status != 0) {
    result = {Step::MAP_IDS, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD, 0};
  }
  return result;
}

StepResult mapOwnId() {
  uint32_t uid = geteuid(), gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return failed(Step::UNSHARE_USER);
  // Without "deny" an ordinary user may not map a group: dropping a group could open what a group was kept out of.
  if (!writeFile("/proc/self/setgroups", "deny", 4)) return failed(Step::MAP_IDS);
  pid_t self = getpid();
  if (!writeMap(self, "gid_map", ZYGOTE_UID, gid, 1) || !writeMap(self, "uid_map", ZYGOTE_UID, uid, 1)) {
    return failed(Step::MAP_IDS);
  }
  return {};
}

struct Namespace {
  int flag;
  Step step;
  Layer layer;
};

constexpr Namespace NAMESPACES[] = {
    {CLONE_NEWNS, Step::UNSHARE_MOUNT, Layer::MOUNT_NAMESPACE},
    {CLONE_NEWPID, Step::UNSHARE_PID, Layer::PID_NAMESPACE},
    {CLONE_NEWNET, Step::UNSHARE_NET, Layer::NET_NAMESPACE},
    {CLONE_NEWIPC, Step::UNSHARE_IPC, Layer::IPC_NAMESPACE},
    {CLONE_NEWUTS, Step::UNSHARE_UTS, Layer::UTS_NAMESPACE},
    {CLONE_NEWCGROUP, Step::UNSHARE_CGROUP, Layer::CGROUP_NAMESPACE},
};

}  // namespace

StepResult enterUserNamespace(IdMap& map) {
  map = {};
  if (geteuid() == 0) {
    OuterRange uids = findOuterRange("/proc/self/uid_map"), gids = findOuterRange("/proc/self/gid_map");
    if (uids.count > 0 && gids.count > 0) {
      StepResult result = mapRange(uids, gids);
      if (!result.ok()) return result;
      uint32_t count = uids.count < gids.count ? uids.count : gids.count;
      map.manyIds = true;
      map.firstWorkerUid = FIRST_WORKER_UID;
      map.workerUidCount = count - FIRST_WORKER_UID;
      map.outerUidOffset = uids.first - 1;
      return {};
    }
  }
  return mapOwnId();
}

StepResult enterNamespaces(LayerSet mayMiss, LayerSet& inForce, LayerSet notWanted) {
  for (const Namespace& ns : NAMESPACES) {
    if (notWanted.has(ns.layer)) continue;
    if (unshare(ns.flag) == 0) {
      inForce.add(ns.layer);
    } else if (!mayMiss.has(ns.layer)) {
      return failed(ns.step, ns.flag);
    }
  }
  if (inForce.has(Layer::MOUNT_NAMESPACE) && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return failed(Step::UNSHARE_MOUNT, CLONE_NEWNS);
  }
  return {};
}

}  // namespace glovebox::policy
