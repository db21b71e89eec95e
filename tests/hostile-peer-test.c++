// A worker that was taken over, on its socket, in a process of its own: it writes what it likes. For every script the
// supervisor's end must cut the line, by the rule that the script breaks, without growing by more than 32 MB. The lag of
// the loop is printed; it is not asserted, because machines that run tests are noisy.
// ControlGrowsWithoutTheGuard shows that it is the guard which stops them.
//
// First the guard alone; then, as HostileWorker, the guard with the membrane behind it, a client, and another worker that
// must not notice.

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>
#include <kj/debug.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ipc/connection.h"
#include "ipc/uv-event-port.h"
#include "ipc/wire-limits.h"
#include "ipc/worker.capnp.h"
#include "tests/scripted-worker.h"

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
  // Reads messages until one of this kind has come; the question, if it is a call.
  uint32_t await(Message::Which kind) {
    for (;;) {
      capnp::StreamFdMessageReader reader(fd_);
      auto message = reader.getRoot<Message>();
      if (message.which() == kind) return message.isCall() ? message.getCall().getQuestionId() : 0;
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
  // A worker that has been loaded with one tool and called by its client.
  static constexpr uint32_t TOOL = 0;   // of what it was given
  uint32_t clientsCall = 0;             // the question
  void beginAndAwaitCall() {
    await(Message::BOOTSTRAP);
    auto answer = [this](uint32_t question, std::function<void(capnp::rpc::Payload::Builder)> fill) {
      send([&](Message::Builder m) {
        auto ret = m.initReturn();
        ret.setAnswerId(question);
        ret.setReleaseParamCaps(false);
        fill(ret.initResults());
      });
    };
    answer(0, [](auto results) { results.initCapTable(1)[0].setSenderHosted(0); });
    answer(await(Message::CALL), [this](auto results) { content<rpc::WorkerProcess::StartResults>(results); });
    answer(await(Message::CALL), [this](auto results) {
      results.initCapTable(1)[0].setSenderHosted(1);
      content<rpc::WorkerProcess::GetEntrypointResults>(results).setEntrypoint(capability());
    });
    clientsCall = await(Message::CALL);
  }
  // The content of a payload, in which capability() may stand: the first gets the first entry of the capability table, ...
  template <typename T>
  typename T::Builder content(capnp::rpc::Payload::Builder payload) {
    tables_.push_back(std::make_unique<capnp::BuilderCapabilityTable>());
    return tables_.back()->imbue(payload.getContent()).initAs<T>();
  }
  template <typename T = rpc::Target>
  static typename T::Client capability() { return typename T::Client(KJ_EXCEPTION(FAILED, "only a place in the table")); }
  void callTool(uint32_t id, std::function<void(capnp::rpc::Call::Builder, rpc::Call::Builder)> fill = nullptr, uint32_t exportId = TOOL) {
    send([&](Message::Builder m) {
      auto call = m.initCall();
      call.setQuestionId(id);
      call.setInterfaceId(capnp::typeId<rpc::Target>());
      call.setMethodId(0);
      call.initTarget().setImportedCap(exportId);
      auto params = content<rpc::Call>(call.initParams());
      params.initPath(1).set(0, "x");
      params.getOperation().initInvoke().initValue().initNodes(1)[0].initArray();
      if (fill) fill(call, params);
    });
  }
  // Answers the client's call with a value that `fill` makes.
  void answerClient(std::function<void(capnp::rpc::Payload::Builder, rpc::Return::Builder)> fill) {
    send([&](Message::Builder m) {
      auto ret = m.initReturn();
      ret.setAnswerId(clientsCall);
      ret.setReleaseParamCaps(false);
      auto results = ret.initResults();
      fill(results, content<rpc::Return>(results));
    });
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
  std::vector<std::unique_ptr<capnp::BuilderCapabilityTable>> tables_;   // of messages under construction and before
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

// What earlier tests have given back must not hide growth.
size_t residentBytesAtStart() {
  malloc_trim(0);
  return residentBytes();
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
    size_t before = residentBytesAtStart(), peak = before;
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
  // A thousand texts that are the same 50 kB: small on the wire, 50 MB to whoever copies it.
  expectCut([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) {
      capnp::MallocMessageBuilder message(20'000);
      auto call = message.initRoot<Message>().initCall();
      call.setQuestionId(i);
      call.setInterfaceId(capnp::typeId<rpc::Console>());
      call.initTarget().setImportedCap(0);
      constexpr uint32_t TEXTS = 1'000, BYTES = 50'000;
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

// ---------------------------------------------------------------------------------------------------------------------
// With the membrane behind the guard

using MakeTool = std::function<test::OnCall(kj::Timer&)>;

// Runs the script as a loaded worker that a client has called. Returns how that call came out.
std::string runLoaded(Script script, MakeTool tool, uint32_t wallMs = 30'000, bool pipelined = false) {
  int fds[2];
  KJ_SYSCALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  kj::AutoCloseFd ours(fds[0]), theirs(fds[1]);
  pid_t child;
  KJ_SYSCALL(child = fork());
  if (child == 0) {
    ours = nullptr;
    Attacker attacker(theirs);
    kj::runCatchingExceptions([&]() {
      attacker.beginAndAwaitCall();
      script(attacker);
      char byte;
      while (::recv(theirs, &byte, 1, MSG_PEEK) > 0) ::poll(nullptr, 0, 1);
    });
    _exit(0);
  }
  theirs = nullptr;

  std::string result;
  {
    test::ScriptedWorld world;
    auto echo = [](const std::string& method, test::CallContext context) -> kj::Promise<void> {
      test::answer(context, method);
      return kj::READY_NOW;
    };
    auto bystander = world.load(echo);
    auto isWell = [&]() { return world.wait(test::outcome(test::call(bystander.entrypoint, "well"))) == "value well"; };
    EXPECT_TRUE(isWell());
    capnp::MallocMessageBuilder message;
    auto limits = message.initRoot<rpc::Limits>();
    limits.setWallMs(wallMs);
    auto hostile = world.loadInto(world.expectStranger(ours.release()), {{"TOOL", test::object(tool(world.port().getTimer()))}}, false, limits);

    size_t before = residentBytesAtStart(), peak = before;
    std::vector<double> lags;
    auto& clock = kj::systemPreciseMonotonicClock();
    bool done = false;
    auto sent = test::call(hostile.entrypoint, "run");
    if (pipelined) sent = test::call(sent.getPipeline(), "more");
    auto promise = test::outcome(kj::mv(sent)).then([&](std::string outcome) {
      result = outcome;
      done = true;
    }).eagerlyEvaluate(nullptr);
    for (int turn = 0; !done; turn++) {
      auto tick = clock.now();
      world.port().getTimer().afterDelay(1 * kj::MILLISECONDS).wait(world.port().waitScope());
      lags.push_back((clock.now() - tick) / kj::MICROSECONDS / 1000.0 - 1);
      peak = std::max(peak, residentBytes());
      if (turn % 16 == 0) EXPECT_TRUE(isWell());
    }
    EXPECT_TRUE(isWell());
    std::sort(lags.begin(), lags.end());
    printf("grown %.1f MB, lag p99 %.1f ms, %s\n", (peak - before) / 1e6, lags.empty() ? 0 : lags[(lags.size() - 1) * 99 / 100],
           result.c_str());
#if !defined(__SANITIZE_ADDRESS__)
    EXPECT_LE(peak - before, 48u << 20);   // the client, which answers, is in this process too
#endif
  }
  kill(child, SIGKILL);
  int status;
  KJ_SYSCALL(waitpid(child, &status, 0));
  return result;
}

MakeTool hangingTool() {
  return [](kj::Timer&) {
    return [](const std::string&, test::CallContext) -> kj::Promise<void> { return kj::NEVER_DONE; };
  };
}
// One call after the other: the client is in this process too, and what it has to answer all at once would be counted as the
// supervisor's.
MakeTool toolAnswering(size_t bytes) {
  return [bytes](kj::Timer& timer) {
    auto turn = std::make_shared<kj::ForkedPromise<void>>(kj::Promise<void>(kj::READY_NOW).fork());
    return [&timer, turn, text = std::make_shared<std::string>(bytes, 'x')](const std::string&, test::CallContext context) -> kj::Promise<void> {
      *turn = turn->addBranch().then([&timer]() { return timer.afterDelay(1 * kj::MILLISECONDS); }).fork();
      return turn->addBranch().then([text, context]() mutable { test::answer(context, *text); });
    };
  };
}

void expectViolation(Script script, std::string rule, MakeTool tool = hangingTool()) {
  auto result = runLoaded(script, std::move(tool));
  EXPECT_EQ(result.rfind("ended protocolViolation", 0), 0u) << result;
  EXPECT_NE(result.find(rule), std::string::npos) << "got: " << result << ", expected: " << rule;
}
// The call fails, and only the call.
void expectResult(Script script, std::string words, MakeTool tool = hangingTool()) {
  auto result = runLoaded(script, std::move(tool), 1'500);
  EXPECT_EQ(result.rfind("ended protocolViolation", 0), std::string::npos) << result;
  EXPECT_NE(result.find(words), std::string::npos) << "got: " << result << ", expected: " << words;
}

TEST(HostileWorker, CallsWhatItNeverHad) {
  expectViolation([](Attacker& a) { a.callTool(0, nullptr, 77); }, "target 77 was never given to it");
}

TEST(HostileWorker, HandsOverWhatItNeverHad) {
  expectViolation([](Attacker& a) {
    a.callTool(0, [&](auto call, auto params) {
      call.getParams().initCapTable(1)[0].setReceiverHosted(77);
      params.getOperation().getInvoke().initExternals(1)[0].setStub(a.capability());
    });
  }, "capability 77 was never given to it");
}

TEST(HostileWorker, ReleasesTwice) {
  expectViolation([](Attacker& a) {
    for (int i = 0; i < 2; ++i) a.send([](Message::Builder m) { m.initRelease().setReferenceCount(1); });
  }, "gives back 1 references to 0, but it has 0");
}

TEST(HostileWorker, FloodsATool) {
  expectViolation([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callTool(i); }, "more than 2048 questions");
}

TEST(HostileWorker, FloodsAToolWithLargeCalls) {
  expectViolation([](Attacker& a) {
    for (uint32_t i = 0; i < MANY; ++i) {
      a.callTool(i, [](auto, auto params) { params.getOperation().initInvoke().initValue().initNodes(1)[0].initText(90'000); });
    }
  }, "questions take more than");
}

TEST(HostileWorker, NeverReadsItsAnswers) {
  expectViolation([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callTool(i); }, "more than 2048 questions",
                  toolAnswering(60'000));
}

TEST(HostileWorker, NeverReadsItsLargeAnswers) {
  expectViolation([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callTool(i); }, "more than 2048 questions",
                  toolAnswering(1'000'000));
}

TEST(HostileWorker, AsksForMuchAndReadsNothing) {
  // Fewer calls than the guard minds. What it asks for comes, until it is too much.
  expectResult([](Attacker& a) { for (uint32_t i = 0; i < 900; ++i) a.callTool(i); }, "ended exceededWallTime", toolAnswering(60'000));
}

TEST(HostileWorker, FinishesWhatItHasNotRead) {
  expectViolation([](Attacker& a) {
    for (uint32_t i = 0; i < 4 * MANY; ++i) {
      a.callTool(i);
      a.send([&](auto m) { m.initFinish().setQuestionId(i); });
    }
  }, "more than 2048 questions", toolAnswering(60'000));
}

TEST(HostileWorker, PipelinesForTenThousandSteps) {
  expectViolation([](Attacker& a) {
    a.callTool(0);
    a.send([](Message::Builder m) {
      auto call = m.initCall();
      call.setQuestionId(1);
      auto answer = call.initTarget().initPromisedAnswer();
      answer.initTransform(10'000);
    });
  }, "path of 10000 steps");
}

TEST(HostileWorker, NamesPartsOfAnAnswerThatDoNotExist) {
  expectViolation([](Attacker& a) {
    a.callTool(0);
    for (uint32_t i = 1; i < MANY; ++i) {
      a.callTool(i, [&](auto call, auto) {
        auto table = call.getParams().initCapTable(200);
        for (uint32_t j = 0; j < table.size(); ++j) {
          table[j].initReceiverAnswer().initTransform(1)[0].setGetPointerField(uint16_t(i * 200 + j));
        }
      });
      a.send([&](auto m) { m.initFinish().setQuestionId(i); });
    }
  }, "a part of an answer that no call is made on");
}

TEST(HostileWorker, PipelinesOnAFinishedQuestion) {
  expectViolation([](Attacker& a) {
    a.callTool(0);
    a.send([](auto m) { m.initFinish().setQuestionId(0); });
    a.send([](Message::Builder m) {
      auto call = m.initCall();
      call.setQuestionId(1);
      call.initTarget().initPromisedAnswer().initTransform(1)[0].setGetPointerField(1);
    });
  }, "refers to the answer of question 0, which is not open");
}

TEST(HostileWorker, PipelinesAChain) {
  expectViolation([](Attacker& a) {
    a.callTool(0);
    for (uint32_t i = 1; i < MANY; ++i) {
      a.callTool(i, [&](auto call, auto) {
        auto answer = call.initTarget().initPromisedAnswer();
        answer.setQuestionId(i - 1);
        answer.initTransform(1)[0].setGetPointerField(1);
      });
    }
  }, "more than 2048 questions");
}

void resolve(Attacker& a, uint32_t from, uint32_t to) {
  a.send([&](Message::Builder m) {
    auto resolve = m.initResolve();
    resolve.setPromiseId(from);
    resolve.initCap().setSenderPromise(to);
  });
}

TEST(HostileWorker, ResolvesAPromiseToItself) {
  expectViolation([](Attacker& a) {
    a.callTool(0, [&](auto call, auto params) {
      call.getParams().initCapTable(1)[0].setSenderPromise(5);
      params.getOperation().getInvoke().initExternals(1)[0].setStub(a.capability());
    });
    resolve(a, 5, 5);
  }, "Resolve of 5 to another promise of its own");
}

TEST(HostileWorker, ResolvesPromisesToEachOther) {
  expectViolation([](Attacker& a) {
    a.callTool(0, [&](auto call, auto params) {
      auto table = call.getParams().initCapTable(2);
      table[0].setSenderPromise(5);
      table[1].setSenderPromise(6);
      auto externals = params.getOperation().getInvoke().initExternals(2);
      for (auto external: externals) external.setStub(a.capability());
    });
    resolve(a, 5, 6);
    resolve(a, 6, 5);
  }, "Resolve of 5 to another promise of its own");
}

TEST(HostileWorker, ResolvesTheSamePromiseTwice) {
  expectViolation([](Attacker& a) {
    a.callTool(0, [&](auto call, auto params) {
      call.getParams().initCapTable(1)[0].setSenderPromise(5);
      params.getOperation().getInvoke().initExternals(1)[0].setStub(a.capability());
    });
    for (int i = 0; i < 2; ++i) {
      a.send([](Message::Builder m) {
        auto resolve = m.initResolve();
        resolve.setPromiseId(5);
        resolve.initCap().setSenderHosted(9);
      });
    }
  }, "Resolve of 5, which is not one of its promises");
}

TEST(HostileWorker, DisembargoesWhatNeedsNone) {
  auto disembargo = [](Attacker& a, std::function<void(capnp::rpc::Disembargo::Builder)> fill) {
    a.send([&](Message::Builder m) {
      auto disembargo = m.initDisembargo();
      disembargo.initTarget().setImportedCap(Attacker::TOOL);
      fill(disembargo);
    });
  };
  expectViolation([&](Attacker& a) { disembargo(a, [](auto d) { d.getContext().setSenderLoopback(1); }); }, "more than 0 embargoes");
  expectViolation([&](Attacker& a) { disembargo(a, [](auto d) { d.getContext().setReceiverLoopback(1); }); },
                  "Disembargo 1, which nobody asked for");
  expectViolation([&](Attacker& a) { disembargo(a, [](auto d) { d.getContext().setAccept(); }); }, "Disembargo of kind 2");
  expectViolation([&](Attacker& a) { disembargo(a, [](auto d) { d.getContext().setProvide(3); }); }, "Disembargo of kind 3");
}

TEST(HostileWorker, ReturnsInsteadOfAnAnswerAnotherQuestion) {
  expectViolation([](Attacker& a) {
    a.callTool(0);
    a.send([&](Message::Builder m) {
      auto ret = m.initReturn();
      ret.setAnswerId(a.clientsCall);
      ret.setTakeFromOtherQuestion(0);
    });
  }, "Return of kind 4");
  expectViolation([](Attacker& a) {
    a.send([&](Message::Builder m) {
      auto ret = m.initReturn();
      ret.setAnswerId(a.clientsCall);
      ret.setResultsSentElsewhere();
    });
  }, "Return of kind 3");
  expectViolation([](Attacker& a) {
    a.callTool(0, [](auto call, auto) { call.getSendResultsTo().setYourself(); });
  }, "wants its results sent to somebody else");
}

TEST(HostileWorker, LiesAboutTheSizeOfAResult) {
  auto large = [](uint64_t size, bool withSource) {
    return [size, withSource](Attacker& a) {
      a.answerClient([&](auto results, auto ret) {
        auto large = ret.initValue().initLarge();
        large.setSize(size);
        if (!withSource) return;
        results.initCapTable(1)[0].setSenderHosted(9);
        large.setSource(a.capability<rpc::ByteSource>());
      });
      // Whatever is read: one byte too little.
      for (;;) {
        auto id = a.await(Message::CALL);
        a.send([&](Message::Builder m) {
          auto ret = m.initReturn();
          ret.setAnswerId(id);
          ret.setReleaseParamCaps(false);
          a.content<rpc::ByteSource::ReadResults>(ret.initResults()).initBytes(wire::CHUNK_BYTES - 1);
        });
      }
    };
  };
  expectResult(large(1u << 30, true), "ended exceededResultSize");
  expectResult(large(1'000'001, true), "not a whole number of words");
  expectResult(large(1'000'000, true), "ended before its announced size");
  expectViolation(large(1'000'000, false), "it gave a malformed answer");
}

TEST(HostileWorker, NamesItsCapabilityWithAMegabyte) {
  auto label = [](size_t bytes) {
    return [bytes](Attacker& a) {
      a.answerClient([&](auto results, auto ret) {
        results.initCapTable(1)[0].setSenderHosted(9);
        auto value = ret.initValue();
        value.initValue().initNodes(1)[0].setExternal(0);
        value.initExternals(1)[0].setStub(a.capability());
        memset(value.getExternals()[0].initLabel(unsigned(bytes)).begin(), 'x', bytes);
      });
    };
  };
  expectViolation(label(1'000'000), "expected at most 98304");
  expectResult(label(90'000), "value ");
}

TEST(HostileWorker, HandsOverAHundredThousandCapabilities) {
  // Elements of no size: all of them take one word.
  expectViolation([](Attacker& a) {
    a.answerClient([&](auto, auto ret) {
      auto value = ret.initValue();
      value.initValue().initNodes(1)[0].setExternal(0);
      capnp::AnyStruct::Builder any = kj::cp(value);
      any.getPointerSection()[1].initAsListOfAnyStruct(0, 0, 40'000);
    });
  }, "it gave a malformed answer");
}

TEST(HostileWorker, HandsOverNewCapabilitiesWithoutEnd) {
  expectViolation([](Attacker& a) {
    uint32_t id = 10;
    for (uint32_t i = 0; i < MANY; ++i) {
      a.callTool(i, [&](auto call, auto params) {
        auto table = call.getParams().initCapTable(wire::EXTERNALS_MAX);
        auto externals = params.getOperation().getInvoke().initExternals(wire::EXTERNALS_MAX);
        for (unsigned j = 0; j < wire::EXTERNALS_MAX; ++j) {
          table[j].setSenderHosted(id++);
          externals[j].setStub(a.capability());
        }
      });
    }
  }, "");
}

TEST(HostileWorker, NeverAnswersADisembargo) {
  // Its result is the tool, so the call that was made on the result before has to come back to us through it; it never lets
  // it, and calls on the result wait for that. They have a time limit like all others.
  auto result = runLoaded([](Attacker& a) {
    a.await(Message::CALL);   // pipelined on the first
    a.answerClient([&](auto results, auto ret) {
      results.initCapTable(1)[0].setReceiverHosted(Attacker::TOOL);
      ret.initValue().initValue().initNodes(1)[0].setUndefined();
      ret.setPipeline(a.capability());
    });
  }, toolAnswering(10), 500, true);
  EXPECT_NE(result.find("ended exceededWallTime"), std::string::npos) << result;
}

TEST(HostileWorker, DiesInsideAMessage) {
  expectViolation([](Attacker& a) {
    a.words({0, 100, 1, 2});
    _exit(0);
  }, "it closed or corrupted its line");
}

TEST(HostilePeer, ControlGrowsWithoutTheGuard) {
  auto outcome = run([](Attacker& a) { for (uint32_t i = 0; i < MANY; ++i) a.callConsole(i, 1'000); }, make<HoldingConsole>, false);
  EXPECT_FALSE(outcome.cut);
  EXPECT_GT(outcome.grownBytes, 32u << 20);
}

}  // namespace
}  // namespace glovebox
