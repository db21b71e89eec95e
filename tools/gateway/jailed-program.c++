#include "tools/gateway/jailed-program.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "policy/limits.h"

namespace glovebox::gateway {

int socketOption(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

void JailedProgram::fail(int code, const std::string& words) const {
  dprintf(complaints_, "%s: %s\n", name_, words.c_str());
  _exit(code);
}

policy::LayerSet JailedProgram::parseLayers(const std::vector<std::string>& names) const {
  policy::LayerSet layers;
  for (auto& name : names) {
    auto layer = policy::tryParseLayer(name);
    if (!layer) fail(EXIT_USAGE, "--allow-missing: there is no layer called '" + name + "'");
    layers.add(*layer);
  }
  return layers;
}

void JailedProgram::expectLine() const {
  if (socketOption(policy::GATEWAY_LINE, SO_DOMAIN) != AF_UNIX || socketOption(policy::GATEWAY_LINE, SO_TYPE) != SOCK_STREAM) {
    fail(EXIT_USAGE, "descriptor 3 is not a Unix stream socket: whoever starts this program gives it the line to itself there");
  }
}

void JailedProgram::keepOnlyWhatIsNeeded(unsigned firstUnneeded) {
  if (close_range(firstUnneeded, ~0u, 0) != 0) fail(EXIT_LOCKDOWN, "cannot close inherited descriptors");
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) fail(EXIT_LOCKDOWN, "cannot open /dev/null");
  complaints_ = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (dup2(null, fd) < 0) fail(EXIT_LOCKDOWN, "cannot replace a standard descriptor");
  }
  close(null);
  setsid();
}

void JailedProgram::must(policy::StepResult result) const {
  if (result.ok()) return;
  auto& layer = policy::info(policy::layerOf(result.step));
  fail(EXIT_LOCKDOWN, std::string("could not ") + policy::describeStep(result.step) + ": " + strerror(result.error) + ". The layer '" +
                      std::string(layer.name) + "' is missing. To fix it: " + std::string(layer.fix) +
                      ". To go on without it: --allow-missing=" + std::string(layer.name));
}

void JailedProgram::fallSilent() {
  close(complaints_);
  complaints_ = -1;
}

}  // namespace glovebox::gateway
