#include "supervisor/outcome.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "ipc/zygote-protocol.h"
#include "policy/filter-compiler.h"

namespace glovebox {

using Code = rpc::Ending::Code;

Outcome exceededCpu(uint32_t limitMs, kj::StringPtr where) {
  return {Code::EXCEEDED_CPU, kj::str("The worker used more than its limit of ", limitMs, " ms of CPU time ", where,
                                      ". Make the code do less, or raise limits.cpuMs.")};
}

Outcome exceededWallTime(uint32_t limitMs, kj::StringPtr where) {
  return {Code::EXCEEDED_WALL_TIME, kj::str("The worker took longer than its limit of ", limitMs, " ms ", where,
                                            ". Make it wait for less, or raise limits.wallMs.")};
}

Outcome exceededMemory(uint32_t limitMb) {
  return {Code::EXCEEDED_MEMORY,
          kj::str("The worker needed more than its limit of ", limitMb,
                  " MiB of memory (JavaScript heap, ArrayBuffers and WebAssembly together). Make it hold less at a "
                  "time, or raise limits.memoryMb.")};
}

Outcome exceededResultSize(uint32_t limitBytes) {
  return {Code::EXCEEDED_RESULT_SIZE, kj::str("The worker announced a result of more than its limit of ", limitBytes,
                                              " bytes. Let it return less, return it in parts, or raise limits.resultBytes (at most 32 MiB).")};
}

Outcome protocolViolation(kj::StringPtr rule) {
  return {Code::PROTOCOL_VIOLATION,
          kj::str("The worker broke a rule of the wire and was killed: ", rule,
                  ". Code written in JavaScript cannot do this; treat what it ran as hostile.")};
}

Outcome revoked() {
  return {Code::REVOKED, kj::str("The worker was disposed of while the call was under way.")};
}

Outcome hung() {
  return {Code::HUNG,
          kj::str("The worker's code had hung and would never generate a response: the call's promise is unsettled and "
                  "no timer or call is left that could settle it. Look for an await on a promise nobody resolves.")};
}

Outcome overloaded(kj::StringPtr what, uint32_t limit) {
  return {Code::OVERLOADED, kj::str("Too many ", what, ": the limit is ", limit, ". Wait for some to end, then try again.")};
}

Outcome startFailed(kj::StringPtr why) {
  return {Code::START_FAILED, kj::str("No worker could be started: ", why)};
}

Outcome exceededSubrequests(uint32_t limit) {
  return {Code::EXCEEDED_SUBREQUESTS, kj::str("The worker made more than its limit of ", limit, " calls to others in this call (Too many subrequests). "
                                              "Let it ask for more at a time, or raise limits.subRequests.")};
}

Outcome evictedForIdleness(uint32_t limitMs) {
  return {Code::EVICTED, kj::str("The worker was evicted: it was idle for longer than its limit of ", limitMs,
                                 " ms. Load it again, raise limits.idleMs, or get() it by a name and have it made again when it is needed.")};
}

Outcome evictedForAge(uint32_t limitMs) {
  return {Code::EVICTED, kj::str("The worker was evicted: it has lived for its limit of ", limitMs,
                                 " ms. Load it again, raise limits.lifetimeMs, or get() it by a name and have it made again when it is needed.")};
}

Outcome evictedForMemory(uint64_t budgetBytes) {
  return {Code::EVICTED, kj::str("The worker was evicted: all named workers together needed more than their budget of ", budgetBytes >> 20,
                                 " MiB, and it was the one least recently used. Call it again to have it made again.")};
}

Outcome evictedForOthers() {
  return {Code::EVICTED, kj::str("The worker was evicted: another one was to be loaded, there were as many as there may be, and it was the one least "
                                 "recently used. Call it again to have it made again.")};
}

Outcome abortedByOwner() {
  return {Code::ABORTED, kj::str("The worker was aborted by whoever loaded it, while the call was under way. Call it again to have it made again.")};
}

Outcome abortedByItself() {
  return {Code::ABORTED, kj::str("The worker's own code ended it with abortIsolate(), and all its calls with it. Load it again.")};
}

namespace {

kj::String callName(uint32_t number) {
  if (auto name = policy::tryNameSystemCall(number)) return kj::str(name->c_str(), ", number ", number);
  return kj::str("number ", number);
}

}  // namespace

Outcome fromProcessEnd(ProcessEnd end, uint32_t memoryLimitMb, kj::Maybe<uint32_t> forbiddenCall) {
  if (end.code == CLD_KILLED || end.code == CLD_DUMPED) {
    auto name = strsignal(end.status);
    if (end.status == SIGSYS) {
      auto which = kj::str("which one the kernel did not say");
      KJ_IF_MAYBE(number, forbiddenCall) which = callName(*number);
      return {Code::KILLED, kj::str("The policy killed the worker: it made a system call that is not allowed to it (SIGSYS; ", which,
                                    "). JavaScript cannot make system calls; treat what it ran as hostile.")};
    }
    if (end.status == SIGKILL) {
      return {Code::EXITED, kj::str("The worker died: its process was killed from outside (SIGKILL), by an operator or by the kernel "
                                    "for want of memory. Load it again.")};
    }
    return {Code::CRASHED, kj::str("The worker died: its process crashed with signal ", end.status, " (", name,
                                   "). The fault is in the engine or in hostile code; load it again to retry.")};
  }
  if (end.status == zygote::EXIT_OUT_OF_MEMORY) return exceededMemory(memoryLimitMb);
  if (end.status == zygote::EXIT_ABORTED) return abortedByItself();
  if (end.status == zygote::EXIT_FATAL_ERROR) {
    return {Code::CRASHED, kj::str("The worker died: V8 stopped on a fatal error. Load it again to retry.")};
  }
  return {Code::EXITED, kj::str("The worker died: its process exited with status ", end.status, ". Load it again.")};
}

bool isAbnormal(ProcessEnd end) {
  if (end.code == CLD_EXITED) return end.status == zygote::EXIT_FATAL_ERROR;
  return end.status != SIGKILL && end.status != SIGTERM;
}

void setEnding(rpc::Return::Builder result, const Outcome& outcome) {
  auto ending = result.initEnded();
  ending.setCode(outcome.code);
  ending.setMessage(outcome.message);
}

}  // namespace glovebox
