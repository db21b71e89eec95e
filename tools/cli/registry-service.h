#pragma once
// The package registry of a command: which one it is, where its packages are kept, and the egress process that fetches them. None of it is there
// before a project needs a package that its node_modules has not.

#include <kj/memory.h>

#include <string>

#include "supervisor/supervisor.h"
#include "tools/cli/session.h"
#include "tools/project/package-bundler.h"
#include "tools/project/package-registry.h"

namespace glovebox::cli {

struct RegistryOptions {
  std::string url;         // empty: npm's configured one
  bool offline = false;    // only what is in the cache
};

class RegistryService {
 public:
  // All outlive it. Throws Failure if the option is wrong.
  RegistryService(Session& session, const Installation& installation, const SupervisorOptions& supervisor, const RegistryOptions& options);
  ~RegistryService() noexcept(false);
  KJ_DISALLOW_COPY(RegistryService);

  // What one project's bundling may use. Throws Failure if the registry is not known.
  rpc::Target::Client forWorker();

  // The process is started again when it is needed again.
  void rest() { outbound_ = nullptr; }

 private:
  Session& session_;
  const Installation& installation_;
  const SupervisorOptions& supervisor_;
  const RegistryOptions options_;
  kj::Maybe<kj::Own<project::PackageRegistry>> registry_;
  kj::Maybe<rpc::Target::Client> outbound_;

  rpc::Target::Client startEgress(const std::string& url);
};

}  // namespace glovebox::cli
