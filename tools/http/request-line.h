#pragma once
// What a request and its answer were, in a few words for a log: read off the values that pass by (ipc/value.capnp: "Request" and
// "Response"), without decoding them. Both come from strangers; what is not there is empty.

#include <string>

#include "ipc/call.capnp.h"

namespace glovebox::http {

struct RequestLine {
  std::string method;
  std::string path;   // with the query, cut to PATH_SHOWN_MAX
};

constexpr size_t PATH_SHOWN_MAX = 300;

RequestLine readRequestLine(rpc::Payload::Reader arguments);
// 0: it is no Response.
unsigned readStatus(rpc::Payload::Reader result);

}  // namespace glovebox::http
