#include "tools/project/egress-config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>

#include "tools/cli/failure.h"
#include "tools/cli/modules.h"
#include "tools/egress/address-range.h"
#include "tools/egress/destination.h"

namespace glovebox::project {
namespace {

using cli::Failure;
using Kind = ConfigValue::Kind;

constexpr const char* ORIGIN = "an origin such as \"api.example.com\" (https), \"*.example.com\", \"http://intranet.example:8080\" or \"example.com:*\"";

[[noreturn]] void refuse(const ConfigValue& value, const std::string& file, const std::string& path, const std::string& expected) {
  throw Failure(cli::EXIT_CODE_USAGE, file + ":" + std::to_string(value.line) + ": " + path + ": expected " + expected + "; got " + describe(value));
}

bool isHost(const std::string& host) {
  if (host.starts_with("*.")) return egress::isHostName(host.substr(2));
  if (host.starts_with('[') && host.ends_with(']')) return egress::tryParseAddress(host.substr(1, host.size() - 2)).has_value();
  return egress::isHostName(host) || egress::tryParseAddress(host).has_value();
}

// False: it is none.
bool parseOrigin(std::string text, EgressOrigin& origin) {
  constexpr std::string_view HTTP = "http://", HTTPS = "https://";
  origin.secure = !text.starts_with(HTTP);
  if (!origin.secure) text.erase(0, HTTP.size());
  else if (text.starts_with(HTTPS)) text.erase(0, HTTPS.size());
  origin.port = origin.secure ? 443 : 80;
  auto colon = text.rfind(':');
  if (colon != std::string::npos && text.find(']', colon) == std::string::npos) {
    auto digits = std::string_view(text).substr(colon + 1);
    if (digits == "*") {
      origin.port = 0;
    } else {
      auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), origin.port);
      if (error != std::errc() || end != digits.data() + digits.size() || origin.port == 0) return false;
    }
    text.resize(colon);
  }
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  origin.host = text;
  return isHost(text);
}

class Section {
 public:
  Section(const std::string& file, std::vector<std::string>& warnings): file_(file), warnings_(warnings) {}

  std::string text(const ConfigValue& value, const std::string& path, const std::string& expected, const std::function<bool(const std::string&)>& isGood) {
    if (value.kind != Kind::TEXT || !isGood(value.text)) refuse(value, file_, path, expected);
    return value.text;
  }
  std::vector<std::string> texts(const ConfigValue& value, const std::string& path, const std::string& expected,
                                 const std::function<bool(const std::string&)>& isGood) {
    if (value.kind != Kind::ARRAY) refuse(value, file_, path, "an array, each of it " + expected);
    std::vector<std::string> all;
    for (size_t i = 0; i < value.members.size(); i++) all.push_back(text(value.members[i].value, path + "[" + std::to_string(i) + "]", expected, isGood));
    return all;
  }
  EgressOrigin origin(const ConfigValue& value, const std::string& path) {
    EgressOrigin origin;
    if (value.kind == Kind::TEXT) {
      if (!parseOrigin(value.text, origin)) refuse(value, file_, path, ORIGIN);
      return origin;
    }
    if (value.kind != Kind::OBJECT) refuse(value, file_, path, ORIGIN);
    const ConfigValue* name = value.tryFind("origin");
    if (name == nullptr || name->kind != Kind::TEXT || !parseOrigin(name->text, origin)) refuse(name == nullptr ? value : *name, file_, path + ".origin", ORIGIN);
    for (auto& [key, member] : value.members) {
      if (key == "methods") origin.methods = texts(member, path + ".methods", "a method such as \"GET\"", isMethod);
      else if (key != "origin") unknown(member, path + "." + key);
    }
    return origin;
  }
  EgressSecret secret(const std::string& name, const ConfigValue& value, const std::string& path) {
    EgressSecret secret;
    secret.name = name;
    secret.variable = name;
    secret.where = file_ + ":" + std::to_string(value.line) + ": " + path;
    if (value.kind != Kind::OBJECT) refuse(value, file_, path, "an object such as { \"env\": \"API_KEY\", \"hosts\": [\"api.example.com\"] }");
    for (auto& [key, member] : value.members) {
      auto there = path + "." + key;
      if (key == "env") {
        secret.variable = text(member, there, "the name of an environment variable", [](auto& text) { return !text.empty(); });
      } else if (key == "hosts") {
        secret.hosts = texts(member, there, "a host such as \"api.example.com\"", isHost);
      } else if (key == "plain") {
        if (member.kind != Kind::BOOLEAN) refuse(member, file_, there, "true or false");
        secret.plain = member.boolean;
      } else {
        unknown(member, there);
      }
    }
    if (secret.hosts.empty()) refuse(value, file_, path + ".hosts", "the hosts that it may be sent to, such as [\"api.example.com\"]");
    return secret;
  }
  void unknown(const ConfigValue& value, const std::string& path) {
    warnings_.push_back(file_ + ":" + std::to_string(value.line) + ": " + path + ": unknown, and ignored");
  }
  static bool isMethod(const std::string& text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  }

