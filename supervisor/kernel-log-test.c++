#include "supervisor/kernel-log.h"

#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace glovebox {
namespace {

constexpr std::string_view RECORD =
    "5,1043,13478182247,-;audit: type=1326 audit(1795635325.459:46694): auid=4294967295 uid=1908277426 gid=1908277426 ses=4294967295 "
    "pid=13461 comm=\"node\" exe=\"/opt/engine/node\" sig=31 arch=c000003e syscall=41 compat=0 ip=0x7f417d71f829 code=0x80000000\n";

uint32_t parsed(std::string_view record, pid_t pid) {
  KJ_IF_MAYBE(call, KernelLog::tryParse(record)) {
    if (call->pid == pid) return call->number;
  }
  return 9'999;
}

TEST(KernelLog, ARecordOfTheProcessNamesTheCall) {
  EXPECT_EQ(parsed(RECORD, 13461), 41u);
  EXPECT_EQ(parsed(RECORD, 1346), 9'999u);
  EXPECT_EQ(parsed(RECORD, 134611), 9'999u);
}

TEST(KernelLog, WhatIsNoSuchRecordNamesNothing) {
  EXPECT_EQ(parsed("", 1), 9'999u);
  EXPECT_EQ(parsed("6,1,1,-;usb 1-1: pid=13461 syscall=41", 13461), 9'999u);
  std::string cut(RECORD);
  EXPECT_EQ(parsed(cut.substr(0, cut.find("syscall")), 13461), 9'999u);
  EXPECT_EQ(parsed("5,1,1,-;audit: type=1326 audit(1:1): pid= syscall=x", 0), 9'999u);
}

TEST(KernelLog, ANameThatLooksLikeAFieldIsNone) {
  std::string record(RECORD);   // the kernel writes a name with a space or a quote in it like this
  record.replace(record.find("\"node\""), 6, "78207069643D31");
  EXPECT_EQ(parsed(record, 1), 9'999u);
}

// A record of one that was read while another was looked for was lost.
TEST(KernelLog, OfTwoThatDiedBothAreFoundInAnyOrder) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  kj::AutoCloseFd writer(ends[1]);
  KernelLog log{kj::AutoCloseFd(ends[0])};
  for (auto [pid, call]: {std::pair{"21", "1"}, {"22", "2"}, {"23", "3"}}) {
    std::string record(RECORD);
    record.replace(record.find("13461"), 5, pid);
    record.replace(record.find("syscall=41") + 8, 2, call);
    ASSERT_GT(write(writer, record.data(), record.size()), 0);
  }
  EXPECT_EQ(log.tryFindForbiddenCall(22).orDefault(0), 2u);
  EXPECT_EQ(log.tryFindForbiddenCall(23).orDefault(0), 3u);
  EXPECT_EQ(log.tryFindForbiddenCall(21).orDefault(0), 1u);
  EXPECT_TRUE(log.tryFindForbiddenCall(21) == nullptr) << "the number may be another process's by then";
}

TEST(KernelLog, ReadsNoFurtherThanItsEnd) {
  KernelLog log;   // may be unreadable on this machine
  EXPECT_TRUE(log.tryFindForbiddenCall(1) == nullptr);
}

}  // namespace
}  // namespace glovebox
