#include "tools/egress/address-range.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace glovebox::egress {

namespace {

constexpr std::array<uint8_t, 12> IPV4_PREFIX{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned IPV4_PREFIX_BITS = 96;

// IANA's registries of special addresses; what is not global there, and what is wrapped.
constexpr std::string_view NOT_PUBLIC_IPV4[] = {
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
};
constexpr std::string_view PUBLIC_IPV6 = "2000::/3";
constexpr std::string_view NOT_PUBLIC_IPV6[] = {"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

template <typename List>
std::vector<AddressRange> parseAll(const List& texts) {
  std::vector<AddressRange> ranges;
  for (auto text : texts) ranges.push_back(*tryParseRange(text));
  return ranges;
}

}  // namespace

bool Address::isIpv4() const { return std::equal(IPV4_PREFIX.begin(), IPV4_PREFIX.end(), bytes.begin()); }

std::string Address::text() const {
  char text[INET6_ADDRSTRLEN];
  if (isIpv4()) inet_ntop(AF_INET, bytes.data() + IPV4_PREFIX.size(), text, sizeof(text));
  else inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  return text;
}

socklen_t Address::fill(sockaddr_storage& storage, uint16_t port) const {
  storage = {};
  if (isIpv4()) {
    auto& name = reinterpret_cast<sockaddr_in&>(storage);
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    memcpy(&name.sin_addr, bytes.data() + IPV4_PREFIX.size(), 4);
    return sizeof(name);
  }
  auto& name = reinterpret_cast<sockaddr_in6&>(storage);
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(port);
  memcpy(&name.sin6_addr, bytes.data(), bytes.size());
  return sizeof(name);
}

std::optional<Address> tryParseAddress(std::string_view text) {
  std::string terminated(text);
  Address address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  // Takes dotted decimal and nothing else.
  std::copy(IPV4_PREFIX.begin(), IPV4_PREFIX.end(), address.bytes.begin());
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data() + IPV4_PREFIX.size()) == 1) return address;
  return std::nullopt;
}

std::optional<Address> tryReadAddress(const sockaddr* name) {
  Address address;
  if (name->sa_family == AF_INET) {
    std::copy(IPV4_PREFIX.begin(), IPV4_PREFIX.end(), address.bytes.begin());
    memcpy(address.bytes.data() + IPV4_PREFIX.size(), &reinterpret_cast<const sockaddr_in*>(name)->sin_addr, 4);
    return address;
  }
  if (name->sa_family == AF_INET6) {
    memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(name)->sin6_addr, address.bytes.size());
    return address;
  }
  return std::nullopt;
}

bool AddressRange::contains(const Address& address) const {
  unsigned whole = bits / 8, rest = bits % 8;
  if (!std::equal(first.bytes.begin(), first.bytes.begin() + whole, address.bytes.begin())) return false;
  if (rest == 0) return true;
  auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (first.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

std::optional<AddressRange> tryParseRange(std::string_view text) {
  auto slash = text.find('/');
  auto address = tryParseAddress(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned offset = address->isIpv4() ? IPV4_PREFIX_BITS : 0, bits = 128 - offset;
  if (slash != std::string_view::npos) {
    auto digits = text.substr(slash + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc() || end != digits.data() + digits.size() || bits > 128 - offset) return std::nullopt;
  }
  return AddressRange{*address, bits + offset};
}

bool isPublic(const Address& address) {
  static const auto NOT_IPV4 = parseAll(NOT_PUBLIC_IPV4), NOT_IPV6 = parseAll(NOT_PUBLIC_IPV6);
  static const auto IPV6 = *tryParseRange(PUBLIC_IPV6);
  auto contains = [&](const AddressRange& range) { return range.contains(address); };
  if (address.isIpv4()) return std::ranges::none_of(NOT_IPV4, contains);
  return IPV6.contains(address) && std::ranges::none_of(NOT_IPV6, contains);
}

}  // namespace glovebox::egress
