#include "tests/bpf-interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <cstddef>
#include <stdexcept>

namespace glovebox::tests {
namespace {

constexpr uint32_t KILL = SECCOMP_RET_KILL_PROCESS;
constexpr uint32_t ALLOW = SECCOMP_RET_ALLOW;

sock_filter statement(uint16_t code, uint32_t k) { return BPF_STMT(code, k); }
sock_filter jump(uint16_t code, uint32_t k, uint8_t jt, uint8_t jf) { return BPF_JUMP(code, k, jt, jf); }
sock_filter ret(uint32_t action) { return statement(BPF_RET | BPF_K, action); }
sock_filter loadWord(uint32_t offset) { return statement(BPF_LD | BPF_W | BPF_ABS, offset); }

uint32_t runOn(std::vector<sock_filter> program, seccomp_data call = {}) { return BpfProgram(program).run(call); }

void expectRejected(std::vector<sock_filter> program, const char* sentence) {
  try {
    BpfProgram checked(program);
    ADD_FAILURE() << "accepted, expected: " << sentence;
  } catch (const std::invalid_argument& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr(sentence));
  }
}

TEST(BpfInterpreter, AReturnIsTheDecision) {
  EXPECT_EQ(runOn({ret(ALLOW)}), ALLOW);
  EXPECT_EQ(runOn({ret(SECCOMP_RET_ERRNO | 38)}), SECCOMP_RET_ERRNO | 38u);
  EXPECT_EQ(runOn({statement(BPF_LD | BPF_IMM, KILL), statement(BPF_RET | BPF_A, 0)}), KILL);
}

TEST(BpfInterpreter, LoadsEveryWordOfTheCall) {
  seccomp_data call{.nr = 0x11, .arch = 0x22, .instruction_pointer = 0x4400000033, .args = {}};
  for (int i = 0; i < 6; ++i) call.args[i] = 0x100 + i + (uint64_t{0x200u + i} << 32);
  auto word = [&](size_t offset) { return runOn({loadWord(offset), statement(BPF_RET | BPF_A, 0)}, call); };
  EXPECT_EQ(word(offsetof(seccomp_data, nr)), 0x11u);
  EXPECT_EQ(word(offsetof(seccomp_data, arch)), 0x22u);
  EXPECT_EQ(word(8), 0x33u);
  EXPECT_EQ(word(12), 0x44u);
  for (uint32_t i = 0; i < 6; ++i) {
    EXPECT_EQ(word(16 + 8 * i), 0x100 + i);
    EXPECT_EQ(word(20 + 8 * i), 0x200 + i);
  }
}

TEST(BpfInterpreter, ComparesUnsigned) {
  auto taken = [](uint16_t comparison, uint32_t a, uint32_t k) {
    return runOn({statement(BPF_LD | BPF_IMM, a), jump(BPF_JMP | comparison | BPF_K, k, 0, 1), ret(ALLOW),
                  ret(KILL)}) == ALLOW;
  };
  EXPECT_TRUE(taken(BPF_JEQ, 7, 7));
  EXPECT_FALSE(taken(BPF_JEQ, 7, 8));
  EXPECT_TRUE(taken(BPF_JGT, 0xffffffff, 1));
  EXPECT_FALSE(taken(BPF_JGT, 1, 1));
  EXPECT_TRUE(taken(BPF_JGE, 1, 1));
  EXPECT_FALSE(taken(BPF_JGE, 0, 0x80000000));
  EXPECT_TRUE(taken(BPF_JSET, 6, 2));
  EXPECT_FALSE(taken(BPF_JSET, 5, 2));
}

TEST(BpfInterpreter, ComparesWithTheIndexRegister) {
  std::vector<sock_filter> program{statement(BPF_LDX | BPF_IMM, 5), loadWord(0),
                                   jump(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1), ret(ALLOW), ret(KILL)};
  EXPECT_EQ(runOn(program, {.nr = 5}), ALLOW);
  EXPECT_EQ(runOn(program, {.nr = 6}), KILL);
}

TEST(BpfInterpreter, Computes) {
  auto result = [](uint16_t operation, uint32_t a, uint32_t k) {
    return runOn(
        {statement(BPF_LD | BPF_IMM, a), statement(BPF_ALU | operation | BPF_K, k), statement(BPF_RET | BPF_A, 0)});
  };
  EXPECT_EQ(result(BPF_ADD, 0xffffffff, 2), 1u);
  EXPECT_EQ(result(BPF_SUB, 1, 2), 0xffffffffu);
  EXPECT_EQ(result(BPF_MUL, 6, 7), 42u);
  EXPECT_EQ(result(BPF_DIV, 42, 5), 8u);
  EXPECT_EQ(result(BPF_AND, 0xff, 0x3c), 0x3cu);
  EXPECT_EQ(result(BPF_OR, 0xf0, 0x0f), 0xffu);
  EXPECT_EQ(result(BPF_XOR, 0xff, 0x0f), 0xf0u);
  EXPECT_EQ(result(BPF_LSH, 1, 31), 0x80000000u);
  EXPECT_EQ(result(BPF_RSH, 0x80000000, 31), 1u);
  EXPECT_EQ(runOn({statement(BPF_LD | BPF_IMM, 1), statement(BPF_ALU | BPF_NEG, 0), statement(BPF_RET | BPF_A, 0)}),
            0xffffffffu);
}

TEST(BpfInterpreter, DividingByAZeroIndexRegisterKills) {
  EXPECT_EQ(runOn({statement(BPF_ALU | BPF_DIV | BPF_X, 0), ret(ALLOW)}), uint32_t{SECCOMP_RET_KILL_THREAD});
}

TEST(BpfInterpreter, KeepsScratchAndMovesBetweenRegisters) {
  EXPECT_EQ(runOn({loadWord(0), statement(BPF_ST, 3), statement(BPF_LD | BPF_IMM, 0), statement(BPF_LDX | BPF_MEM, 3),
                   statement(BPF_MISC | BPF_TXA, 0), statement(BPF_RET | BPF_A, 0)},
                  {.nr = 77}),
            77u);
  EXPECT_EQ(runOn({statement(BPF_LD | BPF_W | BPF_LEN, 0), statement(BPF_RET | BPF_A, 0)}), sizeof(seccomp_data));
}

TEST(BpfInterpreter, FollowsLongJumps) {
  EXPECT_EQ(runOn({statement(BPF_JMP | BPF_JA, 1), ret(KILL), ret(ALLOW)}), ALLOW);
}

TEST(BpfInterpreter, RejectsJumpsPastTheEnd) {
  expectRejected({statement(BPF_JMP | BPF_JA, 1), ret(ALLOW)}, "control leaves the program");
  expectRejected({statement(BPF_JMP | BPF_JA, 0xffffffff), ret(ALLOW)}, "control leaves the program");
  expectRejected({jump(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), ret(ALLOW)}, "control leaves the program");
  expectRejected({jump(BPF_JMP | BPF_JEQ | BPF_K, 1, 255, 0), ret(ALLOW)}, "control leaves the program");
}

TEST(BpfInterpreter, RejectsAMissingReturn) {
  expectRejected({loadWord(0)}, "control leaves the program");
  expectRejected({ret(ALLOW), statement(BPF_JMP | BPF_JA, 0)}, "instruction 1");
}

TEST(BpfInterpreter, RejectsLoadsOutsideTheCall) {
  expectRejected({loadWord(sizeof(seccomp_data)), ret(ALLOW)}, "no word of struct seccomp_data");
  expectRejected({loadWord(2), ret(ALLOW)}, "no word of struct seccomp_data");
  expectRejected({loadWord(uint32_t(SKF_AD_OFF)), ret(ALLOW)}, "no word of struct seccomp_data");
}

TEST(BpfInterpreter, RejectsOpcodesTheKernelRefuses) {
  expectRejected({statement(BPF_LD | BPF_B | BPF_ABS, 0), ret(ALLOW)}, "unknown opcode");
  expectRejected({statement(BPF_LD | BPF_W | BPF_IND, 0), ret(ALLOW)}, "unknown opcode");
  expectRejected({statement(BPF_LDX | BPF_B | BPF_MSH, 0), ret(ALLOW)}, "unknown opcode");
  expectRejected({statement(BPF_ALU | BPF_MOD | BPF_K, 1), ret(ALLOW)}, "unknown opcode");
  expectRejected({statement(0xffff, 0), ret(ALLOW)}, "unknown opcode");
}

TEST(BpfInterpreter, RejectsBadConstantsAndScratch) {
  expectRejected({statement(BPF_ALU | BPF_DIV | BPF_K, 0), ret(ALLOW)}, "division by zero");
  expectRejected({statement(BPF_ALU | BPF_LSH | BPF_K, 32), ret(ALLOW)}, "shift by 32");
  expectRejected({statement(BPF_ST, BPF_MEMWORDS), ret(ALLOW)}, "scratch slot 16");
  expectRejected({statement(BPF_LD | BPF_MEM, 0), ret(ALLOW)}, "read before it is written");
  // Written on one of two paths only.
  expectRejected({loadWord(0), jump(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), statement(BPF_ST, 2),
                  statement(BPF_LD | BPF_MEM, 2), ret(ALLOW)},
                 "read before it is written");
}

TEST(BpfInterpreter, RejectsEmptyAndOverlongPrograms) {
  expectRejected({}, "empty");
  expectRejected(std::vector<sock_filter>(BPF_MAXINSNS + 1, ret(ALLOW)), "4097");
}

TEST(BpfInterpreter, ReplacesOnlyTheNamedReturn) {
  BpfProgram program(
      std::vector<sock_filter>{loadWord(0), jump(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), ret(ALLOW), ret(KILL)});
  BpfProgram changed(program.withReturnsReplaced(KILL, SECCOMP_RET_TRAP));
  EXPECT_EQ(changed.run({.nr = 1}), ALLOW);
  EXPECT_EQ(changed.run({.nr = 2}), uint32_t{SECCOMP_RET_TRAP});
}

}  // namespace
}  // namespace glovebox::tests
