#pragma once
// Internet addresses, and which of them are of the public internet. IPv4 is handled as IPv4 inside IPv6 (::ffff:a.b.c.d), so that no way of
// writing an address says anything else than another.

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::egress {

struct Address {
  std::array<uint8_t, 16> bytes{};

  bool isIpv4() const;
  std::string text() const;   // "192.0.2.1", "2001:db8::1"
  // Fills `storage`; the length of what was filled.
  socklen_t fill(sockaddr_storage& storage, uint16_t port) const;
  bool operator==(const Address&) const = default;
};

// "192.0.2.1", or IPv6 without brackets. Nothing else: no octal, no hexadecimal, no shorter forms.
std::optional<Address> tryParseAddress(std::string_view text);
// Null if it is of another family.
std::optional<Address> tryReadAddress(const sockaddr* name);

// A network: its first address and how many bits of it count.
struct AddressRange {
  Address first;
  unsigned bits = 0;

  bool contains(const Address& address) const;
};

// "10.0.0.0/8", "fd00::/8", or one address.
std::optional<AddressRange> tryParseRange(std::string_view text);

// Assigned to somebody on the public internet: not this machine, its network, its cloud's metadata, a carrier's network, multicast,
// documentation, or an address in which another one is wrapped for a translator (NAT64, 6to4, Teredo, IPv4-compatible).
bool isPublic(const Address& address);

}  // namespace glovebox::egress
