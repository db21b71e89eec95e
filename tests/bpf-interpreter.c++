#include "tests/bpf-interpreter.h"

#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace glovebox::tests {
namespace {

using ScratchSet = uint32_t;  // a bit per scratch slot
constexpr ScratchSet ALL_SCRATCH = (1u << BPF_MEMWORDS) - 1;

[[noreturn]] void reject(size_t at, const std::string& why) {
  throw std::invalid_argument("BPF instruction " + std::to_string(at) + ": " + why);
}

void checkScratch(size_t at, const sock_filter& instruction) {
  if (instruction.k >= BPF_MEMWORDS) reject(at, "scratch slot " + std::to_string(instruction.k) + " does not exist");
}

// The opcodes that the kernel lets a seccomp program have (kernel/seccomp.c, seccomp_check_filter), and their operands.
void checkInstruction(size_t at, const sock_filter& instruction) {
  switch (instruction.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      if (instruction.k % 4 != 0 || instruction.k >= sizeof(seccomp_data)) {
        reject(at, "load at offset " + std::to_string(instruction.k) + ", which is no word of struct seccomp_data");
      }
      return;
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_NEG:
    case BPF_ALU | BPF_ADD | BPF_K:
    case BPF_ALU | BPF_ADD | BPF_X:
    case BPF_ALU | BPF_SUB | BPF_K:
    case BPF_ALU | BPF_SUB | BPF_X:
    case BPF_ALU | BPF_MUL | BPF_K:
    case BPF_ALU | BPF_MUL | BPF_X:
    case BPF_ALU | BPF_DIV | BPF_X:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_ALU | BPF_AND | BPF_X:
    case BPF_ALU | BPF_OR | BPF_K:
    case BPF_ALU | BPF_OR | BPF_X:
    case BPF_ALU | BPF_XOR | BPF_K:
    case BPF_ALU | BPF_XOR | BPF_X:
    case BPF_ALU | BPF_LSH | BPF_X:
    case BPF_ALU | BPF_RSH | BPF_X: return;
    case BPF_ALU | BPF_DIV | BPF_K:
      if (instruction.k == 0) reject(at, "division by zero");
      return;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      if (instruction.k >= 32) reject(at, "shift by " + std::to_string(instruction.k));
      return;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX: checkScratch(at, instruction); return;
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JEQ | BPF_X:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_X:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_X:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_X: return;
    default: reject(at, "unknown opcode " + std::to_string(instruction.code));
  }
}

bool isReturn(const sock_filter& instruction) { return BPF_CLASS(instruction.code) == BPF_RET; }
bool isJump(const sock_filter& instruction) { return BPF_CLASS(instruction.code) == BPF_JMP; }
bool isUnconditional(const sock_filter& instruction) { return instruction.code == (BPF_JMP | BPF_JA); }

// Jumps go forward only, so one pass over the program both bounds them and follows which slots have been written on
// every path to an instruction.
void checkFlow(std::span<const sock_filter> program) {
  std::vector<ScratchSet> written(program.size() + 1, ALL_SCRATCH);
  written[0] = 0;
  auto reach = [&](size_t from, uint64_t target, ScratchSet now) {
    if (target >= program.size()) reject(from, "control leaves the program");
    written[target] &= now;
  };
  for (size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    ScratchSet now = written[at];
    bool loadsScratch = instruction.code == (BPF_LD | BPF_MEM) || instruction.code == (BPF_LDX | BPF_MEM);
    if (loadsScratch && !(now & (1u << instruction.k))) {
      reject(at, "scratch slot " + std::to_string(instruction.k) + " is read before it is written");
    }
    if (instruction.code == BPF_ST || instruction.code == BPF_STX) now |= 1u << instruction.k;

    uint64_t next = at + 1;
    if (isReturn(instruction)) continue;
    if (isUnconditional(instruction)) {
      reach(at, next + instruction.k, now);
    } else if (isJump(instruction)) {
      reach(at, next + instruction.jt, now);
      reach(at, next + instruction.jf, now);
    } else {
      reach(at, next, now);
    }
  }
}

uint32_t compute(uint16_t operation, uint32_t a, uint32_t operand) {
  switch (operation) {
    case BPF_ADD: return a + operand;
    case BPF_SUB: return a - operand;
    case BPF_MUL: return a * operand;
    case BPF_DIV: return a / operand;
    case BPF_AND: return a & operand;
    case BPF_OR: return a | operand;
    case BPF_XOR: return a ^ operand;
    case BPF_LSH: return operand < 32 ? a << operand : 0;
    case BPF_RSH: return operand < 32 ? a >> operand : 0;
    case BPF_NEG: return -a;
  }
  throw std::logic_error("an operation that passed the check has no meaning");
}

bool holds(uint16_t comparison, uint32_t a, uint32_t operand) {
  switch (comparison) {
    case BPF_JEQ: return a == operand;
    case BPF_JGT: return a > operand;
    case BPF_JGE: return a >= operand;
    case BPF_JSET: return (a & operand) != 0;
  }
  throw std::logic_error("a comparison that passed the check has no meaning");
}

}  // namespace

