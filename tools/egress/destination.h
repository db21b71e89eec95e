#pragma once
// Where a request is to go, out of its URL. A worker's runtime normalizes URLs, and a worker that was taken over writes what it likes: so here
// is only yes or no, and what could mean one thing here and another elsewhere is a no.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "tools/egress/address-range.h"

namespace glovebox::egress {

struct Destination {
  bool secure = false;      // https
  std::string host;         // lower case; IPv6 in brackets
  uint16_t port = 0;
  std::string target;       // path and query, as the request line has them
  std::optional<Address> address;   // the host is one

  std::string origin() const;       // "https://host:8443"; the scheme's own port is left out
  std::string hostField() const;    // "host:8443", likewise
};

constexpr size_t URL_BYTES_MAX = 8 * 1024;

// Or why it is none, as a sentence without its subject: "has a user name in it".
std::variant<Destination, std::string> parseDestination(std::string_view url);

// A name as DNS has them (letters, digits, hyphens, underscores, at most 253), whose last label is no number.
bool isHostName(std::string_view lowerCase);

}  // namespace glovebox::egress
