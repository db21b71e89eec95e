#pragma once
// What a request's head must look like before kj-http gets to see it. kj-http parses it, and generously: it takes bare line feeds, folded
// lines, a space before the colon, several lengths, any version. Two programs that read such a head differently are how requests are
// smuggled past one of them, so here is only yes or no: a head that is not to the letter of RFC 9112 is refused.
//
// Runs in the gateway on bytes of strangers. No state, no input but its arguments.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace glovebox::gateway {

struct Refusal {
  unsigned status;
  std::string_view words;   // a constant: nothing of what the client sent is sent back
};

enum class Framing : uint8_t { NONE, LENGTH, CHUNKED };

// What matters of it to others than kj-http.
struct RequestFacts {
  Framing framing = Framing::NONE;
  uint64_t length = 0;            // LENGTH
  bool http10 = false;            // knows neither chunks nor connections that stay open
  bool close = false;             // the client wants the connection closed after the answer
  bool expectsContinue = false;
  bool upgrade = false;           // a handshake of a WebSocket, and a correct one
  std::string host;               // lower case; empty only in HTTP/1.0
  std::string head;               // the head again, without the spaces around values: what kj-http is to parse
};

// `head` ends with the empty line. `bodyBytesMax` bounds a Content-Length.
std::variant<RequestFacts, Refusal> checkHead(std::string_view head, uint64_t bodyBytesMax);

// While it arrives: the first byte at or after `from` that no correct head contains (a bare CR or LF, a NUL), if any. The last byte
// may be a CR whose LF is still to come.
bool hasForbiddenByte(std::string_view head, size_t from);

// RFC 9110: token; field-content in bytes, which obs-text may be in; and the same for what a worker wants to send.
bool isToken(std::string_view text);
bool isFieldValue(std::string_view bytes);

// Concerns one connection and is never passed on.
bool isHopByHop(std::string_view lowerCaseName);

std::string lowerCase(std::string_view ascii);

}  // namespace glovebox::gateway
