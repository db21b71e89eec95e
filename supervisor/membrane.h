#pragma once
// What stands in the supervisor for something on the other side: a client's Target for a worker's, a client's ByteSource
// for a worker's, a worker's Console for a client's. They forward without looking inside, count, and keep the worker alive
// for as long as the client holds them.

#include "ipc/call.capnp.h"
#include "ipc/control.capnp.h"
#include "supervisor/loaded-worker.h"

namespace glovebox {

class WorkerMembrane final: public rpc::Worker::Server {
 public:
  explicit WorkerMembrane(kj::Own<LoadedWorker> worker): worker_(kj::mv(worker)) {}
  kj::Promise<void> getEntrypoint(GetEntrypointContext context) override;

 private:
  kj::Own<LoadedWorker> worker_;
};

class TargetMembrane final: public rpc::Target::Server {
 public:
  TargetMembrane(kj::Own<LoadedWorker> worker, rpc::Target::Client target): worker_(kj::mv(worker)), target_(kj::mv(target)) {}
  kj::Promise<void> call(CallContext context) override;

 private:
  kj::Own<LoadedWorker> worker_;
  rpc::Target::Client target_;
};

class ByteSourceMembrane final: public rpc::ByteSource::Server {
 public:
  ByteSourceMembrane(kj::Own<LoadedWorker> worker, rpc::ByteSource::Client source): worker_(kj::mv(worker)), source_(kj::mv(source)) {}
  kj::Promise<void> read(ReadContext context) override;

 private:
  kj::Own<LoadedWorker> worker_;
  rpc::ByteSource::Client source_;
};

// A worker's logs, up to LOG_BYTES_MAX; what is beyond is dropped, and said once.
class ConsoleMembrane final: public rpc::Console::Server {
 public:
  explicit ConsoleMembrane(rpc::Console::Client console): console_(kj::mv(console)) {}
  kj::Promise<void> write(WriteContext context) override;

 private:
  rpc::Console::Client console_;
  size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace glovebox
