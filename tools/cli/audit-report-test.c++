#include "tools/cli/audit-report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

namespace glovebox::cli {
namespace {

using policy::Layer;
using policy::Profile;
using probe::Attempt;
using probe::Group;
using probe::Judgement;
using probe::Known;
using probe::Verdict;
using testing::HasSubstr;
using testing::Not;

const Attempt PLAIN{"open-passwd", Group::FILES, "reads /etc/passwd", nullptr, {}};
const Attempt WASM{"make-code", Group::EXECUTION, "makes a page executable", nullptr, {}, Known::PROFILE_DEFAULT, "WebAssembly needs it"};
const Attempt EXCEPTION{"uprobe", Group::KERNEL, "makes call 336", nullptr, {}, Known::KERNEL_EXCEPTION, "before every filter"};
const Verdict KILLED{Judgement::REFUSED, Layer::SECCOMP, "SIGSYS"};
const Verdict GOAL_MET{Judgement::MET, std::nullopt, "done"};

AuditEntry entryOf(const Attempt& attempt, const Verdict& inside) {
  return {&attempt, {"met", ""}, inside, Verdict{Judgement::REFUSED, Layer::EMPTY_ROOT, "ENOENT"}};
}

TEST(AuditReport, AnAttemptThatMeetsItsGoalBreaksThePromise) {
  std::vector<AuditEntry> entries{entryOf(PLAIN, KILLED)};
  EXPECT_TRUE(hasHeld(entries, Profile::DEFAULT));
  entries.push_back(entryOf(PLAIN, GOAL_MET));
  EXPECT_FALSE(hasHeld(entries, Profile::DEFAULT));
  EXPECT_THAT(reportAsText(entries, Profile::DEFAULT), HasSubstr("SUCCEEDED"));
  EXPECT_THAT(reportAsText(entries, Profile::DEFAULT), HasSubstr("1 succeeded.\n"));
}

TEST(AuditReport, AnEndingThatNobodyUnderstandsBreaksThePromise) {
  EXPECT_FALSE(hasHeld({entryOf(PLAIN, {Judgement::UNCLEAR, std::nullopt, "SIGTERM"})}, Profile::DEFAULT));
  EXPECT_FALSE(hasHeld({}, Profile::DEFAULT));
}

TEST(AuditReport, WhatAProfileGrantsIsShownWithItsReasonAndOnlyThere) {
  std::vector<AuditEntry> entries{entryOf(WASM, GOAL_MET)};
  EXPECT_TRUE(hasHeld(entries, Profile::DEFAULT));
  EXPECT_THAT(reportAsText(entries, Profile::DEFAULT), HasSubstr("Granted on purpose:\n  make-code: makes a page executable\n    WebAssembly needs it\n"));
  EXPECT_FALSE(hasHeld(entries, Profile::JITLESS));
  EXPECT_THAT(reportAsText(entries, Profile::JITLESS), Not(HasSubstr("Granted on purpose:")));
}

TEST(AuditReport, JsonTellsTheLayersAndTheReason) {
  std::vector<AuditEntry> entries{entryOf(PLAIN, KILLED), entryOf(WASM, GOAL_MET),
                                  entryOf(EXCEPTION, {Judgement::REACHED, std::nullopt, "EINVAL"})};
  rapidjson::Document document;
  document.Parse(reportAsJson(entries, Profile::DEFAULT).c_str());
  ASSERT_TRUE(document.IsArray());
  ASSERT_EQ(document.Size(), 3u);
  EXPECT_STREQ(document[0]["inside"].GetString(), "stopped");
  EXPECT_STREQ(document[0]["stoppedBy"].GetString(), "seccomp");
  EXPECT_STREQ(document[0]["withoutSeccomp"]["stoppedBy"].GetString(), "empty-root");
  EXPECT_TRUE(document[0]["documented"].IsNull());
  EXPECT_STREQ(document[1]["inside"].GetString(), "granted");
  EXPECT_TRUE(document[1]["stoppedBy"].IsNull());
  EXPECT_STREQ(document[1]["documented"].GetString(), "WebAssembly needs it");
  EXPECT_STREQ(document[2]["inside"].GetString(), "reached");
}

}  // namespace
}  // namespace glovebox::cli
