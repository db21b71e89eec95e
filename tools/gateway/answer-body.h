#pragma once
// The body of an answer: chunks read from a worker's stream, one while the one before is being sent.

#include <kj/async-io.h>

#include <cstdint>
#include <list>
#include <optional>

#include "ipc/call.capnp.h"

namespace glovebox::gateway {

// How much of large chunks all connections may hold at once. First come, first served.
class ChunkBudget {
 public:
  explicit ChunkBudget(uint64_t bytes): left_(bytes), all_(bytes) {}
  KJ_DISALLOW_COPY(ChunkBudget);

  class Room {
   public:
    Room(ChunkBudget& budget, uint64_t bytes);
    ~Room() noexcept(false);
    KJ_DISALLOW_COPY(Room);

   private:
    ChunkBudget& budget_;
    const uint64_t bytes_;
  };
  // Returns when there is room for `bytes`, until the result is dropped. The budget outlives both.
  kj::Promise<kj::Own<Room>> take(uint64_t bytes);

 private:
  struct Waiting {
    uint64_t bytes;
    kj::Own<kj::PromiseFulfiller<kj::Own<Room>>> fulfiller;
  };
  uint64_t left_;
  const uint64_t all_;
  std::list<Waiting> waiting_;

  void serve();
};

// Sends what `stream` has until its end. With a length: exactly so many bytes. Rejects if it does not end well: then what was
// sent is not the whole body.
kj::Promise<void> sendStream(rpc::Target::Client stream, kj::AsyncOutputStream& to, std::optional<uint64_t> length,
                             ChunkBudget& budget);

}  // namespace glovebox::gateway
