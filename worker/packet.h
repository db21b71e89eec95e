#pragma once
// Packets on a Unix socket, each with at most one descriptor. Signals do not interrupt them.

#include <cstddef>

namespace glovebox {

// Of `size` bytes and, if it is not negative, of `fd`, which stays the caller's.
bool sendPacket(int socket, const void* packet, size_t size, int fd = -1);

// Bytes of the packet, 0 at end-of-file. `fd` receives the one descriptor that it carried, close-on-exec and now the caller's, or -1.
size_t receivePacket(int socket, void* buffer, size_t size, int& fd);

}  // namespace glovebox
