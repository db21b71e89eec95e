#include "supervisor/journal.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace glovebox {
namespace {

using Ended = Journal::Ended;

void say(Diary& diary, const std::vector<std::string>& texts) {
  capnp::MallocMessageBuilder message;
  auto params = message.initRoot<rpc::Console::WriteParams>();
  auto list = params.initMessages(static_cast<uint>(texts.size()));
  for (auto i: kj::indices(list)) list[i].setText(capnp::Text::Reader(texts[i].data(), texts[i].size()));
  diary.hear(params.asReader().getMessages(), {});
}

void throwIn(Diary& diary, kj::StringPtr name, kj::StringPtr words, kj::StringPtr stack) {
  capnp::MallocMessageBuilder message;
  auto params = message.initRoot<rpc::Console::WriteParams>();
  auto thrown = params.initExceptions(1)[0];
  thrown.setName(name);
  thrown.setMessage(words);
  thrown.setStack(stack);
  diary.hear({}, params.asReader().getExceptions());
}

const std::deque<Journal::Ending>& ring(const Journal& journal, Ended what) { return journal.endings()[static_cast<size_t>(what)]; }

std::string line(const Diary& diary, size_t i) { return diary.lines()[i].text.cStr(); }

TEST(Journal, KeepsTheLastLinesOfAWorker) {
  Journal journal;
  auto diary = journal.begin(7);
  for (int i = 0; i < 300; i++) say(*diary, {"line " + std::to_string(i)});
  ASSERT_EQ(diary->lines().size(), Journal::LINES_MAX);
  EXPECT_EQ(line(*diary, 0), "line 100");
  EXPECT_EQ(line(*diary, Journal::LINES_MAX - 1), "line 299");
  EXPECT_TRUE(diary->isCut());
  // Of one long list, too.
  say(*diary, std::vector<std::string>(100'000, ""));
  EXPECT_EQ(diary->lines().size(), Journal::LINES_MAX);
}

TEST(Journal, BoundsTheBytesOfAWorker) {
  Journal journal;
  auto diary = journal.begin(1);
  for (int i = 0; i < 100; i++) say(*diary, {std::string(3'000, 'x')});
  EXPECT_LE(journal.bytes(), Journal::BYTES_MAX);
  EXPECT_GT(journal.bytes(), Journal::BYTES_MAX / 2);
  EXPECT_TRUE(diary->isCut());
}

TEST(Journal, CutsALongLineAndSaysHowLongItWas) {
  Journal journal;
  auto diary = journal.begin(1);
  say(*diary, {std::string(90'000, 'x')});
  EXPECT_EQ(line(*diary, 0), std::string(Journal::LINE_BYTES_MAX, 'x') + "... (90000 bytes)");
}

TEST(Journal, KeepsSoundUtf8Alone) {
  Journal journal;
  auto diary = journal.begin(1);
  diary->setName("\xff\xfe");
  say(*diary, {"a\xc3"});
  EXPECT_STREQ(diary->name().cStr(), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(line(*diary, 0), "a\xef\xbf\xbd");
}

TEST(Journal, TellsWhatWasThrownOnce) {
  Journal journal;
  auto diary = journal.begin(1);
  throwIn(*diary, "Error", "a bug", "Error: a bug\n    at fetch (index.js:1:1)");
  throwIn(*diary, "Error", "a bug", "Nothing happened");
  throwIn(*diary, "TypeError", "another", "");
  EXPECT_EQ(line(*diary, 0), "Error: a bug\n    at fetch (index.js:1:1)");
  EXPECT_EQ(line(*diary, 1), "Error: a bug\nNothing happened");
  EXPECT_EQ(line(*diary, 2), "TypeError: another");
  EXPECT_TRUE(diary->lines()[0].isThrown);
}

TEST(Journal, TheOneThatHasBeenSilentForLongestMakesRoom) {
  Journal journal;
  constexpr size_t COUNT = 2 * Journal::ALL_BYTES_MAX / Journal::BYTES_MAX;
  std::vector<kj::Own<Diary>> diaries;
  for (size_t id = 0; id < COUNT; id++) {
    diaries.push_back(journal.begin(id));
    for (int i = 0; i < 20; i++) say(*diaries.back(), {std::string(3'000, 'x')});
    say(*diaries.front(), {"still here"});
    ASSERT_LE(journal.bytes(), Journal::ALL_BYTES_MAX);
  }
  EXPECT_GT(journal.bytes(), Journal::ALL_BYTES_MAX / 2);
  EXPECT_FALSE(diaries.front()->lines().empty());
  EXPECT_TRUE(diaries[1]->lines().empty());
  EXPECT_TRUE(diaries[1]->isCut());
  EXPECT_FALSE(diaries.back()->lines().empty());
  diaries.clear();
  EXPECT_EQ(journal.bytes(), 0);
}

// A server lets go of any number; the one that was killed stays to be seen.
TEST(Journal, WorkersThatWereLetGoOfDoNotDisplaceOthers) {
  Journal journal;
  journal.noteEnded(*journal.begin(0), exceededMemory(64), 1, 2);
  for (uint64_t id = 1; id < 1'000; id++) journal.noteEnded(*journal.begin(id), revoked(), 0, 0);
  ASSERT_EQ(ring(journal, Ended::WORKER).size(), 1);
  EXPECT_EQ(ring(journal, Ended::WORKER)[0].outcome.code, rpc::Ending::Code::EXCEEDED_MEMORY);
  EXPECT_EQ(ring(journal, Ended::LET_GO).size(), 16);
  EXPECT_EQ(ring(journal, Ended::LET_GO).back().diary->id(), 999);
}

TEST(Journal, KnowsAWorkerWhileItIsThereOrAmongTheEndings) {
  Journal journal;
  auto diary = journal.begin(0);
  say(*diary, {"hello"});
  EXPECT_TRUE(journal.tryFind(0) != nullptr);
  journal.noteEnded(*diary, hung(), 0, 0);
  EXPECT_TRUE(diary->hasEnded());
  diary = nullptr;
  KJ_IF_MAYBE(found, journal.tryFind(0)) EXPECT_EQ(line(*found, 0), "hello");
  else ADD_FAILURE() << "forgotten too early";
  for (uint64_t id = 1; id <= 32; id++) journal.noteEnded(*journal.begin(id), hung(), 0, 0);
  EXPECT_TRUE(journal.tryFind(0) == nullptr);
  EXPECT_TRUE(journal.tryFind(1) != nullptr);
  EXPECT_EQ(journal.bytes(), 0);
}

TEST(Journal, OfSeveralReasonsTheFirstCounts) {
  Journal journal;
  auto diary = journal.begin(0);
  journal.noteEnded(*diary, hung(), 0, 0);
  journal.noteEnded(*diary, revoked(), 0, 0);
  EXPECT_EQ(ring(journal, Ended::WORKER).size(), 1);
  EXPECT_TRUE(ring(journal, Ended::LET_GO).empty());
}

TEST(Journal, CallsThatEndTogetherAreOneRow) {
  Journal journal;
  auto diary = journal.begin(0);
  for (int i = 0; i < 1'000; i++) journal.noteCallEnded(*diary, "ask", hung());
  journal.noteCallEnded(*diary, "ask", exceededCpu(5, "in this call"));
  journal.noteCallEnded(*diary, "ask", revoked());
  auto& calls = ring(journal, Ended::CALL);
  ASSERT_EQ(calls.size(), 2);
  EXPECT_EQ(calls[0].times, 1'000);
  EXPECT_STREQ(calls[1].method.cStr(), "ask");
}

}  // namespace
}  // namespace glovebox
