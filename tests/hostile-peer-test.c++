// A worker that was taken over, on its socket, in a process of its own: it writes what it likes. For every script the
// supervisor's end must cut the line, by the rule that the script breaks, without growing by more than 32 MB. The lag of
// the loop is printed; it is not asserted, because machines that run tests are noisy.
// ControlGrowsWithoutTheGuard shows that it is the guard which stops them.

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "ipc/connection.h"
#include "ipc/uv-event-port.h"
#include "ipc/wire-limits.h"
#include "ipc/worker.capnp.h"

namespace glovebox {
namespace {

using capnp::rpc::Message;

// ---------------------------------------------------------------------------------------------------------------------
// The hostile side: plain blocking writes in a forked process.

class Attacker {
 public:
  explicit Attacker(int fd): fd_(fd) {}

  void raw(const void* data, size_t size) {
    auto next = static_cast<const char*>(data);
    while (size > 0) {
      ssize_t count = ::send(fd_, next, size, MSG_NOSIGNAL);
      if (count <= 0) _exit(0);   // cut
      next += count;
      size -= count;
    }
  }
  void words(std::initializer_list<uint32_t> values) { raw(values.begin(), values.size() * sizeof(uint32_t)); }
  void send(std::function<void(Message::Builder)> fill) {
    capnp::MallocMessageBuilder message;
    fill(message.initRoot<Message>());
    auto flat = capnp::messageToFlatArray(message);
    raw(flat.begin(), flat.asBytes().size());
  }
  // Reads messages until one of this kind has come.
  void await(Message::Which kind) {
    for (;;) {
      capnp::StreamFdMessageReader reader(fd_);
      if (reader.getRoot<Message>().which() == kind) return;
    }
  }

  // A worker that has been started: it answers Bootstrap (question 0) and start (1), and was given the console as export 0.
  void begin() {
    await(Message::BOOTSTRAP);
    send([](auto m) {
      auto ret = m.initReturn();
      ret.setAnswerId(0);
      ret.setReleaseParamCaps(false);
      ret.initResults().initCapTable(1)[0].setSenderHosted(0);
    });
    await(Message::CALL);
  }
  void callConsole(uint32_t id, size_t bytes = 0, bool pipelinedOn = false, uint32_t base = 0) {
    send([&](Message::Builder m) {
      auto call = m.initCall();
      call.setQuestionId(id);
      call.setInterfaceId(capnp::typeId<rpc::Console>());
      call.setMethodId(0);
      if (pipelinedOn) {
        call.initTarget().initPromisedAnswer().setQuestionId(base);
      } else {
        call.initTarget().setImportedCap(0);
      }
      auto log = call.initParams().getContent().initAs<rpc::Console::WriteParams>().initMessages(1);
      log[0].initText(bytes);
    });
  }

