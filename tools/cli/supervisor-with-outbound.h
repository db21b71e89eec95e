#pragma once
// A supervisor as clients of a daemon see it that has an egress policy: it also says where requests go.

#include "ipc/control.capnp.h"

namespace glovebox::cli {

class SupervisorWithOutbound final: public rpc::Supervisor::Server {
 public:
  SupervisorWithOutbound(rpc::Supervisor::Client supervisor, rpc::Target::Client outbound)
      : supervisor_(kj::mv(supervisor)), outbound_(kj::mv(outbound)) {}

 protected:
  kj::Promise<void> loader(LoaderContext context) override {
    auto request = supervisor_.loaderRequest();
    if (context.getParams().hasLimits()) request.setLimits(context.getParams().getLimits());
    return context.tailCall(kj::mv(request));
  }
  kj::Promise<void> status(StatusContext context) override { return context.tailCall(supervisor_.statusRequest()); }
  kj::Promise<void> outbound(OutboundContext context) override {
    context.getResults().setOutbound(outbound_);
    return kj::READY_NOW;
  }

 private:
  rpc::Supervisor::Client supervisor_;
  rpc::Target::Client outbound_;
};

}  // namespace glovebox::cli
