// The `glovebox` command: parses, and hands over to the command's own file (tools/cli/commands.h).

#include <CLI/CLI.hpp>
#include <kj/exception.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tools/cli/commands.h"
#include "tools/cli/failure.h"
#include "tools/cli/terminal.h"
#include "tools/project/project-config.h"

namespace glovebox::cli {
namespace {

// The newest behaviour of Cloudflare's runtime that workers here follow.
constexpr const char* DEFAULT_COMPATIBILITY_DATE = "2026-11-17";

std::string layerNames() {
  std::string names;
  for (auto& layer: policy::LAYERS) names += (names.empty() ? "" : ", ") + std::string(layer.name);
  return names;
}

// A limit in its own words: CLI11's would print the whole range of a double.
CLI::Validator wholeNumberFrom(uint32_t min) {
  return CLI::Validator(
      [min](std::string& text) {
        uint32_t value = 0;
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        bool good = error == std::errc() && end == text.data() + text.size() && value >= min;
        return good ? std::string()
                    : "got '" + text + "', expected a whole number from " + std::to_string(min) + " to " + std::to_string(UINT32_MAX);
      },
      "");
}
const CLI::Validator WHOLE_NUMBER = wholeNumberFrom(1);
const CLI::Validator WHOLE_NUMBER_OR_0 = wholeNumberFrom(0);

// "subRequests" is --sub-requests.
std::string flagOf(const WorkerLimitInfo& limit) {
  std::string flag = "--";
  for (char c: std::string_view(limit.name)) {
    if (c >= 'A' && c <= 'Z') {
      flag += '-';
      c = static_cast<char>(c - 'A' + 'a');
    }
    flag += c;
  }
  return flag;
}

void addLimits(CLI::App& app, WorkerLimits& limits, const std::string& more) {
  for (auto& limit: WORKER_LIMITS) {
    auto& option = *app.add_option(flagOf(limit), limits.*limit.field, std::string("the most ") + limit.help + more);
    option.check(WHOLE_NUMBER)->group("Limits");
    if (limits.*limit.field != 0) option.capture_default_str();
  }
}

// CLI11 reads configuration files for whole programs only, not for their commands; but it has the parser.
void readConfig(CLI::App& command, const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Failure(EXIT_CODE_NO_INPUT, "--config: '" + path + "' cannot be opened: " + strerror(errno));
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& error) {
    throw Failure(EXIT_CODE_USAGE, "--config: '" + path + "' is not TOML: " + error.what());
  }
  for (auto& item: items) {
    if (!item.parents.empty()) {
      throw Failure(EXIT_CODE_USAGE, "--config: '" + path + "' has a section [" + item.parents[0] + "]; options stand without one");
    }
    auto where = "--config: '" + path + "': " + item.name;
    auto* option = item.name != "config" && item.name != "help" ? command.get_option_no_throw("--" + item.name) : nullptr;
    if (option == nullptr) {
      throw Failure(EXIT_CODE_USAGE, where + " is no option of `glovebox " + command.get_name() + "`; `glovebox " + command.get_name() +
                    " --help` lists them. A file names them without dashes: cpu-ms = 500");
    }
    if (option->count() > 0) continue;
    try {
      for (auto& input: item.inputs) option->add_result(input);
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      throw Failure(EXIT_CODE_USAGE, where + ": " + error.what());
    }
  }
}

void addProfile(CLI::App& app, policy::Profile& profile) {
  app.add_option_function<std::string>("--profile", [&profile](const std::string& name) {
    auto parsed = policy::tryParseProfile(name);
    if (!parsed) throw CLI::ValidationError("--profile", "got '" + name + "', expected default, no-wasm or jitless");
    profile = *parsed;
  }, "default (JIT and WebAssembly), no-wasm, or jitless")->type_name("PROFILE");
}

void addAllowMissing(CLI::App& app, policy::LayerSet& layers) {
  app.add_option_function<std::vector<std::string>>("--allow-missing", [&layers](const std::vector<std::string>& names) {
    for (auto& name: names) {
      auto layer = policy::tryParseLayer(name);
      if (!layer) throw CLI::ValidationError("--allow-missing", "there is no layer '" + name + "'; there are: " + layerNames());
      layers.add(*layer);
    }
  }, "go on if this machine lacks a layer of the jail; `glovebox policy` lists them")->type_name("LAYER")->delimiter(',');
}

void addRegistry(CLI::App& app, RegistryOptions& options, const char* group) {
  app.add_option("--registry", options.url, "where packages of a project come from that its node_modules has not; unless given, npm's configured registry")->type_name("URL")->group(group);
  app.add_flag("--offline", options.offline, "of such packages, only what was fetched before")->group(group);
}

void addRun(CLI::App& app, RunOptions& options) {
  app.add_option("FILE", options.file, "module to load, JavaScript or TypeScript; - for JavaScript on standard input; or the folder of a project (wrangler.jsonc)")->required();
  app.add_option("--call", options.call, "method to call; may be left out if there is only one. a.b.c is a path")->type_name("NAME");
  app.add_option("--arg", options.arguments, "one argument as JSON; may be given several times. Without any, the call gets one: undefined")->type_name("JSON")->allow_extra_args(false);
  app.add_option("--env", options.env, "the worker's env, a JSON object")->type_name("JSON");
  app.add_option("--module", options.modules, "one more module: NAME=FILE, or NAME=TYPE:FILE with TYPE js, cjs, text, data, json or wasm")
      ->type_name("NAME=FILE")->allow_extra_args(false);
  app.add_option("--entrypoint", options.entrypoint, "named export to call on, instead of the default export")->type_name("NAME");
  app.add_option("--with", options.with, "with a project: the folder of another one, for its services")->type_name("DIR")->allow_extra_args(false);
  app.add_option("--compat-date", options.compatibilityDate, "compatibility date")->type_name("DATE")->default_str(DEFAULT_COMPATIBILITY_DATE);
  addLimits(app, options.limits, "");
  app.add_flag("--account", options.account, "afterwards, what the call took and did as a line of JSON on standard error");
  app.add_option("--socket", options.socket, "use the daemon on this socket (glovebox serve) instead of a supervisor of our own")->type_name("PATH");
  addRegistry(app, options.registry, "Options");
  addProfile(app, options.supervisor.profile);
  addAllowMissing(app, options.supervisor.allowMissing);
  app.footer(std::string("The result goes to standard output as JSON, console output and errors to standard error.\n"
             "A method that returns undefined gives null. A method of a plain object takes exactly one argument, and then gets\n"
             "env and ctx; one of a class that extends WorkerEntrypoint takes any number.\n\n"
             "  glovebox run agent.js --call myAgent --arg '{\"value\":21}'\n"
             "  glovebox run examples/agent-sandbox --entrypoint Sandbox --call double --arg 21\n"
             "  echo 'export default { twice: (n) => n * 2 }' | glovebox run - --arg 21\n\n") + EXIT_CODES_HELP);
}

void addLog(CLI::App& app, std::string& form, const char* otherwise) {
  app.add_option("--log", form, std::string("text, or json: an object a line. Unless given: ") + otherwise)
      ->check(CLI::IsMember({"text", "json"}))->type_name("FORM");
}

void addAdmin(CLI::App& app, std::string& address) {
  app.add_option("--admin", address, "also answer /metrics (Prometheus), /healthz and /readyz, on an address of this machine alone or unix:PATH")->type_name("IP:PORT");
}

void addDev(CLI::App& app, DevOptions& options) {
  app.add_option("DIR", options.project, "the project's folder, or its wrangler.jsonc, .json or .toml")->capture_default_str();
  app.add_option("--listen", options.address, "address to serve on, or unix:PATH; port 0 takes a free one")->type_name("IP:PORT")->default_str("127.0.0.1:8787");
  app.add_option("--with", options.with, "the folder of another project, for this one's services")->type_name("DIR")->allow_extra_args(false);
  app.add_flag("--quiet", options.quiet, "no line for each request and reload");
  addLog(app, options.log, "text");
  addAdmin(app, options.admin);
  addRegistry(app, options.registry, "Options");
  addProfile(app, options.supervisor.profile);
  addAllowMissing(app, options.supervisor.allowMissing);
  app.footer("Prints one line when it is ready, and serves until SIGINT or SIGTERM. What workers log, and a line for each request,\n"
             "goes to standard error. Requests under way when a file changes are finished by the code that they began with.\n\n"
             "  glovebox dev examples/agent-sandbox\n"
             "  curl http://127.0.0.1:8787");
}

constexpr const char* DAEMON_GROUP = "As a daemon";
constexpr const char* PROJECT_GROUP = "As a project's server";

void addServe(CLI::App& app, ServeOptions& options) {
  app.add_option("--config", options.config, "a project's folder or its wrangler.jsonc, .json or .toml, to serve that; or a TOML file of options for a daemon, "
                 "named as here without the dashes: cpu-ms = 500. What is given here counts more")->type_name("FILE");
  addAdmin(app, options.admin);
  app.add_option("--socket", options.socket, "Unix socket to listen on; its mode is 0600")->type_name("PATH")->group(DAEMON_GROUP);
  app.add_option("--egress", options.egress, "a JSON or TOML file of what workers may reach on the internet, as the section glovebox.egress of a project; unless given, nothing")
      ->type_name("FILE")->group(DAEMON_GROUP);
  app.add_flag("--until-eof", options.untilEof, "also end when standard input does: for a program that starts a daemon of its own")->group(DAEMON_GROUP);
  app.add_option("--listen", options.address, "address to serve on, or unix:PATH; port 0 takes a free one. Unless given: 127.0.0.1:8787")->type_name("IP:PORT")->group(PROJECT_GROUP);
  app.add_option("--with", options.with, "the folder of another project, for this one's services")->type_name("DIR")->allow_extra_args(false)->group(PROJECT_GROUP);
  app.add_flag("--quiet", options.quiet, "no line for each request")->group(PROJECT_GROUP);
  addLog(app, options.log, "text on a terminal, json elsewhere");
  app.get_option("--log")->group(PROJECT_GROUP);
  addRegistry(app, options.registry, PROJECT_GROUP);
  app.add_option("--pool", options.supervisor.poolSize, "warm workers kept ready; unless given, suited to the machine")->check(WHOLE_NUMBER);
  addLimits(app, options.supervisor.limits, "; a load gets this unless it asks for less");
  app.add_option("--workers", options.supervisor.workersMax, "the most workers alive at once")->check(WHOLE_NUMBER)->capture_default_str();
  app.add_option("--code-cache-mb", options.supervisor.codeCacheMbMax, "what may be kept of compiled modules, so that loading the same again is quicker, in MiB; 0: nothing")->check(WHOLE_NUMBER_OR_0)->capture_default_str();
  app.add_option("--named-idle-ms", options.supervisor.namedIdleMsMax, "how long a named worker stays warm without a call")->check(WHOLE_NUMBER)->capture_default_str();
  app.add_option("--named-memory-mb", options.supervisor.namedMemoryMbMax, "memory of all named workers together, in MiB; unless given, a quarter of the machine's")
      ->check(WHOLE_NUMBER);
  addProfile(app, options.supervisor.profile);
  addAllowMissing(app, options.supervisor.allowMissing);
  app.footer(std::string("There are two forms. Each prints one line when it is ready, and serves until SIGINT or SIGTERM.\n\n"
             "  glovebox serve --socket PATH           a daemon: clients load workers over a Unix socket. Whoever may open it may run code\n"
             "  glovebox serve --config wrangler.jsonc a project over HTTP: its worker answers requests, and is started again if it dies.\n"
             "                                         At the end, requests under way are answered and no others taken\n\n") + EXIT_CODES_HELP);
}

// Options of the other form are mistakes: nothing would come of them.
void refuseOptionsOf(const CLI::App& serve, const char* group, const std::string& why) {
  for (auto option: serve.get_options([group](const CLI::Option* one) { return one->get_group() == group && one->count() > 0; })) {
    throw Failure(EXIT_CODE_USAGE, option->get_name() + " " + why);
  }
}

int serveEither(CLI::App& command, ServeOptions& options) {
  if (!options.config.empty() && project::isProjectPath(options.config)) {
    refuseOptionsOf(command, DAEMON_GROUP, "is for a daemon, and --config names a project: that is served with --listen");
    return serveProject(options);
  }
  if (!options.config.empty()) readConfig(command, options.config);
  if (options.socket.empty()) {
    throw Failure(EXIT_CODE_USAGE, "glovebox serve needs --socket PATH (or a line socket = \"PATH\" in the file of --config) to be a daemon, or --config DIR to serve "
                  "the project in that folder");
  }
  refuseOptionsOf(command, PROJECT_GROUP, "is for a project's server, which --config wrangler.jsonc makes it; a daemon has a --socket");
  return serve(options);
}

int parseAndRun(int argc, char** argv) {
  CLI::App app("Runs JavaScript nobody has reviewed, each piece in a jailed process of its own.", "glovebox");
  app.require_subcommand(1);
  app.set_version_flag("--version", GLOVEBOX_VERSION);

  RunOptions runOptions;
  runOptions.supervisor.poolSize = 1;   // one call: no worker is started that nobody will use
  runOptions.supervisor.codeCacheMbMax = 0;   // and nothing is loaded again
  auto& runCommand = *app.add_subcommand("run", "Load a module in a fresh worker, call a method, print the result");
  addRun(runCommand, runOptions);

  DevOptions devOptions;
  auto& devCommand = *app.add_subcommand("dev", "Serve a project over HTTP, loaded anew when its files change");
  addDev(devCommand, devOptions);

  TypesOptions typesOptions;
  auto& typesCommand = *app.add_subcommand("types", "Write worker-configuration.d.ts: the types of a project's env");
  typesCommand.add_option("DIR", typesOptions.project, "the project's folder, or its wrangler.jsonc, .json or .toml")->capture_default_str();

  ServeOptions serveOptions;
  auto& serveCommand = *app.add_subcommand("serve", "Be a daemon that runs workers for clients, or serve a project over HTTP");
  addServe(serveCommand, serveOptions);

  StatusOptions statusOptions;
  auto& statusCommand = *app.add_subcommand("status", "Layers in force, pool, live workers and endings of a daemon");
  statusCommand.add_option("--socket", statusOptions.socket, "the daemon's socket")->required()->type_name("PATH");
  statusCommand.add_flag("--json", statusOptions.json, "as JSON, for machines");
  auto watch = statusCommand.add_flag("--watch", statusOptions.watch, "workers, the last runs and endings, again and again until Ctrl-C; with --json, a document a line");
  statusCommand.add_option("--interval", statusOptions.intervalMs, "milliseconds between two looks")->check(WHOLE_NUMBER)->needs(watch)->capture_default_str();

  PolicyOptions policyOptions;
  auto& policyCommand = *app.add_subcommand("policy", "What a worker may do: every rule with its reason, layers, limits, the filter");
  addProfile(policyCommand, policyOptions.profile);
  policyCommand.add_flag("--json", policyOptions.json, "as JSON, with the filter's instructions");
  policyCommand.add_flag("--bpf", policyOptions.bpf, "only the compiled filter");

  AuditOptions auditOptions;
  auto& auditCommand = *app.add_subcommand("audit", "Try to get out of a worker's jail, and say which layer stopped each attempt");
  addProfile(auditCommand, auditOptions.profile);
  auditCommand.add_flag("--json", auditOptions.json, "as JSON: an array of attempts");
  auditCommand.footer("Makes every attempt in the jail of a real worker, as native code in a broken worker would; once more there without\n"
                      "seccomp, to show what the other layers stop; and outside, where that is harmless, to show that it can succeed.\n"
                      "Exit codes: 0 none succeeded (what the policy grants on purpose is listed with its reason); 1 one did;\n"
                      "77 this machine lacks a layer of the jail.");

  app.footer("Each command has its own --help. First thing to try:\n"
             "  glovebox run examples/agent.js --call myAgent --arg '{\"value\":21}'");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_CODE_OK : EXIT_CODE_USAGE;   // it prints help, or what is wrong
  }

