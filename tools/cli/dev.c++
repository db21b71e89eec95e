// glovebox dev: a project on HTTP, loaded anew when its files change.

#include <kj/debug.h>

#include <cstdio>

#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/modules.h"
#include "tools/cli/named-console.h"
#include "tools/cli/session.h"
#include "tools/cli/stop-signals.h"
#include "tools/cli/terminal.h"
#include "tools/gateway/gateway-process.h"
#include "tools/http/dev-server.h"
#include "tools/project/project-config.h"
#include "tools/project/project-host.h"

namespace glovebox::cli {
namespace {

// What wrangler listens on.
constexpr const char* DEFAULT_ADDRESS = "127.0.0.1:8787";

kj::AutoCloseFd listenOn(const std::string& address) {
  kj::AutoCloseFd listener;
  KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { listener = gateway::listenOn(address.c_str()); })) {
    throw Failure(EXIT_CODE_UNAVAILABLE, exception->getDescription().cStr());
  }
  return listener;
}

std::vector<kj::String> gatewayFlags(const SupervisorOptions& options) {
  std::vector<kj::String> flags;
  for (auto& layer: policy::LAYERS) {
    if (options.allowMissing.has(layer.layer)) flags.push_back(kj::str("--allow-missing=", kj::StringPtr(layer.name.data(), layer.name.size())));
  }
  return flags;
}

void logLine(std::string line) {
  line = forStandardError(line) + "\n";
  fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

int dev(const DevOptions& options) {
  auto readProjects = [&options]() {
    std::vector<project::ProjectConfig> projects{project::readProjectConfig(options.project)};
    for (auto& path: options.with) projects.push_back(project::readProjectConfig(path));
    return projects;
  };
  auto projects = readProjects();
  for (auto& project: projects) writeWarnings(project.warnings);
  auto installation = findInstallation();
  auto listener = listenOn(options.address.empty() ? DEFAULT_ADDRESS : options.address);
  auto address = gateway::addressOf(listener);

  auto supervisor = options.supervisor;
  for (auto& project: projects) {
    for (auto& limit: WORKER_LIMITS) supervisor.limits.*limit.field = std::max(supervisor.limits.*limit.field, project.limits.*limit.field);
  }
  Session session(supervisor);
  return runAndClose(session, [&]() -> int {
    project::ProjectHost host(session.supervisor(), readFile(installation.typescript.cStr()),
                              [](const std::string& name) { return rpc::Console::Client(kj::heap<NamedConsole>(name)); });
    http::DevServer server(session.port(), host, {[&]() { return readProjects(); }, [&](std::string line) {
      if (!options.quiet) logLine(std::move(line));
    }});
    KJ_IF_MAYBE(failure, server.load().wait(session.waitScope())) throw *failure;

    StopSignals signals(session.port().uvLoop());
    kj::Vector<kj::AutoCloseFd> listeners;
    listeners.add(kj::mv(listener));
    auto flags = gatewayFlags(options.supervisor);
    gateway::GatewayProcess gateway(session.port(), installation.gateway, kj::arrayPtr(flags.data(), flags.size()), kj::mv(listeners),
                                    [&server](kj::StringPtr, uint8_t) -> kj::Maybe<rpc::Target::Client> { return server.target(); });
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() { gateway.whenStarted().wait(session.waitScope()); })) {
      throw Failure(EXIT_CODE_UNAVAILABLE, std::string("the gateway did not start: ") + exception->getDescription().cStr());
    }
    auto shown = address.startsWith("unix:") ? std::string(address.cStr()) : std::string("http://") + address.cStr();
    writeOutput("Ready on " + shown + " (" + projects[0].name + ")\n");

    auto reloading = server.reloadOnChanges().then([]() -> int { KJ_FAIL_ASSERT("reloading ended by itself"); });
    auto died = gateway.whenEnded().then([](int status) -> int {
      throw Failure(EXIT_CODE_UNAVAILABLE, "the gateway ended by itself (" + std::to_string(status) + ")");
    });
    KJ_IF_MAYBE(exception, kj::runCatchingExceptions([&]() {
      signals.take().exclusiveJoin(kj::mv(reloading)).exclusiveJoin(kj::mv(died)).wait(session.waitScope());
    })) {
      throw Failure(EXIT_CODE_UNAVAILABLE, exception->getDescription().cStr());
    }
    gateway.drain();
    gateway.whenEnded().wait(session.waitScope());
    return EXIT_CODE_OK;
  });
}

}  // namespace glovebox::cli
