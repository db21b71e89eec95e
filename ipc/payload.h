#pragma once
// A ValueGraph to and from a Payload (ipc/call.capnp): the value inline or to be pulled, and the capabilities that its
// externals stand for. What is read may be hostile until it has been read; what is malformed throws kj::Exception, which
// fails one call and never a line.

#include <kj/async.h>
#include <kj/function.h>
#include <kj/vector.h>

#include "ipc/call.capnp.h"
#include "ipc/value-graph.h"
#include "ipc/wire-limits.h"

namespace glovebox {

// The capability that an external of a graph stands for.
using CapabilityOf = kj::FunctionParam<capnp::Capability::Client(const ValueExternal&)>;

// Larger values than `inlineBytesMax` are offered to be pulled. Throws if the graph is wrong, larger than
// PAYLOAD_BYTES_MAX or has more than EXTERNALS_MAX externals.
void writePayload(ValueGraph&& graph, rpc::Payload::Builder payload, size_t inlineBytesMax, CapabilityOf capabilityOf);

// Without externals, and inline whatever its size.
void writePayload(const ValueGraph& graph, rpc::Payload::Builder payload);

// Bytes of the value, externals aside, as writePayload() counts them.
uint64_t payloadBytes(const ValueGraph& graph);

struct ReceivedValue {
  ValueGraph graph;                                  // externals: `kind` and `label` set, `id` for whoever keeps tables
  kj::Vector<capnp::Capability::Client> capabilities; // of graph.externals, in the same order
};

// Only for a payload that isInline().
ReceivedValue readInlinePayload(rpc::Payload::Reader payload);
inline bool isInline(rpc::Payload::Reader payload) { return payload.isValue(); }

// Pulls it if need be. `payload` is read before this returns.
kj::Promise<ReceivedValue> readPayload(rpc::Payload::Reader payload);

// One external, as kinds and capabilities: for those who do not deal in graphs.
ValueExternal::Kind readExternal(rpc::External::Reader external, kj::Maybe<capnp::Capability::Client>& capability);
void writeExternal(ValueExternal::Kind kind, capnp::Capability::Client capability, rpc::External::Builder external);

}  // namespace glovebox
