// Every attempt of glovebox-probe in the real jail, as root and as an ordinary user; and outside, where it must succeed
// for its refusal inside to mean anything.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "policy/confine.h"
#include "tools/probe/jail-driver.h"
#include "tools/probe/lent-segment.h"

namespace glovebox::tests {
namespace {

using policy::Layer;
using policy::Profile;
using probe::Attempt;
using probe::Filter;
using probe::JailDriver;
using probe::JailFailure;
using probe::JailOptions;
using probe::Judgement;
using probe::Verdict;

// Any id without a name will do; an account is not needed.
constexpr uid_t ORDINARY_USER = 54'321;

enum class As { ROOT, ORDINARY };

std::string requireEnvironment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set; run this test by meson test");
  return value;
}

// Copies of the programs where every user may execute them: a build folder may be its owner's alone.
class Programs {
 public:
  Programs() {
    char path[] = "/tmp/glovebox-probe-test-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
    folder_ = path;
    chmod(path, 0755);
    for (auto [from, to] : {std::pair("GLOVEBOX_JAILER", "jailer"), std::pair("GLOVEBOX_PROBE", "probe")}) {
      std::filesystem::copy_file(requireEnvironment(from), folder_ / to);
      chmod((folder_ / to).c_str(), 0755);
    }
  }
  ~Programs() { std::filesystem::remove_all(folder_); }

  std::string jailer() const { return folder_ / "jailer"; }
  std::string probe() const { return folder_ / "probe"; }

