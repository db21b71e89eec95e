#pragma once
// What a configuration file says, before anybody asks what it means: JSON with comments and trailing commas, or TOML, as one tree whose
// values know their line. The file is the user's own and small; however wrong it is, it is answered in words.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::project {

struct ConfigMember;

struct ConfigValue {
  enum class Kind { NIL, BOOLEAN, NUMBER, TEXT, ARRAY, OBJECT };

  Kind kind = Kind::NIL;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<ConfigMember> members;   // OBJECT; ARRAY, without keys
  uint32_t line = 0;

  const ConfigValue* tryFind(std::string_view key) const;
};

struct ConfigMember {
  std::string key;
  ConfigValue value;
};

// Nested deeper, it is refused.
constexpr size_t CONFIG_DEPTH_MAX = 64;

// The root is an OBJECT. `file` names it in messages, and its ending says which of the two it is: .toml, or JSON. Throws
// cli::Failure: "wrangler.jsonc:3:7: ...".
ConfigValue parseConfigValue(std::string_view text, const std::string& file);

std::string toJson(const ConfigValue& value);

// "an array", "the number 5": what was found instead of what was expected.
std::string describe(const ConfigValue& value);

}  // namespace glovebox::project
