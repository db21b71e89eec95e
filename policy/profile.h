#pragma once
// The flavours of worker. Each has its own zygote and its own filter; all else is the same.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace glovebox::policy {

enum class Profile : uint32_t {
  DEFAULT,   // JIT and WebAssembly: mprotect may make pages writable and executable
  NO_WASM,   // JIT, no WebAssembly: no system call can make a page executable (the JIT's own range exists before the seal)
  JITLESS,   // no JIT, no WebAssembly: no writable and executable mapping exists at all
};

constexpr std::string_view profileName(Profile profile) {
  switch (profile) {
    case Profile::DEFAULT: return "default";
    case Profile::NO_WASM: return "no-wasm";
    case Profile::JITLESS: return "jitless";
  }
  return "unknown";
}

constexpr std::array PROFILES{Profile::DEFAULT, Profile::NO_WASM, Profile::JITLESS};

constexpr std::optional<Profile> tryParseProfile(std::string_view name) {
  for (auto profile : PROFILES) {
    if (profileName(profile) == name) return profile;
  }
  return std::nullopt;
}

}  // namespace glovebox::policy
