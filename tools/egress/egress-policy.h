#pragma once
// What workers may ask for, and what is put into their requests on the way. All that is not allowed is refused, with the reason.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ipc/egress.capnp.h"
#include "tools/egress/destination.h"

namespace glovebox::egress {

struct Refused { std::string why; };   // a sentence

class EgressPolicy {
 public:
  // Throws kj::Exception if it makes no sense: its writer is trusted, and must have checked it.
  explicit EgressPolicy(rpc::EgressPolicy::Reader policy);

  std::optional<Refused> check(const Destination& destination, std::string_view method) const;

  // Of the public internet, or allowed by name.
  bool mayConnectTo(const Address& address) const;

  // `value` of a header with the secrets that it names. Workers only ever write `{{secret:NAME}}`.
  std::variant<std::string, Refused> fillIn(std::string_view value, const Destination& destination) const;

  // All that may be connected to; empty: any.
  std::vector<uint16_t> ports() const;

 private:
  struct Host {
    std::string name;     // of `below`: what the name ends with, the dot included
    bool below = false;
    bool matches(std::string_view host) const { return below ? host.size() > name.size() && host.ends_with(name) : host == name; }
  };
  struct Origin {
    bool secure;
    Host host;
    uint16_t port;
    std::vector<std::string> methods;
    std::string text() const;
  };
  struct Secret {
    std::string name, value;
    std::vector<Host> hosts;
    bool plain;
  };

  std::vector<Origin> allowed_;
  std::vector<AddressRange> private_;
  std::vector<Secret> secrets_;

  static Host readHost(kj::StringPtr text);
};

}  // namespace glovebox::egress
