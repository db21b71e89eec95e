#pragma once
// A `glovebox serve` as a process of its own, on a socket in a temporary folder: for the bench, which measures through
// it, and for tests that must be able to kill it.

#include <sys/types.h>

#include <string>
#include <vector>

namespace glovebox {

class DaemonProcess {
 public:
  // Starts the executable and waits until it says that it is ready. Throws if it dies before.
  DaemonProcess(const std::string& glovebox, const std::vector<std::string>& options);
  // Ends it with SIGTERM, and waits.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& socketPath() const { return socket_; }

  // Sends the signal and waits for the end; what waitpid() said of it, 0 if it had ended before.
  int end(int signal);

 private:
  std::string folder_;
  std::string socket_;
  pid_t pid_ = -1;
};

}  // namespace glovebox
