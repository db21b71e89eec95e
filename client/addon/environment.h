#pragma once
// What belongs to one Node environment (the main thread, or one worker thread): KJ's loop on Node's loop, and the lines.
// Made when the addon is loaded, owned by Node as its instance data; the loop is joined with the first line. All of KJ is
// gone, and libuv has closed our handles, before Node goes on to end the environment.

#include <kj/async.h>
#include <kj/memory.h>
#include <uv.h>

#include <vector>

#include "client/addon/line.h"
#include "client/addon/napi.h"
#include "ipc/uv-event-port.h"
#include "supervisor/supervisor.h"

namespace glovebox::client {

class Environment final: private kj::TaskSet::ErrorHandler {
 public:
  explicit Environment(napi_env env): env_(env) {}
  KJ_DISALLOW_COPY(Environment);

  static Environment& of(napi_env env);

  napi_env env() const { return env_; }

  // Joins Node's loop if that has not happened yet. Throws if the environment is ending.
  UvEventPort& port();

  // Keeps the line until it has ended.
  void keep(kj::Own<Line> line);
  // `line` has ended and may be let go of, a little later.
  void noteEnded();

  // Experiment: started with the first use.
  rpc::Supervisor::Client supervisor(kj::FunctionParam<kj::Promise<kj::Own<Supervisor>>()> start);

  // The class of the objects that connect() returns.
  napi_ref lineClass = nullptr;

 private:
  const napi_env env_;
  bool ending_ = false;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  uv_idle_t lastToClose_;   // never runs; its close callback tells that libuv has closed our handles
  kj::Maybe<kj::Own<UvEventPort>> port_;
  kj::Maybe<kj::Own<kj::TaskSet>> tasks_;
  kj::Maybe<kj::ForkedPromise<void>> supervisorStarted_;
  kj::Own<Supervisor> supervisor_;
  std::vector<kj::Own<Line>> lines_;

  void end();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::client
