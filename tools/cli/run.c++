// glovebox run: one file or project, one call, one answer.

#include <capnp/message.h>
#include <kj/debug.h>

#include <algorithm>
#include <cstdio>

#include "ipc/limits-message.h"
#include "ipc/return-reader.h"
#include "ipc/payload.h"
#include "ipc/value-json.h"
#include "ipc/wire-limits.h"
#include "tools/cli/account-json.h"
#include "tools/cli/commands.h"
#include "tools/cli/egress-service.h"
#include "tools/cli/failure.h"
#include "tools/cli/http-service.h"
#include "tools/cli/method-lister.h"
#include "tools/cli/modules.h"
#include "tools/cli/named-console.h"
#include "tools/cli/session.h"
#include "tools/cli/terminal.h"
#include "tools/cli/thrown.h"
#include "tools/project/project-config.h"
#include "tools/project/project-host.h"
#include "tools/project/typescript.h"

namespace glovebox::cli {
namespace {

ValueGraph parseOption(const std::string& json, const std::string& where, const std::string& example) {
  try {
    return parseJson(json);
  } catch (const kj::Exception& exception) {
    throw Failure(EXIT_CODE_USAGE, where + " is not JSON: " + exception.getDescription().cStr() +
                  "\nGot: " + json.substr(0, 200) + "\nFor example: " + example);
  }
}

constexpr const char* ARGUMENT_EXAMPLE = "--arg '{\"value\":21}' or, a string with its quotes, --arg '\"text\"'";

// Without any there is still one, undefined: a plain handler object's methods take exactly one.
ValueGraph noArguments() {
  ValueGraph graph;
  graph.nodes.resize(2);
  graph.nodes[0].kind = ValueNode::Kind::ARRAY;
  graph.nodes[0].length = 1;
  graph.nodes[0].items = {1};
  return graph;
}

// The JSON array of all arguments. Each is checked alone first, so that the error names the one that is wrong.
ValueGraph parseArguments(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return noArguments();
  std::string all = "[";
  for (size_t i = 0; i < arguments.size(); i++) {
    parseOption(arguments[i], "--arg number " + std::to_string(i + 1), ARGUMENT_EXAMPLE);
    if (i > 0) all += ',';
    all += arguments[i];
  }
  return parseOption(all + "]", "the arguments together", ARGUMENT_EXAMPLE);
}

std::vector<std::string> parsePath(const std::string& call) {
  std::vector<std::string> path;
  for (size_t begin = 0; begin <= call.size();) {
    size_t end = std::min(call.find('.', begin), call.size());
    path.push_back(call.substr(begin, end - begin));
    if (path.back().empty()) throw Failure(EXIT_CODE_USAGE, "--call expects a method's name, or a path such as tools.search; got '" + call + "'");
    begin = end + 1;
  }
  if (path.size() > wire::PATH_DEPTH_MAX) {
    throw Failure(EXIT_CODE_USAGE, "--call: a path may have " + std::to_string(wire::PATH_DEPTH_MAX) + " names; got " + std::to_string(path.size()));
  }
  return path;
}

// Whoever is called: its worker, and how what it says is shown.
struct Called {
  rpc::Worker::Client worker;
  ModuleOrigins origins;
  project::StackMapper& mapper;
  project::MappedLines& lines;
};

std::string mapped(Session& session, const Called& called, std::string text) {
  KJ_IF_MAYBE(mapping, called.mapper.tryMap(text, called.origins)) return mapping->wait(session.waitScope());
  return text;
}

rpc::Worker::Client load(Session& session, const RunOptions& options, const std::vector<ModuleFile>& modules,
                         const std::string& mainModule, const kj::Maybe<ValueGraph>& env, project::MappedLines& lines) {
  auto request = session.supervisor().loaderRequest().send().getLoader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate(options.compatibilityDate.c_str());
  code.setMainModule(mainModule.c_str());
  setModules(modules, code);
  KJ_IF_MAYBE(graph, env) writePayload(*graph, code.initEnv());
  writeLimits(options.limits, code.initLimits());
  request.setConsole(kj::heap<NamedConsole>(lines, "", originsOf(modules)));
  return request.send().getWorker();
}

// `account`: if it is wanted, where it goes.
CallOutcome call(Session& session, Called& called, const std::string& entrypoint,
                 const std::vector<std::string>& path, const ValueGraph& arguments, std::string* account = nullptr) {
  auto& worker = called.worker;
  auto target = worker.getEntrypointRequest();
  target.setName(entrypoint.c_str());
  auto request = target.send().getEntrypoint().callRequest();
  auto names = request.initPath(static_cast<unsigned>(path.size()));
  for (unsigned i = 0; i < path.size(); i++) names.set(i, path[i].c_str());
  writePayload(arguments, request.getOperation().initInvoke());
  request.setAccount(account != nullptr);
  kj::Own<capnp::MallocMessageBuilder> accountMessage;
  auto answered = request.send().then([account, &accountMessage](auto&& response) {
    if (account != nullptr) {
      accountMessage = kj::heap<capnp::MallocMessageBuilder>();
      accountMessage->setRoot(response.getAccount());
    }
    return readReturn(kj::mv(response));
  });
  auto outcome = answered.wait(session.waitScope());
  if (account != nullptr) {
    auto root = accountMessage->getRoot<rpc::Account>();
    for (auto log: root.getLogs()) log.setText(mapped(session, called, log.getText().asString().cStr()).c_str());
    for (auto thrown: root.getExceptions()) thrown.setStack(mapped(session, called, thrown.getStack().cStr()).c_str());
    *account = accountAsJson(root.asReader());
  }
  // What it said before it answered.
  called.lines.whenShown().wait(session.waitScope());
  return outcome;
}

// The supervisor names limits as the API does.
std::string optionFor(rpc::Ending::Code code) {
  switch (code) {
    case rpc::Ending::Code::EXCEEDED_CPU: return "\nHere limits.cpuMs is --cpu-ms N.";
    case rpc::Ending::Code::EXCEEDED_WALL_TIME: return "\nHere limits.wallMs is --wall-ms N.";
    case rpc::Ending::Code::EXCEEDED_MEMORY: return "\nHere limits.memoryMb is --memory-mb N.";
    case rpc::Ending::Code::EXCEEDED_SUBREQUESTS: return "\nHere limits.subRequests is --sub-requests N.";
    case rpc::Ending::Code::EXCEEDED_RESULT_SIZE: return "\nHere limits.resultBytes is --result-bytes N.";
    default: return "";
  }
}

// Writes what is not a value, and tells the exit code; null if it is a value.
kj::Maybe<int> reportFailure(Session& session, const Called& called, const CallOutcome& outcome) {
  if (outcome.is<CallThrown>()) {
    fprintf(stderr, "%s\n", forStandardError(mapped(session, called, describeThrown(outcome.get<CallThrown>().graph))).c_str());
    return static_cast<int>(EXIT_CODE_CODE_ERROR);
  }
  if (outcome.is<CallEnded>()) {
    auto& ended = outcome.get<CallEnded>();
    fprintf(stderr, "glovebox run: %s (%s)%s\n", forStandardError(mapped(session, called, ended.message.cStr())).c_str(), ended.name.cStr(), optionFor(ended.code).c_str());
    return static_cast<int>(exitCodeOf(ended.code));
  }
  return nullptr;
}

// JSON has no word for undefined, which is what a method without a result returns; null it is then.
std::string resultAsJson(const ValueGraph& graph) {
  if (graph.nodes[0].kind == ValueNode::Kind::UNDEFINED) return "null";
  try {
    return stringifyJson(graph);
  } catch (const kj::Exception& exception) {
    throw Failure(EXIT_CODE_CODE_ERROR, std::string("the method returned something that JSON cannot say: ") +
                  exception.getDescription().cStr() + "\nReturn plain data; a BigInt, for example, as a string.");
  }
}

int callAndPrint(Session& session, const RunOptions& options, Called& called, const std::vector<std::string>& path,
                 const ValueGraph& arguments) {
  std::string account;
  auto outcome = call(session, called, options.entrypoint, path, arguments, options.account ? &account : nullptr);
  // Last, whatever is said before.
  KJ_DEFER(if (options.account) fprintf(stderr, "%s\n", account.c_str()));
  KJ_IF_MAYBE(code, reportFailure(session, called, outcome)) return *code;
  writeOutput(resultAsJson(outcome.get<CallValue>().graph) + "\n");
  return EXIT_CODE_OK;
}

std::vector<ModuleFile> withoutTypes(Session& session, std::vector<ModuleFile> modules) {
  auto isTyped = [](const ModuleFile& module) { return module.type == ModuleType::TS; };
  if (std::none_of(modules.begin(), modules.end(), isTyped)) return modules;
  project::TypeStripper stripper(session.supervisor(), readFile(findInstallation().typescript.cStr()));
  auto stripped = stripper.strip(kj::mv(modules)).wait(session.waitScope());
  if (stripped.is<Failure>()) throw stripped.get<Failure>();
  return kj::mv(stripped.get<std::vector<ModuleFile>>());
}

int loadAndCall(Session& session, const RunOptions& options, std::vector<ModuleFile> modules, const kj::Maybe<ValueGraph>& env,
                std::vector<std::string> path, const ValueGraph& arguments, project::MappedLines& lines) {
  modules = withoutTypes(session, kj::mv(modules));
  auto mainModule = modules[0].name;
  if (path.empty()) {
    modules.push_back(methodLister(mainModule));
    mainModule = modules.back().name;
  }
  project::StackMapper mapper(session.supervisor(), []() { return readFile(findInstallation().typescript.cStr()); });
  lines.mapWith(mapper);
  KJ_DEFER(lines.mapNoMore());
  Called called{load(session, options, modules, mainModule, env, lines), originsOf(modules), mapper, lines};
  if (path.empty()) {
    std::string asked = "[";
    asked += quoteJson(options.entrypoint.empty() ? "default" : options.entrypoint);
    asked += "]";
    auto request = parseJson(asked);
    auto listed = call(session, called, METHOD_LISTER_ENTRYPOINT, {"methods"}, request);
    KJ_IF_MAYBE(code, reportFailure(session, called, listed)) return *code;
    path = {chooseMethod(stringifyJson(listed.get<CallValue>().graph), modules[0].name, options.entrypoint)};
  }
  return callAndPrint(session, options, called, path, arguments);
}

// The project's warnings go first, then what is wrong with its files; its methods are called like any worker's.
int loadProjectAndCall(Session& session, const RunOptions& options, std::vector<project::ProjectConfig> projects,
                       const std::vector<std::string>& path, const ValueGraph& arguments, project::MappedLines& lines) {
  auto installation = findInstallation();
  RegistryService registry(session, installation, options.supervisor, options.registry);
  project::PackageBundler bundler([&session]() { return session.startBundlers(project::BUNDLER_LIMITS); }, installation.bundler.cStr(), installation.esbuild.cStr());
  bundler.installFrom([&registry]() { return registry.forWorker(); });
  project::StackMapper mapper(session.supervisor(), [&installation]() { return readFile(installation.typescript.cStr()); });
  lines.mapWith(mapper);
  KJ_DEFER(lines.mapNoMore());
  project::ProjectHost host(session.supervisor(), readFile(installation.typescript.cStr()), [&lines](const std::string&, ModuleOrigins origins) {
    return rpc::Console::Client(kj::heap<NamedConsole>(lines, "", std::move(origins)));
  });
  EgressService egress(session, installation, options.supervisor);
  host.sendRequestsTo([&egress](const project::ProjectConfig& config) { return egress.outboundOf(config); });
  host.bundleWith(bundler);
  auto loaded = host.load(std::move(projects)).wait(session.waitScope());
  if (loaded.is<Failure>()) throw loaded.get<Failure>();
  auto& hosted = loaded.get<project::HostedWorker>();
  Called called{hosted.worker, hosted.origins, mapper, lines};
  return callAndPrint(session, options, called, path, arguments);
}

std::vector<project::ProjectConfig> projectsOf(const RunOptions& options) {
  auto projects = readProjects(options.file, options.with);
  // What is said here counts more.
  for (auto& limit: WORKER_LIMITS) {
    if (options.limits.*limit.field != 0) projects[0].limits.*limit.field = options.limits.*limit.field;
  }
  for (auto& project: projects) writeWarnings(project.warnings);
  return projects;
}

}  // namespace

int run(const RunOptions& options) {
  // All that can be wrong on this side is found before a process is started.
  std::vector<std::string> path;
  if (!options.call.empty()) path = parsePath(options.call);
  auto arguments = parseArguments(options.arguments);
  std::vector<project::ProjectConfig> projects;
  std::vector<ModuleFile> modules;
  if (project::isProjectPath(options.file)) {
    projects = projectsOf(options);
    if (path.empty()) throw Failure(EXIT_CODE_USAGE, "which method of the project is to be called? Name it with --call, and its export with --entrypoint if that is not the default one");
  } else {
    modules.push_back(readMainModule(options.file));
    for (auto& module: options.modules) modules.push_back(readModule(module));
    checkModules(modules);
  }
  kj::Maybe<ValueGraph> env;
  if (!options.env.empty()) {
    auto graph = parseOption(options.env, "--env", "--env '{\"KEY\":\"value\"}'");
    if (graph.nodes[0].kind != ValueNode::Kind::OBJECT) {
      throw Failure(EXIT_CODE_USAGE, "--env expects a JSON object, such as '{\"KEY\":\"value\"}'; got: " + options.env.substr(0, 200));
    }
    env = kj::mv(graph);
  }

  project::MappedLines lines;
  kj::Own<Session> session =
      options.socket.empty() ? kj::heap<Session>(granting(options.supervisor, projects)) : kj::heap<Session>(options.socket);
  // No worker is left behind.
  return runAndClose(*session, [&]() {
    try {
      if (!projects.empty()) return loadProjectAndCall(*session, options, std::move(projects), path, arguments, lines);
      return loadAndCall(*session, options, kj::mv(modules), env, kj::mv(path), arguments, lines);
    } catch (const kj::Exception& exception) {
      std::string words = exception.getDescription().cStr();
      if (exception.getType() == kj::Exception::Type::DISCONNECTED) {
        throw Failure(EXIT_CODE_UNAVAILABLE, "the line to the supervisor was lost during the call: " + words);
      }
      if (exception.getType() == kj::Exception::Type::OVERLOADED) throw Failure(EXIT_CODE_UNAVAILABLE, "the supervisor is full: " + words);
      throw Failure(EXIT_CODE_PROTOCOL, "the call gave no usable answer: " + words);
    }
  });
}

}  // namespace glovebox::cli
