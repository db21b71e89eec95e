// The jails of the gateway and of the egress process: every attempt of glovebox-probe, made by native code that has taken one over, as root
// and as an ordinary user; and what the running gateway itself looks like from outside.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>

#include "policy/confine-gateway.h"
#include "policy/egress-syscalls.h"
#include "policy/filter-compiler.h"
#include "policy/gateway-syscalls.h"
#include "tests/gateway-world.h"
#include "tools/egress/limits.h"
#include "tools/gateway/limits.h"
#include "tools/probe/lent-segment.h"
#include "tools/probe/probe-record.h"
#include "tools/probe/verdict.h"
#include "tools/probe/victim.h"

namespace glovebox::test {
namespace {

using policy::Layer;
using policy::LayerSet;
using probe::Attempt;
using probe::Judgement;
using probe::Verdict;
using testing::HasSubstr;

constexpr uid_t ORDINARY_USER = 54'321;

enum class As { ROOT, ORDINARY };
enum class Filter { ON, OFF };
enum class Role { GATEWAY, EGRESS };
struct Case {
  As as;
  Role role;
};

// The one that the egress process may connect to.
constexpr uint16_t ALLOWED_PORT = 443;

// -- A gateway that makes one attempt, or none --------------------------------------------------------------------------

class Jailed {
 public:
  Jailed(Case which, Filter filter, const Attempt* attempt, probe::Surroundings around) {
    static const std::vector<sock_filter> GATEWAY = policy::compileFilter(policy::GATEWAY_SYSCALLS, policy::Profile::DEFAULT),
                                          EGRESS = policy::compileFilter(policy::EGRESS_SYSCALLS, policy::Profile::DEFAULT);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socket pair");
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      become(which.as, ends[1]);
      run(which.role, which.role == Role::GATEWAY ? GATEWAY : EGRESS, filter, attempt, around);
    }
    close(ends[1]);
    socket_ = ends[0];
    // Its first byte: shut in. Otherwise what failed.
    if (recv(socket_, &started_, sizeof(started_), MSG_WAITALL) != sizeof(started_)) started_ = {policy::Step::NONE, ECHILD, 0};
  }
  ~Jailed() {
    kill(pid_, SIGKILL);
    if (!reaped_) waitpid(pid_, nullptr, 0);
    close(socket_);
  }
  Jailed(const Jailed&) = delete;

  pid_t pid() const { return pid_; }
  bool started() const { return started_.step == policy::Step::NONE && started_.error == 0; }
  std::string failure() const { return std::string(policy::describeStep(started_.step)) + ": " + strerror(started_.error); }

