#pragma once
// Acts shared between the jailer, the warden and the pieces of policy/confine.h; not for the zygote and workers.
// Same rules: no allocation, no locks, no log.

#include "policy/confine.h"

namespace glovebox::policy {

// Keeps what the zygote's start needs (mount, ids, bounding set) across the exec of a program by a user who is not
// root in the namespace, and drops the rest.
StepResult keepStartCapabilities();

// An id of the mapped range, and the group of the same number; no supplementary groups. Needs CAP_SETUID, CAP_SETGID.
StepResult becomeUser(uint32_t uid);

StepResult dropCapabilities();
StepResult limitResources(uint64_t dataBytesMax);
StepResult limitGatewayResources(uint64_t descriptorsMax, uint64_t dataBytesMax);
StepResult becomeUndumpable();

// What this kernel offers; 0 or less if nothing.
int landlockAbi();

// Installs `filter` in the calling thread.
StepResult installFilter(const sock_filter* filter, uint16_t length);

}  // namespace glovebox::policy
