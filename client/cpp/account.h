#pragma once
// What a call took and did, by the books of the supervisor and the kernel (Account in ipc/call.capnp). What stands in it of a
// worker's words, logs and exceptions, was chosen by the agent, control characters included.

#include <cstdint>
#include <string>
#include <vector>

#include "ipc/call.capnp.h"

namespace glovebox::client {

struct LogLine {
  rpc::LogMessage::Level level;
  double time;       // milliseconds since the epoch, by the worker's clock
  std::string text;  // as console.log would print it; the agent chose every byte, control characters included
};

struct Account {
  // A capability that the agent used: what it was called when it was handed over, and what passed. Without a label: all others
  // of that kind together.
  struct Use {
    std::string label;
    std::string kind;  // "stub", "service", "readable", "writable", "loader"; "none": the bytes of large values
    uint64_t calls;
    uint64_t bytesOut;  // from the worker
    uint64_t bytesIn;   // to it
  };
  // What the code threw and did not catch.
  struct Uncaught {
    double time;
    std::string name;  // empty: it was no Error
    std::string message;
    std::string stack;
  };

  std::string outcome;  // "ok", "exception", or the name of an ending
  double startTime;     // milliseconds since the epoch
  double wallMs;
  double cpuMs;              // of the worker's process; of overlapping calls each is charged all
  uint64_t peakMemoryBytes;  // of the worker's process in its life so far
  uint32_t subRequests;
  uint64_t bytesIn;   // of the arguments
  uint64_t bytesOut;  // of the result
  std::vector<Use> capabilities;
  std::vector<LogLine> logs;
  std::vector<Uncaught> exceptions;
  bool truncated;  // logs or exceptions are missing for lack of room

  explicit Account(rpc::Account::Reader from);
};

}  // namespace glovebox::client
