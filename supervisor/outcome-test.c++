#include "supervisor/outcome.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <string>

#include "ipc/zygote-protocol.h"

namespace glovebox {
namespace {

using Code = rpc::Ending::Code;

TEST(Outcome, AForbiddenSystemCallIsAKillByPolicy) {
  EXPECT_EQ(fromProcessEnd({CLD_KILLED, SIGSYS}, 64).code, Code::KILLED);
  EXPECT_TRUE(isAbnormal({CLD_KILLED, SIGSYS}));
  auto said = [](kj::Maybe<uint32_t> call) { return std::string(fromProcessEnd({CLD_KILLED, SIGSYS}, 64, call).message.cStr()); };
  EXPECT_NE(said(SYS_socket).find("(SIGSYS; socket, number "), std::string::npos) << said(SYS_socket);
  EXPECT_NE(said(99'999).find("(SIGSYS; number 99999)"), std::string::npos) << said(99'999);
  EXPECT_NE(said(nullptr).find("which one the kernel did not say"), std::string::npos) << said(nullptr);
}

TEST(Outcome, ASegmentationFaultIsACrashThatNamesItsSignal) {
  auto outcome = fromProcessEnd({CLD_KILLED, SIGSEGV}, 64);
  EXPECT_EQ(outcome.code, Code::CRASHED);
  EXPECT_NE(std::string(outcome.message.cStr()).find("signal 11"), std::string::npos);
  EXPECT_TRUE(isAbnormal({CLD_KILLED, SIGSEGV}));
}

TEST(Outcome, AKillFromOutsideIsNoSuspicion) {
  EXPECT_EQ(fromProcessEnd({CLD_KILLED, SIGKILL}, 64).code, Code::EXITED);
  EXPECT_FALSE(isAbnormal({CLD_KILLED, SIGKILL}));
}

TEST(Outcome, RunningOutOfMemoryNamesTheLimit) {
  auto outcome = fromProcessEnd({CLD_EXITED, zygote::EXIT_OUT_OF_MEMORY}, 64);
  EXPECT_EQ(outcome.code, Code::EXCEEDED_MEMORY);
  EXPECT_NE(std::string(outcome.message.cStr()).find("64 MiB"), std::string::npos);
}

TEST(Outcome, AFatalErrorOfTheEngineIsACrashAndSuspicious) {
  EXPECT_EQ(fromProcessEnd({CLD_EXITED, zygote::EXIT_FATAL_ERROR}, 64).code, Code::CRASHED);
  EXPECT_TRUE(isAbnormal({CLD_EXITED, zygote::EXIT_FATAL_ERROR}));
  EXPECT_FALSE(isAbnormal({CLD_EXITED, 0}));
}

TEST(Outcome, EachMessageSaysWhatToDo) {
  for (auto& outcome: {exceededCpu(50, "in this call"), exceededWallTime(50, "in this call"), exceededMemory(64)}) {
    EXPECT_NE(std::string(outcome.message.cStr()).find("raise limits."), std::string::npos) << outcome.message.cStr();
  }
}

}  // namespace
}  // namespace glovebox
