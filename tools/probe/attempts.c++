#include <vector>

#include "tools/probe/attempt.h"

namespace glovebox::probe {

std::string_view groupName(Group group) {
  switch (group) {
    case Group::FILES: return "files";
    case Group::EXECUTION: return "execution";
    case Group::NETWORK: return "network";
    case Group::PROCESSES: return "processes";
    case Group::KERNEL: return "kernel";
    case Group::IPC: return "ipc";
    case Group::RESOURCES: return "resources";
    case Group::CLOCKS: return "clocks";
  }
  return "unknown";
}

// Built on first use, which is before any fork.
std::span<const Attempt> allAttempts() {
  static const std::vector<Attempt> ALL = [] {
    std::vector<Attempt> all;
    for (auto group : {fileAttempts(), executionAttempts(), networkAttempts(), processAttempts(), kernelAttempts(),
                       privilegeAttempts(), gateAttempts(), ipcAttempts(), resourceAttempts()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return ALL;
}

const Attempt* tryFindAttempt(std::string_view name) {
  for (const Attempt& attempt : allAttempts()) {
    if (attempt.name == name) return &attempt;
  }
  return nullptr;
}

}  // namespace glovebox::probe
