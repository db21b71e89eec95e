// glovebox serve --config wrangler.jsonc: a project on HTTP as a service. Like `dev`, but of the files as they were when it began, and
// whoever of its workers dies is made again.

#include <kj/debug.h>
#include <unistd.h>

#include "tools/cli/admin-service.h"
#include "tools/cli/commands.h"
#include "tools/cli/egress-service.h"
#include "tools/cli/failure.h"
#include "tools/cli/http-service.h"
#include "tools/cli/modules.h"
#include "tools/cli/stop-signals.h"
#include "tools/cli/terminal.h"
#include "tools/http/handler-probe.h"
#include "tools/http/log.h"
#include "tools/project/mapped-lines.h"
#include "tools/project/project-host.h"

namespace glovebox::cli {
namespace {

// For stacks that are being mapped when all is over.
constexpr kj::Duration STACKS_TIME = 1 * kj::SECONDS;

}  // namespace

int serveProject(const ServeOptions& options) {
  auto projects = readProjects(options.config, options.with);
  for (auto& project: projects) writeWarnings(project.warnings);
  auto name = projects[0].name;
  auto installation = findInstallation();
  HttpListener listener(options.address);
  auto adminListener = listenAdmin(options.admin);
  http::RequestCounts counts;
  http::Log log(logForm(options.log, isatty(STDERR_FILENO) ? http::Log::Form::TEXT : http::Log::Form::JSON), options.quiet);
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
    project::ProjectHost host(session.supervisor(), readFile(installation.typescript.cStr()), [&](const std::string& worker, ModuleOrigins origins) {
      return http::consoleOf(log, lines, worker, std::move(origins));
    });
    EgressService egress(session, installation, options.supervisor);
    host.sendRequestsTo([&egress](const project::ProjectConfig& config) { return egress.outboundOf(config); });
    host.bundleWith(bundler);
    host.onRestart([&log, &counts](const std::string& worker) {
      counts.workerRestarts++;
      log.say("warn", "'" + worker + "' is started again");
    });
    auto loaded = host.load(std::move(projects), project::Lifetime::RESTARTED).wait(session.waitScope());
    // The files stay as they are.
    bundler.rest();
    registry.rest();
    session.endBundlers();
    if (loaded.is<Failure>()) throw loaded.get<Failure>();
    auto hosted = loaded.get<project::HostedWorker>();
    auto entrypoint = hosted.worker.getEntrypointRequest().send().getEntrypoint();
    KJ_IF_MAYBE(failure, http::probeHandler(entrypoint, name, mapper, hosted.origins).wait(session.waitScope())) throw *failure;

    auto front = http::newFront(session.port().getTimer(), {counts, [&]() { return http::Backend{entrypoint, {}, hosted.origins}; },
                                                            [&log, &lines, name](http::Answered answered) { log.write(lines, name, kj::mv(answered)); }});
    StopSignals signals(session.port().uvLoop());
    AdminService admin(session, installation, options.supervisor);
    admin.requests = counts;
    admin.project = name;
    admin.host = [&entrypoint]() { return entrypoint; };
    admin.start(adminListener);
    auto gateway = startGateway(session, installation, options.supervisor, listener,
                                [&front](kj::StringPtr, uint8_t) -> kj::Maybe<rpc::Target::Client> { return front; });
    writeOutput("Ready on " + listener.shown() + " (" + name + ")\n");
    waitForEnd(session, *gateway, signals.take(), [&]() {
      admin.draining = true;
      log.say("info", "draining: requests under way are answered, no others are taken");
    });
    lines.whenShown().exclusiveJoin(session.port().getTimer().afterDelay(STACKS_TIME)).wait(session.waitScope());
    log.say("info", "ended");
    return EXIT_CODE_OK;
  });
}

}  // namespace glovebox::cli
