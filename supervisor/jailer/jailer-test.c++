// A real jail, with a stand-in for the zygote (tests/victims/zygote-stand-in.c++) whose workers do on order what a worker
// must not be able to do. Everything runs twice: as root, and as an ordinary user in a process of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ipc/zygote-protocol.h"
#include "policy/acts.h"
#include "policy/confine.h"
#include "policy/filter-compiler.h"
#include "policy/limits.h"
#include "policy/seal.h"
#include "supervisor/kernel-log.h"

namespace glovebox {
namespace {

using policy::Layer;
using policy::LayerSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t ORDINARY_UID = 12345;
constexpr uint32_t MEMORY_MB = 64;

// The programs in a folder that any user may enter; the build may stand in somebody's home.
struct Programs {
  std::string folder, jailer, zygote;

  Programs() {
    char name[] = "/tmp/jailer-test-XXXXXX";
    folder = mkdtemp(name);
    chmod(name, 0755);
    jailer = copy(getenv("GLOVEBOX_TEST_JAILER"), "jailer");
    zygote = copy(getenv("GLOVEBOX_TEST_ZYGOTE"), "zygote");
  }
  ~Programs() { std::filesystem::remove_all(folder); }

  std::string copy(const char* from, const char* name) {
    if (from == nullptr) return {};  // SetUp() says so
    std::string to = folder + "/" + name;
    std::filesystem::copy_file(from, to);
    std::filesystem::permissions(to, std::filesystem::perms(0755));
    return to;
  }
};

template <typename Record>
bool receive(int socket, Record& record, int* descriptor = nullptr) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&record, sizeof(record)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (descriptor != nullptr && header != nullptr) memcpy(descriptor, CMSG_DATA(header), sizeof(int));
  return length == sizeof(record) && record.type == Record{}.type;
}

struct Worker {
  int socket = -1, pidfd = -1, innerPid = 0;
  pid_t pid = 0;

  // The answer to an order; -1 if the worker died of it.
  int32_t order(char letter) const {
    int32_t answer = -1;
    if (write(socket, &letter, 1) != 1 || read(socket, &answer, sizeof(answer)) != sizeof(answer)) return -1;
    return answer;
  }
  bool isDead() const {
    pollfd fd{pidfd, POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }
};

// What the supervisor does, in a few lines.
class Jail {
 public:
  Jail(const Programs& programs, LayerSet mayMiss = LayerSet(), std::vector<std::string> command = {}) {
    int zygoteEnds[2], wardenEnds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, zygoteEnds), 0);
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wardenEnds), 0);
    zygote_ = zygoteEnds[0];
    warden_ = wardenEnds[0];
    if (command.empty()) command = {programs.zygote};
    jailer_ = fork();
    if (jailer_ == 0) {
      // Out of the way of 3 and 4 first.
      int zygote = fcntl(zygoteEnds[1], F_DUPFD, 50), warden = fcntl(wardenEnds[1], F_DUPFD, 50);
      dup2(zygote, zygote::ZYGOTE_CONTROL_FD);
      dup2(warden, zygote::WARDEN_CONTROL_FD);
      std::string bits = std::to_string(mayMiss.bits());
      std::vector<const char*> arguments = {programs.jailer.c_str(), "--allow-missing-bits", bits.c_str(), "--"};
      for (auto& word : command) arguments.push_back(word.c_str());
      arguments.push_back(nullptr);
      execv(arguments[0], const_cast<char**>(arguments.data()));
      _exit(127);
    }
    close(zygoteEnds[1]);
    close(wardenEnds[1]);
    mayMiss_ = mayMiss;
  }
  ~Jail() {
    close(zygote_);
    if (warden_ >= 0) close(warden_);
    while (waitpid(-1, nullptr, 0) > 0) {}
  }

  int wardenSocket() const { return warden_; }
  const zygote::WardenStarted& started() const { return started_; }
  const zygote::ZygoteReady& ready() const { return ready_; }

  bool start() {
    if (!receive(warden_, started_)) return false;
    auto filter = policy::compileWorkerFilter(policy::Profile::DEFAULT);
    zygote::Configure configure;
    configure.uidMapped = started_.uidMapped;
    configure.firstWorkerUid = started_.firstWorkerUid;
    configure.missingAllowed = mayMiss_.bits();
    configure.filterLength = filter.size();
    std::string packet(reinterpret_cast<char*>(&configure), sizeof(configure));
    packet.append(reinterpret_cast<char*>(filter.data()), filter.size() * sizeof(filter[0]));
    if (write(zygote_, packet.data(), packet.size()) != static_cast<ssize_t>(packet.size())) return false;
    return receive(zygote_, ready_);
  }

  Worker spawn() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    zygote::Spawn spawn;
    spawn.spawnId = ++spawned_;
    spawn.workerUid = started_.firstWorkerUid + spawned_;
    spawn.dataBytesMax = policy::workerDataBytesMax(MEMORY_MB);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec data{&spawn, sizeof(spawn)};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    EXPECT_EQ(sendmsg(zygote_, &message, 0), static_cast<ssize_t>(sizeof(spawn)));
    close(ends[1]);
    Worker worker;
    worker.socket = ends[0];
    zygote::Spawned record;
    EXPECT_TRUE(receive(zygote_, record, &worker.pidfd));
    EXPECT_EQ(record.error, 0);
    worker.innerPid = record.innerPid;
    worker.pid = policy::tryGetPid(worker.pidfd).value_or(0);
    return worker;
  }

  zygote::ChildEnded nextEnd() {
    zygote::ChildEnded record;
    EXPECT_TRUE(receive(warden_, record));
    return record;
  }

  void closeWarden() {
    close(warden_);
    warden_ = -1;
  }

 private:
  int zygote_, warden_;
  pid_t jailer_;
  LayerSet mayMiss_;
  zygote::WardenStarted started_;
  zygote::ZygoteReady ready_;
  uint64_t spawned_ = 0;
};

