#pragma once
// Every way a call can end without a result, and the words for it. The list is closed (call.capnp: Ending.Code); the
// supervisor words each ending from what it knows itself, never from what a worker says about itself.

#include <kj/string.h>

#include <cstdint>

#include "ipc/call.capnp.h"

namespace glovebox {

struct Outcome {
  rpc::Ending::Code code;
  kj::String message;   // for the user: what happened, the limit and its value, what to do

  Outcome clone() const { return Outcome{code, kj::str(message)}; }
};

// How the kernel says a process ended (siginfo si_code and si_status), and what it took in its life.
struct ProcessEnd {
  int32_t code = 0;
  int32_t status = 0;
  uint64_t cpuUs = 0;       // 0: nobody could say
  uint64_t peakBytes = 0;
};

Outcome exceededCpu(uint32_t limitMs, kj::StringPtr where);
Outcome exceededWallTime(uint32_t limitMs, kj::StringPtr where);
Outcome exceededMemory(uint32_t limitMb);
Outcome exceededResultSize(uint32_t limitBytes);
Outcome protocolViolation(kj::StringPtr rule);
Outcome revoked();
Outcome hung();
Outcome overloaded(kj::StringPtr what, uint32_t limit);
Outcome startFailed(kj::StringPtr why);
Outcome exceededSubrequests(uint32_t limit);
Outcome evictedForIdleness(uint32_t limitMs);
Outcome evictedForAge(uint32_t limitMs);
Outcome evictedForMemory(uint64_t budgetBytes);   // of all named workers
Outcome evictedForOthers();
Outcome abortedByOwner();
Outcome abortedByItself();

// A process that ended without the supervisor's doing.
// `forbiddenCall`: which one the policy killed it for, if that is known.
Outcome fromProcessEnd(ProcessEnd end, uint32_t memoryLimitMb, kj::Maybe<uint32_t> forbiddenCall = nullptr);

// Whether an ending may have been an attempt to break out, after which no further worker is forked from the same zygote.
bool isAbnormal(ProcessEnd end);

void setEnding(rpc::Return::Builder result, const Outcome& outcome);

}  // namespace glovebox
