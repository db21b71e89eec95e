#pragma once
// A project as a worker: its files and its `env`, loaded into a supervisor. It is a worker like any other, jailed and bounded; what
// makes it a host is that its env may hold Loaders. The entrypoints of its Worker are what `glovebox run DIR` calls, and whoever
// brings it requests.

#include <kj/async.h>
#include <kj/one-of.h>

#include <functional>
#include <string>
#include <vector>

#include "ipc/control.capnp.h"
#include "tools/cli/failure.h"
#include "tools/project/project-config.h"
#include "tools/project/package-bundler.h"
#include "tools/project/typescript.h"

namespace glovebox::project {

struct HostedWorker {
  rpc::Worker::Client worker;
  cli::ModuleOrigins origins;   // for its stacks
};

// What is wrong with a project's files; what is wrong with its code is answered by each call, as for every worker.
using HostWorker = kj::OneOf<HostedWorker, cli::Failure>;

// How long a project's workers are there.
enum class Lifetime {
  ONCE,       // what has ended has ended: each later call says so
  RESTARTED,  // made again by the next call when it has died or was evicted, of the files as they were
};

class ProjectHost {
 public:
  // Where the logs of the project of that name go, and what its modules are made of.
  using ConsoleOf = std::function<rpc::Console::Client(const std::string& name, cli::ModuleOrigins origins)>;

  // `typescript`: the text of the installation's file. Outlives what it is asked for.
  ProjectHost(rpc::Supervisor::Client supervisor, std::string typescript, ConsoleOf consoleOf);
  KJ_DISALLOW_COPY(ProjectHost);

  // Told of each worker of a project that is made again; the supervisor may ask for one for as long as it is there.
  using Restarted = std::function<void(const std::string& name)>;
  void onRestart(Restarted restarted) { restarted_ = std::move(restarted); }

  // Where the requests of a project's workers go; null: nowhere. May throw cli::Failure.
  using OutboundOf = std::function<kj::Maybe<rpc::Target::Client>(const ProjectConfig& config)>;
  void sendRequestsTo(OutboundOf outboundOf) { outboundOf_ = std::move(outboundOf); }

  // For projects that import packages; without, such an import is a failure. It outlives this.
  void bundleWith(PackageBundler& bundler) { bundler_ = bundler; }

  // The worker of the first of them; the others are there for its `services`, and end with it. Each time afresh: the files are read
  // now. One call at a time.
  kj::Promise<HostWorker> load(std::vector<ProjectConfig> projects, Lifetime lifetime = Lifetime::ONCE);

 private:
  struct Loading;
  class Recipe;
  class Factory;

  rpc::Supervisor::Client supervisor_;
  ConsoleOf consoleOf_;
  OutboundOf outboundOf_ = [](const ProjectConfig&) { return kj::Maybe<rpc::Target::Client>(nullptr); };
  Restarted restarted_ = [](const std::string&) {};
  TypeStripper stripper_;
  kj::Maybe<PackageBundler&> bundler_;

  kj::Promise<StrippedModules> link(const ProjectConfig& config, std::vector<cli::ModuleFile> modules);
  kj::Promise<HostWorker> linkFrom(kj::Own<Loading> loading, size_t next);
  rpc::Worker::Client loadOne(Loading& loading, size_t index);
  rpc::Target::Client serviceOf(Loading& loading, const ServiceBinding& service);
};

}  // namespace glovebox::project
