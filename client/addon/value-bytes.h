#pragma once
// A Value (ipc/value.capnp) as bytes: one Cap'n Proto segment without framing, as JavaScript makes and reads it. What is
// read here comes from JavaScript in this process; what is written may come from a worker, and is copied by Cap'n Proto's
// checked reader, so that no pointer of it leaves the segment.

#include <capnp/message.h>
#include <kj/array.h>
#include <kj/function.h>

#include "ipc/call.capnp.h"

namespace glovebox::client {

class ValueBytes {
 public:
  // Borrows `bytes` unless they are not aligned. Throws if they are not a whole number of words, or more than a value may
  // have.
  explicit ValueBytes(kj::ArrayPtr<const kj::byte> bytes);
  KJ_DISALLOW_COPY(ValueBytes);

  rpc::Value::Reader root() { return reader_.getRoot<rpc::Value>(); }
  kj::ArrayPtr<const capnp::word> words() const { return segment_; }

 private:
  kj::Array<capnp::word> aligned_;
  kj::ArrayPtr<const capnp::word> segment_;
  capnp::SegmentArrayMessageReader reader_;

  kj::ArrayPtr<const capnp::word> align(kj::ArrayPtr<const kj::byte> bytes);
};

// Copies it into zeroed words that `allocate` provides, and returns how many of them it took. Throws if the value is
// malformed or larger than values may be.
size_t copyValue(rpc::Value::Reader value, kj::FunctionParam<kj::ArrayPtr<capnp::word>(size_t words)> allocate);

}  // namespace glovebox::client
