#pragma once
// The way to the internet of one policy, for as long as somebody holds it: an egress process behind a Target that starts it again when it has
// ended.

#include "tools/egress/egress-process.h"

namespace glovebox::egress {

class Outlet final: public rpc::Target::Server {
 public:
  // As of EgressProcess. Starts it.
  Outlet(UvEventPort& port, kj::StringPtr program, kj::ArrayPtr<const kj::String> flags, rpc::EgressPolicy::Reader policy);

 protected:
  kj::Promise<void> call(CallContext context) override;

 private:
  UvEventPort& port_;
  kj::String program_;
  kj::Array<kj::String> flags_;
  capnp::MallocMessageBuilder policy_;
  kj::Own<EgressProcess> process_;
  bool ended_ = false;
  kj::Promise<void> watch_ = nullptr;

  void start();
};

}  // namespace glovebox::egress
