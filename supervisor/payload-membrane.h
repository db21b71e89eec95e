#pragma once
// Copies what crosses a membrane. Values are copied unread; every capability that the schema knows is replaced by what the
// Crossing makes of it, and a message with a capability anywhere else is refused: Cap'n Proto copies fields that this
// schema does not have, capabilities in them included, and those would have crossed unwrapped.

#include <kj/debug.h>

#include "ipc/payload.h"
#include "ipc/worker.capnp.h"

namespace glovebox {

class Crossing {
 public:
  virtual rpc::Target::Client target(rpc::Target::Client from, ValueExternal::Kind kind, kj::StringPtr label) = 0;
  virtual capnp::Capability::Client loader(capnp::Capability::Client from, kj::StringPtr label) = 0;
  virtual rpc::ByteSource::Client source(rpc::ByteSource::Client from) = 0;
  // A value that is larger than the receiver takes inline.
  virtual void setLarge(rpc::Value::Reader value, uint64_t bytes, rpc::LargeValue::Builder to) = 0;
};

// What is known of a payload before anything of it is copied.
struct Manifest {
  uint64_t inlineBytes = 0;
  uint64_t largeBytes = 0;     // as announced
  uint32_t capabilities = 0;

  uint64_t bytes() const { return inlineBytes + largeBytes; }
  capnp::MessageSize size() const { return {inlineBytes / sizeof(capnp::word) + capabilities * 24ull + 16, capabilities}; }
};

// Both throw kj::Exception if the payload is malformed.
Manifest inspect(rpc::Payload::Reader payload);
void copyPayload(rpc::Payload::Reader from, const Manifest& manifest, rpc::Payload::Builder to, Crossing& crossing,
                 size_t inlineBytesMax);

// A call's path and operation. A path may be longer than it should; then the call is answered with PATH_TOO_DEEP.
Manifest inspectCall(rpc::Call::Reader call);
inline bool isTooDeep(rpc::Call::Reader call) { return call.getPath().size() > wire::PATH_DEPTH_MAX; }
constexpr kj::StringPtr PATH_TOO_DEEP = "RPC pipelined property path is too deep (max 64)."_kj;
void copyCall(rpc::Call::Reader from, const Manifest& manifest, rpc::Call::Builder to, Crossing& crossing, size_t inlineBytesMax);

// Refuses capabilities in a list of structs that has none, and says how large it is.
template <typename List>
uint64_t inspectPlain(List list) {
  uint64_t words = 0;
  for (auto element: list) {
    auto size = element.totalSize();
    KJ_REQUIRE(size.capCount == 0, "a capability where none may be");
    words += size.wordCount;
  }
  return words;
}

// Everything but modules, env, limits and tails.
void copyHeadOfCode(rpc::WorkerCode::Reader from, rpc::WorkerCode::Builder to);

// Sound UTF-8, at most LABEL_BYTES_MAX.
kj::String cleanLabel(kj::ArrayPtr<const char> label);

}  // namespace glovebox