BpfProgram::BpfProgram(std::span<const sock_filter> instructions)
    : instructions_(instructions.begin(), instructions.end()) {
  if (instructions.empty()) throw std::invalid_argument("an empty BPF program");
  if (instructions.size() > BPF_MAXINSNS) {
    throw std::invalid_argument("a BPF program of " + std::to_string(instructions.size()) +
                                " instructions; the most is " + std::to_string(BPF_MAXINSNS));
  }
  for (size_t at = 0; at < instructions.size(); ++at) checkInstruction(at, instructions[at]);
  checkFlow(instructions);
  if (!isReturn(instructions.back())) reject(instructions.size() - 1, "the last instruction is not a return");
}

uint32_t BpfProgram::run(const seccomp_data& call) const {
  uint32_t a = 0;
  uint32_t x = 0;
  std::array<uint32_t, BPF_MEMWORDS> scratch{};
  // Ends: the check let only forward jumps through, and each path ends in a return.
  for (size_t at = 0;; ++at) {
    const sock_filter& instruction = instructions_[at];
    uint16_t code = instruction.code;
    uint32_t operand = BPF_SRC(code) == BPF_X ? x : instruction.k;
    switch (BPF_CLASS(code)) {
      case BPF_LD:
      case BPF_LDX: {
        uint32_t value = instruction.k;
        if (BPF_MODE(code) == BPF_ABS) {
          std::memcpy(&value, reinterpret_cast<const char*>(&call) + instruction.k, sizeof(value));
        } else if (BPF_MODE(code) == BPF_MEM) {
          value = scratch[instruction.k];
        } else if (BPF_MODE(code) == BPF_LEN) {
          value = sizeof(seccomp_data);
        }
        (BPF_CLASS(code) == BPF_LD ? a : x) = value;
        break;
      }
      case BPF_ST: scratch[instruction.k] = a; break;
      case BPF_STX: scratch[instruction.k] = x; break;
      case BPF_ALU:
        if (BPF_OP(code) == BPF_DIV && operand == 0) return SECCOMP_RET_KILL_THREAD;  // the kernel's answer, 0
        a = compute(BPF_OP(code), a, operand);
        break;
      case BPF_JMP:
        at += isUnconditional(instruction)      ? instruction.k
              : holds(BPF_OP(code), a, operand) ? instruction.jt
                                                : instruction.jf;
        break;
      case BPF_RET: return BPF_RVAL(code) == BPF_A ? a : instruction.k;
      case BPF_MISC:
        if (BPF_MISCOP(code) == BPF_TAX)
          x = a;
        else
          a = x;
        break;
    }
  }
}

std::vector<sock_filter> BpfProgram::withReturnsReplaced(uint32_t from, uint32_t to) const {
  std::vector<sock_filter> changed = instructions_;
  for (sock_filter& instruction : changed) {
    if (instruction.code == (BPF_RET | BPF_K) && instruction.k == from) instruction.k = to;
  }
  return changed;
}

std::string describeAction(uint32_t action) {
  std::string data("(");
  data.append(std::to_string(action & SECCOMP_RET_DATA)).append(")");
  switch (action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW: return "ALLOW";
    case SECCOMP_RET_KILL_PROCESS: return "KILL_PROCESS";
    case SECCOMP_RET_KILL_THREAD: return "KILL_THREAD";
    case SECCOMP_RET_ERRNO: return "ERRNO" + data;
    case SECCOMP_RET_TRAP: return "TRAP" + data;
    case SECCOMP_RET_TRACE: return "TRACE" + data;
    case SECCOMP_RET_LOG: return "LOG";
    case SECCOMP_RET_USER_NOTIF: return "USER_NOTIF";
  }
  return "unknown action " + std::to_string(action);
}

}  // namespace glovebox::tests