enum class User { ROOT, ORDINARY };

class JailerTest : public ::testing::TestWithParam<User> {
 protected:
  void SetUp() override {
    if (getenv("GLOVEBOX_TEST_JAILER") == nullptr || getenv("GLOVEBOX_TEST_ZYGOTE") == nullptr) {
      GTEST_SKIP() << "GLOVEBOX_TEST_JAILER and GLOVEBOX_TEST_ZYGOTE do not name the programs; run it with `meson test`";
    }
    if (GetParam() == User::ROOT && geteuid() != 0) GTEST_SKIP() << "this half needs root";
    bool available = inChild([] { return unshare(CLONE_NEWUSER) == 0; });
    if (!available) GTEST_SKIP() << "no user namespaces here: " << policy::info(Layer::USER_NAMESPACE).fix;
  }

  // A process of its own: it changes users, and whatever the jail leaves behind is its child.
  bool inChild(std::function<bool()> body) {
    fflush(nullptr);
    pid_t pid = fork();
    if (pid == 0) {
      if (GetParam() == User::ORDINARY && geteuid() == 0) {
        if (syscall(SYS_setgroups, 0, nullptr) != 0 || setresgid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) != 0 ||
            setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID) != 0) {
          _exit(2);
        }
        prctl(PR_SET_DUMPABLE, 1);
      }
      bool ok = body();
      fflush(nullptr);
      _exit(ok ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status == 0;
  }

  void jailed(std::function<void(Jail&)> body, LayerSet mayMiss = LayerSet()) {
    EXPECT_TRUE(inChild([&] {
      Jail jail(programs_, mayMiss);
      if (!jail.start()) {
        ADD_FAILURE() << "the jail does not start";
        return false;
      }
      body(jail);
      return !HasFailure();
    }));
  }

  Programs programs_;
};

INSTANTIATE_TEST_SUITE_P(, JailerTest, ::testing::Values(User::ROOT, User::ORDINARY),
                         [](auto& info) { return info.param == User::ROOT ? "AsRoot" : "AsOrdinaryUser"; });

TEST_P(JailerTest, ASealedWorkerIsFoundFlawless) {
  jailed([](Jail& jail) {
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('s'), 0);
    EXPECT_THAT(policy::findSealFlaws(worker.pid, LayerSet(jail.ready().layersInForce)), IsEmpty());
    EXPECT_FALSE(worker.isDead());
  });
}

TEST_P(JailerTest, AWorkerWithoutItsFilterIsFoundOut) {
  jailed([](Jail& jail) {
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('f') == 0, false);
    EXPECT_THAT(policy::findSealFlaws(worker.pid, LayerSet()),
                ElementsAre(HasSubstr("it has no system call filter"), HasSubstr("not exactly one system call filter")));
  });
}

