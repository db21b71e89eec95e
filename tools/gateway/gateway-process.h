#pragma once
// A gateway, seen from the program that starts it: binds nothing itself, hands over sockets that are listening already, answers which
// worker a request is for, and ends it in good order. The gateway ends with this object, and with the program.
//
// What the gateway says is what it makes of strangers' requests, and whoever has broken into it says what he likes: calls of `fetch` on
// any target that `route` gives for some host, and nothing else.
// The line has a guard (ipc/guard.h): who opens more on it than a gateway needs, or breaks the rules of the wire, is killed.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/vector.h>

#include "ipc/connection.h"
#include "ipc/gateway.capnp.h"
#include "ipc/uv-event-port.h"
#include "policy/layers.h"
#include "tools/gateway/jailed-process.h"

namespace glovebox::gateway {

// "127.0.0.1:8787", "[::1]:0" or "unix:/path". Throws with what to do if it cannot be had. The port 0 takes any that is free. A
// Unix socket's name stays in the file system, for the caller to remove.
kj::AutoCloseFd listenOn(kj::StringPtr address);
// Where it listens, in the same form.
kj::String addressOf(int listener);

class GatewayProcess final: private kj::TaskSet::ErrorHandler {
 public:
  // Who answers for a host; null: nobody.
  using Route = kj::Function<kj::Maybe<rpc::Target::Client>(kj::StringPtr host, uint8_t listener)>;

  // `program` is glovebox-gateway, `flags` what its --help says; `port` outlives this. At most GATEWAY_LISTENERS_MAX listeners.
  GatewayProcess(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags,
                 kj::Vector<kj::AutoCloseFd> listeners, Route route);
  ~GatewayProcess() noexcept(false);
  KJ_DISALLOW_COPY(GatewayProcess);

  // It is shut in and accepts: the layers in force. Rejects if it ends before; why stands on standard error.
  kj::Promise<policy::LayerSet> whenStarted() { return started_.addBranch(); }

  // What is under way gets its answer, nothing else is accepted, and then it ends.
  void drain();

  void kill();

  // Which rule of the wire it has broken, if that was why it was killed.
  kj::Maybe<kj::StringPtr> violation() const { return violation_.map([](const kj::String& text) -> kj::StringPtr { return text; }); }

  // The exit code, or minus the number of the signal.
  kj::Promise<int> whenEnded() { return process_.whenEnded(); }

 private:
  class Host;

  Route route_;
  kj::PromiseFulfillerPair<policy::LayerSet> startedPair_ = kj::newPromiseAndFulfiller<policy::LayerSet>();
  kj::ForkedPromise<policy::LayerSet> started_;
  kj::Maybe<kj::String> violation_;
  JailedProcess process_;
  kj::Maybe<kj::Own<RpcConnection>> line_;
  kj::TaskSet tasks_;

  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::gateway
