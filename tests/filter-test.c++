// The compiled filter against the table it was compiled from. The table is read here a second time, in the plainest way
// there is, and the program is run by an interpreter that knows neither: libseccomp has emitted programs that allow
// what no rule allows, and a filter that is too wide looks like one that works.

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iostream>
#include <random>

#include "policy/filter-compiler.h"
#include "policy/gateway-syscalls.h"
#include "policy/syscalls.h"
#include "tests/bpf-interpreter.h"

namespace glovebox::tests {
namespace {

using policy::Condition;
using policy::Profile;
using policy::Rule;

#if defined(__x86_64__)
constexpr uint32_t NATIVE_ARCH = AUDIT_ARCH_X86_64;
constexpr uint32_t FOREIGN_ARCHES[] = {AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0, ~0u};
#elif defined(__aarch64__)
constexpr uint32_t NATIVE_ARCH = AUDIT_ARCH_AARCH64;
constexpr uint32_t FOREIGN_ARCHES[] = {AUDIT_ARCH_ARM, AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_RISCV64, 0, ~0u};
#endif
constexpr uint32_t X32_BIT = 0x40000000;
constexpr int NUMBERS = 1024;

using Arguments = std::array<uint64_t, 6>;
using Random = std::mt19937_64;

// -- The table, read a second time
// ---------------------------------------------------------------------------------------

bool holds(const Condition& condition, const Arguments& arguments) {
  for (int i = 0; i < condition.valueCount; ++i) {
    if ((arguments[condition.argument] & condition.mask) == condition.values[i]) return true;
  }
  return false;
}

bool matches(const Rule& rule, const Arguments& arguments) {
  for (size_t i = 0; i < rule.conditionCount(); ++i) {
    if (!holds(rule.conditions[i], arguments)) return false;
  }
  return true;
}

uint32_t actionOf(const Rule& rule) {
  return rule.answer.kind == policy::Answer::Kind::ALLOW ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | rule.answer.error;
}

uint32_t decide(std::span<const Rule> rules, Profile profile, const seccomp_data& call) {
  if (call.arch != NATIVE_ARCH) return SECCOMP_RET_KILL_PROCESS;
  Arguments arguments;
  std::copy(std::begin(call.args), std::end(call.args), arguments.begin());
  for (const Rule& rule : rules) {
    if (rule.number == call.nr && rule.profiles.has(profile) && matches(rule, arguments)) return actionOf(rule);
  }
  return SECCOMP_RET_KILL_PROCESS;
}

// -- Inputs
// ---------------------------------------------------------------------------------------------------------------

seccomp_data callOf(uint32_t number, const Arguments& arguments, uint32_t arch = NATIVE_ARCH) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = arch;
  call.instruction_pointer = 0x7f0000001000;
  std::copy(arguments.begin(), arguments.end(), call.args);
  return call;
}

std::string describe(const seccomp_data& call) {
  char text[256];
  std::snprintf(text, sizeof(text), "nr %d arch %#x (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx)", call.nr, call.arch,
                call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5]);
  return text;
}

// Words worth trying: those of the table, their neighbours, the edges of 32 bits, and plain noise.
uint64_t interestingWord(Random& random) {
  static const std::vector<uint64_t> WORDS = [] {
    std::vector<uint64_t> words{0, 1, 3, 7, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000003, ~uint64_t{0}};
    for (std::span<const Rule> table : {std::span<const Rule>(policy::WORKER_SYSCALLS), std::span<const Rule>(policy::GATEWAY_SYSCALLS)}) {
      for (const Rule& rule : table) {
        for (const Condition& condition : rule.conditions) {
          for (int i = 0; i < condition.valueCount; ++i) {
            words.insert(words.end(),
                         {condition.values[i], condition.values[i] + 1, condition.values[i] | uint64_t{1} << 32});
          }
        }
      }
    }
    return words;
  }();
  return random() % 8 == 0 ? random() : WORDS[random() % WORDS.size()];
}

