#pragma once
// Randomness of this process: a ChaCha20 generator keyed by getrandom(2) and rekeyed with its own output after each
// use, so that what was given out cannot be computed from what is in memory now. A sealed worker has no getrandom;
// therefore reseedRandom() is called in each forked child before it is sealed, and siblings share nothing.

#include <cstddef>

namespace glovebox {

// Takes a fresh key from the kernel. Ends the process if the kernel has none to give: going on without would be silent.
void reseedRandom();

void fillRandom(void* bytes, size_t size);

}  // namespace glovebox
