#pragma once
// Unix stream sockets with a name in the file system: the supervisor's front door. Who may connect is decided by the
// file's mode (0600) and the folder it is in.

#include <kj/async.h>
#include <kj/io.h>
#include <kj/string.h>

#include "ipc/connection.h"
#include "ipc/uv-event-port.h"

namespace glovebox {

class UnixListener {
 public:
  // Throws with what to do if the path is too long, somebody listens there already, or something that is not a socket
  // is in the way. A socket that a dead process left behind is replaced.
  UnixListener(UvEventPort& port, kj::StringPtr path);
  // Removes the socket from the file system.
  ~UnixListener() noexcept(false);
  KJ_DISALLOW_COPY(UnixListener);

  // The next connection, non-blocking and close-on-exec. Rejects when the process is out of descriptors; the connection
  // then still waits, so try again a little later.
  kj::Promise<kj::AutoCloseFd> accept();

 private:
  kj::String path_;
  kj::AutoCloseFd fd_;
  kj::Own<UvFdObserver> observer_;
};

// Non-blocking and close-on-exec. Throws with what to do if nobody listens there.
kj::AutoCloseFd connectUnix(kj::StringPtr path);

// A client's line to the supervisor that listens there; `port` outlives it.
kj::Own<RpcConnection> connectToSupervisor(UvEventPort& port, kj::StringPtr path);

}  // namespace glovebox
