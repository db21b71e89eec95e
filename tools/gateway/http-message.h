#pragma once
// Requests and answers of HTTP as values (ipc/value.capnp: platform objects "Request" and "Response"). A request is made of what
// request-check.h has let through; an answer comes from a worker, and whatever in it could not stand in a response of HTTP, or
// would say something else there than it says here, is refused.

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ipc/value-graph.h"
#include "tools/gateway/request-check.h"

namespace glovebox::gateway {

struct Field {
  std::string name;    // lower case
  std::string value;   // bytes
};

struct NoBody {};
struct WholeBody { std::string bytes; };
struct StreamedBody { uint32_t external = 0; };
using Body = std::variant<NoBody, WholeBody, StreamedBody>;

// The arguments of a call of fetch: an array of one Request. A streamed body is external 0.
ValueGraph writeRequest(std::string_view method, std::string url, const std::vector<Field>& fields, Body body);

struct Answer {
  unsigned status = 200;   // 200 to 599; 101 with a socket
  std::string statusText;
  std::vector<Field> fields;                // without hop-by-hop headers and Content-Length
  std::optional<uint64_t> contentLength;    // what the worker says it is
  Body body;                                // streamed: an index into the graph's externals, of kind READABLE
  std::optional<uint32_t> socket;           // likewise, of kind SOCKET

  // Whether a response with this status may have a body at all.
  bool mayHaveBody() const { return status != 204 && status != 205 && status != 304; }
};

// What HTTP calls a status; empty if it has no word for it.
const char* reasonPhrase(unsigned status);

std::variant<Answer, Refusal> readAnswer(ValueGraph graph);

// -- The other way: requests of workers, answers of servers (tools/egress) -----------------------------------------------

struct Outgoing {
  std::string method;                       // a token
  std::string url;                          // bytes; what it is of is for others to check
  std::vector<Field> fields;                // without hop-by-hop headers, Host and Content-Length
  bool upgrade = false;                     // it asks for a WebSocket
  Body body;                                // streamed: an index into the graph's externals, of kind READABLE
};

// The arguments of a call of fetch.
std::variant<Outgoing, Refusal> readRequest(ValueGraph graph);

// A streamed body is external 0.
ValueGraph writeResponse(unsigned status, std::string_view statusText, const std::vector<Field>& fields, Body body);

// The answer to a handshake. External 0 is the socket.
ValueGraph writeUpgrade(std::string_view statusText, const std::vector<Field>& fields);

// What a view of bytes shows, taken out of the graph; nothing if it is none.
std::optional<std::string> tryUint8Array(ValueGraph& graph, NodeRef ref);

// A chunk of a body stream: its bytes, nothing at the end of the stream, or a refusal.
std::variant<std::string, NoBody, Refusal> readChunk(ValueGraph graph);

}  // namespace glovebox::gateway
