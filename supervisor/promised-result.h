#pragma once
// The result of a call that is under way, as something to call: `Return.pipeline` before the Return has come. Who asks for
// it gets a wrapped capability, always the same one, in the promised result as in the Return later; so calls made before
// and after the Return take one way and stay in order. Nothing is made for those who never ask.

#include <capnp/any.h>
#include <kj/async.h>
#include <kj/function.h>
#include <kj/refcount.h>

#include "ipc/call.capnp.h"

namespace glovebox {

class PromisedResult final: public kj::Refcounted {
 public:
  using Wrap = kj::Function<rpc::Target::Client(rpc::Target::Client)>;

  PromisedResult(rpc::Return::Pipeline inner, Wrap wrap): inner_(kj::mv(inner)), wrap_(kj::mv(wrap)) {}
  ~PromisedResult() noexcept(false);

  // For CallContext::setPipeline().
  rpc::Return::Pipeline pipeline();

  rpc::Target::Client get();

  // The call is over: who did not ask until now finds nothing, and the answer's message need not be kept.
  void close();

 private:
  class Hook;
  kj::Maybe<rpc::Return::Pipeline> inner_;
  kj::Maybe<Wrap> wrap_;
  kj::Maybe<rpc::Target::Client> wrapped_;
};

// What a call on a result says that nothing can be called on.
kj::Exception nothingToCall();

}  // namespace glovebox
