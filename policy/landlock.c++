// A Landlock domain that forbids everything Landlock knows and has no exception. The system calls are made directly: the
// headers of the distribution we build on know only the first versions of the interface.

#include <linux/landlock.h>

#include "policy/acts.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

// Not linux/landlock.h's landlock_ruleset_attr, which ends where the kernel of the headers ended.
struct RulesetAttributes {
  uint64_t handledFiles;
  uint64_t handledNet;
  uint64_t scoped;
};

struct PortAttributes {
  uint64_t allowed;
  uint64_t port;
};
constexpr int RULE_NET_PORT = 2;

constexpr uint64_t bitsUpTo(int last) { return (uint64_t{2} << last) - 1; }

// The rights by ABI; the numbers are the kernel's (include/uapi/linux/landlock.h).
constexpr int FS_MAKE_SYM = 12;    // ABI 1, the last of it
constexpr int FS_REFER = 13;       // ABI 2
constexpr int FS_TRUNCATE = 14;    // ABI 3
constexpr int FS_IOCTL_DEV = 15;   // ABI 5
constexpr uint64_t NET_BIND_TCP = 1, NET_CONNECT_TCP = 2;             // ABI 4
constexpr uint64_t SCOPE_ABSTRACT_UNIX_SOCKET = 1, SCOPE_SIGNAL = 2;  // ABI 6

constexpr RulesetAttributes everythingOf(int abi) {
  RulesetAttributes all{bitsUpTo(FS_MAKE_SYM), 0, 0};
  if (abi >= 2) all.handledFiles = bitsUpTo(FS_REFER);
  if (abi >= 3) all.handledFiles = bitsUpTo(FS_TRUNCATE);
  if (abi >= 4) all.handledNet = NET_BIND_TCP | NET_CONNECT_TCP;
  if (abi >= 5) all.handledFiles = bitsUpTo(FS_IOCTL_DEV);
  if (abi >= 6) all.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
  return all;
}

// Older kernels take a shorter struct only.
constexpr size_t sizeFor(int abi) {
  if (abi >= 6) return sizeof(RulesetAttributes);
  return abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

}  // namespace

int landlockAbi() {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

namespace {

StepResult restrictTo(RulesetAttributes attributes, int abi, const uint16_t* ports, size_t count) {
  int ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeFor(abi), 0);
  if (ruleset < 0) return failed(Step::LANDLOCK_RULESET, abi);
  StepResult result;
  for (size_t i = 0; i < count && result.ok(); i++) {
    PortAttributes port{NET_CONNECT_TCP, ports[i]};
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &port, 0) != 0) result = failed(Step::LANDLOCK_RULESET, abi);
  }
  if (result.ok() && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) result = failed(Step::LANDLOCK_RESTRICT, abi);
  syscall(SYS_close, ruleset);
  return result;
}

StepResult findAbi(int& abi) {
  abi = landlockAbi();
  if (abi > 0) return {};
  abi = 0;
  return failed(Step::LANDLOCK_RULESET);
}

}  // namespace

StepResult restrictWithLandlock(int& abi) {
  StepResult result = findAbi(abi);
  return result.ok() ? restrictTo(everythingOf(abi), abi, nullptr, 0) : result;
}

StepResult restrictWithLandlockButConnecting(const uint16_t* ports, size_t count, int& abi) {
  StepResult result = findAbi(abi);
  if (!result.ok()) return result;
  RulesetAttributes attributes = everythingOf(abi);
  if (count == 0) attributes.handledNet &= ~NET_CONNECT_TCP;
  return restrictTo(attributes, abi, ports, abi >= 4 ? count : 0);
}

}  // namespace glovebox::policy
