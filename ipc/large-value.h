#pragma once
// Values that are too large for one message: they stay where they are as a Cap'n Proto message, and whoever wants them
// pulls them chunk by chunk. So a process in between never holds more than a few chunks, and nothing of what nobody reads.
//
// The bytes that are pulled may come from a worker by way of the supervisor's membrane, and are hostile until they have
// been decoded. Sizes are bounded before anything is allocated.

#include <capnp/message.h>
#include <kj/array.h>
#include <kj/async.h>
#include <kj/function.h>

#include "ipc/call.capnp.h"

namespace glovebox {

// Offers the message: `to` gets its size and a source that owns it until the last reference is dropped.
void offerLarge(kj::Own<capnp::MallocMessageBuilder> message, rpc::LargeValue::Builder to);

// The same for a message of one segment that stands in an array.
void offerLarge(kj::Array<capnp::word> segment, rpc::LargeValue::Builder to);

// Pulls all of it: a message in standard framing. Rejects if it says to be larger than `bytesMax`, is not a whole number of
// words, or its owner ended while it was pulled.
kj::Promise<kj::Array<capnp::word>> pullLarge(rpc::LargeValue::Reader from, size_t bytesMax);

// Reads such a message under limits that fit its size. Throws kj::Exception if it is malformed.
void withLargeMessage(kj::ArrayPtr<const capnp::word> words, kj::FunctionParam<void(capnp::MessageReader&)> use);

}  // namespace glovebox
