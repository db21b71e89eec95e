#include "client/addon/environment.h"

#include <kj/debug.h>

#include <algorithm>

namespace glovebox::client {

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

rpc::Supervisor::Client Environment::supervisor(kj::FunctionParam<kj::Promise<kj::Own<Supervisor>>()> start) {
  if (supervisorStarted_ == nullptr) {
    supervisorStarted_ = start().then([this](kj::Own<Supervisor> started) { supervisor_ = kj::mv(started); }).fork();
  }
  return KJ_ASSERT_NONNULL(supervisorStarted_).addBranch().then([this]() { return supervisor_->client(); });
}

void Environment::end() {
  ending_ = true;
  for (auto& line: lines_) line->abandon();
  lines_.clear();
  tasks_ = nullptr;
  supervisorStarted_ = nullptr;
  supervisor_ = nullptr;
  port_ = nullptr;
  // All of a loop's closing handles are closed in one go.
  uv_close(reinterpret_cast<uv_handle_t*>(&lastToClose_), [](uv_handle_t* handle) {
    auto self = static_cast<Environment*>(handle->data);
    napi_remove_async_cleanup_hook(self->cleanup_);
  });
}

void Environment::taskFailed(kj::Exception&& exception) { KJ_LOG(ERROR, "a task of the addon failed", exception); }

}  // namespace glovebox::client