 private:
  std::filesystem::path folder_;
};

const Programs& programs() {
  static const Programs PROGRAMS;
  return PROGRAMS;
}

JailOptions optionsFor(As as, Profile profile, Filter filter) {
  JailOptions options{programs().jailer(), programs().probe(), profile, filter, std::nullopt};
  if (as == As::ORDINARY && geteuid() == 0) options.asUser = ORDINARY_USER;
  return options;
}

// Asked of the kernel without any of our code, so that a broken jailer is a failure and not a skipped test.
int tryUserNamespace(As as) {
  pid_t pid = fork();
  if (pid == 0) {
    if (as == As::ORDINARY && geteuid() == 0 && setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0)
      _exit(errno);
    _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  }
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

std::string describe(const Attempt& attempt, const Verdict& verdict) {
  std::string text(attempt.name);
  text.append(" (").append(attempt.goal).append("): ").append(probe::judgementName(verdict.judgement));
  if (verdict.layer) text.append(" by ").append(policy::info(*verdict.layer).name);
  return text.append(", ").append(verdict.how);
}

class JailTest : public testing::TestWithParam<std::tuple<As, Profile>> {
 protected:
  void SetUp() override {
    As as = std::get<As>(GetParam());
    if (as == As::ROOT && geteuid() != 0) GTEST_SKIP() << "needs root; this test runs as an ordinary user";
    if (int error = tryUserNamespace(as)) {
      GTEST_SKIP() << "no user namespaces for this user here (unshare: " << strerror(error)
                   << "); see kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns and "
                      "user.max_user_namespaces";
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Jails, JailTest,
                         testing::Combine(testing::Values(As::ROOT, As::ORDINARY),
                                          testing::Values(Profile::DEFAULT, Profile::NO_WASM, Profile::JITLESS)),
                         [](const auto& tested) {
                           std::string name = std::get<As>(tested.param) == As::ROOT ? "Root_" : "OrdinaryUser_";
                           name += policy::profileName(std::get<Profile>(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(JailTest, NoAttemptMeetsItsGoalUnlessDocumented) {
  auto [as, profile] = GetParam();
  JailDriver jail(optionsFor(as, profile, Filter::ON));
  EXPECT_THAT(jail.siblingFlaws(), testing::IsEmpty());
  std::map<std::string, int> counts;
  uint64_t id = probe::FIRST_ATTEMPT_ID;
  for (const Attempt& attempt : probe::allAttempts()) {
    Verdict verdict = probe::judge(attempt, jail.attempt(id++), true);
    EXPECT_TRUE(probe::isAsDocumented(attempt, verdict, profile)) << describe(attempt, verdict);
    counts[verdict.layer ? std::string(policy::info(*verdict.layer).name) : "no layer"]++;
    if (verdict.judgement != Judgement::REFUSED) std::cout << describe(attempt, verdict) << "\n";
  }
  EXPECT_TRUE(jail.siblingLives()) << "an attempt ended another worker";
  for (auto& [layer, count] : counts) std::cout << count << " stopped by " << layer << "\n";
}

// What the other layers refuse without the filter's help, whoever started the jail: whatever leads out of it or to
// another process in it. The rest (memory files, timers, keyrings, sockets to nowhere, ...) only the filter forbids.
bool holdsWithoutFilter(const Attempt& attempt) {
  // clang-format off
  static const std::set<std::string_view> HELD = {
      "execute-shell", "execute-itself", "execute-from-memory", "map-twice", "connect-tcp", "send-udp",
      "listen-tcp", "socket-raw", "socket-packet", "unix-path", "write-elsewhere", "read-elsewhere",
      "signal-trusted", "signal-sibling", "signal-everyone", "signal-thread", "queue-signal", "signal-by-pidfd",
      "trace-trusted", "trace-sibling", "trace-me", "read-trusted", "read-sibling", "write-sibling",
      "take-from-trusted", "take-from-sibling", "compare-sibling", "advise-sibling", "sibling-futexes",
      "enter-namespace", "bpf-map", "timer", "unshare-user", "unshare-mount", "unshare-net", "clone-user",
      "clone3-user", "become-root", "become-root-group", "drop-groups", "raise-capabilities",
      "ask-capabilities", "move-arguments", "restart-machine", "load-kernel", "load-module", "swap-on",
      "account-processes", "kernel-log", "name-machine", "set-clock", "gate32-open", "ports", "port-range",
      "existing-segment", "posix-queue", "type-on-terminal", "fork", "fork-by-clone3", "fork-sibling", "thread",
      "many-descriptors", "much-memory", "memory-by-parts", "reserve-addresses", "lock-memory", "big-file",
      "raise-descriptors", "raise-core", "raise-priority", "real-time",
  };
  // clang-format on
  return HELD.contains(attempt.name) || (attempt.group == probe::Group::FILES && attempt.name != "memory-file");
}

TEST_P(JailTest, WithoutTheFilterTheOtherLayersStillHold) {
  auto [as, profile] = GetParam();
  probe::LentSegment segment;
  JailDriver jail(optionsFor(as, profile, Filter::OFF));
  EXPECT_THAT(jail.siblingFlaws(), testing::Contains(testing::HasSubstr("Seccomp")));
  uint64_t id = probe::FIRST_ATTEMPT_ID;
  int met = 0;
  for (const Attempt& attempt : probe::allAttempts()) {
    uint64_t attemptId = id++;
    if (attempt.name == "flush-disks") continue;  // stalls the machine, and only the filter forbids it
    Verdict verdict = probe::judge(attempt, jail.attempt(attemptId), false);
    EXPECT_NE(verdict.layer, Layer::SECCOMP) << describe(attempt, verdict);
    EXPECT_NE(verdict.judgement, Judgement::UNCLEAR) << describe(attempt, verdict);
    EXPECT_TRUE(!holdsWithoutFilter(attempt) || verdict.judgement == Judgement::REFUSED) << describe(attempt, verdict);
    if (verdict.judgement == Judgement::MET) met++;
  }
  std::cout << met << " met without the filter\n";
  EXPECT_GT(met, 30) << "hardly more is met than with the filter: was it off?";
  EXPECT_TRUE(jail.siblingLives());
}

TEST_P(JailTest, AForgottenFilterEndsTheWorkerBeforeItRuns) {
  auto [as, profile] = GetParam();
  try {
    JailDriver jail(optionsFor(as, profile, Filter::FORGOTTEN));
    FAIL() << "a worker lives without a filter";
  } catch (const JailFailure& failure) {
    EXPECT_THAT(failure.what(), testing::HasSubstr(policy::describeStep(policy::Step::SECCOMP)));
  }
}

// What a machine may lack. Anything else is an attempt that could not have succeeded anywhere.
bool mayBeMissing(const Attempt& attempt, std::string_view answer) {
  if (attempt.known == probe::Known::KERNEL_EXCEPTION) return true;
  static const std::set<std::string_view> ODD = {"protection-key", "vsyscall-page"};
  if (ODD.contains(attempt.name)) return answer != "unclear";
  for (std::string_view missing : {"refused ENOSYS", "refused EPERM", "refused EACCES", "refused EAFNOSUPPORT"}) {
    if (answer == missing) return true;
  }
  return geteuid() != 0 && answer == "refused nothing there";  // an ordinary user has no capability to find
}

TEST(ProbeControls, HarmlessAttemptsSucceedOutside) {
  int met = 0;
  for (const Attempt& attempt : probe::allAttempts()) {
    if (!attempt.harmless()) continue;
    std::string command = programs().probe() + " --control " + std::string(attempt.name);
    FILE* pipe = popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::array<char, 128> line{};
    if (fgets(line.data(), line.size(), pipe) == nullptr) line[0] = '\0';
    int status = pclose(pipe);
    std::string answer(line.data());
    if (!answer.empty() && answer.back() == '\n') answer.pop_back();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      met++;
    } else {
      std::cout << "not available on this machine: " << attempt.name << ": " << answer << "\n";
      EXPECT_TRUE(mayBeMissing(attempt, answer)) << attempt.name << ": " << answer;
    }
  }
  std::cout << met << " met outside\n";
  EXPECT_GT(met, 60);
}

TEST(ProbeControls, HarmfulAttemptsAreNotRunOutside) {
  for (const Attempt& attempt : probe::allAttempts()) {
    if (attempt.harmless()) continue;
    std::string command = programs().probe() + " --control " + std::string(attempt.name) + " > /dev/null";
    int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << attempt.name;
  }
}

}  // namespace
}  // namespace glovebox::tests
