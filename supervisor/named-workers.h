#pragma once
// The named workers of one loader: of a client's, or of one that a worker was handed. Names of one are unknown to every other.
// Owned by the loader.

#include <map>
#include <string>

#include "supervisor/named-worker.h"

namespace glovebox {

class NamedWorkers final: public kj::Refcounted {
 public:
  // `holder`: the worker that was handed the loader; null: a client's.
  NamedWorkers(kj::Own<Core> core, kj::Own<WorkerMaker> maker, kj::Maybe<kj::Own<Holder>> holder);
  ~NamedWorkers() noexcept(false);
  KJ_DISALLOW_COPY(NamedWorkers);

  // Each throws kj::Exception if the name is longer than names may be.
  rpc::Worker::Client get(kj::StringPtr name, rpc::WorkerFactory::Client factory, kj::Maybe<rpc::Console::Client> console);
  // For those who are not trusted.
  bool hasRoomFor(kj::StringPtr name) const;
  bool remove(kj::StringPtr name);
  bool abort(kj::StringPtr name);
  // As many as go into so many bytes.
  void list(rpc::Loader::ListResults::Builder to, size_t bytesMax);

  // One of these that nobody needs now, the one least recently used, goes. False: there is none.
  bool evictOne(const Outcome& why);
  // Those who would make them are gone. What others hold of them goes on for as long as it lives.
  void close();

  void planTidying();

 private:
  struct Row {
    kj::Own<NamedWorker> worker;
    kj::Own<Hold> hold;
    kj::Own<void> counted;
  };

  kj::Own<Core> core_;
  kj::Own<WorkerMaker> maker_;
  kj::Maybe<kj::Own<Holder>> holder_;
  std::map<std::string, Row, std::less<>> rows_;
  bool tidyingPlanned_ = false;
  kj::Promise<void> tidying_ = nullptr;

  kj::Own<void> countRow();
  void tidy();
};

}  // namespace glovebox
