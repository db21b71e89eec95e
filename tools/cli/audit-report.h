#pragma once
// What an audit found, for people and for machines, and whether the jail held. It only words verdicts
// (tools/probe/verdict.h); it makes none but one: what a remark in the table of attempts explains is no success.

#include <optional>
#include <string>
#include <vector>

#include "policy/profile.h"
#include "tools/probe/attempt.h"
#include "tools/probe/verdict.h"

namespace glovebox::cli {

// How an attempt went where there is no jail.
struct Outside {
  std::string word;  // met, reached, refused, unavailable, not run (harmful)
  std::string how;   // why, if not met
};

struct AuditEntry {
  const probe::Attempt* attempt;
  Outside outside;
  probe::Verdict inside;
  std::optional<probe::Verdict> withoutSeccomp;  // nothing: not tried, it would have done harm
};

enum class Standing {
  STOPPED,
  REACHED,  // the kernel itself lets it by, to no effect
  GRANTED,  // the policy grants it on purpose
  MET,      // a promise is broken
  UNCLEAR,  // it ended in no way that it should; counts as broken
};
Standing standingOf(const AuditEntry& entry, policy::Profile profile);

// Whether an audit with these results may exit with 0.
bool hasHeld(const std::vector<AuditEntry>& entries, policy::Profile profile);

std::string reportAsText(const std::vector<AuditEntry>& entries, policy::Profile profile);
std::string reportAsJson(const std::vector<AuditEntry>& entries, policy::Profile profile);

}  // namespace glovebox::cli