 private:
  int fd_;
};

using Script = std::function<void(Attacker&)>;

// ---------------------------------------------------------------------------------------------------------------------
// The supervisor's side

size_t residentBytes() {
  FILE* file = fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  int fields = fscanf(file, "%lu %lu", &total, &resident);
  fclose(file);
  return fields == 2 ? resident * sysconf(_SC_PAGESIZE) : 0;
}

// Holds every call.
class HoldingConsole final: public rpc::Console::Server {
  kj::Promise<void> write(WriteContext context) override { return kj::NEVER_DONE; }
};
// Copies what it gets, as the supervisor's membrane does.
class CopyingConsole final: public rpc::Console::Server {
  kj::Promise<void> write(WriteContext context) override {
    capnp::MallocMessageBuilder copy;
    copy.setRoot(context.getParams());
    return kj::READY_NOW;
  }
};
class QuickConsole final: public rpc::Console::Server {
  kj::Promise<void> write(WriteContext context) override { return kj::READY_NOW; }
};

template <typename Console>
rpc::Console::Client make() { return kj::heap<Console>(); }

struct Outcome {
  bool cut = false;
  std::string violation;
  size_t grownBytes = 0;
  double lagP99Ms = 0;
};

// Runs the script against a real connection until the line is cut (or 20 seconds have passed).
Outcome run(Script script, rpc::Console::Client (*makeConsole)(), bool guarded = true) {
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  kj::AutoCloseFd ours(fds[0]), theirs(fds[1]);
  pid_t child;
  KJ_SYSCALL(child = fork());   // before there is a loop
  if (child == 0) {
    ours = nullptr;
    Attacker attacker(theirs);
    kj::runCatchingExceptions([&]() {
      attacker.begin();
      script(attacker);
      // Stays, reading nothing, until it is cut.
      char byte;
      while (::recv(theirs, &byte, 1, MSG_PEEK) > 0) ::poll(nullptr, 0, 1);
    });
    _exit(0);
  }
  theirs = nullptr;

  Outcome outcome;
  {
    UvLoop loop;
    UvEventPort port(loop.get());
    size_t before = residentBytes(), peak = before;
    int fd = ours;
    auto connection = kj::heap<RpcConnection>(
        guarded ? RpcConnection::End::SUPERVISOR_OF_WORKER : RpcConnection::End::CLIENT, kj::mv(ours),
        kj::heap<UvFdObserver>(port, fd), nullptr, kj::Function<void(const kj::Exception&)>([&](const kj::Exception& e) {
          outcome.violation = e.getDescription().cStr();
        }));
    auto process = connection->bootstrap<rpc::WorkerProcess>();
    auto start = process.startRequest();
    start.setConsole(makeConsole());
    auto started = start.send().ignoreResult().catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
    auto disconnected = connection->onDisconnect().then([&]() { outcome.cut = true; }).eagerlyEvaluate(nullptr);

    // A tick every millisecond; what is more than that is lag.
    std::vector<double> lags;
    auto& clock = kj::systemPreciseMonotonicClock();
    auto deadline = clock.now() + 20 * kj::SECONDS;
    while (!outcome.cut && clock.now() < deadline && !(!guarded && peak - before > (64u << 20))) {
      auto tick = clock.now();
      port.getTimer().afterDelay(1 * kj::MILLISECONDS).wait(port.waitScope());
      lags.push_back((clock.now() - tick) / kj::MICROSECONDS / 1000.0 - 1);
      peak = std::max(peak, residentBytes());
    }
    outcome.grownBytes = peak - before;
    std::sort(lags.begin(), lags.end());
    if (!lags.empty()) outcome.lagP99Ms = lags[(lags.size() - 1) * 99 / 100];
    started = nullptr;
  }
  kill(child, SIGKILL);
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  return outcome;
}

void expectCut(Script script, std::string rule, rpc::Console::Client (*makeConsole)() = make<HoldingConsole>) {
  auto outcome = run(script, makeConsole);
  printf("grown %.1f MB, lag p99 %.1f ms, %s\n", outcome.grownBytes / 1e6, outcome.lagP99Ms, outcome.violation.c_str());
  EXPECT_TRUE(outcome.cut);
  EXPECT_NE(outcome.violation.find(rule), std::string::npos) << "got: " << outcome.violation << ", expected: " << rule;
#if !defined(__SANITIZE_ADDRESS__)   // which keeps freed memory
  EXPECT_LE(outcome.grownBytes, 32u << 20);
#endif
}

constexpr uint32_t MANY = 200'000;

TEST(HostilePeer, CallsWhoseAnswersAreHeld) {
  expectCut([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callConsole(i); }, "more than 2048 questions");
}

TEST(HostilePeer, LargeCallsWhoseAnswersAreHeld) {
  expectCut([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callConsole(i, 90'000); }, "questions take more than");
}

TEST(HostilePeer, AnswersThatAreNeverFinished) {
  expectCut([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callConsole(i); }, "more than 2048 questions", make<QuickConsole>);
}

TEST(HostilePeer, AnswersThatAreNeverRead) {
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < 4 * MANY; ++i) {
      a.callConsole(i);
      a.send([&](auto m) { m.initFinish().setQuestionId(i); });
    }
  }, "more than 2048 questions", make<QuickConsole>);
}

TEST(HostilePeer, CapabilityTableOfMillions) {
  // Elements of no size: two million of them take one word.
  expectCut([](Attacker& a) {
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<Message>().initCall();
    call.initTarget().setImportedCap(0);
    auto payload = call.initParams();
    capnp::AnyStruct::Builder any = capnp::rpc::Payload::Builder(payload);
    any.getPointerSection()[1].initAsListOfAnyStruct(0, 0, 40'000);
    auto flat = capnp::messageToFlatArray(message);
    a.raw(flat.begin(), flat.asBytes().size());
  }, "capabilities in one message");
}

TEST(HostilePeer, CapabilityTableThatFillsTheMessage) {
  expectCut([](Attacker& a) {
    a.send([](Message::Builder m) {
      auto call = m.initCall();
      call.initTarget().setImportedCap(0);
      auto table = call.initParams().initCapTable(3'000);
      for (uint32_t i = 0; i < table.size(); ++i) table[i].setSenderHosted(i);
    });
  }, "capabilities in one message");
}

TEST(HostilePeer, PipelinedChain) {
  expectCut([](Attacker& a) {
    a.callConsole(0);
    for (uint32_t i = 1; i < MANY; ++i) a.callConsole(i, 0, true, i - 1);
  }, "more than 2048 questions");
}

TEST(HostilePeer, CallOnItsOwnAnswer) {
  expectCut([](Attacker& a) { a.callConsole(5, 0, true, 5); }, "refers to the answer of question 5");
}

TEST(HostilePeer, PipelinePathOfThousands) {
  expectCut([](Attacker& a) {
    a.callConsole(0);
    a.send([](Message::Builder m) {
      auto call = m.initCall();
      call.setQuestionId(1);
      auto answer = call.initTarget().initPromisedAnswer();
      answer.setQuestionId(0);
      answer.initTransform(4'000);
    });
  }, "path of 4000 steps");
}

TEST(HostilePeer, AmplifiedMessage) {
  // A thousand texts that are the same 80 kB: small on the wire, 80 MB to whoever copies it.
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) {
      capnp::MallocMessageBuilder message(20'000);
      auto call = message.initRoot<Message>().initCall();
      call.setQuestionId(i);
      call.setInterfaceId(capnp::typeId<rpc::Console>());
      call.initTarget().setImportedCap(0);
      constexpr uint32_t TEXTS = 1'000, BYTES = 70'000;
      auto messages = call.initParams().getContent().initAs<rpc::Console::WriteParams>().initMessages(TEXTS);
      messages[0].initText(BYTES);
      auto flat = capnp::messageToFlatArray(message);
      auto words = reinterpret_cast<uint64_t*>(flat.begin());
      size_t first = 0;
      while (words[first] >> 32 != (uint64_t(BYTES + 1) << 3 | 2)) ++first;
      for (uint32_t j = 1; j < TEXTS; ++j) {
        size_t distance = j * capnp::sizeInWords<rpc::LogMessage>();
        words[first + distance] = words[first] - (distance << 2);
      }
      a.raw(flat.begin(), flat.asBytes().size());
    }
  }, "more than 2048 questions", make<CopyingConsole>);
}

TEST(HostilePeer, ReleaseOfWhatItNeverHad) {
  expectCut([](Attacker& a) {
    a.send([](Message::Builder m) {
      auto release = m.initRelease();
      release.setId(77);
      release.setReferenceCount(1);
    });
  }, "gives back 1 references to 77");
}

TEST(HostilePeer, ReleaseOfMoreThanItHas) {
  expectCut([](Attacker& a) {
    a.send([](Message::Builder m) {
      auto release = m.initRelease();
      release.setId(0);
      release.setReferenceCount(0xffffffff);
    });
  }, "gives back 4294967295 references to 0, but it has 1");
}

TEST(HostilePeer, UseAfterRelease) {
  expectCut([](Attacker& a) {
    a.send([](Message::Builder m) {
      m.initRelease().setReferenceCount(1);
    });
    a.callConsole(0);
  }, "target 0 was never given to it, or given back");
}

TEST(HostilePeer, DuplicateQuestion) {
  expectCut([](Attacker& a) {
    a.callConsole(3);
    a.callConsole(3);
  }, "question 3 is already open");
}

TEST(HostilePeer, DuplicateReturn) {
  expectCut([](Attacker& a) {
    for (int i = 0; i < 2; ++i) a.send([](Message::Builder m) { m.initReturn().initException().setReason("x"); });
  }, "Return for question 0");
}

TEST(HostilePeer, FinishOfNothing) {
  expectCut([](Attacker& a) { a.send([](Message::Builder m) { m.initFinish().setQuestionId(9); }); },
            "Finish for question 9, which is not open");
}

TEST(HostilePeer, BootstrapFlood) {
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) a.send([&](Message::Builder m) { m.initBootstrap().setQuestionId(i); });
  }, "got Bootstrap number 1");
}