  if (runCommand.parsed()) {
    bool ownSupervisor = runOptions.socket.empty();
    if (!ownSupervisor && (runCommand.count("--profile") > 0 || runCommand.count("--allow-missing") > 0)) {
      throw Failure(EXIT_CODE_USAGE, "--profile and --allow-missing are the daemon's with --socket; give them to glovebox serve");
    }
    // The one worker there is may have what was asked for; a daemon's policy is its own.
    auto& policy = runOptions.supervisor.limits;
    for (auto& limit: WORKER_LIMITS) policy.*limit.field = std::max(policy.*limit.field, runOptions.limits.*limit.field);
    bool isProject = project::isProjectPath(runOptions.file);
    for (auto option: {"--env", "--module", "--compat-date"}) {
      if (isProject && runCommand.count(option) > 0) {
        throw Failure(EXIT_CODE_USAGE, std::string(option) + " is for a single file; a project says it in its configuration");
      }
    }
    for (auto option: {"--registry", "--offline"}) {
      if (!isProject && runCommand.count(option) > 0) throw Failure(EXIT_CODE_USAGE, std::string(option) + " is for a project; '" + runOptions.file + "' is a file");
    }
    if (!isProject && !runOptions.with.empty()) throw Failure(EXIT_CODE_USAGE, "--with is for a project; '" + runOptions.file + "' is a file. More modules: --module NAME=FILE");
    if (runOptions.compatibilityDate.empty()) runOptions.compatibilityDate = DEFAULT_COMPATIBILITY_DATE;
    return run(runOptions);
  }
  if (devCommand.parsed()) return dev(devOptions);
  if (typesCommand.parsed()) return types(typesOptions);
  if (serveCommand.parsed()) {
    return serveEither(serveCommand, serveOptions);
  }
  if (statusCommand.parsed()) return status(statusOptions);
  if (policyCommand.parsed()) return policy(policyOptions);
  return audit(auditOptions);
}

}  // namespace
}  // namespace glovebox::cli

int main(int argc, char** argv) {
  using namespace glovebox::cli;
  // A closed pipe is an error of one write, not the end of a supervisor.
  signal(SIGPIPE, SIG_IGN);
  try {
    return parseAndRun(argc, argv);
  } catch (const Failure& failure) {
    fprintf(stderr, "glovebox: %s\n", forStandardError(failure.what()).c_str());
    return failure.code();
  } catch (const kj::Exception& exception) {
    fprintf(stderr, "glovebox: internal error: %s\nThis is a mistake of Glovebox's own; please report it with what you did.\n",
            forStandardError(kj::str(exception).cStr()).c_str());
    return EXIT_CODE_INTERNAL;
  } catch (const std::exception& exception) {
    fprintf(stderr, "glovebox: internal error: %s\n", forStandardError(exception.what()).c_str());
    return EXIT_CODE_INTERNAL;
  }
}
