#include "tools/egress/egress-policy.h"

#include <kj/debug.h>

#include <algorithm>

#include "tools/gateway/request-check.h"

namespace glovebox::egress {

namespace {

constexpr std::string_view OPEN = "{{secret:", CLOSE = "}}";
constexpr size_t ORIGINS_SHOWN = 8;

std::string textOf(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

}  // namespace

EgressPolicy::Host EgressPolicy::readHost(kj::StringPtr text) {
  std::string name(text.begin(), text.size());
  if (name.starts_with("*.")) {
    KJ_REQUIRE(isHostName(name.substr(2)), "not a host", text);
    return {name.substr(1), true};
  }
  auto bare = name.starts_with('[') && name.ends_with(']') ? name.substr(1, name.size() - 2) : name;
  if (auto address = tryParseAddress(bare)) return {address->isIpv4() ? address->text() : "[" + address->text() + "]", false};
  KJ_REQUIRE(isHostName(name), "not a host", text);
  return {name, false};
}

EgressPolicy::EgressPolicy(rpc::EgressPolicy::Reader policy) {
  for (auto origin: policy.getAllow()) {
    Origin allowed{origin.getSecure(), readHost(origin.getHost()), origin.getPort(), {}};
    for (auto method: origin.getMethods()) allowed.methods.push_back(textOf(method));
    allowed_.push_back(std::move(allowed));
  }
  for (auto text: policy.getAllowPrivate()) {
    auto range = tryParseRange({text.begin(), text.size()});
    KJ_REQUIRE(range.has_value(), "not a range of addresses", text);
    private_.push_back(*range);
  }
  for (auto secret: policy.getSecrets()) {
    Secret known{textOf(secret.getName()), textOf(secret.getValue()), {}, secret.getPlain()};
    KJ_REQUIRE(gateway::isFieldValue(known.value), "a secret cannot be the value of a header", known.name.c_str());
    for (auto host: secret.getHosts()) known.hosts.push_back(readHost(host));
    secrets_.push_back(std::move(known));
  }
}

std::string EgressPolicy::Origin::text() const {
  return (secure ? "https://" : "http://") + (host.below ? "*" + host.name : host.name) + (port == 0 ? ":*" : port == (secure ? 443 : 80) ? "" : ":" + std::to_string(port));
}

std::optional<Refused> EgressPolicy::check(const Destination& destination, std::string_view method) const {
  const Origin* near = nullptr;
  for (auto& origin: allowed_) {
    if (origin.secure != destination.secure || !origin.host.matches(destination.host)) continue;
    if (origin.port != 0 && origin.port != destination.port) continue;
    // A connection says more than requests can: it takes to be named.
    if (origin.methods.empty() ? method != "CONNECT" : std::ranges::find(origin.methods, method) != origin.methods.end()) return std::nullopt;
    near = &origin;
  }
  std::string subject = std::string(method) + " " + destination.origin() + " is not allowed by the egress policy";
  if (near != nullptr && near->methods.empty()) return Refused{subject + ": connect() takes an origin with \"methods\": [\"CONNECT\"]."};
  if (near != nullptr) {
    std::string methods;
    for (auto& allowed: near->methods) methods += (methods.empty() ? "" : ", ") + allowed;
    return Refused{subject + ", which allows " + methods + " there."};
  }
  std::string known;
  for (size_t i = 0; i < allowed_.size() && i < ORIGINS_SHOWN; i++) known += (i == 0 ? "" : ", ") + allowed_[i].text();
  if (allowed_.size() > ORIGINS_SHOWN) known += " and others";
  return Refused{subject + (known.empty() ? ", which allows nothing." : ": allowed are " + known + ".")};
}

bool EgressPolicy::mayConnectTo(const Address& address) const {
  return isPublic(address) || std::ranges::any_of(private_, [&](const AddressRange& range) { return range.contains(address); });
}

std::variant<std::string, Refused> EgressPolicy::fillIn(std::string_view value, const Destination& destination) const {
  std::string filled;
  for (;;) {
    auto open = value.find(OPEN);
    if (open == std::string_view::npos) return filled.append(value);
    auto close = value.find(CLOSE, open);
    if (close == std::string_view::npos) return Refused{"A header names a secret without an end: expected {{secret:NAME}}."};
    filled.append(value.substr(0, open));
    auto name = std::string(value.substr(open + OPEN.size(), close - open - OPEN.size()));
    auto secret = std::ranges::find(secrets_, name, &Secret::name);
    if (secret == secrets_.end()) return Refused{"A header names the secret '" + name.substr(0, 64) + "', which the egress policy does not have."};
    if (std::ranges::none_of(secret->hosts, [&](const Host& host) { return host.matches(destination.host); })) {
      return Refused{"The secret '" + name + "' is not for " + destination.host + "."};
    }
    if (!destination.secure && !secret->plain) return Refused{"The secret '" + name + "' goes over https only, and this is " + destination.origin() + "."};
    filled.append(secret->value);
    value.remove_prefix(close + CLOSE.size());
  }
}

std::vector<uint16_t> EgressPolicy::ports() const {
  std::vector<uint16_t> ports;
  for (auto& origin: allowed_) {
    if (origin.port == 0) return {};
    ports.push_back(origin.port);
  }
  return ports;
}

}  // namespace glovebox::egress