TEST(HostilePeer, ResolveLoop) {
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) {
      a.send([&](Message::Builder m) {
        auto resolve = m.initResolve();
        resolve.setPromiseId(5);
        resolve.initCap().setSenderHosted(i);
      });
    }
  }, "Resolve of 5, which is not one of its promises");
}

TEST(HostilePeer, DisembargoLoop) {
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) {
      a.send([&](Message::Builder m) {
        auto disembargo = m.initDisembargo();
        disembargo.initTarget().setImportedCap(0);
        disembargo.getContext().setSenderLoopback(i);
      });
    }
  }, "more than 0 embargoes are open");
}

TEST(HostilePeer, DisembargoNobodyAskedFor) {
  expectCut([](Attacker& a) {
    a.send([&](Message::Builder m) {
      auto disembargo = m.initDisembargo();
      disembargo.initTarget().setImportedCap(0);
      disembargo.getContext().setReceiverLoopback(1);
    });
  }, "Disembargo 1, which nobody asked for");
}

TEST(HostilePeer, KindsThatAreNotForWorkers) {
  expectCut([](Attacker& a) { a.send([](Message::Builder m) { m.initProvide(); }); }, "got a message of kind 10");
  expectCut([](Attacker& a) { a.send([](Message::Builder m) { m.initAccept(); }); }, "got a message of kind 11");
  expectCut([](Attacker& a) { a.send([](Message::Builder m) { m.initJoin(); }); }, "got a message of kind 12");
  expectCut([](Attacker& a) { a.send([](Message::Builder m) { m.initUnimplemented(); }); }, "got a message of kind 0");
}

