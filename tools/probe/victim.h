#pragma once
// What a neighbour holds that is worth stealing: a word that is different in each process although forks share the
// address. Attempts on another process's memory go for it.

#include <cstdint>

namespace glovebox::probe {

constexpr uint64_t SECRET_OF_NOBODY = 0;         // before a victim took its own
constexpr uint64_t SECRET_OF_VICTIM = 0x5ec4e7;  // what a victim sets after the fork

extern uint64_t secret;

}  // namespace glovebox::probe
