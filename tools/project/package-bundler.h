#pragma once
// A project whose imports lead to packages, as one module and what it cannot hold. It is done by a worker, jailed like any (worker/bundler/), as in the Node package: this
// process parses neither sources nor packages. The worker says which packages it needs, and is given the files of those that lie in the
// project's node_modules. When one that package.json names is not there it gets a second capability, a registry (package-registry.h).

#include <kj/async.h>
#include <kj/function.h>

#include <set>
#include <string>
#include <vector>

#include "ipc/control.capnp.h"
#include "tools/project/project-config.h"
#include "tools/project/project-packages.h"
#include "tools/project/typescript.h"

namespace glovebox::project {

// For one user's projects: the worker is warm from one to the next, and another takes its place when it met a limit or died.
class PackageBundler {
 public:
  // Whose supervisor it gets; asked once, when it is first needed. It needs more memory than workers mostly may have: BUNDLER_LIMITS.
  using Start = kj::Function<rpc::Supervisor::Client()>;

  // The installation's files, read when they are needed.
  PackageBundler(Start start, std::string scriptFile, std::string wasmFile);
  KJ_DISALLOW_COPY(PackageBundler);

  // Makes what answers `packument` and `tarball` for one project; asked when a dependency is missing. May throw cli::Failure.
  using Registry = kj::Function<rpc::Target::Client()>;
  void installFrom(Registry registry) { registry_ = kj::mv(registry); }
  bool mayInstall() const { return registry_ != nullptr; }

  // The main module first. One project at a time. Outlives what it is asked for.
  kj::Promise<StrippedModules> bundle(ProjectConfig config);

  // Lets go of worker and supervisor until they are needed again.
  void rest() { worker_ = nullptr; supervisor_ = nullptr; }

 private:
  struct Bundling;

  Start start_;
  std::string scriptFile_, wasmFile_;
  kj::Maybe<Registry> registry_;
  kj::Maybe<rpc::Supervisor::Client> supervisor_;
  kj::Maybe<rpc::Worker::Client> worker_;
  std::set<std::string> lastNeeded_;   // so that the next time they come at once

  kj::Promise<StrippedModules> ask(kj::Own<Bundling> bundling);
  rpc::Worker::Client load();
};

// 160 MiB for an application with hono; esbuild alone is half of them.
constexpr WorkerLimits BUNDLER_LIMITS{.cpuMs = 60'000, .wallMs = 120'000, .memoryMb = 768, .startupCpuMs = 10'000};

}  // namespace glovebox::project
