#pragma once
// Stacks on their way to a person, with the places that somebody wrote instead of those that ran. This process reads no source map: a worker does (worker/typescript/),
// jailed like any, and another one than strips types, because who runs decides what is asked here. It is sent the modules' origins, and of a stack nothing but
// lines and columns; what it answers takes the place of "MODULE:LINE:COLUMN" and of nothing else, if it could be a file's name.
//
// It is asked when a stack is shown. Where it cannot tell, or a limit ends it, the stack is shown as it is; modules whose maps did that are not asked for again.

#include <kj/async.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ipc/control.capnp.h"
#include "tools/cli/modules.h"
#include "tools/project/stack-places.h"

namespace glovebox::project {

// For one user's projects. Outlives what it is asked for.
class StackMapper {
 public:
  // Reads the installation's file (Installation::typescript), when it is needed.
  using ReadBundle = std::function<std::string()>;
  StackMapper(rpc::Supervisor::Client supervisor, ReadBundle readBundle);
  KJ_DISALLOW_COPY(StackMapper);

  // Null: there is nothing in it to be mapped. Never fails. One after the other.
  kj::Maybe<kj::Promise<std::string>> tryMap(std::string text, const cli::ModuleOrigins& origins);

 private:
  using Origin = std::shared_ptr<const cli::ModuleOrigin>;
  struct Job;

  rpc::Supervisor::Client supervisor_;
  ReadBundle readBundle_;
  kj::Maybe<rpc::Worker::Client> worker_;
  std::map<std::weak_ptr<const cli::ModuleOrigin>, uint32_t, std::owner_less<>> given_;    // to that worker, under these numbers
  std::set<std::weak_ptr<const cli::ModuleOrigin>, std::owner_less<>> refused_;
  uint32_t nextId_ = 1;
  size_t waiting_ = 0;
  kj::ForkedPromise<void> last_;

  kj::Promise<void> ask(std::shared_ptr<Job> job);
  rpc::Worker::Client load();
  void forget();
};

}  // namespace glovebox::project
