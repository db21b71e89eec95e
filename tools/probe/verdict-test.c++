#include "tools/probe/verdict.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <set>

#include "tools/probe/probe-record.h"

namespace glovebox::probe {
namespace {

using policy::Layer;
using policy::Profile;

Attempt attemptOf(Group group, Known known = Known::NOTHING) { return {"a", group, "tries", nullptr, {}, known, {}}; }
Ending answered(Result result) { return {result, CLD_EXITED, 0}; }
Ending killedBy(int signal) { return {std::nullopt, CLD_KILLED, signal}; }

TEST(Verdict, SigsysIsTheFilter) {
  Verdict verdict = judge(attemptOf(Group::KERNEL), killedBy(SIGSYS), true);
  EXPECT_EQ(verdict.judgement, Judgement::REFUSED);
  EXPECT_EQ(verdict.layer, Layer::SECCOMP);
  EXPECT_EQ(verdict.how, "SIGSYS");
}

TEST(Verdict, AnErrnoUnderTheFilterIsTheFiltersUnlessALimitGaveIt) {
  EXPECT_EQ(judge(attemptOf(Group::FILES), answered(refused(ENOENT)), true).layer, Layer::SECCOMP);
  EXPECT_EQ(judge(attemptOf(Group::RESOURCES), answered(refused(ENOMEM)), true).layer, Layer::RLIMITS);
}

TEST(Verdict, WithoutTheFilterTheErrnoNamesTheLayer) {
  EXPECT_EQ(judge(attemptOf(Group::FILES), answered(refused(ENOENT)), false).layer, Layer::EMPTY_ROOT);
  EXPECT_EQ(judge(attemptOf(Group::NETWORK), answered(refused(ENETUNREACH)), false).layer, Layer::NET_NAMESPACE);
  EXPECT_EQ(judge(attemptOf(Group::PROCESSES), answered(refused(ESRCH)), false).layer, Layer::PID_NAMESPACE);
  EXPECT_EQ(judge(attemptOf(Group::KERNEL), answered(refused(ENOSYS)), false).layer, std::nullopt);
}

TEST(Verdict, AnExecutedProgramSaysSoByItsExitStatus) {
  Ending ending{std::nullopt, CLD_EXITED, EXIT_GOAL_MET};
  EXPECT_EQ(judge(attemptOf(Group::EXECUTION), ending, true).judgement, Judgement::MET);
}

TEST(Verdict, ASilentExitAndAForeignSignalAreUnclear) {
  EXPECT_EQ(judge(attemptOf(Group::FILES), {std::nullopt, CLD_EXITED, 0}, true).judgement, Judgement::UNCLEAR);
  EXPECT_EQ(judge(attemptOf(Group::FILES), killedBy(SIGKILL), true).judgement, Judgement::UNCLEAR);
  EXPECT_FALSE(isAsDocumented(attemptOf(Group::FILES), judge(attemptOf(Group::FILES), killedBy(SIGKILL), true),
                              Profile::DEFAULT));
}

TEST(Verdict, SigillIsAReachedKernelOnlyForKernelExceptions) {
  EXPECT_EQ(judge(attemptOf(Group::KERNEL, Known::KERNEL_EXCEPTION), killedBy(SIGILL), true).judgement,
            Judgement::REACHED);
  EXPECT_EQ(judge(attemptOf(Group::KERNEL), killedBy(SIGILL), true).judgement, Judgement::REFUSED);
}

TEST(Verdict, AMetGoalIsDocumentedOnlyWhereTheTableSaysSo) {
  Verdict goal{Judgement::MET, std::nullopt, "done"};
  EXPECT_FALSE(isAsDocumented(attemptOf(Group::FILES), goal, Profile::DEFAULT));
  EXPECT_TRUE(isAsDocumented(attemptOf(Group::EXECUTION, Known::PROFILE_DEFAULT), goal, Profile::DEFAULT));
  EXPECT_FALSE(isAsDocumented(attemptOf(Group::EXECUTION, Known::PROFILE_DEFAULT), goal, Profile::NO_WASM));
  EXPECT_TRUE(isAsDocumented(attemptOf(Group::CLOCKS, Known::CLOCK), goal, Profile::JITLESS));
  EXPECT_FALSE(isAsDocumented(attemptOf(Group::KERNEL, Known::KERNEL_EXCEPTION), goal, Profile::DEFAULT));
}

TEST(AttemptTable, NamesAreUniqueAndEveryRowIsWhole) {
  std::set<std::string_view> names;
  for (const Attempt& attempt : allAttempts()) {
    EXPECT_TRUE(names.insert(attempt.name).second) << attempt.name;
    EXPECT_NE(attempt.run, nullptr) << attempt.name;
    EXPECT_GT(attempt.goal.size(), 5u) << attempt.name;
    EXPECT_EQ(attempt.known == Known::NOTHING, attempt.remark.empty()) << attempt.name;
  }
  EXPECT_GE(names.size(), 60u);
}

}  // namespace
}  // namespace glovebox::probe
