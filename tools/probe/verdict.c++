#include "tools/probe/verdict.h"

#include <signal.h>
#include <string.h>

#include "tools/probe/probe-record.h"

namespace glovebox::probe {
namespace {

using policy::Layer;

bool isSignal(const Ending& ending, int signal) {
  return (ending.code == CLD_KILLED || ending.code == CLD_DUMPED) && ending.status == signal;
}

std::string signalName(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  return abbreviation != nullptr ? std::string("SIG") + abbreviation : "signal " + std::to_string(signal);
}

std::string errorName(int error) {
  if (error == 0) return "nothing there";
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

std::optional<Layer> layerOfError(const Attempt& attempt, int error) {
  Group group = attempt.group;
  switch (error) {
    case ESRCH: return Layer::PID_NAMESPACE;
    case ENOENT:
    case EROFS: return Layer::EMPTY_ROOT;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EFBIG:
    case ENOMEM: return Layer::RLIMITS;
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL: return Layer::NET_NAMESPACE;
    case ENOSPC: return Layer::USER_NAMESPACE;  // user.max_user_namespaces is 0 in it
    case EACCES: return group == Group::RESOURCES ? Layer::RLIMITS : Layer::LANDLOCK;
    // A different uid or not being dumpable may have been enough; the domain is there in any case.
    case EPERM: return group == Group::PROCESSES ? Layer::LANDLOCK : Layer::CAPABILITIES;
    case 0:
      if (group == Group::FILES) return Layer::EMPTY_ROOT;
      if (group == Group::KERNEL) return Layer::CAPABILITIES;
      if (group == Group::RESOURCES) return Layer::RLIMITS;
  }
  return std::nullopt;  // ENOSYS, EINVAL, ENOTTY, ...: the kernel has nothing of the kind here
}

}  // namespace

std::string_view judgementName(Judgement judgement) {
  switch (judgement) {
    case Judgement::MET: return "met";
    case Judgement::REFUSED: return "refused";
    case Judgement::REACHED: return "reached";
    case Judgement::UNCLEAR: return "unclear";
  }
  return "unclear";
}

Verdict judge(const Attempt& attempt, const Ending& ending, bool filtered) {
  if (ending.result) {
    const Result& result = *ending.result;
    switch (result.outcome) {
      case Outcome::MET: return {Judgement::MET, std::nullopt, "done"};
      case Outcome::REACHED: return {Judgement::REACHED, std::nullopt, errorName(result.error)};
      case Outcome::REFUSED: break;
    }
    // With the filter on, only allowed calls can answer: memory runs into the resource limits, the rest the filter
    // said.
    bool filterSpoke = filtered && result.error != 0 && attempt.group != Group::RESOURCES;
    return {Judgement::REFUSED, filterSpoke ? Layer::SECCOMP : layerOfError(attempt, result.error),
            errorName(result.error)};
  }
  if (ending.code == CLD_EXITED) {
    if (ending.status == EXIT_GOAL_MET) return {Judgement::MET, std::nullopt, "done"};
    return {Judgement::UNCLEAR, std::nullopt, "exit status " + std::to_string(ending.status)};
  }
  if (isSignal(ending, SIGSYS)) return {Judgement::REFUSED, Layer::SECCOMP, "SIGSYS"};
  if (isSignal(ending, SIGILL) && attempt.known == Known::KERNEL_EXCEPTION) {
    return {Judgement::REACHED, std::nullopt, "SIGILL"};
  }
  // A page that cannot be executed, a gate that is not mapped, an instruction that traps.
  if (isSignal(ending, SIGSEGV) || isSignal(ending, SIGILL) || isSignal(ending, SIGBUS)) {
    return {Judgement::REFUSED, std::nullopt, signalName(ending.status)};
  }
  if (isSignal(ending, SIGXFSZ) || isSignal(ending, SIGXCPU)) {
    return {Judgement::REFUSED, Layer::RLIMITS, signalName(ending.status)};
  }
  return {Judgement::UNCLEAR, std::nullopt, signalName(ending.status)};
}

bool isAsDocumented(const Attempt& attempt, const Verdict& verdict, policy::Profile profile) {
  switch (verdict.judgement) {
    case Judgement::REFUSED: return true;
    case Judgement::REACHED: return attempt.known == Known::KERNEL_EXCEPTION;
    case Judgement::MET:
      return attempt.known == Known::CLOCK ||
             (attempt.known == Known::PROFILE_DEFAULT && profile == policy::Profile::DEFAULT);
    case Judgement::UNCLEAR: return false;
  }
  return false;
}

}  // namespace glovebox::probe
