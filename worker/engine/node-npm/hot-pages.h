#pragma once
// Moves the parts of the engine's executable that are in use into huge anonymous pages.
//
// A fork does not inherit the page tables of a file's mapping: each worker would take 130 page faults, a third of a
// millisecond, to see again what its zygote has in front of it. Anonymous pages are inherited, and a huge one costs a
// fork one entry. Measured: 310 faults for a worker's life without, 180 with. It costs the zygote 25 to 40 MB once.

#include <cstddef>

namespace glovebox {

// To be called once, by a single thread, when everything that workers will use has been used once and /proc is still
// there. Does nothing where the kernel has no huge pages to give. Returns the bytes moved.
size_t moveHotPages();

}  // namespace glovebox