  probe::Ending ended() {
    siginfo_t info{};
    while (waitid(P_PID, pid_, &info, WEXITED | __WALL) != 0 && errno == EINTR) {}
    reaped_ = true;
    probe::Ending ending{std::nullopt, info.si_code, info.si_status};
    // What an attempt itself sent may stand before the record.
    probe::ProbeRecord record;
    std::string bytes;
    char buffer[256];
    for (ssize_t got; (got = recv(socket_, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0;) bytes.append(buffer, got);
    if (bytes.size() >= sizeof(record)) {
      memcpy(&record, bytes.data() + bytes.size() - sizeof(record), sizeof(record));
      if (record.magic == probe::PROBE_RECORD_MAGIC) {
        ending.result = probe::Result{static_cast<probe::Outcome>(record.outcome), record.error};
      }
    }
    return ending;
  }

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
  bool reaped_ = false;
  policy::StepResult started_;

  // As main() finds itself: a line, a listening socket, and nowhere to write to.
  static void become(As as, int line) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    listen(listener, 1);
    line = fcntl(line, F_DUPFD, 100);
    listener = fcntl(listener, F_DUPFD, 100);
    int null = open("/dev/null", O_RDWR);
    for (int fd : {0, 1, 2}) dup2(null, fd);
    dup2(line, policy::GATEWAY_LINE);
    dup2(listener, policy::GATEWAY_LISTENER);
    close_range(policy::GATEWAY_LISTENER + 1, ~0u, 0);
    setsid();
    if (as == As::ORDINARY && geteuid() == 0 &&
        (setresgid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0 || setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0)) {
      _exit(1);
    }
    // A change of ids took this right away, and with it the files of /proc that the user namespace's maps are written to.
    prctl(PR_SET_DUMPABLE, 1);
  }

  [[noreturn]] static void run(Role role, const std::vector<sock_filter>& filter, Filter on, const Attempt* attempt, probe::Surroundings around) {
    gateway::GatewayLimits limits;
    policy::GatewayConfinement confinement{256, gateway::dataBytesMax(limits), filter.data(), static_cast<uint16_t>(filter.size()), {}};
    if (role == Role::EGRESS) {
      close(policy::GATEWAY_LISTENER);
      confinement.dataBytesMax = egress::DATA_BYTES_MAX;
      confinement.connects = true;
      confinement.ports = &ALLOWED_PORT;
      confinement.portCount = 1;
    }
    if (on == Filter::OFF) {
      confinement.filterLength = 0;
      confinement.mayMiss.add(Layer::SECCOMP);
    }
    if (attempt == nullptr) probe::secret = probe::SECRET_OF_VICTIM;
    LayerSet inForce;
    auto result = policy::enterGatewayJail(confinement, inForce);
    if (result.ok()) result = policy::sealGateway(confinement, inForce);
    syscall(SYS_write, policy::GATEWAY_LINE, &result, sizeof(result));
    if (attempt == nullptr) {
      char byte;
      while (syscall(SYS_read, policy::GATEWAY_LINE, &byte, 1) > 0) {}
      for (;;) syscall(SYS_exit_group, 0);
    }
    auto reached = attempt->run(around);
    probe::ProbeRecord record;
    record.outcome = static_cast<uint32_t>(reached.outcome);
    record.error = reached.error;
    syscall(SYS_write, policy::GATEWAY_LINE, &record, sizeof(record));
    for (;;) syscall(SYS_exit_group, 0);
  }
};

// Something trusted that is not shut in: the gateway's parent, say.
class Outsider {
 public:
  explicit Outsider(As as) {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (as == As::ORDINARY && geteuid() == 0 && setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0) _exit(1);
      prctl(PR_SET_DUMPABLE, 1);
      probe::secret = probe::SECRET_OF_VICTIM;
      if (write(ready[1], "", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char byte;
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) throw std::runtime_error("an outsider did not start");
    close(ready[0]);
  }
  ~Outsider() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool lives() const { return waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
};

std::string describe(const Attempt& attempt, const Verdict& verdict) {
  std::string text(attempt.name);
  text.append(" (").append(attempt.goal).append("): ").append(probe::judgementName(verdict.judgement));
  if (verdict.layer) text.append(" by ").append(policy::info(*verdict.layer).name);
  return text.append(", ").append(verdict.how);
}

class GatewayJail: public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (GetParam().as == As::ROOT && geteuid() != 0) GTEST_SKIP() << "needs root; this test runs as an ordinary user";
  }

