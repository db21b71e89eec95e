// glovebox dev: a project on HTTP, loaded anew when its files change.

#include <kj/debug.h>

#include "ipc/ending.h"
#include "tools/cli/admin-service.h"
#include "tools/cli/commands.h"
#include "tools/cli/egress-service.h"
#include "tools/cli/failure.h"
#include "tools/cli/http-service.h"
#include "tools/cli/modules.h"
#include "tools/cli/stop-signals.h"
#include "tools/cli/terminal.h"
#include "tools/http/dev-server.h"
#include "tools/http/log.h"
#include "tools/project/mapped-lines.h"
#include "tools/project/project-host.h"

namespace glovebox::cli {

int dev(const DevOptions& options) {
  auto projects = readProjects(options.project, options.with);
  for (auto& project: projects) writeWarnings(project.warnings);
  auto installation = findInstallation();
  HttpListener listener(options.address);
  auto adminListener = listenAdmin(options.admin);
  http::RequestCounts counts;
  http::Log log(logForm(options.log, http::Log::Form::TEXT), options.quiet);
  project::MappedLines lines;

  Session session(granting(options.supervisor, projects));
  if (adminListener != nullptr) session.openJournal();
  return runAndClose(session, [&]() -> int {
    RegistryService registry(session, installation, options.supervisor, options.registry);
    project::PackageBundler bundler([&session]() { return session.startBundlers(project::BUNDLER_LIMITS); }, installation.bundler.cStr(), installation.esbuild.cStr());
    bundler.installFrom([&registry]() { return registry.forWorker(); });
    project::StackMapper mapper(session.supervisor(), [&installation]() { return readFile(installation.typescript.cStr()); });
    lines.mapWith(mapper);
    KJ_DEFER(lines.mapNoMore());
    project::ProjectHost host(session.supervisor(), readFile(installation.typescript.cStr()), [&](const std::string& name, ModuleOrigins origins) {
      return http::consoleOf(log, lines, name, std::move(origins));
    });
    EgressService egress(session, installation, options.supervisor);
    host.sendRequestsTo([&egress](const project::ProjectConfig& config) { return egress.outboundOf(config); });
    host.bundleWith(bundler);
    http::DevServer server(session.port(), host, mapper, {[&]() { return readProjects(options.project, options.with); },
                                                          [&](const char* level, std::string words) { log.say(level, std::move(words)); }});
    KJ_IF_MAYBE(failure, server.load().wait(session.waitScope())) throw *failure;

    auto front = http::newFront(session.port().getTimer(), {counts, [&server]() { return server.backend(); },
                                                            [&log, &lines, name = projects[0].name](http::Answered answered) { log.write(lines, name, kj::mv(answered)); }});
    StopSignals signals(session.port().uvLoop());
    AdminService admin(session, installation, options.supervisor);
    admin.requests = counts;
    admin.project = projects[0].name;
    admin.host = [&server]() { return server.backend().entrypoint; };
    admin.start(adminListener);
    auto gateway = startGateway(session, installation, options.supervisor, listener,
                                [&front](kj::StringPtr, uint8_t) -> kj::Maybe<rpc::Target::Client> { return front; });
    writeOutput("Ready on " + listener.shown() + " (" + projects[0].name + ")\n");

    auto reloading = server.reloadOnChanges().then([]() -> int { KJ_FAIL_ASSERT("reloading ended by itself"); });
    waitForEnd(session, *gateway, signals.take().exclusiveJoin(kj::mv(reloading)), [&admin]() { admin.draining = true; });
    return EXIT_CODE_OK;
  });
}

}  // namespace glovebox::cli
