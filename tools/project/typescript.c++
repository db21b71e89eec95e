#include "tools/project/typescript.h"

#include <kj/debug.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "ipc/value-check.h"
#include "ipc/value-graph.h"
#include "ipc/value-json.h"
#include "tools/cli/terminal.h"
#include "tools/project/request-writer.h"

namespace glovebox::project {
namespace {

using cli::Failure;
using cli::ModuleFile;
using cli::ModuleType;

constexpr const char* COMPATIBILITY_DATE = "2026-03-01";
constexpr const char* BUNDLE_NAME = "typescript.js";

// Sucrase does 2 to 3 MB/s, and needs some 30 times a text's size: what is larger meets the limit of memory.
constexpr size_t TYPESCRIPT_BYTES_MAX = 4 << 20;
constexpr uint32_t STRIP_CPU_MS = 5'000;
constexpr uint32_t STRIP_WALL_MS = 30'000;

bool isScript(ModuleType type) { return type == ModuleType::TS || type == ModuleType::JS; }

// `Request` of worker/typescript/main.ts. `main`: null for modules whose imports are left as they are.
ValueGraph request(const std::vector<ModuleFile>& modules, const std::vector<size_t>& sources, const ModuleFile* main) {
  RequestWriter writer;
  std::vector<NodeRef> texts, others;
  for (size_t i: sources) texts.push_back(writer.array({writer.text(modules[i].name), writer.text(modules[i].content)}));
  for (size_t i = 0; i < modules.size(); i++) {
    if (std::find(sources.begin(), sources.end(), i) == sources.end()) others.push_back(writer.text(modules[i].name));
  }
  auto textsRef = writer.array(std::move(texts));
  auto othersRef = writer.array(std::move(others));
  auto mainRef = main == nullptr ? writer.nil() : writer.text(main->name);
  auto object = writer.object({{writer.text("sources"), textsRef}, {writer.text("others"), othersRef}, {writer.text("main"), mainRef}});
  return std::move(writer).arguments(object);
}

std::string stringIn(const rapidjson::Value& object, const char* name) {
  auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsString() ? std::string(member->value.GetString(), member->value.GetStringLength()) : std::string();
}

size_t numberIn(const rapidjson::Value& object, const char* name) {
  auto member = object.FindMember(name);
  return member != object.MemberEnd() && member->value.IsUint() ? member->value.GetUint() : 0;
}

Failure unusable() { return Failure(cli::EXIT_CODE_PROTOCOL, "the worker that strips types gave no usable answer"); }

// "agent.ts:3:15: Unexpected token." and the line with a mark below.
Failure problemIn(const rapidjson::Value& problem) {
  if (!problem.IsObject()) return unusable();
  auto words = stringIn(problem, "module");
  size_t line = numberIn(problem, "line"), column = numberIn(problem, "column");
  if (line > 0) words += ":" + std::to_string(line) + ":" + std::to_string(column);
  words += ": " + stringIn(problem, "message");
  auto text = stringIn(problem, "text");
  if (text.empty()) return Failure(cli::EXIT_CODE_CODE_ERROR, words);
  // Columns count UTF-16 units, and this is UTF-8: the mark may stand a little off behind what is not ASCII.
  auto before = text.substr(0, column > 0 ? column - 1 : 0);
  for (auto& c: before) c = c == '\t' ? '\t' : ' ';
  return Failure(cli::EXIT_CODE_CODE_ERROR, words + "\n    " + text + "\n    " + before + "^");
}

bool isPackage(const rapidjson::Value& problem) {
  if (!problem.IsObject()) return false;
  auto member = problem.FindMember("isPackage");
  return member != problem.MemberEnd() && member->value.IsTrue();
}

// The answer is what a worker wrote: each of its texts goes to a module that was asked for.
StrippedModules readAnswer(const ValueGraph& graph, std::vector<ModuleFile> modules, const std::vector<size_t>& sources, bool onlyReached) {
  auto names = std::make_shared<std::vector<std::string>>();
  for (auto& module: modules) names->push_back(module.name);
  rapidjson::Document answer;
  std::string json;
  auto refused = kj::runCatchingExceptions([&]() { json = stringifyJson(graph); });
  if (refused != nullptr) return unusable();
  answer.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (answer.HasParseError() || !answer.IsObject()) return unusable();
  auto problem = answer.FindMember("problem");
  if (problem != answer.MemberEnd()) {
    auto failure = problemIn(problem->value);
    if (onlyReached && isPackage(problem->value)) return NeedsPackages{failure};
    return failure;
  }

  auto code = answer.FindMember("code");
  auto others = answer.FindMember("others");
  if (code == answer.MemberEnd() || !code->value.IsArray() || code->value.Size() != sources.size()) return unusable();
  if (others == answer.MemberEnd() || !others->value.IsArray()) return unusable();
  std::vector<bool> reached(modules.size(), false);
  for (auto& name: others->value.GetArray()) {
    for (size_t i = 0; i < modules.size(); i++) {
      if (name.IsString() && !isScript(modules[i].type) && modules[i].name == name.GetString()) reached[i] = true;
    }
  }
  for (rapidjson::SizeType i = 0; i < code->value.Size(); i++) {
    auto& text = code->value[i];
    if (text.IsNull() && onlyReached) continue;
    if (!text.IsString()) return unusable();
    auto& module = modules[sources[i]];
    auto origin = std::make_shared<cli::ModuleOrigin>();
    if (module.origin != nullptr) *origin = *module.origin;
    if (origin->file.empty()) origin->file = module.name;
    origin->module = module.name;
    origin->made = onlyReached ? cli::ModuleOrigin::Made::LINKED : cli::ModuleOrigin::Made::STRIPPED;
    origin->source = std::move(module.content);
    origin->names = names;
    module.origin = std::move(origin);
    module.type = ModuleType::JS;
    module.content.assign(text.GetString(), text.GetStringLength());
    reached[sources[i]] = true;
  }
  if (!onlyReached) return modules;
  std::vector<ModuleFile> kept;
  for (size_t i = 0; i < modules.size(); i++) {
    if (reached[i]) kept.push_back(std::move(modules[i]));
  }
  if (kept.empty() || !reached[0]) return unusable();
  return kept;
}

std::optional<Failure> check(const std::vector<ModuleFile>& modules, const std::vector<size_t>& sources) {
  size_t bytes = 0;
  for (size_t i: sources) {
    if (!isUtf8(modules[i].content)) return Failure(cli::EXIT_CODE_CODE_ERROR, "'" + modules[i].name + "' is not UTF-8");
    if (modules[i].type == ModuleType::TS) bytes += modules[i].content.size();
  }
  if (bytes <= TYPESCRIPT_BYTES_MAX) return std::nullopt;
  return Failure(cli::EXIT_CODE_CODE_ERROR, "the TypeScript of a worker may have " + std::to_string(TYPESCRIPT_BYTES_MAX >> 20) + " MiB; this has " +
                 std::to_string(bytes) + " bytes. Strip its types before, or bundle it: esbuild --bundle --format=esm");
}

}  // namespace

TypeStripper::TypeStripper(rpc::Supervisor::Client supervisor, std::string bundle)
    : supervisor_(kj::mv(supervisor)), bundle_(std::move(bundle)) {}

rpc::Worker::Client TypeStripper::load() {
  auto request = supervisor_.loaderRequest().send().getLoader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate(COMPATIBILITY_DATE);
  code.setMainModule(BUNDLE_NAME);
  cli::setModules({{BUNDLE_NAME, ModuleType::JS, bundle_}}, code);
  WorkerLimits limits;
  limits.cpuMs = STRIP_CPU_MS;
  limits.wallMs = STRIP_WALL_MS;
  writeLimits(limits, code.initLimits());
  return request.send().getWorker();
}

kj::Promise<StrippedModules> TypeStripper::run(std::vector<ModuleFile> modules, Imports imports) {
  bool project = imports == Imports::OF_A_PROJECT;
  std::vector<size_t> sources;
  for (size_t i = 0; i < modules.size(); i++) {
    if (modules[i].type == ModuleType::TS || (project && modules[i].type == ModuleType::JS)) sources.push_back(i);
  }
  if (sources.empty()) return StrippedModules(kj::mv(modules));
  if (auto failure = check(modules, sources)) return StrippedModules(kj::mv(*failure));

  if (worker_ == nullptr) worker_ = load();
  auto target = KJ_ASSERT_NONNULL(worker_).getEntrypointRequest().send().getEntrypoint();
  auto call = target.callRequest();
  call.initPath(1).set(0, "strip");
  writePayload(request(modules, sources, project ? &modules[0] : nullptr), call.getOperation().initInvoke());
  return call.send()
      .then([](auto&& response) { return readReturn(kj::mv(response)); })
      .then([this, modules = kj::mv(modules), sources = kj::mv(sources), project](CallOutcome&& outcome) mutable -> StrippedModules {
        if (outcome.is<CallValue>()) return readAnswer(outcome.get<CallValue>().graph, kj::mv(modules), sources, project);
        worker_ = nullptr;   // whatever state it is in
        std::string what = "the types of " + (sources.size() == 1 ? "'" + modules[sources[0]].name + "'" : std::to_string(sources.size()) + " modules") +
                           " could not be stripped: ";
        if (!outcome.is<CallEnded>()) return Failure(cli::EXIT_CODE_PROTOCOL, what + "the worker that does it threw something");
        auto& ended = outcome.get<CallEnded>();
        return Failure(cli::exitCodeOf(ended.code), what + ended.message.cStr() + " (" + ended.name.cStr() + ")");
      });
}

}  // namespace glovebox::project
