#pragma once
// A project that answers HTTP while it is being written: its worker is loaded anew whenever a file of it changes. Requests that are
// under way end in the worker that they began in; the next ones go to the new one. While the files cannot be loaded, or do not export
// a handler, the worker of before goes on answering.
//
// Runs in the command's process, on its supervisor's loop. Requests and answers do not pass here, but the front (tools/http/front.h).

#include <kj/async.h>
#include <kj/function.h>
#include <kj/one-of.h>
#include <kj/refcount.h>

#include <string>
#include <vector>

#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "tools/http/front.h"
#include "tools/project/folder-watch.h"
#include "tools/project/project-host.h"
#include "tools/project/stack-mapper.h"

namespace glovebox::http {

class DevServer {
 public:
  struct Hooks {
    // Reads the configuration again. Throws cli::Failure.
    kj::Function<std::vector<project::ProjectConfig>()> readProjects;
    // About a reload.
    kj::Function<void(const char* level, std::string)> log;
  };

  // All outlive it.
  DevServer(UvEventPort& port, project::ProjectHost& host, project::StackMapper& mapper, Hooks hooks);
  KJ_DISALLOW_COPY(DevServer);

  // Loads the project for the first time. What keeps it from that, if anything does: its modules are evaluated now, too.
  kj::Promise<kj::Maybe<cli::Failure>> load();
  // Never resolves; dropping it ends it.
  kj::Promise<void> reloadOnChanges();

  // Who answers a request that comes now: whatever worker there is.
  Backend backend();

 private:
  // One load of the project, kept for as long as a call on it is under way.
  struct Generation final: public kj::Refcounted {
    Generation(project::HostedWorker hosted, rpc::Target::Client entrypoint): hosted(kj::mv(hosted)), entrypoint(kj::mv(entrypoint)) {}
    ~Generation() noexcept(false) override = default;
    project::HostedWorker hosted;
    rpc::Target::Client entrypoint;
  };

  UvEventPort& port_;
  project::ProjectHost& host_;
  project::StackMapper& mapper_;
  Hooks hooks_;
  project::FolderWatch watch_;
  kj::Maybe<kj::Own<Generation>> current_;

  using Loaded = kj::OneOf<kj::Own<Generation>, cli::Failure>;
  kj::Promise<Loaded> tryLoad();
};

}  // namespace glovebox::http