Arguments randomArguments(Random& random) {
  Arguments arguments;
  for (uint64_t& word : arguments) word = interestingWord(random);
  return arguments;
}

// Every combination of the values a rule lists, the free words and free bits filled at random.
std::vector<Arguments> argumentsFor(const Rule& rule, Random& random) {
  std::vector<Arguments> all{randomArguments(random), Arguments{}};
  for (size_t c = 0; c < rule.conditionCount(); ++c) {
    const Condition& condition = rule.conditions[c];
    std::vector<Arguments> next;
    for (const Arguments& arguments : all) {
      for (int v = 0; v < condition.valueCount; ++v) {
        next.push_back(arguments);
        next.back()[condition.argument] = condition.values[v] | (random() & ~condition.mask);
      }
    }
    all = std::move(next);
  }
  return all;
}

// A table in one profile.
struct Tested {
  std::string name;
  std::span<const Rule> rules;
  Profile profile;
};

class FilterTest : public testing::TestWithParam<Tested> {
 protected:
  FilterTest(): seed_(std::random_device()()), random_(seed_), program_(policy::compileFilter(GetParam().rules, GetParam().profile)) {
    std::cout << "seed " << seed_ << ", " << program_.length() << " instructions\n";
  }

  void expectSame(const seccomp_data& call) {
    uint32_t expected = decide(GetParam().rules, GetParam().profile, call);
    uint32_t got = program_.run(call);
    ASSERT_EQ(got, expected) << describe(call) << ": the filter says " << describeAction(got) << ", the table "
                             << describeAction(expected);
  }

  uint64_t seed_;
  Random random_;
  BpfProgram program_;
};

std::vector<Tested> tested() {
  std::vector<Tested> all{{"gateway", policy::GATEWAY_SYSCALLS, Profile::DEFAULT}};
  for (auto profile : policy::PROFILES) {
    std::string name(policy::profileName(profile));
    std::erase(name, '-');
    all.push_back({name, policy::WORKER_SYSCALLS, profile});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Tables, FilterTest, testing::ValuesIn(tested()), [](const auto& each) { return each.param.name; });

TEST_P(FilterTest, ListedArgumentsAreAnsweredAsListed) {
  for (const Rule& rule : GetParam().rules) {
    if (!rule.profiles.has(GetParam().profile)) continue;
    for (const Arguments& arguments : argumentsFor(rule, random_)) {
      EXPECT_EQ(program_.run(callOf(rule.number, arguments)), actionOf(rule))
          << rule.call << " " << describe(callOf(rule.number, arguments));
    }
  }
}

TEST_P(FilterTest, EveryFlippedBitOfAConstrainedWordIsAnsweredAsTheTableSays) {
  size_t killed = 0;
  for (const Rule& rule : GetParam().rules) {
    for (const Arguments& arguments : argumentsFor(rule, random_)) {
      for (size_t c = 0; c < rule.conditionCount(); ++c) {
        for (int bit = 0; bit < 64; ++bit) {
          Arguments flipped = arguments;
          flipped[rule.conditions[c].argument] ^= uint64_t{1} << bit;
          seccomp_data call = callOf(rule.number, flipped);
          ASSERT_NO_FATAL_FAILURE(expectSame(call));
          if (program_.run(call) == SECCOMP_RET_KILL_PROCESS) ++killed;
        }
      }
    }
  }
  EXPECT_GT(killed, 500u) << "most flips must leave the policy, or this test looks at nothing";
}

TEST_P(FilterTest, EveryNumberNotInTheTableKills) {
  for (uint32_t number = 0; number < NUMBERS; ++number) {
    bool listed = std::ranges::any_of(GetParam().rules, [&](const Rule& rule) {
      return rule.number == static_cast<int>(number) && rule.profiles.has(GetParam().profile);
    });
    if (listed) continue;
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(program_.run(callOf(number, randomArguments(random_))), SECCOMP_RET_KILL_PROCESS) << number;
    }
  }
}