TEST_P(JailerTest, FilesAreOutOfReachBeforeTheFilter) {
  EXPECT_GE(open("/etc/passwd", O_RDONLY | O_CLOEXEC), 0) << "control: outside the jail the file is there";
  jailed([](Jail& jail) {
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('f'), ENOENT) << "the root is empty";
    EXPECT_EQ(worker.order('d'), EACCES) << "and even the root itself is refused by Landlock";
  });
}

TEST_P(JailerTest, OtherProcessesAreOutOfReachBeforeTheFilter) {
  jailed([](Jail& jail) {
    Worker worker = jail.spawn(), other = jail.spawn();
    // Other users' processes or, where all are one user, beyond its Landlock domain. Kernels before 6.12 have only the filter.
    if (jail.started().uidMapped || policy::landlockAbi() >= 6) {
      EXPECT_EQ(worker.order('k'), EPERM) << "the warden";
      EXPECT_EQ(worker.order('K'), EPERM) << "the zygote";
    }
    EXPECT_NE(worker.order('u'), 0) << "no namespace of its own";
    EXPECT_NE(worker.order('F'), 0) << "no child";
    EXPECT_NE(worker.order('i'), 0) << "no other user";
    EXPECT_FALSE(other.isDead());
    EXPECT_EQ(other.order('f'), ENOENT);
  });
}

TEST_P(JailerTest, EachWorkerIsAUserOfItsOwnWhereIdsAreMapped) {
  jailed([](Jail& jail) {
    EXPECT_EQ(jail.started().uidMapped, geteuid() == 0 ? 1u : 0u);
    Worker first = jail.spawn(), second = jail.spawn();
    auto owner = [](const Worker& worker) {
      EXPECT_EQ(worker.order('s'), 0);
      std::string status = "/proc/" + std::to_string(worker.pid) + "/status";
      FILE* file = fopen(status.c_str(), "re");
      char line[256];
      unsigned uid = 0;
      while (fgets(line, sizeof(line), file) != nullptr && sscanf(line, "Uid: %u", &uid) != 1) {}
      fclose(file);
      return uid;
    };
    if (jail.started().uidMapped) {
      EXPECT_EQ(owner(first), jail.started().outerUidOffset + jail.started().firstWorkerUid + 1);
      EXPECT_EQ(owner(second), jail.started().outerUidOffset + jail.started().firstWorkerUid + 2);
    } else {
      EXPECT_EQ(owner(first), geteuid());
    }
  });
}

TEST_P(JailerTest, ACallOutsideTheTableKillsAndTheWardenReportsIt) {
  jailed([](Jail& jail) {
    KernelLog log;
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('s'), 0);
    EXPECT_EQ(worker.order('n'), -1) << "socket()";
    auto end = jail.nextEnd();
    EXPECT_GT(end.cpuUs + end.peakBytes, 0u) << "what it took, by the kernel's account";
    EXPECT_EQ(end.innerPid, worker.innerPid);
    EXPECT_TRUE(end.code == CLD_KILLED || end.code == CLD_DUMPED);
    EXPECT_EQ(end.status, SIGSYS);
    // The kernel says which one, where it lets its log be read and nobody takes its audit records away.
    kj::Maybe<uint32_t> call;
    for (int i = 0; i < 100 && call == nullptr; i++) {
      call = log.tryFindForbiddenCall(worker.pid);
      usleep(1'000);
    }
    KJ_IF_MAYBE(number, call) {
      EXPECT_EQ(*number, static_cast<uint32_t>(SYS_socket));
    } else {
      printf("the kernel's log did not name the call\n");
    }
  });
}

TEST_P(JailerTest, TheWardenReportsExitsAndSignals) {
  jailed([](Jail& jail) {
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('s'), 0);
    EXPECT_EQ(worker.order('x'), -1);
    auto end = jail.nextEnd();
    EXPECT_EQ(end.innerPid, worker.innerPid);
    EXPECT_EQ(end.code, CLD_EXITED);
    EXPECT_EQ(end.status, 7);

    Worker second = jail.spawn();
    EXPECT_EQ(second.order('s'), 0);
    EXPECT_EQ(syscall(SYS_pidfd_send_signal, second.pidfd, SIGKILL, nullptr, 0), 0);
    end = jail.nextEnd();
    EXPECT_EQ(end.innerPid, second.innerPid);
    EXPECT_EQ(end.code, CLD_KILLED);
    EXPECT_EQ(end.status, SIGKILL);
  });
}