 private:
  const std::string& file_;
  std::vector<std::string>& warnings_;
};

}  // namespace

EgressConfig readEgressConfig(const ConfigValue& value, const std::string& file, const std::string& path, std::vector<std::string>& warnings) {
  if (value.kind != Kind::OBJECT) refuse(value, file, path, "an object such as { \"allow\": [\"api.example.com\"] }");
  Section section(file, warnings);
  EgressConfig config;
  config.where = file + ":" + std::to_string(value.line) + ": " + path;
  for (auto& [key, member] : value.members) {
    auto there = path + "." + key;
    if (key == "allow") {
      if (member.kind != Kind::ARRAY) refuse(member, file, there, std::string("an array, each of it ") + ORIGIN);
      for (size_t i = 0; i < member.members.size(); i++) config.allow.push_back(section.origin(member.members[i].value, there + "[" + std::to_string(i) + "]"));
    } else if (key == "allow_private") {
      config.allowPrivate = section.texts(member, there, "a range of addresses such as \"10.1.0.0/16\"",
                                          [](auto& text) { return egress::tryParseRange(text).has_value(); });
    } else if (key == "secrets") {
      if (member.kind != Kind::OBJECT) refuse(member, file, there, "an object such as { \"API_KEY\": { \"hosts\": [\"api.example.com\"] } }");
      for (auto& [name, secret] : member.members) config.secrets.push_back(section.secret(name, secret, there + "." + name));
    } else if (key == "nameservers") {
      config.nameservers = section.texts(member, there, "an address of a name server such as \"127.0.0.1:53\"", [](auto& text) { return !text.empty(); });
    } else if (key == "ca_file") {
      config.authorities = section.text(member, there, "a file of certificates in PEM", [](auto& text) { return !text.empty(); });
    } else {
      section.unknown(member, there);
    }
  }
  return config;
}

void writeEgressPolicy(const EgressConfig& config, const std::string& folder, rpc::EgressPolicy::Builder policy) {
  auto setTexts = [](auto list, const std::vector<std::string>& texts) {
    for (unsigned i = 0; i < texts.size(); i++) list.set(i, texts[i].c_str());
  };
  auto origins = policy.initAllow(static_cast<unsigned>(config.allow.size()));
  for (unsigned i = 0; i < origins.size(); i++) {
    auto& origin = config.allow[i];
    origins[i].setSecure(origin.secure);
    origins[i].setHost(origin.host.c_str());
    origins[i].setPort(origin.port);
    setTexts(origins[i].initMethods(static_cast<unsigned>(origin.methods.size())), origin.methods);
  }
  setTexts(policy.initAllowPrivate(static_cast<unsigned>(config.allowPrivate.size())), config.allowPrivate);
  auto secrets = policy.initSecrets(static_cast<unsigned>(config.secrets.size()));
  for (unsigned i = 0; i < secrets.size(); i++) {
    auto& secret = config.secrets[i];
    const char* value = getenv(secret.variable.c_str());
    if (value == nullptr) throw Failure(cli::EXIT_CODE_USAGE, secret.where + ": the environment has no variable " + secret.variable + ", which is to have its value");
    secrets[i].setName(secret.name.c_str());
    secrets[i].setValue(value);
    secrets[i].setPlain(secret.plain);
    setTexts(secrets[i].initHosts(static_cast<unsigned>(secret.hosts.size())), secret.hosts);
  }
  setTexts(policy.initNameservers(static_cast<unsigned>(config.nameservers.size())), config.nameservers);
  if (!config.authorities.empty()) {
    auto path = config.authorities.starts_with('/') ? config.authorities : folder + "/" + config.authorities;
    policy.setAuthorities(cli::readFile(path).c_str());
  }
}

}  // namespace glovebox::project
