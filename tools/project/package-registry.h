#pragma once
// The package registry, as the worker that bundles may use it (client/src/registry.ts is the Node package's): documents and tarballs of packages, by
// name and version, and nothing else. Bytes are fetched, hashed and kept here, and parsed there. Fetching is done by whoever answers `fetch`, an egress
// process; this process speaks to no server.

#include <kj/async-io.h>
#include <kj/function.h>
#include <kj/refcount.h>
#include <kj/timer.h>

#include <map>
#include <string>
#include <vector>

#include "ipc/call.capnp.h"
#include "ipc/return-reader.h"
#include "tools/gateway/answer-body.h"
#include "tools/project/package-cache.h"

namespace glovebox::project {

// An address with a slash at its end, or throws cli::Failure that names `what` was given.
std::string checkRegistryUrl(const std::string& text, const std::string& what);

// For all projects of a command. Workers may hold what stands for it for longer than the command wants it: then it refuses.
class PackageRegistry final: public kj::Refcounted {
 public:
  // Who fetches; asked when something is not in the cache.
  using Fetcher = kj::Function<rpc::Target::Client()>;

  // `offline`: nobody is asked.
  PackageRegistry(PackageCache cache, kj::Timer& timer, std::string url, bool offline, Fetcher fetcher);
  KJ_DISALLOW_COPY(PackageRegistry);

  // What one project's bundling may call: hostile code may call it with anything, any number of times.
  rpc::Target::Client forWorker();

  // Nobody is asked any more, and `fetcher` is let go.
  void close() { fetcher_ = nullptr; }

 private:
  class ForWorker;
  struct Fetched {
    unsigned status = 0;
    std::string etag, location, encoding;
    std::string body;
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  PackageCache cache_;
  kj::Timer& timer_;
  const std::string url_;
  const bool offline_;
  kj::Maybe<Fetcher> fetcher_;
  gateway::ChunkBudget largeChunks_;
  int64_t downSinceMs_ = 0;   // when it last could not be reached

  kj::Promise<PackageDocument> document(std::string name);
  kj::Promise<std::string> tarball(std::string name, std::string version, Integrity integrity, std::string said);
  kj::Promise<Fetched> get(std::string url, Headers headers);
  kj::Promise<Fetched> readAnswer(std::string url, CallOutcome outcome);
};

}  // namespace glovebox::project
