#pragma once
// A WebSocket between a client and a worker. What the client says becomes calls on the worker's end, one after the other, each when the
// one before was answered; the worker's calls are written to the client in turn, and answered when they are. So neither makes this
// process hold more than a message in each direction.
//
// Owned by the request that was answered with it, and by the target that the worker holds. Ends with the request: with both closes, or
// as a loss for whoever is left.

#include <kj/compat/http.h>
#include <kj/refcount.h>

#include "ipc/payload.h"
#include "tools/gateway/bridge.h"
#include "tools/gateway/socket-message.h"

namespace glovebox::gateway {

class OpenSocket final: public kj::Refcounted {
 public:
  // `worker`: its end. `gate` and `shared` outlive end().
  OpenSocket(kj::Own<kj::WebSocket> client, rpc::Target::Client worker, RequestGate& gate, Shared& shared);
  ~OpenSocket() noexcept(false);
  KJ_DISALLOW_COPY(OpenSocket);

  // Until it is over. Rejects where one side was lost: the client's connection is then to be closed as it is.
  kj::Promise<void> run();
  void end();
  // The gateway ends: both sides are told.
  void goAway();

 private:
  class WorkersEnd;

  kj::Maybe<kj::Own<kj::WebSocket>> client_;
  kj::Maybe<rpc::Target::Client> worker_;
  RequestGate& gate_;
  Shared& shared_;
  bool workerClosed_ = false, clientClosed_ = false;   // have said so
  bool closeSent_ = false, workerTold_ = false;        // to the client; to the worker
  kj::Canceler sending_;
  kj::Promise<void> last_ = kj::READY_NOW;             // in which turn the next one writes
  kj::PromiseFulfillerPair<void> lost_ = kj::newPromiseAndFulfiller<void>();
  kj::PromiseFulfillerPair<void> closing_ = kj::newPromiseAndFulfiller<void>();

  kj::Promise<void> connect();
  kj::Promise<void> receive();
  kj::Promise<void> take(kj::WebSocket::Message message);
  kj::Promise<void> clientCloses(kj::WebSocket::Close close);
  kj::Promise<void> refuse(FrameRefusal refusal);
  kj::Promise<void> deliver(ValueGraph graph);
  kj::Promise<void> tellClose(SocketClose close);

  kj::Promise<void> workerSends(rpc::Payload::Reader arguments);
  kj::Promise<void> sendNow(ReceivedValue value);
  kj::Promise<void> workerCloses(rpc::Payload::Reader arguments);
  void workerIsGone();
  kj::Promise<void> sendClose(SocketClose close);

  template <typename Func>
  kj::Promise<void> inTurn(Func func);
};

}  // namespace glovebox::gateway