TEST(HostilePeer, NestedUnimplemented) {
  expectCut([](Attacker& a) {
    a.send([](Message::Builder m) { for (int i = 0; i < 3'000; ++i) m = m.initUnimplemented(); });
  }, "got a message of kind 0");
}

TEST(HostilePeer, BrokenFrames) {
  expectCut([](Attacker& a) { a.words({0xffffffff, 0xffffffff}); }, "4294967296 segments");
  expectCut([](Attacker& a) { a.words({511, 0}); }, "512 segments");
  expectCut([](Attacker& a) { a.words({0, 60u << 17}); }, "expected at most 98304");
  expectCut([](Attacker& a) { a.words({0, 0}); }, "root pointer");
  expectCut([](Attacker& a) { a.words({0, 1, 0xffffffff, 0xffffffff}); }, "struct pointer");
}

TEST(HostilePeer, TruncatedFrameIsADisconnectNotAViolation) {
  auto outcome = run([](Attacker& a) {
    a.words({0, 100, 1, 2});
    _exit(0);
  }, make<QuickConsole>);
  EXPECT_TRUE(outcome.cut);
  EXPECT_EQ(outcome.violation, "");
}

TEST(HostilePeer, ControlGrowsWithoutTheGuard) {
  auto outcome = run([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callConsole(i, 1'000); }, make<HoldingConsole>, false);
  EXPECT_FALSE(outcome.cut);
  EXPECT_GT(outcome.grownBytes, 32u << 20);
}

}  // namespace
}  // namespace glovebox
