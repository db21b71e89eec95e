#pragma once
// The egress process, seen from the program that starts it: tells it its policy, and hands out the one way to the internet that there is. It
// ends with this object, and with the program.
//
// What the process says is what it makes of strangers' answers, and whoever has broken into it says what he likes: to those who ask it.

#include <kj/async.h>

#include <capnp/message.h>

#include "ipc/connection.h"
#include "ipc/egress.capnp.h"
#include "ipc/uv-event-port.h"
#include "tools/gateway/jailed-process.h"

namespace glovebox::egress {

class EgressProcess final: private kj::TaskSet::ErrorHandler {
 public:
  // `program` is glovebox-egress, `flags` what its --help says; `port` outlives this.
  EgressProcess(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags, rpc::EgressPolicy::Reader policy);
  ~EgressProcess() noexcept(false);
  KJ_DISALLOW_COPY(EgressProcess);

  // It is shut in and takes requests. Rejects if it ends before; why stands on standard error.
  kj::Promise<void> whenStarted() { return started_.addBranch(); }

  // What answers `fetch`; before it has started it keeps calls waiting. Calls fail once it is gone.
  rpc::Target::Client outbound() { return outbound_; }

  // The exit code, or minus the number of the signal.
  kj::Promise<int> whenEnded() { return process_.whenEnded(); }

 private:
  class Host;

  capnp::MallocMessageBuilder policy_;
  kj::PromiseFulfillerPair<rpc::Target::Client> outboundPair_ = kj::newPromiseAndFulfiller<rpc::Target::Client>();
  kj::ForkedPromise<void> started_;
  rpc::Target::Client outbound_;
  gateway::JailedProcess process_;
  kj::Maybe<kj::Own<RpcConnection>> line_;
  kj::TaskSet tasks_;

  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::egress
