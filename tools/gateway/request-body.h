#pragma once
// The body of a request as a stream that a worker reads: a Target that answers `read` and `cancel` (ipc/js/streams.ts). Each read takes
// from the connection what is there, at most a chunk; nobody asked, nothing read.

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "ipc/call.capnp.h"

namespace glovebox::gateway {

// Shared by the request, which ends it, and the capability, which whoever was handed it may hold for longer.
class RequestBody final: public kj::Refcounted {
 public:
  // `stream` is there until end().
  explicit RequestBody(kj::AsyncInputStream& stream): stream_(stream), endedEarly_("The request's body ended early.") {}
  // A stream of its own, which goes with the capability. `endedEarly`: what a reader is told when it fails.
  RequestBody(kj::Own<kj::AsyncInputStream> stream, kj::StringPtr endedEarly)
      : owned_(kj::mv(stream)), stream_(*owned_), endedEarly_(endedEarly) {}

  rpc::Target::Client capability();

  // The request is over: reads under way fail, and so do later ones.
  void end();

  // Null at the end of the body. One at a time, in order.
  kj::Promise<kj::Maybe<kj::Array<kj::byte>>> read();
  kj::StringPtr endedEarly() const { return endedEarly_; }
  // Whoever gives a read up lets go of the stream: nobody else reads it.
  bool isReadersOwn() const { return owned_.get() != nullptr; }

  // Nobody wants the rest.
  void cancel() { cancelled_ = true; }

 private:
  kj::Own<kj::AsyncInputStream> owned_;
  kj::Maybe<kj::AsyncInputStream&> stream_;
  kj::StringPtr endedEarly_;
  kj::Canceler reads_;
  kj::Promise<void> last_ = kj::READY_NOW;   // the read before the next one
  bool cancelled_ = false;

  kj::Promise<kj::Maybe<kj::Array<kj::byte>>> readNow();
};

}  // namespace glovebox::gateway
