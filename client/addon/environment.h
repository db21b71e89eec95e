#pragma once
// What belongs to one Node environment (the main thread, or one worker thread): KJ's loop on Node's loop, and the lines.
// Made when the addon is loaded, owned by Node as its instance data; the loop is joined with the first line. All workers of
// supervisors in this process are dead and reaped, all of KJ is gone, and libuv has closed our handles, before Node goes on to
// end the environment.

#include <kj/async.h>
#include <kj/memory.h>
#include <uv.h>

#include <vector>

#include "client/addon/embedded-supervisor.h"
#include "client/addon/line.h"
#include "client/addon/napi.h"
#include "ipc/uv-event-port.h"

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

  // One with these options, which there is already or is started. Throws if the parts of Glovebox are not in `folder`.
  kj::Own<EmbeddedSupervisor> embeddedSupervisor(kj::StringPtr folder, const SupervisorOptions& options);

  // The class of the objects that connect() returns.
  napi_ref lineClass = nullptr;

 private:
  const napi_env env_;
  bool ending_ = false;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  // Its close callback tells that libuv has closed our handles; before, it runs once, outside of KJ's loop.
  uv_idle_t lastToClose_;
  kj::Maybe<kj::Own<UvEventPort>> port_;
  kj::Maybe<kj::Own<kj::TaskSet>> tasks_;
  std::vector<kj::Own<EmbeddedSupervisor>> supervisors_;
  std::vector<kj::Own<Line>> lines_;
  kj::Promise<void> shutdown_ = nullptr;

  void end();
  void finish();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace glovebox::client
