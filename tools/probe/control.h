#pragma once
// The same attempt outside the jail: what shows that an attempt can succeed at all, and so that its refusal means
// something.

#include "tools/probe/verdict.h"

namespace glovebox::probe {

// Runs a harmless attempt once in a forked child, with two forked victims in the places of the trusted side and of the
// sibling. All are gone when it returns.
Verdict runControl(const Attempt& attempt);

}  // namespace glovebox::probe
