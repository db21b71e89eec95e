#include "tools/egress/destination.h"

#include <algorithm>
#include <charconv>

namespace glovebox::egress {

namespace {

constexpr uint16_t HTTP_PORT = 80, HTTPS_PORT = 443;
constexpr size_t NAME_BYTES_MAX = 253, LABEL_BYTES_MAX = 63;

bool isDigit(char c) { return c >= '0' && c <= '9'; }
char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool isLetter(char c) { return c >= 'a' && c <= 'z'; }

}  // namespace

bool isHostName(std::string_view name) {
  if (name.empty() || name.size() > NAME_BYTES_MAX) return false;
  std::string_view last;
  for (size_t from = 0; from <= name.size();) {
    auto dot = std::min(name.find('.', from), name.size());
    last = name.substr(from, dot - from);
    if (last.empty() || last.size() > LABEL_BYTES_MAX || last.front() == '-' || last.back() == '-') return false;
    if (!std::ranges::all_of(last, [](char c) { return isDigit(c) || isLetter(c) || c == '-' || c == '_'; })) return false;
    from = dot + 1;
  }
  // What ends with a number is an address to some (127.1, 0x7f000001, 2130706433) and a name to others.
  bool isNumber = std::ranges::all_of(last, isDigit) || (last.starts_with("0x") && std::ranges::all_of(last.substr(2), [](char c) {
    return isDigit(c) || (c >= 'a' && c <= 'f');
  }));
  return !isNumber;
}

std::string Destination::hostField() const {
  return port == (secure ? HTTPS_PORT : HTTP_PORT) ? host : host + ":" + std::to_string(port);
}

std::string Destination::origin() const { return (secure ? "https://" : "http://") + hostField(); }

std::variant<Destination, std::string> parseDestination(std::string_view url) {
  if (url.size() > URL_BYTES_MAX) return "is longer than " + std::to_string(URL_BYTES_MAX) + " bytes";
  if (!std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f && c != '\\'; })) {
    return "has a character that no URL has: a space, a backslash, a control character, or one that is not ASCII";
  }
  Destination found;
  constexpr std::string_view HTTP = "http://", HTTPS = "https://";
  if (url.starts_with(HTTPS)) found.secure = true;
  else if (!url.starts_with(HTTP)) return "is not one of http or https";
  url.remove_prefix(found.secure ? HTTPS.size() : HTTP.size());
  auto end = std::min(url.find_first_of("/?#"), url.size());
  auto authority = url.substr(0, end);
  found.target = url.substr(end, url.find('#') - end);
  if (!found.target.starts_with('/')) found.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return "has a user name in it";

  auto colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    auto bracket = authority.find(']');
    if (bracket == std::string_view::npos) return "has a host that is no address";
    found.address = tryParseAddress(authority.substr(1, bracket - 1));
    if (!found.address || authority.substr(1, bracket - 1).find(':') == std::string_view::npos) return "has a host that is no address";
    colon = bracket + 1 < authority.size() ? bracket + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && authority[colon] != ':') return "has a host that is no address";
    // One way of writing it, whatever the request said.
    found.host = found.address->isIpv4() ? found.address->text() : "[" + found.address->text() + "]";
  } else {
    found.host = authority.substr(0, colon);
    std::ranges::transform(found.host, found.host.begin(), lowered);
    found.address = tryParseAddress(found.host);
    if (!found.address && !isHostName(found.host)) return "has a host that is neither a name nor an address in its usual form";
  }
  found.port = found.secure ? HTTPS_PORT : HTTP_PORT;
  if (colon != std::string_view::npos) {
    auto digits = authority.substr(colon + 1);
    auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found.port);
    if (error != std::errc() || last != digits.data() + digits.size() || found.port == 0) return "has a port that is no number from 1 to 65535";
  }
  return found;
}

}  // namespace glovebox::egress
