#pragma once
// Types out of modules, on their way from files to a worker. It is done by another worker, jailed like any (worker/typescript/): this
// process parses neither TypeScript nor JavaScript. So whose files they are does not matter here, nor what becomes of that worker:
// which modules there are, and of what kind, is decided on this side, and only their texts come from there.

#include <kj/async.h>

#include <kj/one-of.h>

#include <string>
#include <vector>

#include "ipc/control.capnp.h"
#include "tools/cli/failure.h"
#include "tools/cli/modules.h"

namespace glovebox::project {

// Of a project: an import leads to a package, which takes a bundler (tools/project/package-bundler.h). The failure is for where there is none.
struct NeedsPackages {
  cli::Failure failure;
};

// What is wrong with a module names it, and the line and column where that is known.
using StrippedModules = kj::OneOf<std::vector<cli::ModuleFile>, cli::Failure, NeedsPackages>;

// Everything that is given to it is stripped by one worker, so it serves one project. The worker is started when it is first needed, is
// warm from then on, and another takes its place when it met a limit or died.
class TypeStripper {
 public:
  // `bundle`: the text of the installation's file (Installation::typescript).
  TypeStripper(rpc::Supervisor::Client supervisor, std::string bundle);
  KJ_DISALLOW_COPY(TypeStripper);

  // The modules in their order, TypeScript turned into JavaScript with each line where it was.
  kj::Promise<StrippedModules> strip(std::vector<cli::ModuleFile> modules) { return run(kj::mv(modules), Imports::AS_THEY_ARE); }

  // Of a project whose main module is the first: the modules that it reaches, in their order. An import that leads nowhere is a failure.
  kj::Promise<StrippedModules> link(std::vector<cli::ModuleFile> modules) { return run(kj::mv(modules), Imports::OF_A_PROJECT); }

 private:
  enum class Imports { AS_THEY_ARE, OF_A_PROJECT };

  rpc::Supervisor::Client supervisor_;
  std::string bundle_;
  kj::Maybe<rpc::Worker::Client> worker_;

  kj::Promise<StrippedModules> run(std::vector<cli::ModuleFile> modules, Imports imports);
  rpc::Worker::Client load();
};

}  // namespace glovebox::project
