#pragma once
// How a table of system calls is written: call, conditions, answer, profiles, reason. See policy/syscalls.h.
//
// Only two comparisons exist, on purpose: "equal to one of these values" and "equal under a mask". libseccomp's ordering
// comparisons can yield filters that allow what no rule allows, when one call has several of them.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy/profile.h"

namespace glovebox::policy {

struct Condition {
  static constexpr size_t VALUES_MAX = 8;

  uint8_t argument = 0;                     // 0 to 5
  uint64_t mask = ~uint64_t{0};             // all ones: plain equality
  std::array<uint64_t, VALUES_MAX> values{};
  uint8_t valueCount = 0;
  std::string_view text;                    // the source text of the values
};

struct Answer {
  enum class Kind : uint8_t { ALLOW, RETURN };
  Kind kind = Kind::ALLOW;
  uint16_t error = 0;   // RETURN: the errno; 0 makes the call return 0 without having been made
  std::string_view text;
};

struct Profiles {
  uint8_t bits = 0;
  constexpr bool has(Profile profile) const { return bits & (1u << static_cast<uint32_t>(profile)); }
};
constexpr Profiles ALL_PROFILES{0b111};
constexpr Profiles ONLY_DEFAULT{0b001};

struct Rule {
  static constexpr size_t CONDITIONS_MAX = 4;

  std::string_view call;
  int number;
  std::array<Condition, CONDITIONS_MAX> conditions;  // all must hold
  Answer answer;
  Profiles profiles;
  std::string_view reason;

  constexpr size_t conditionCount() const {
    size_t count = 0;
    while (count < CONDITIONS_MAX && conditions[count].valueCount > 0) count++;
    return count;
  }
};

// A table is sound if it is sorted by name, each rule has a reason, no value lies outside its mask, and no call is at
// once unconditional and something else in one profile (libseccomp would let the wider rule win silently).
template <size_t N>
constexpr bool isSound(const std::array<Rule, N>& table) {
  for (size_t i = 0; i < N; i++) {
    const Rule& rule = table[i];
    if (rule.reason.size() < 10 || rule.profiles.bits == 0) return false;
    if (i > 0 && rule.call < table[i - 1].call) return false;
    for (const Condition& condition : rule.conditions) {
      for (size_t v = 0; v < condition.valueCount; v++) {
        if (condition.argument > 5 || (condition.values[v] & ~condition.mask) != 0) return false;
      }
    }
    for (size_t j = 0; j < i; j++) {
      const Rule& other = table[j];
      bool bare = rule.conditionCount() == 0 || other.conditionCount() == 0;
      if (other.number == rule.number && bare && (other.profiles.bits & rule.profiles.bits)) return false;
    }
  }
  return true;
}

// -- The words the tables are written with ------------------------------------------------------------------------------

namespace words {

template <typename... Values>
constexpr Condition argumentIs(std::string_view text, uint8_t argument, Values... values) {
  static_assert(sizeof...(values) <= Condition::VALUES_MAX);
  Condition condition{argument, ~uint64_t{0}, {static_cast<uint64_t>(values)...}, sizeof...(values), text};
  return condition;
}

constexpr Condition argumentMasked(std::string_view text, uint8_t argument, uint64_t mask, uint64_t value) {
  return Condition{argument, mask, {value}, 1, text};
}

constexpr Answer ALLOW{Answer::Kind::ALLOW, 0, "ALLOW"};
constexpr Answer ZERO{Answer::Kind::RETURN, 0, "0"};

}  // namespace words

// The number of a call by its name; a name the kernel headers of this architecture do not have does not compile.
#define GLOVEBOX_CALL(name) #name, __NR_##name
#define GLOVEBOX_IS(argument, ...) ::glovebox::policy::words::argumentIs(#__VA_ARGS__, argument, __VA_ARGS__)
#define GLOVEBOX_MASKED(argument, mask, value) \
  ::glovebox::policy::words::argumentMasked("& " #mask " == " #value, argument, mask, value)
#define GLOVEBOX_ERRNO(name) \
  ::glovebox::policy::Answer { ::glovebox::policy::Answer::Kind::RETURN, name, #name }

}  // namespace glovebox::policy