  std::map<std::string_view, Verdict> attemptAll(Filter filter, std::function<bool(const Attempt&)> which) {
    std::map<std::string_view, Verdict> verdicts;
    probe::LentSegment segment;
    Outsider trusted(GetParam().as);
    Jailed sibling(GetParam(), Filter::ON, nullptr, {});
    EXPECT_TRUE(sibling.started()) << sibling.failure();
    for (const Attempt& attempt : probe::allAttempts()) {
      if (!which(attempt)) continue;
      Jailed jailed(GetParam(), filter, &attempt, {trusted.pid(), sibling.pid()});
      if (!jailed.started()) {
        ADD_FAILURE() << jailed.failure();
        break;
      }
      auto verdict = probe::judge(attempt, jailed.ended(), filter == Filter::ON);
      EXPECT_NE(verdict.judgement, Judgement::UNCLEAR) << describe(attempt, verdict);
      verdicts.emplace(attempt.name, verdict);
      EXPECT_TRUE(trusted.lives()) << "after " << attempt.name;
    }
    EXPECT_EQ(waitpid(sibling.pid(), nullptr, WNOHANG), 0) << "the other gateway is gone";
    return verdicts;
  }
};

// What a gateway may do and a worker may not. Its connections have whatever numbers are free, so it may read from and write to all
// of them; the standard three are /dev/null.
bool isGranted(std::string_view name) {
  static const std::set<std::string_view> GRANTED = {"write-elsewhere", "read-elsewhere", "write-high-bits"};
  return GRANTED.contains(name);
}

TEST_P(GatewayJail, NoAttemptOfNativeCodeSucceeds) {
  auto verdicts = attemptAll(Filter::ON, [](const Attempt&) { return true; });
  for (const Attempt& attempt : probe::allAttempts()) {
    auto& verdict = verdicts.at(attempt.name);
    EXPECT_TRUE(isGranted(attempt.name) || probe::isAsDocumented(attempt, verdict, policy::Profile::JITLESS)) << describe(attempt, verdict);
    if (isGranted(attempt.name)) EXPECT_EQ(verdict.judgement, Judgement::MET) << describe(attempt, verdict);
  }
}

// Whatever leads to files, the network or other processes is refused twice. But for datagrams of the egress process, which asks name servers:
// without its filter it could send them from sockets of any kind.
TEST_P(GatewayJail, WithoutTheFilterTheOtherLayersStillHold) {
  static const std::set<std::string_view> HELD = {
      "execute-shell", "connect-tcp", "send-udp", "listen-tcp", "socket-raw", "socket-packet", "unix-path",
      "signal-trusted", "signal-sibling", "signal-thread", "queue-signal", "signal-by-pidfd", "trace-trusted",
      "trace-sibling", "read-trusted", "read-sibling", "write-sibling", "take-from-trusted", "take-from-sibling", "unshare-user",
      "clone-user", "become-root", "raise-capabilities", "load-module", "swap-on", "kernel-log", "name-machine", "set-clock",
      "existing-segment", "fork", "thread", "much-memory", "lock-memory", "big-file", "raise-core"};
  auto isHeld = [](const Attempt& attempt) {
    return HELD.contains(attempt.name) || (attempt.group == probe::Group::FILES && attempt.name != "memory-file");
  };
  int met = 0;
  auto verdicts = attemptAll(Filter::OFF, [](const Attempt& attempt) { return attempt.name != "flush-disks" && attempt.name != "signal-everyone"; });
  for (const Attempt& attempt : probe::allAttempts()) {
    auto found = verdicts.find(attempt.name);
    if (found == verdicts.end()) continue;
    if (found->second.judgement == Judgement::MET) met++;
    if (GetParam().role == Role::EGRESS && attempt.name == "send-udp") continue;
    if (isHeld(attempt)) EXPECT_EQ(found->second.judgement, Judgement::REFUSED) << describe(attempt, found->second);
  }
  EXPECT_GT(met, 30) << "hardly more is met than with the filter: was it off?";
}

INSTANTIATE_TEST_SUITE_P(Users, GatewayJail,
                         testing::Values(Case{As::ROOT, Role::GATEWAY}, Case{As::ORDINARY, Role::GATEWAY}, Case{As::ROOT, Role::EGRESS},
                                         Case{As::ORDINARY, Role::EGRESS}),
                         [](const auto& info) {
                           return std::string(info.param.role == Role::GATEWAY ? "Gateway" : "Egress") + (info.param.as == As::ROOT ? "AsRoot" : "AsOrdinaryUser");
                         });

// -- The program ---------------------------------------------------------------------------------------------------------

std::string link(const std::string& path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).string();
}

TEST(GatewayProgram, IsShutInBeforeItAccepts) {
  GatewayWorld world;
  LayerSet inForce(world.layersInForce);
  for (auto& layer : policy::LAYERS) {
    if (policy::gatewayLayers().has(layer.layer)) EXPECT_TRUE(inForce.has(layer.layer)) << layer.name;
  }
  EXPECT_EQ(world.statusText("Seccomp"), "2");
  EXPECT_EQ(world.statusText("NoNewPrivs"), "1");
  for (auto set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) EXPECT_EQ(world.statusText(set), "0000000000000000") << set;
  EXPECT_EQ(world.statusText("Threads"), "1");
  auto proc = "/proc/" + std::to_string(world.pid());
  for (std::string name : {"user", "mnt", "net", "ipc", "uts", "cgroup"}) {
    EXPECT_NE(link(proc + "/ns/" + name), link("/proc/self/ns/" + name)) << name;
  }
  EXPECT_TRUE(std::filesystem::is_empty(proc + "/root"));
  std::set<std::string> open;   // sockets, and what an event loop waits with
  for (auto& entry : std::filesystem::directory_iterator(proc + "/fd")) {
    auto target = link(entry.path());
    open.insert(target.substr(0, target.find(":[")));
  }
  EXPECT_EQ(open, (std::set<std::string>{"/dev/null", "socket", "anon_inode"}));
}

int listening() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listen(fd, 1);
  return fd;
}

