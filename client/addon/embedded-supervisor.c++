#include "client/addon/embedded-supervisor.h"

#include <kj/debug.h>

namespace glovebox::client {

EmbeddedSupervisor::EmbeddedSupervisor(UvEventPort& port, kj::StringPtr folder, SupervisorOptions options)
    : folder_(kj::str(folder)),
      options_(options),
      started_(Supervisor::start(port, findInstallation(folder), options)
                   .then([this](kj::Own<Supervisor> supervisor) { supervisor_ = kj::mv(supervisor); },
                         [](kj::Exception&& exception) -> void {
                           // To a caller a lost line to a zygote would look like one of its own.
                           kj::throwFatalException(KJ_EXCEPTION(FAILED, exception.getDescription()));
                         })
                   .fork()) {}

bool EmbeddedSupervisor::isFor(kj::StringPtr folder, const SupervisorOptions& options) const {
  return state_ == State::IN_USE && folder == folder_ && options == options_;
}

rpc::Supervisor::Client EmbeddedSupervisor::join() {
  users_++;
  return started_.addBranch().then([this]() { return supervisor_->client(); });
}

kj::Promise<void> EmbeddedSupervisor::leave() {
  KJ_ASSERT(users_ > 0);
  if (--users_ > 0 || state_ != State::IN_USE) return kj::READY_NOW;
  return shutdown();
}

kj::Promise<void> EmbeddedSupervisor::shutdown() {
  if (state_ == State::ENDED) return kj::READY_NOW;
  state_ = State::ENDING;
  // One that is still starting has children already.
  return started_.addBranch()
      .then([this]() { return supervisor_->shutdown(); }, [](kj::Exception&&) -> kj::Promise<void> { return kj::READY_NOW; })
      .then([this]() {
        supervisor_ = nullptr;
        state_ = State::ENDED;
      })
      .attach(kj::addRef(*this));
}

}  // namespace glovebox::client
