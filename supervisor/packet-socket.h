#pragma once
// One end of a SOCK_SEQPACKET pair to a trusted process (jailer, warden, zygote): whole records, each with at most one
// descriptor. Never used with a worker.

#include <kj/array.h>
#include <kj/async.h>
#include <kj/io.h>

#include "ipc/fd-waiter.h"

namespace glovebox {

class UvEventPort;

struct Packet {
  kj::Array<kj::byte> bytes;
  kj::Maybe<kj::AutoCloseFd> fd;

  // The record at the front, if the packet is long enough to hold one.
  template <typename T>
  kj::Maybe<T> tryRead() const {
    if (bytes.size() < sizeof(T)) return nullptr;
    T record;
    memcpy(static_cast<void*>(&record), bytes.begin(), sizeof(T));
    return record;
  }
};

class PacketSocket {
 public:
  PacketSocket(UvEventPort& port, kj::AutoCloseFd fd);

  // At once; throws if the peer is gone or its buffer is full (the sender keeps few records under way, so a full buffer
  // means a stuck peer).
  void send(kj::ArrayPtr<const kj::byte> bytes, kj::Maybe<int> fd = nullptr);

  // The next packet; null at end-of-file.
  kj::Promise<kj::Maybe<Packet>> receive();

 private:
  kj::AutoCloseFd fd_;
  kj::Own<FdWaiter> waiter_;

  kj::Maybe<kj::Maybe<Packet>> tryReceiveNow();
};

struct SocketPair {
  kj::AutoCloseFd ours;
  kj::AutoCloseFd theirs;
};

// Close-on-exec both. `ours` is non-blocking; `theirs` only if `bothNonBlocking`.
SocketPair makeSocketPair(int type, bool bothNonBlocking);

}  // namespace glovebox
