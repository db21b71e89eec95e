#include "client/addon/environment.h"

#include <kj/debug.h>

#include <algorithm>

namespace glovebox::client {
namespace {

// Processes that were killed are gone in milliseconds.
constexpr kj::Duration SHUTDOWN_PATIENCE = 5 * kj::SECONDS;

}  // namespace

Environment& Environment::of(napi_env env) {
  void* data = nullptr;
  check(env, napi_get_instance_data(env, &data));
  return *static_cast<Environment*>(data);
}

UvEventPort& Environment::port() {
  KJ_IF_MAYBE(port, port_) return **port;
  if (ending_) throw JsError{JsError::Type::ERROR, kj::str("This thread is ending.")};
  uv_loop_t* loop = nullptr;
  check(env_, napi_get_uv_event_loop(env_, &loop));
  check(env_, napi_add_async_cleanup_hook(env_, [](napi_async_cleanup_hook_handle, void* self) {
    static_cast<Environment*>(self)->end();
  }, this, &cleanup_));
  uv_idle_init(loop, &lastToClose_);
  lastToClose_.data = this;
  auto& port = *port_.emplace(kj::heap<UvEventPort>(loop, UvEventPort::Role::GUEST));
  tasks_ = kj::heap<kj::TaskSet>(static_cast<ErrorHandler&>(*this));
  return port;
}

void Environment::keep(kj::Own<Line> line) { lines_.push_back(kj::mv(line)); }

void Environment::noteEnded() {
  KJ_IF_MAYBE(tasks, tasks_) {
    (*tasks)->add(kj::evalLast([this]() {
      auto ended = std::partition(lines_.begin(), lines_.end(), [](auto& line) { return !line->hasEnded(); });
      lines_.erase(ended, lines_.end());
    }));
  }
}

kj::Own<EmbeddedSupervisor> Environment::embeddedSupervisor(kj::StringPtr folder, const SupervisorOptions& options) {
  auto& port = this->port();
  supervisors_.erase(std::remove_if(supervisors_.begin(), supervisors_.end(), [](auto& s) { return s->hasEnded(); }), supervisors_.end());
  for (auto& supervisor: supervisors_) {
    if (supervisor->isFor(folder, options)) return kj::addRef(*supervisor);
  }
  auto& started = supervisors_.emplace_back(kj::refcounted<EmbeddedSupervisor>(port, folder, options));
  return kj::addRef(*started);
}

void Environment::end() {
  ending_ = true;
  for (auto& line: lines_) line->abandon();
  lines_.clear();
  tasks_ = nullptr;
  if (supervisors_.empty()) return finish();

  // A thread's workers must not outlive it, nor stay as zombies of a program that goes on.
  auto& port = *KJ_ASSERT_NONNULL(port_);
  port.hold();
  auto ends = kj::heapArrayBuilder<kj::Promise<void>>(supervisors_.size());
  for (auto& supervisor: supervisors_) ends.add(supervisor->shutdown());
  shutdown_ = kj::joinPromises(ends.finish())
                  .exclusiveJoin(port.getTimer().afterDelay(SHUTDOWN_PATIENCE))
                  .catch_([](kj::Exception&& exception) { KJ_LOG(ERROR, "a supervisor did not end well", exception); })
                  .then([this]() {
                    uv_idle_start(&lastToClose_, [](uv_idle_t* handle) { static_cast<Environment*>(handle->data)->finish(); });
                  })
                  .eagerlyEvaluate(nullptr);
}

void Environment::finish() {
  shutdown_ = nullptr;
  supervisors_.clear();
  port_ = nullptr;
  // All of a loop's closing handles are closed in one go.
  uv_close(reinterpret_cast<uv_handle_t*>(&lastToClose_), [](uv_handle_t* handle) {
    auto self = static_cast<Environment*>(handle->data);
    napi_remove_async_cleanup_hook(self->cleanup_);
  });
}

void Environment::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "a task of the addon failed", exception); }

}  // namespace glovebox::client
