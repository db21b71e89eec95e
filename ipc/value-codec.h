#pragma once
// ValueGraph to and from rpc::Value. Where the bytes come from may be hostile: decodeValue() follows no reference and
// trusts no size that it has not checked, and uses memory in proportion to the message, whatever the message claims.

#include <kj/common.h>

#include "ipc/value-graph.h"
#include "ipc/value.capnp.h"

namespace glovebox {

// Words that the encoded value takes (framing aside), to be compared with a limit before anything is built, and to be
// given to MallocMessageBuilder so that there is one segment.
uint64_t encodedWords(const ValueGraph& graph);

// Throws kj::Exception if the graph itself is wrong (a reference out of range, a list that is too long).
void encodeValue(const ValueGraph& graph, rpc::Value::Builder builder);

// Throws kj::Exception naming the node and what is wrong with it. `externals` is how many came beside the value; the
// graph gets as many of kind NONE.
ValueGraph decodeValue(rpc::Value::Reader reader, size_t externals = 0);

}  // namespace glovebox