struct Pair {
  int ends[2];
  Pair(int type = SOCK_STREAM) { socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends); }
  ~Pair() { close(ends[0]), close(ends[1]); }
};

TEST(GatewayProgram, SaysWhatItWasNotGiven) {
  Pair line, datagrams(SOCK_DGRAM);
  int listener = listening();
  auto wrongLine = startGateway({}, datagrams.ends[1], {listener});
  EXPECT_EQ(wrongLine.code, 64);
  EXPECT_THAT(wrongLine.words, HasSubstr("descriptor 3 is not a Unix stream socket"));
  auto wrongListener = startGateway({}, line.ends[1], {line.ends[0]});
  EXPECT_EQ(wrongListener.code, 64);
  EXPECT_THAT(wrongListener.words, HasSubstr("descriptor 4 is not a listening socket"));
  auto tooFew = startGateway({"--listeners", "2"}, line.ends[1], {listener, line.ends[0]});
  EXPECT_THAT(tooFew.words, HasSubstr("descriptor 5 is not a listening socket"));
  auto tooMany = startGateway({"--connections", "1000000"}, line.ends[1], {listener});
  EXPECT_EQ(tooMany.code, 64);
  EXPECT_THAT(tooMany.words, HasSubstr("ulimit -Hn"));
  auto unknown = startGateway({"--allow-missing", "nonsense"}, line.ends[1], {listener});
  EXPECT_THAT(unknown.words, HasSubstr("there is no layer called 'nonsense'"));
  close(listener);
}

// Stands on a machine that has no network namespaces left.
TEST(GatewayProgram, AMissingLayerStopsTheStartUnlessItMayMiss) {
  pid_t pid = fork();
  if (pid == 0) {
    if (geteuid() == 0 && setresuid(ORDINARY_USER, ORDINARY_USER, ORDINARY_USER) != 0) _exit(1);
    prctl(PR_SET_DUMPABLE, 1);
    policy::IdMap ids;
    if (!policy::enterUserNamespace(ids).ok()) _exit(2);
    int limit = open("/proc/sys/user/max_net_namespaces", O_WRONLY | O_CLOEXEC);
    if (write(limit, "0", 1) != 1) _exit(3);
    Pair line;
    auto result = startGateway({}, line.ends[1], {listening()});
    if (result.code != 71) std::cerr << result.code << ' ' << result.words, _exit(4);
    if (result.words.find("enter a new network namespace") == std::string::npos ||
        result.words.find("--allow-missing=net-namespace") == std::string::npos) std::cerr << result.words, _exit(5);
    // It starts, and ends at once, because nobody is at the other end.
    close(line.ends[0]);
    result = startGateway({"--allow-missing", "net-namespace"}, line.ends[1], {listening()});
    if (result.code != 0) std::cerr << result.code << ' ' << result.words, _exit(6);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace glovebox::test
