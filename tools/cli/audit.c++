// glovebox audit: tries to get out of a real worker's jail, in every way the probe knows.
//
// Three passes: each harmless attempt outside, where it should succeed; each attempt in the jail; and each in the same jail
// without seccomp, which shows what the other layers would stop.

#include <errno.h>
#include <kj/exception.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "tools/cli/audit-report.h"
#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/terminal.h"
#include "tools/probe/jail-driver.h"
#include "tools/probe/lent-segment.h"

namespace glovebox::cli {
namespace {

using probe::Attempt;
using probe::Filter;
using probe::JailDriver;

// Stalls the whole machine's disks, and nothing but the filter forbids it.
constexpr std::string_view NOT_WITHOUT_SECCOMP = "flush-disks";

// Runs the probe's own control and returns its one line. By exec, because some attempts start their own program afresh.
std::string readControl(const std::string& probePath, const std::string& name) {
  int fds[2];
  if (pipe(fds) != 0) throw Failure(EXIT_CODE_UNAVAILABLE, "cannot make a pipe");
  pid_t pid = fork();
  if (pid < 0) throw Failure(EXIT_CODE_UNAVAILABLE, "cannot start another process");
  if (pid == 0) {
    dup2(fds[1], STDOUT_FILENO);
    close(fds[0]);
    close(fds[1]);
    execl(probePath.c_str(), probePath.c_str(), "--control", name.c_str(), nullptr);
    _exit(99);
  }
  close(fds[1]);
  std::string text;
  std::array<char, 256> buffer;
  for (ssize_t got; (got = read(fds[0], buffer.data(), buffer.size())) > 0;) text.append(buffer.data(), static_cast<size_t>(got));
  close(fds[0]);
  waitpid(pid, nullptr, 0);
  return text.substr(0, text.find('\n'));
}

// "met done", "refused ENOSYS", "reached SIGILL"
Outside outsideFrom(const std::string& line) {
  auto space = line.find(' ');
  auto word = line.substr(0, space);
  auto how = space == std::string::npos ? "" : line.substr(space + 1);
  if (word == "met") return {word, ""};
  for (std::string_view missing: {"ENOSYS", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP", "ENODEV"}) {
    if (how == missing) return {"unavailable", how};
  }
  if (word == "refused" || word == "reached") return {word, how};
  return {"unavailable", line.empty() ? "the probe said nothing" : line};
}

Outside runOutside(const std::string& probePath, const Attempt& attempt) {
  if (!attempt.harmless()) return {"not run (harmful)", std::string(attempt.control)};
  return outsideFrom(readControl(probePath, std::string(attempt.name)));
}

void requireSealedSibling(const JailDriver& jail) {
  auto flaws = jail.siblingFlaws();
  if (flaws.empty()) return;
  std::string words;
  for (auto& flaw: flaws) words += "\n  " + flaw;
  throw Failure(EXIT_CODE_FAILED, "a worker in this jail is not sealed, so no attempt was made:" + words);
}

std::vector<AuditEntry> audit(const std::string& jailer, const std::string& probePath, policy::Profile profile) {
  std::vector<AuditEntry> entries;
  JailDriver jail({jailer, probePath, profile, Filter::ON, std::nullopt});
  requireSealedSibling(jail);
  JailDriver open({jailer, probePath, profile, Filter::OFF, std::nullopt});
  probe::LentSegment segment;
  uint64_t id = probe::FIRST_ATTEMPT_ID;
  for (auto& attempt: probe::allAttempts()) {
    AuditEntry entry{&attempt, runOutside(probePath, attempt), probe::judge(attempt, jail.attempt(id), true), std::nullopt};
    if (attempt.name != NOT_WITHOUT_SECCOMP) entry.withoutSeccomp = probe::judge(attempt, open.attempt(id), false);
    entries.push_back(std::move(entry));
    id++;
  }
  if (!jail.siblingLives()) throw Failure(EXIT_CODE_FAILED, "an attempt ended the worker next to it");
  return entries;
}

// Attempts that succeed outside can leave children behind; they come to us, and we wait for their end.
class Orphans {
 public:
  Orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Orphans() {
    while (waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
    }
  }
  Orphans(const Orphans&) = delete;
};

}  // namespace

int audit(const AuditOptions& options) {
  std::string jailer, probePath;
  try {
    auto installation = findInstallation();
    jailer = installation.jailer.cStr();
    probePath = installation.probe.cStr();
  } catch (const kj::Exception& exception) {
    throw Failure(EXIT_CODE_UNAVAILABLE, exception.getDescription().cStr());
  }
  if (access(probePath.c_str(), X_OK) != 0) {
    throw Failure(EXIT_CODE_UNAVAILABLE, "the probe is missing; build again (tools/dev build). Expected it at: " + probePath);
  }
  std::vector<AuditEntry> entries;
  Orphans orphans;
  try {
    entries = audit(jailer, probePath, options.profile);
  } catch (const probe::JailFailure& failure) {
    if (auto layer = failure.missing()) {
      auto& info = policy::info(*layer);
      throw Failure(EXIT_CODE_MISSING_LAYER, std::string("there is no jail to audit: ") + failure.what() + ". Missing layer: " +
                    std::string(info.name) + ". " + std::string(info.fix));
    }
    throw Failure(EXIT_CODE_UNAVAILABLE, std::string("the jail could not be audited: ") + failure.what());
  }
  writeOutput(options.json ? reportAsJson(entries, options.profile) : reportAsText(entries, options.profile));
  return hasHeld(entries, options.profile) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

}  // namespace glovebox::cli
