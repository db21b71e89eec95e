#include "tools/egress/outlet.h"

#include <kj/debug.h>

namespace glovebox::egress {

Outlet::Outlet(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags, rpc::EgressPolicy::Reader policy)
    : port_(port), program_(kj::str(program)), flags_(KJ_MAP(flag, flags) { return kj::str(flag); }) {
  policy_.setRoot(policy);
  start();
}

void Outlet::start() {
  ended_ = false;
  process_ = kj::heap<EgressProcess>(port_, program_, flags_, policy_.getRoot<rpc::EgressPolicy>());
  watch_ = process_->whenEnded().then([this](int) { ended_ = true; }).eagerlyEvaluate(nullptr);
}

kj::Promise<void> Outlet::call(CallContext context) {
  if (ended_) start();
  auto params = context.getParams();
  auto request = process_->outbound().callRequest(params.totalSize());
  request.setPath(params.getPath());
  auto operation = params.getOperation();
  if (operation.isInvoke()) request.getOperation().setInvoke(operation.getInvoke());
  else request.getOperation().setGet();
  context.releaseParams();
  return context.tailCall(kj::mv(request));
}

}  // namespace glovebox::egress