TEST_P(FilterTest, RandomCallsAgreeWithTheTable) {
  for (uint32_t number = 0; number < NUMBERS; ++number) {
    for (int i = 0; i < 200; ++i) ASSERT_NO_FATAL_FAILURE(expectSame(callOf(number, randomArguments(random_))));
  }
  for (const Rule& rule : GetParam().rules) {
    for (int i = 0; i < 20'000; ++i) {
      ASSERT_NO_FATAL_FAILURE(expectSame(callOf(rule.number, randomArguments(random_))));
    }
  }
}

TEST_P(FilterTest, OtherArchitecturesTheX32TableAndNegativeNumbersKill) {
  for (uint32_t number = 0; number < NUMBERS; ++number) {
    for (const Arguments& arguments : {Arguments{}, Arguments{3, 0, 0, 0, 0, 0}, randomArguments(random_)}) {
      for (uint32_t arch : FOREIGN_ARCHES) {
        ASSERT_EQ(program_.run(callOf(number, arguments, arch)), SECCOMP_RET_KILL_PROCESS)
            << number << " arch " << arch;
      }
      ASSERT_EQ(program_.run(callOf(number | X32_BIT, arguments)), SECCOMP_RET_KILL_PROCESS) << number;
      ASSERT_EQ(program_.run(callOf(number | 0x80000000, arguments)), SECCOMP_RET_KILL_PROCESS) << number;
      ASSERT_EQ(program_.run(callOf(-1 - number, arguments)), SECCOMP_RET_KILL_PROCESS) << -1 - int(number);
    }
  }
}

// A rule that changes nothing is a rule that nobody checks. The same for each single value it lists.
TEST_P(FilterTest, DroppingAnyRuleOrValueChangesADecision) {
  std::vector<Rule> all(GetParam().rules.begin(), GetParam().rules.end());
  auto changes = [&](const std::vector<Rule>& fewer, const Rule& dropped) {
    BpfProgram without(policy::compileFilter(fewer, GetParam().profile));
    return std::ranges::any_of(argumentsFor(dropped, random_), [&](const Arguments& arguments) {
      seccomp_data call = callOf(dropped.number, arguments);
      return without.run(call) != program_.run(call);
    });
  };
  for (size_t r = 0; r < all.size(); ++r) {
    if (!all[r].profiles.has(GetParam().profile)) continue;
    std::vector<Rule> fewer = all;
    fewer.erase(fewer.begin() + r);
    EXPECT_TRUE(changes(fewer, all[r])) << "the rule on " << all[r].call << " is dead: \"" << all[r].reason << "\"";
    for (size_t c = 0; c < all[r].conditionCount(); ++c) {
      for (int v = 0; all[r].conditions[c].valueCount > 1 && v < all[r].conditions[c].valueCount; ++v) {
        fewer = all;
        Condition& condition = fewer[r].conditions[c];
        condition.values[v] = condition.values[--condition.valueCount];
        EXPECT_TRUE(changes(fewer, all[r])) << "value " << v << " of " << all[r].call << " is listed twice";
      }
    }
  }
}

// The comparison itself can fail: a program made from another table is told apart.
TEST_P(FilterTest, AWiderTableIsNoticed) {
  std::vector<Rule> wider(GetParam().rules.begin(), GetParam().rules.end());
  wider.push_back({"uname", SYS_uname, {}, policy::words::ALLOW, policy::ALL_PROFILES, "nobody needs it"});
  BpfProgram program(policy::compileFilter(wider, GetParam().profile));
  seccomp_data call = callOf(SYS_uname, {});
  EXPECT_NE(program.run(call), decide(GetParam().rules, GetParam().profile, call));
}

}  // namespace
}  // namespace glovebox::tests
