#pragma once
// What a worker said while something went on: its logs and what its code threw uncaught, in order, up to ACCOUNT_LOG_BYTES.
// Written by an attacker; here it is sound UTF-8 of a bounded size, and nothing else is promised.

#include <kj/string.h>

#include <memory>
#include <vector>

#include "ipc/call.capnp.h"

namespace glovebox {

// Shared by all who heard it: calls of one worker overlap, and nobody knows which of them spoke.
struct SaidLog {
  rpc::LogMessage::Level level;
  double time;
  kj::String text;

  explicit SaidLog(rpc::LogMessage::Reader message);
  size_t bytes() const { return text.size() + OVERHEAD_BYTES; }
  static constexpr size_t OVERHEAD_BYTES = 64;
};

struct SaidThrown {
  double time;
  kj::String name, message, stack;

  explicit SaidThrown(rpc::ThrownError::Reader thrown);
  size_t bytes() const { return name.size() + message.size() + stack.size() + SaidLog::OVERHEAD_BYTES; }
};

class Said {
 public:
  // What finds no room is dropped, and then so is all of its kind that comes after.
  void add(std::shared_ptr<const SaidLog> log);
  void add(std::shared_ptr<const SaidThrown> thrown);

  bool takesLogs() const { return !logsEnded_; }
  bool takesExceptions() const { return !exceptionsEnded_; }
  bool isNothing() const { return logs.empty() && exceptions.empty(); }

  std::vector<std::shared_ptr<const SaidLog>> logs;
  std::vector<std::shared_ptr<const SaidThrown>> exceptions;
  bool truncated = false;

 private:
  size_t logBytes_ = 0, thrownBytes_ = 0;
  bool logsEnded_ = false, exceptionsEnded_ = false;
};

// Sound UTF-8: what is none becomes U+FFFD.
kj::String cleanText(kj::ArrayPtr<const char> text);

}  // namespace glovebox
