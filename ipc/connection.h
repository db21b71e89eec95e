#pragma once
// One Cap'n Proto connection over one socket: descriptor, stream, guard where it is needed, VatNetwork and RpcSystem,
// in one object. Destroying it closes the line and rejects what is under way.

#include <capnp/rpc-twoparty.h>
#include <kj/function.h>
#include <kj/io.h>

#include "ipc/fd-waiter.h"
#include "ipc/guard.h"
#include "ipc/message-stream.h"

namespace glovebox {

class RpcConnection {
 public:
  // The ends there are. What an end may receive follows from who sits at the other.
  enum class End {
    SUPERVISOR_OF_WORKER,   // the peer is hostile: guarded, small messages
    WORKER,                 // the peer is the supervisor; only read() and write(); `fd` is non-blocking already
    HOST_OF_GATEWAY,        // the peer is hostile: guarded, small messages
    SUPERVISOR_OF_CLIENT,   // the peer may hand in 64 MiB of modules
    CLIENT,
  };

  // `waiter` watches `fd`. `bootstrap` is what the peer gets for asking; null: nothing (a worker's line serves nothing).
  // `onViolation` is for where there is a guard: called once when the peer has broken the rules of the wire (the line is
  // cut by then), never for a mere disconnect. It must not destroy the connection at once.
  RpcConnection(End end, kj::AutoCloseFd fd, kj::Own<FdWaiter> waiter, kj::Maybe<capnp::Capability::Client> bootstrap,
                kj::Maybe<kj::Function<void(const kj::Exception&)>> onViolation = nullptr);
  ~RpcConnection() noexcept(false);
  KJ_DISALLOW_COPY(RpcConnection);

  // The peer's bootstrap capability. SUPERVISOR_OF_WORKER and CLIENT begin to read with the first use of it.
  template <typename T>
  typename T::Client bootstrap() { return getBootstrap().castAs<T>(); }

  // Resolves when the RpcSystem has let go of the line, for whatever reason.
  kj::Promise<void> onDisconnect() { return network_.onDisconnect(); }

  // Fails everything under way with `reason`.
  void cut(kj::Exception&& reason) { stream_.cut(kj::mv(reason)); }

  // Bytes that wait to be written. A caller that adds to them without end because the peer does not read is to look here.
  size_t unsentBytes() { return network_.getCurrentQueueSize() + stream_.unsentBytes(); }

  // Only at SUPERVISOR_OF_WORKER and HOST_OF_GATEWAY.
  kj::Maybe<const GuardStream&> guard() const;
  kj::Maybe<GuardStream&> guard();

 private:
  kj::AutoCloseFd fd_;
  kj::Own<FdWaiter> waiter_;
  BufferedMessageStream stream_;
  kj::Maybe<kj::Function<void(const kj::Exception&)>> onViolation_;
  kj::Maybe<kj::Own<GuardStream>> guard_;
  capnp::TwoPartyVatNetwork network_;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> rpcSystem_;

  capnp::Capability::Client getBootstrap();
};

}  // namespace glovebox
