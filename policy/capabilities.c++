// Privileges inside the namespaces: what the zygote's start needs, what its forking needs, nothing.

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

#include "policy/acts.h"
#include "policy/limits.h"
#include "policy/raw.h"

namespace glovebox::policy {

namespace {

// Nobody in the namespace is root and nobody becomes it; capabilities neither come back with an id nor with an exec.
constexpr unsigned long SECURE_BITS =
    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

struct Sets {
  uint64_t permitted, inheritable;
};

bool setCapabilities(Sets sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int i = 0; i < 2; i++) {
    data[i].effective = data[i].permitted = static_cast<uint32_t>(sets.permitted >> (32 * i));
    data[i].inheritable = static_cast<uint32_t>(sets.inheritable >> (32 * i));
  }
  return syscall(SYS_capset, &header, data) == 0;
}

constexpr uint64_t bit(int capability) { return uint64_t{1} << capability; }

// Mount the root, limit user namespaces, drop the bounding set, change ids.
constexpr int START_CAPABILITIES[] = {CAP_SYS_ADMIN, CAP_SYS_RESOURCE, CAP_SETPCAP, CAP_SETUID, CAP_SETGID};

}  // namespace

StepResult keepStartCapabilities() {
  uint64_t wanted = 0;
  for (int capability : START_CAPABILITIES) wanted |= bit(capability);
  if (!setCapabilities({wanted, wanted})) return failed(Step::CAPABILITIES, 1);
  for (int capability : START_CAPABILITIES) {
    if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
      return failed(Step::CAPABILITIES, capability);
    }
  }
  return {};
}

StepResult becomeUser(uint32_t uid) {
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return failed(Step::SET_IDS, 0);
  if (syscall(SYS_setresgid, uid, uid, uid) != 0) return failed(Step::SET_IDS, 1);
  if (syscall(SYS_setresuid, uid, uid, uid) != 0) return failed(Step::SET_IDS, 2);
  return {};
}

StepResult reduceCapabilities(bool keepSetIds) {
  if (syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return failed(Step::DROP_BOUNDING_SET);
  }
  // The kernel says EINVAL at the first number it does not know.
  for (int capability = 0;; capability++) {
    if (syscall(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL && capability > CAP_SYS_RESOURCE) break;
      return failed(Step::DROP_BOUNDING_SET, capability);
    }
  }
  if (syscall(SYS_prctl, PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0) != 0) return failed(Step::SECURE_BITS);
  if (keepSetIds) {
    StepResult result = becomeUser(ZYGOTE_UID);
    if (!result.ok()) return result;
  }
  uint64_t kept = keepSetIds ? bit(CAP_SETUID) | bit(CAP_SETGID) : 0;
  if (!setCapabilities({kept, 0})) return failed(Step::CAPABILITIES);
  return becomeUndumpable();
}

StepResult dropCapabilities() {
  if (!setCapabilities({0, 0})) return failed(Step::CAPABILITIES);
  return {};
}

StepResult setNoNewPrivs() {
  if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed(Step::NO_NEW_PRIVS);
  return {};
}

}  // namespace glovebox::policy
