#pragma once
// The `glovebox.egress` section of a project's configuration: what its workers may reach on the internet.

#include <string>
#include <vector>

#include "ipc/egress.capnp.h"
#include "tools/project/config-value.h"

namespace glovebox::project {

struct EgressOrigin {
  bool secure = true;
  std::string host;                    // "*.example.com" for all below it
  uint16_t port = 0;                   // 0: any
  std::vector<std::string> methods;    // empty: all
};

struct EgressSecret {
  std::string name;
  std::string variable;                // of the environment, where its value is
  std::vector<std::string> hosts;
  bool plain = false;
  std::string where;                   // for messages
};

struct EgressConfig {
  std::vector<EgressOrigin> allow;
  std::vector<std::string> allowPrivate;
  std::vector<EgressSecret> secrets;
  std::vector<std::string> nameservers;
  std::string authorities;             // a file, relative to the configuration's; empty: none
  std::string where;                   // for messages
};

// `file` names it in messages, `path` the section. Throws cli::Failure. What it does not know is a warning.
EgressConfig readEgressConfig(const ConfigValue& value, const std::string& file, const std::string& path, std::vector<std::string>& warnings);

// With the values of the secrets, from the environment, and the authorities, from their file in `folder`. Throws cli::Failure if one is missing.
void writeEgressPolicy(const EgressConfig& config, const std::string& folder, rpc::EgressPolicy::Builder policy);

}  // namespace glovebox::project
