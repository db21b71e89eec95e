#include "tools/cli/http-service.h"

#include <unistd.h>

#include <algorithm>

#include <kj/debug.h>

#include "ipc/listener.h"
#include "tools/cli/failure.h"

namespace glovebox::cli {
namespace {

constexpr std::string_view UNIX = "unix:";

// A process that was killed leaves its name behind, and its gateway listens until it has heard of that, a moment later.
void removeStale(const std::string& path) {
  constexpr int LOOKS = 50;
  constexpr useconds_t BETWEEN_US = 20'000;
  for (int look = 0; look < LOOKS && access(path.c_str(), F_OK) == 0; look++) {
    auto refused = kj::runCatchingExceptions([&]() { connectUnix(path.c_str()); });
    KJ_IF_MAYBE(exception, refused) {
      if (exception->getType() == kj::Exception::Type::DISCONNECTED) unlink(path.c_str());
      return;
    }
    usleep(BETWEEN_US);
  }
}

}  // namespace

std::vector<kj::String> layerFlags(const SupervisorOptions& options) {
  std::vector<kj::String> flags;
  for (auto& layer: policy::LAYERS) {
    if (options.allowMissing.has(layer.layer)) flags.push_back(kj::str("--allow-missing=", kj::StringPtr(layer.name.data(), layer.name.size())));
  }
  return flags;
}

HttpListener::HttpListener(const std::string& given) {
  auto address = given.empty() ? std::string(DEFAULT_ADDRESS) : given;
  if (address.starts_with(UNIX)) removeStale(address.substr(UNIX.size()));
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { fd_ = gateway::listenOn(address.c_str()); })) {
    throw Failure(EXIT_CODE_UNAVAILABLE, exception->getDescription().cStr());
  }
  shown_ = gateway::addressOf(fd_).cStr();
  if (shown_.starts_with(UNIX)) path_ = shown_.substr(UNIX.size());
  else shown_ = "http://" + shown_;
}

HttpListener::~HttpListener() noexcept(false) {
  if (!path_.empty()) unlink(path_.c_str());
}

kj::Own<gateway::GatewayProcess> startGateway(Session& session, const Installation& installation, const SupervisorOptions& options,
                                              HttpListener& listener, gateway::GatewayProcess::Route route) {
  kj::Vector<kj::AutoCloseFd> listeners;
  listeners.add(listener.take());
  auto flags = layerFlags(options);
  kj::Own<gateway::GatewayProcess> gateway;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
    gateway = kj::heap<gateway::GatewayProcess>(session.port(), installation.gateway, kj::arrayPtr(flags.data(), flags.size()), kj::mv(listeners), kj::mv(route));
    gateway->whenStarted().wait(session.waitScope());
  })) {
    throw Failure(EXIT_CODE_UNAVAILABLE, std::string("the gateway did not start: ") + exception->getDescription().cStr());
  }
  return gateway;
}

void waitForEnd(Session& session, gateway::GatewayProcess& gateway, kj::Promise<int> stop, kj::Function<void()> drains) {
  auto died = gateway.whenEnded().then([&gateway](int status) -> int {
    KJ_IF_MAYBE(violation, gateway.violation()) KJ_FAIL_REQUIRE("the gateway was killed", *violation);
    KJ_FAIL_REQUIRE("the gateway ended by itself", status);
  });
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { stop.exclusiveJoin(kj::mv(died)).wait(session.waitScope()); })) {
    throw Failure(EXIT_CODE_UNAVAILABLE, exception->getDescription().cStr());
  }
  drains();
  gateway.drain();
  gateway.whenEnded().wait(session.waitScope());
}

SupervisorOptions granting(SupervisorOptions supervisor, const std::vector<project::ProjectConfig>& projects) {
  for (auto& project: projects) {
    for (auto& limit: WORKER_LIMITS) {
      auto& granted = supervisor.limits.*limit.field;
      if (granted != 0) granted = std::max(granted, project.limits.*limit.field);   // 0: nothing bounds it
    }
  }
  return supervisor;
}

http::Log::Form logForm(const std::string& name, http::Log::Form otherwise) {
  if (name.empty()) return otherwise;
  return name == "json" ? http::Log::Form::JSON : http::Log::Form::TEXT;
}

std::vector<project::ProjectConfig> readProjects(const std::string& path, const std::vector<std::string>& with) {
  std::vector<project::ProjectConfig> projects{project::readProjectConfig(path)};
  for (auto& other: with) projects.push_back(project::readProjectConfig(other));
  return projects;
}

}  // namespace glovebox::cli
