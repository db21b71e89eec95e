#pragma once
// Which system call the policy killed a process for. The kernel tells it nowhere but in its log, as an audit record, and
// that only to whom it lets read the log and where no audit daemon takes the records away: so nobody may depend on it.

#include <kj/io.h>

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string_view>

namespace glovebox {

class KernelLog {
 public:
  // From here on: what is in the log already is not looked at.
  KernelLog();

  // For tests: `records` gives one with each read, and EAGAIN at the end.
  explicit KernelLog(kj::AutoCloseFd records): fd_(kj::mv(records)) {}

  // The number of the call. Null: the log cannot be read, or has no such record (yet). Reads no further than LOOK_MAX records;
  // of processes that it meets on the way and was not asked about yet, it remembers OTHERS_MAX.
  kj::Maybe<uint32_t> tryFindForbiddenCall(pid_t pid);

  struct ForbiddenCall {
    pid_t pid;
    uint32_t number;
  };
  // One record, as /dev/kmsg gives it. Null if it is about something else.
  static kj::Maybe<ForbiddenCall> tryParse(std::string_view record);

 private:
  std::deque<ForbiddenCall> others_;   // the latest last
  kj::AutoCloseFd fd_;   // null if it cannot be read
};

}  // namespace glovebox
