#pragma once
// A supervisor to talk to: in this process, or a daemon's behind a socket. The same capabilities either way.
//
// Owns the event loop of the command. Its user drops all capabilities before close().

#include <kj/async.h>

#include <exception>
#include <string>

#include "ipc/connection.h"
#include "ipc/control.capnp.h"
#include "ipc/uv-event-port.h"
#include "supervisor/metrics.h"
#include "supervisor/supervisor.h"

namespace glovebox::cli {

class Session {
 public:
  // Throw Failure: EXIT_CODE_MISSING_LAYER if this machine cannot build the jail, EXIT_CODE_UNAVAILABLE otherwise.
  explicit Session(SupervisorOptions options);
  explicit Session(const std::string& socket);
  ~Session() noexcept(false) = default;
  KJ_DISALLOW_COPY(Session);

  rpc::Supervisor::Client supervisor();
  kj::WaitScope& waitScope() { return port_.waitScope(); }
  UvEventPort& port() { return port_; }

  // Of an embedded supervisor.
  Metrics metrics();
  Journal& openJournal();

  // A supervisor of their own for workers that bundle, in this process wherever the other is: its policy has to allow them more memory.
  rpc::Supervisor::Client startBundlers(const WorkerLimits& limits);
  // When nobody holds anything of it.
  void endBundlers();

  // An embedded supervisor's workers are gone when it returns.
  void close();

 private:
  UvLoop loop_;
  UvEventPort port_;
  kj::Own<Supervisor> embedded_;
  kj::Own<Supervisor> bundlers_;
  policy::LayerSet allowMissing_;
  kj::Own<RpcConnection> connection_;
};

// Runs `body` and closes the session, however that ends. Not by a destructor: while an exception is on its way, what KJ throws is
// written to standard error instead, and lines that break are normal at the end.
template <typename Body>
int runAndClose(Session& session, Body&& body) {
  int code = 0;
  std::exception_ptr failure;
  try {
    code = body();
  } catch (...) {
    failure = std::current_exception();
  }
  session.close();
  if (failure != nullptr) std::rethrow_exception(failure);
  return code;
}

}  // namespace glovebox::cli
