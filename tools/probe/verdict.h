#pragma once
// What an attempt came to, told from how its process ended and what it wrote; and which layer of the jail that shows.
// Both the record and the ending come from the probe, which is ours: this judges layers, it does not defend.

#include <optional>
#include <string>

#include "policy/layers.h"
#include "policy/profile.h"
#include "tools/probe/attempt.h"

namespace glovebox::probe {

struct Ending {
  std::optional<Result> result;  // what it wrote, if it did
  int code = 0;                  // CLD_EXITED, CLD_KILLED, CLD_DUMPED
  int status = 0;                // exit status or signal
};

enum class Judgement : uint8_t {
  MET,  // it got what it wanted
  REFUSED,
  REACHED,  // a kernel exception: it ran, to no effect
  UNCLEAR,  // it neither said nor ended in any way it should
};
std::string_view judgementName(Judgement judgement);

struct Verdict {
  Judgement judgement;
  std::optional<policy::Layer> layer;  // which layer refused; nothing if the kernel itself did
  std::string how;                     // "SIGSYS", "EPERM", "nothing there", ...
};

// `filtered`: the seccomp filter was on. Then every answer but those of the few allowed calls is the filter's. Without
// it the layer is told from the errno, by rule: the layer that most plainly gives this answer to this kind of attempt.
Verdict judge(const Attempt& attempt, const Ending& ending, bool filtered);

// Whether the jail held: refused, or a remark in the table explains it for this profile.
bool isAsDocumented(const Attempt& attempt, const Verdict& verdict, policy::Profile profile);

}  // namespace glovebox::probe