TEST_P(JailerTest, EverybodyDiesWhenTheSupervisorIsGone) {
  jailed([](Jail& jail) {
    Worker sealed = jail.spawn(), fresh = jail.spawn();
    EXPECT_EQ(sealed.order('s'), 0);
    int warden = syscall(SYS_pidfd_open, jail.started().wardenPid, 0);
    ASSERT_GE(warden, 0);
    EXPECT_FALSE(sealed.isDead());
    jail.closeWarden();
    for (int pidfd : {warden, sealed.pidfd, fresh.pidfd}) {
      pollfd fd{pidfd, POLLIN, 0};
      EXPECT_EQ(poll(&fd, 1, 10'000), 1) << "still alive long after";
    }
  });
}

TEST_P(JailerTest, TheWardenItselfIsSealed) {
  if (GetParam() == User::ORDINARY) {
    GTEST_SKIP() << "only root can look: the warden was not executed inside the namespace that an ordinary user owns";
  }
  jailed([](Jail& jail) {
    std::vector<std::string> flaws;
    // It seals itself while the zygote already starts; the filter comes last.
    do {
      flaws = policy::findSealFlaws(jail.started().wardenPid, LayerSet());
    } while (!flaws.empty() && flaws.back().find("filter") != std::string::npos && sched_yield() == 0);
    EXPECT_THAT(flaws, ElementsAre(HasSubstr("descriptors {4, 5}"))) << "all else is as in a worker";
  });
}

TEST_P(JailerTest, MemoryBeyondTheLimitIsRefused) {
  EXPECT_NE(mmap(nullptr, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED) << "control";
  jailed([](Jail& jail) {
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('m'), ENOMEM);
    EXPECT_EQ(worker.order('s'), 0);
    EXPECT_EQ(worker.order('m'), ENOMEM);
  });
}

// Stands on a machine that has no network namespaces left: their number is limited in a user namespace around the jail.
TEST_P(JailerTest, AMissingNamespaceStopsTheStartUnlessItMayMiss) {
  if (GetParam() == User::ROOT) GTEST_SKIP() << "the limit is set up as an ordinary user; root takes the same path";
  EXPECT_TRUE(inChild([&] {
    policy::IdMap ids;
    EXPECT_TRUE(policy::enterUserNamespace(ids).ok());
    int limit = open("/proc/sys/user/max_net_namespaces", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(write(limit, "0", 1), 1);
    {
      Jail jail(programs_);
      zygote::StepFailed failure;
      EXPECT_EQ(read(jail.wardenSocket(), &failure, sizeof(failure)), static_cast<ssize_t>(sizeof(failure)));
      EXPECT_EQ(failure.type, zygote::RecordType::JAILER_FAILED);
      EXPECT_EQ(failure.step, static_cast<uint32_t>(policy::Step::UNSHARE_NET));
      EXPECT_EQ(failure.error, ENOSPC);
    }
    LayerSet mayMiss;
    mayMiss.add(Layer::NET_NAMESPACE);
    Jail jail(programs_, mayMiss);
    EXPECT_TRUE(jail.start());
    LayerSet inForce(jail.started().layersInForce);
    EXPECT_FALSE(inForce.has(Layer::NET_NAMESPACE));
    EXPECT_TRUE(inForce.has(Layer::PID_NAMESPACE));
    Worker worker = jail.spawn();
    EXPECT_EQ(worker.order('s'), 0);
    EXPECT_THAT(policy::findSealFlaws(worker.pid, LayerSet(), mayMiss), IsEmpty());
    EXPECT_THAT(policy::findSealFlaws(worker.pid, LayerSet()), ElementsAre("its net namespace is the supervisor's own"));
    return !HasFailure();
  }));
}

TEST_P(JailerTest, ACommandThatCannotBeExecutedIsReportedByStep) {
  EXPECT_TRUE(inChild([&] {
    Jail jail(programs_, LayerSet(), {"/nonexistent/zygote"});
    zygote::WardenStarted started;
    EXPECT_TRUE(receive(jail.wardenSocket(), started));
    zygote::StepFailed failure;
    failure.type = zygote::RecordType::JAILER_FAILED;
    ssize_t length = read(jail.wardenSocket(), &failure, sizeof(failure));
    EXPECT_EQ(length, static_cast<ssize_t>(sizeof(failure)));
    EXPECT_EQ(failure.type, zygote::RecordType::JAILER_FAILED);
    EXPECT_EQ(failure.step, static_cast<uint32_t>(policy::Step::EXEC_ZYGOTE));
    EXPECT_EQ(failure.error, ENOENT);
    return !HasFailure();
  }));
}

}  // namespace
}  // namespace glovebox
