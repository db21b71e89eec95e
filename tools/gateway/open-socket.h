#pragma once
// A WebSocket between a peer on the network and a worker: a client, at the gateway; a server, in the egress process. What the peer says becomes
// calls on the worker's end, one after the other, each when the one before was answered; the worker's calls are written to the peer in turn,
// and answered when they are. So neither makes this process hold more than a message in each direction.
//
// Owned by the request that was answered with it, and by the target that the worker holds. Ends with the request: with both closes, or
// as a loss for whoever is left.

#include <kj/compat/http.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include <set>

#include "ipc/payload.h"
#include "tools/gateway/answer-body.h"
#include "tools/gateway/limits.h"
#include "tools/gateway/request-gate.h"
#include "tools/gateway/socket-message.h"

namespace glovebox::gateway {

class OpenSocket;

// What all of a process share.
struct SharedBySockets {
  SharedBySockets(kj::Timer& timer, const GatewayLimits& limits, uint64_t largeChunkBytes = LARGE_CHUNKS_BYTES_MAX)
      : timer(timer), limits(limits), largeChunks(largeChunkBytes) {}
  kj::Timer& timer;
  const GatewayLimits& limits;
  ChunkBudget largeChunks, largeMessages{LARGE_MESSAGES_BYTES_MAX};
  std::set<OpenSocket*> sockets;
};

class OpenSocket final: public kj::Refcounted {
 public:
  // `worker`: its end; absent where the worker has got workersEnd(), and is to say `connect` before anything is read from the peer. `gate` and `shared`
  // outlive end().
  OpenSocket(kj::Own<kj::WebSocket> peer, RequestGate& gate, SharedBySockets& shared, kj::Maybe<rpc::Target::Client> worker = nullptr);
  ~OpenSocket() noexcept(false);
  KJ_DISALLOW_COPY(OpenSocket);

  // Until it is over. Rejects where one side was lost: the peer's connection is then to be closed as it is.
  kj::Promise<void> run();
  void end();
  // The gateway ends: both sides are told.
  void goAway();
  // For the worker; once.
  rpc::Target::Client workersEnd();

 private:
  class WorkersEnd;

  kj::Maybe<kj::Own<kj::WebSocket>> peer_;
  kj::Maybe<rpc::Target::Client> worker_;
  RequestGate& gate_;
  SharedBySockets& shared_;
  bool workerClosed_ = false, peerClosed_ = false;   // have said so
  bool closeSent_ = false, workerTold_ = false;        // to the peer; to the worker
  kj::Canceler sending_;
  kj::Promise<void> last_ = kj::READY_NOW;             // in which turn the next one writes
  kj::PromiseFulfillerPair<void> lost_ = kj::newPromiseAndFulfiller<void>();
  kj::PromiseFulfillerPair<void> closing_ = kj::newPromiseAndFulfiller<void>();
  kj::PromiseFulfillerPair<void> connected_ = kj::newPromiseAndFulfiller<void>();   // by a worker that had to say so

  kj::Promise<void> connect();
  kj::Promise<void> receive();
  kj::Promise<void> take(kj::WebSocket::Message message);
  kj::Promise<void> peerCloses(kj::WebSocket::Close close);
  kj::Promise<void> refuse(FrameRefusal refusal);
  kj::Promise<void> deliver(ValueGraph graph);
  kj::Promise<void> tellClose(SocketClose close);

  kj::Promise<void> workerConnects(rpc::Payload::Reader arguments);
  kj::Promise<void> workerSends(rpc::Payload::Reader arguments);
  kj::Promise<void> sendNow(ReceivedValue value);
  kj::Promise<void> workerCloses(rpc::Payload::Reader arguments);
  void workerIsGone();
  kj::Promise<void> sendClose(SocketClose close);

  template <typename Func>
  kj::Promise<void> inTurn(Func func);
};

}  // namespace glovebox::gateway
