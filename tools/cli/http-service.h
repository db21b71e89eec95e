#pragma once
// What `glovebox dev` and `glovebox serve` share when they serve HTTP: the socket, the gateway in front, its end in good order.

#include <string>
#include <vector>

#include "supervisor/supervisor.h"
#include "tools/cli/session.h"
#include "tools/gateway/gateway-process.h"
#include "tools/http/log.h"
#include "tools/project/project-config.h"

namespace glovebox::cli {

// What wrangler listens on.
constexpr const char* DEFAULT_ADDRESS = "127.0.0.1:8787";

// A socket that listens. The name of a Unix socket that nobody listens on any more is taken over, and ours is removed at the end.
class HttpListener {
 public:
  // HOST:PORT or unix:PATH; empty: DEFAULT_ADDRESS. Throws Failure.
  explicit HttpListener(const std::string& address);
  ~HttpListener() noexcept(false);
  KJ_DISALLOW_COPY(HttpListener);

  kj::AutoCloseFd take() { return kj::mv(fd_); }
  // With the port that it got: "http://127.0.0.1:8787", "unix:/path".
  const std::string& shown() const { return shown_; }

 private:
  kj::AutoCloseFd fd_;
  std::string shown_;
  std::string path_;   // of a Unix socket
};

// What a jailed program of ours is told of the layers that may miss.
std::vector<kj::String> layerFlags(const SupervisorOptions& options);

// Waits until it accepts. Throws Failure. All arguments but `listener` outlive it.
kj::Own<gateway::GatewayProcess> startGateway(Session& session, const Installation& installation, const SupervisorOptions& options,
                                              HttpListener& listener, gateway::GatewayProcess::Route route);

// Until `stop`; then what is under way gets its answer. Throws Failure if the gateway ends by itself.
void waitForEnd(Session& session, gateway::GatewayProcess& gateway, kj::Promise<int> stop, kj::Function<void()> drains);

// A supervisor of our own grants what the projects ask for.
SupervisorOptions granting(SupervisorOptions supervisor, const std::vector<project::ProjectConfig>& projects);

// "text" or "json", or the other if nothing was said.
http::Log::Form logForm(const std::string& name, http::Log::Form otherwise);

// `path`, and those beside it.
std::vector<project::ProjectConfig> readProjects(const std::string& path, const std::vector<std::string>& with);

}  // namespace glovebox::cli
