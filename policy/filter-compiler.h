#pragma once
// Turns a table of rules into the BPF program that the kernel runs, by way of libseccomp, and into words for people.
// Runs on the trusted side; a worker only ever installs the finished program.

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/profile.h"
#include "policy/rule.h"

namespace glovebox::policy {

// The filter of a sealed worker. The same program for the same profile, always.
std::vector<sock_filter> compileWorkerFilter(Profile profile);

// The same for any table; for the warden's.
std::vector<sock_filter> compileFilter(std::span<const Rule> rules, Profile profile);

// libseccomp's pseudo code of the compiled filter.
std::string filterPseudoCode(Profile profile);

// The table with its reasons, for `glovebox policy`.
std::string describeWorkerRules(Profile profile);
// The same of the gateway's, which has one profile.
std::string describeGatewayRules();

// What libseccomp calls a system call of this machine; nothing if it does not know the number.
std::optional<std::string> tryNameSystemCall(uint32_t number);

}  // namespace glovebox::policy
