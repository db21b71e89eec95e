#pragma once
// A supervisor on Node's own loop, in this process: what `connect({ inProcess: true })` uses. The lines of one environment
// that ask for the same share it. It starts with the first of them and ends with the last: then every worker is killed and
// reaped, so that nothing of it is left in a program that goes on.
//
// Its limits are watched by the loop it is on. While the program's JavaScript keeps that busy, nobody watches.

#include <kj/async.h>
#include <kj/refcount.h>

#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "supervisor/supervisor.h"

namespace glovebox::client {

class EmbeddedSupervisor final: public kj::Refcounted {
 public:
  // Throws if the parts of Glovebox are not in `folder`.
  EmbeddedSupervisor(UvEventPort& port, kj::StringPtr folder, SupervisorOptions options);
  KJ_DISALLOW_COPY(EmbeddedSupervisor);

  // Whether one who asks for this may share it.
  bool isFor(kj::StringPtr folder, const SupervisorOptions& options) const;

  // One user more. Calls wait until the supervisor stands; if it cannot start, they fail with its words.
  rpc::Supervisor::Client join();

  // One user less, who has let go of all capabilities. If it was the last: resolves when no child is left.
  kj::Promise<void> leave();

  // Whoever still uses it. Resolves when no child is left.
  kj::Promise<void> shutdown();

  bool hasEnded() const { return state_ == State::ENDED; }

 private:
  enum class State { IN_USE, ENDING, ENDED };

  const kj::String folder_;
  const SupervisorOptions options_;
  State state_ = State::IN_USE;
  uint32_t users_ = 0;
  kj::Own<Supervisor> supervisor_;   // null until it stands
  kj::ForkedPromise<void> started_;
};

}  // namespace glovebox::client
