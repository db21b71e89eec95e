#pragma once
// Ways to the internet for the projects of a command, one for each policy.

#include <map>
#include <string>

#include "supervisor/supervisor.h"
#include "tools/cli/session.h"
#include "tools/egress/outlet.h"
#include "tools/project/project-config.h"

namespace glovebox::cli {

class EgressService {
 public:
  // All outlive it.
  EgressService(Session& session, const Installation& installation, const SupervisorOptions& options);
  KJ_DISALLOW_COPY(EgressService);

  // Where a project's requests go; null if its configuration says nothing of it. Throws Failure if what the policy names is not there. The
  // process is kept while the policy stays the same.
  kj::Maybe<rpc::Target::Client> outboundOf(const project::ProjectConfig& config);

 private:
  struct Known {
    kj::Array<capnp::word> policy;
    rpc::Target::Client outbound;
  };

  Session& session_;
  const Installation& installation_;
  const SupervisorOptions& options_;
  std::map<std::string, Known> byProject_;
};

}  // namespace glovebox::cli
