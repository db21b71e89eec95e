#include "tools/project/package-bundler.h"

#include <kj/debug.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "ipc/limits-message.h"
#include "ipc/payload.h"
#include "ipc/return-reader.h"
#include "ipc/value-check.h"
#include "ipc/value-graph.h"
#include "ipc/wire-limits.h"
#include "tools/cli/modules.h"
#include "tools/project/request-writer.h"

namespace glovebox::project {
namespace {

using cli::Failure;
using cli::ModuleFile;
using cli::ModuleType;

constexpr const char* COMPATIBILITY_DATE = "2026-03-01";
constexpr const char* SCRIPT_NAME = "bundler.js";
constexpr const char* WASM_NAME = "esbuild.wasm";

// They travel in one call.
constexpr size_t FILES_BYTES_MAX = 30u << 20;
// What is larger is not kept, and stacks show the bundle's places.
constexpr size_t MAP_BYTES_MAX = 16u << 20;
// Each asks for packages that were not asked for before.
constexpr int ROUNDS_MAX = 64;
constexpr size_t PACKAGES_MAX = 3'000;

// -- What the worker says: written by an attacker until it is read -----------------------------------------------------------------

class Answer {
 public:
  explicit Answer(const ValueGraph& graph): graph_(graph) {}

  const ValueNode& root() const { return graph_.nodes[0]; }
  // Null: it has no such property.
  const ValueNode* in(const ValueNode& object, std::string_view name) const {
    if (object.kind != ValueNode::Kind::OBJECT) return nullptr;
    for (auto& property: object.properties) {
      auto& key = graph_.nodes[property.key];
      if (key.kind == ValueNode::Kind::TEXT && key.bytes == name) return &graph_.nodes[property.value];
    }
    return nullptr;
  }
  // Null: it is no array, or has holes.
  kj::Maybe<std::vector<const ValueNode*>> items(const ValueNode* array) const {
    if (array == nullptr || array->kind != ValueNode::Kind::ARRAY) return nullptr;
    std::vector<const ValueNode*> items;
    for (auto item: array->items) {
      if (item == NO_NODE) return nullptr;
      items.push_back(&graph_.nodes[item]);
    }
    return items;
  }
  // Null: it is no text.
  static const std::string* text(const ValueNode* node) { return node != nullptr && node->kind == ValueNode::Kind::TEXT ? &node->bytes : nullptr; }
  std::string textIn(const ValueNode& object, std::string_view name) const {
    auto found = text(in(object, name));
    return found == nullptr ? std::string() : *found;
  }
  size_t numberIn(const ValueNode& object, std::string_view name) const {
    auto found = in(object, name);
    bool isNumber = found != nullptr && found->kind == ValueNode::Kind::NUMBER && found->number >= 0 && found->number <= 0xffffffff;
    return isNumber ? static_cast<size_t>(found->number) : 0;
  }
  // Null: it is no Uint8Array.
  kj::Maybe<std::string> bytes(const ValueNode& node) const {
    if (node.kind != ValueNode::Kind::VIEW || node.subkind != static_cast<uint8_t>(ViewKind::UINT8) || node.ref == NO_NODE) return nullptr;
    auto& buffer = graph_.nodes[node.ref];
    if (buffer.kind != ValueNode::Kind::ARRAY_BUFFER || node.offset > buffer.bytes.size() || node.length > buffer.bytes.size() - node.offset) return nullptr;
    return buffer.bytes.substr(node.offset, node.length);
  }

 private:
  const ValueGraph& graph_;
};

Failure unusable() { return Failure(cli::EXIT_CODE_PROTOCOL, "the worker that bundles gave no usable answer"); }

// "src/index.ts:3:15: Unexpected token" and the line with a mark below.
std::string inWords(const Answer& answer, const ValueNode& problem) {
  auto file = answer.textIn(problem, "file");
  auto line = answer.numberIn(problem, "line"), column = answer.numberIn(problem, "column");
  std::string words = file;
  if (line > 0) words += ":" + std::to_string(line) + ":" + std::to_string(column);
  words += (words.empty() ? "" : ": ") + answer.textIn(problem, "text");
  auto text = answer.textIn(problem, "lineText");
  if (text.empty()) return words;
  // Columns count UTF-16 units, and this is UTF-8: the mark may stand a little off behind what is not ASCII.
  auto before = text.substr(0, column > 0 ? column - 1 : 0);
  for (auto& c: before) c = c == '\t' ? '\t' : ' ';
  return words + "\n    " + text + "\n    " + before + "^";
}

StrippedModules readModules(const Answer& answer) {
  auto mainModule = Answer::text(answer.in(answer.root(), "mainModule"));
  auto given = answer.items(answer.in(answer.root(), "modules"));
  if (mainModule == nullptr || given == nullptr) return unusable();
  std::vector<ModuleFile> modules;
  for (auto node: KJ_ASSERT_NONNULL(given)) {
    auto parts = answer.items(node);
    if (parts == nullptr || KJ_ASSERT_NONNULL(parts).size() != 3) return unusable();
    auto& triple = KJ_ASSERT_NONNULL(parts);
    auto name = Answer::text(triple[0]), kind = Answer::text(triple[1]), text = Answer::text(triple[2]);
    if (name == nullptr || kind == nullptr || name->empty()) return unusable();
    ModuleFile module{*name, ModuleType::JS, {}};
    if (*kind == "js" || *kind == "text") {
      if (text == nullptr) return unusable();
      module.type = *kind == "js" ? ModuleType::JS : ModuleType::TEXT;
      module.content = *text;
    } else {
      auto bytes = answer.bytes(*triple[2]);
      if (bytes == nullptr || (*kind != "data" && *kind != "wasm")) return unusable();
      module.type = *kind == "data" ? ModuleType::DATA : ModuleType::WASM;
      module.content = KJ_ASSERT_NONNULL(bytes);
    }
    modules.push_back(std::move(module));
  }
  auto main = std::find_if(modules.begin(), modules.end(), [&](const ModuleFile& module) { return module.name == *mainModule; });
  if (main == modules.end() || main->type != ModuleType::JS) return unusable();
  auto map = Answer::text(answer.in(answer.root(), "map")), mapFile = Answer::text(answer.in(answer.root(), "mapFile"));
  if (map != nullptr && mapFile != nullptr && map->size() <= MAP_BYTES_MAX) {
    auto origin = std::make_shared<cli::ModuleOrigin>();
    origin->file = *mapFile;
    origin->map = *map;
    main->origin = std::move(origin);
  }
  std::rotate(modules.begin(), main, main + 1);
  return modules;
}

// -- What it is asked ----------------------------------------------------------------------------------------------------------------

// Endings that the project's own rules make texts or bytes. Where a rule says more than an ending, the usual kinds hold.
std::vector<std::pair<std::string, std::string>> loadersOf(const ProjectConfig& config) {
  std::vector<std::pair<std::string, std::string>> loaders;
  for (auto& rule: config.rules) {
    for (auto& glob: rule.globs) {
      auto ending = glob.substr(glob.rfind('/') + 1);
      if (ending.size() < 3 || ending[0] != '*' || ending[1] != '.' || ending.find_first_of("*?[", 1) != std::string::npos) continue;
      auto kind = rule.type == ModuleType::TEXT ? "text" : rule.type == ModuleType::DATA || rule.type == ModuleType::WASM ? "copy" : nullptr;
      if (kind != nullptr) loaders.emplace_back(ending.substr(1), kind);
    }
  }
  return loaders;
}

// `Request` of worker/bundler/main.ts.
ValueGraph request(const std::vector<NamedFile>& files, const std::set<std::string>& absent, const std::map<std::string, std::string>& links, const ProjectConfig& config, bool mayInstall, bool hasRegistry) {
  RequestWriter writer;
  std::vector<NodeRef> named, missing, linked, loaders;
  for (auto& file: files) {
    named.push_back(writer.array({writer.text(file.name), isUtf8(file.content) ? writer.text(file.content) : writer.bytes(file.content)}));
  }
  for (auto& place: absent) missing.push_back(writer.text(place));
  for (auto& [name, target]: links) linked.push_back(writer.array({writer.text(name), writer.text(target)}));
  for (auto& [ending, kind]: loadersOf(config)) loaders.push_back(writer.array({writer.text(ending), writer.text(kind)}));
  auto property = [&](const char* name, NodeRef value) { return ValueProperty{writer.text(name), value}; };
  auto options = writer.object({
      property("externals", writer.array({})), property("target", writer.text("es2024")), property("minify", writer.boolean(false)),
      property("sourcemap", writer.boolean(false)), property("jsx", writer.nil()), property("jsxImportSource", writer.nil()),
      property("define", writer.array({})), property("loader", writer.array(std::move(loaders))),
      property("conditions", writer.array({writer.text("workerd"), writer.text("worker"), writer.text("browser")})),
      property("virtualModules", writer.array({})),
  });
  auto object = writer.object({
      property("files", writer.array(std::move(named))), property("entryPoint", writer.text(files[0].name)), property("bundle", writer.boolean(true)),
      property("options", options), property("registry", hasRegistry ? writer.stub("registry") : writer.nil()), property("absent", writer.array(std::move(missing))),
      property("links", writer.array(std::move(linked))), property("wantsMap", writer.boolean(true)), property("mayInstall", writer.boolean(mayInstall)),
  });
  return std::move(writer).arguments(object);
}

}  // namespace

struct PackageBundler::Bundling {
  ProjectConfig config;
  std::vector<NamedFile> files;
  std::set<std::string> given, absent;         // places of packages
  std::map<std::string, std::string> links;    // from one place to another
  kj::Maybe<rpc::Target::Client> registry;      // once something is missing
  size_t bytes = 0;
  int rounds = 0;

  // Throws Failure.
  void add(std::vector<NamedFile> more) {
    for (auto& file: more) {
      bytes += file.name.size() + file.content.size();
      files.push_back(std::move(file));
    }
    if (bytes > FILES_BYTES_MAX) {
      throw Failure(cli::EXIT_CODE_USAGE, "the project and the packages that it imports have more than " + std::to_string(FILES_BYTES_MAX >> 20) + " MiB. Bundle it before: esbuild --bundle --format=esm");
    }
  }
  // False: it was asked for before.
  bool addPackage(const std::string& place) {
    if (given.contains(place) || absent.contains(place) || links.contains(place)) return false;
    if (given.size() + absent.size() + links.size() > PACKAGES_MAX) throw Failure(cli::EXIT_CODE_USAGE, "the project imports more than " + std::to_string(PACKAGES_MAX) + " packages");
    auto lies = findPackage(config, place);
    if (!lies) {
      absent.insert(place);
      return true;
    }
    if (*lies != place) links[place] = *lies;
    if (given.insert(*lies).second) add(readPackage(config, *lies).value().files);
    return true;
  }
};

PackageBundler::PackageBundler(Start start, std::string scriptFile, std::string wasmFile)
    : start_(kj::mv(start)), scriptFile_(std::move(scriptFile)), wasmFile_(std::move(wasmFile)) {}

kj::Promise<StrippedModules> PackageBundler::bundle(ProjectConfig config) {
  auto bundling = kj::heap<Bundling>();
  bundling->config = std::move(config);
  try {
    bundling->add(readSources(bundling->config));
    for (auto& place: lastNeeded_) bundling->addPackage(place);
    if (worker_ == nullptr) worker_ = load();
  } catch (const Failure& failure) {
    return StrippedModules(failure);
  }
  return ask(kj::mv(bundling));
}

kj::Promise<StrippedModules> PackageBundler::ask(kj::Own<Bundling> bundling) {
  if (++bundling->rounds > ROUNDS_MAX) return StrippedModules(unusable());
  auto target = KJ_ASSERT_NONNULL(worker_).getEntrypointRequest().send().getEntrypoint();
  auto call = target.callRequest();
  call.initPath(1).set(0, "create");
  auto graph = request(bundling->files, bundling->absent, bundling->links, bundling->config, mayInstall(), bundling->registry != nullptr);
  KJ_IF_MAYBE(registry, bundling->registry) {
    writePayload(kj::mv(graph), call.getOperation().initInvoke(), wire::PAYLOAD_BYTES_MAX, [&](const ValueExternal&) -> capnp::Capability::Client { return *registry; });
  } else {
    writePayload(graph, call.getOperation().initInvoke());
  }
  return call.send()
      .then([](auto&& response) { return readReturn(kj::mv(response)); })
      .then([this, bundling = kj::mv(bundling)](CallOutcome&& outcome) mutable -> kj::Promise<StrippedModules> {
        if (!outcome.is<CallValue>()) {
          worker_ = nullptr;   // whatever state it is in
          std::string what = "'" + bundling->config.name + "' could not be bundled: ";
          if (!outcome.is<CallEnded>()) return StrippedModules(Failure(cli::EXIT_CODE_CODE_ERROR, what + "something in it, or in a package that it needs, is more than the bundler can take"));
          auto& ended = outcome.get<CallEnded>();
          return StrippedModules(Failure(cli::exitCodeOf(ended.code), what + ended.message.cStr() + " (" + ended.name.cStr() + ")"));
        }
        Answer answer(outcome.get<CallValue>().graph);
        KJ_IF_MAYBE(problems, answer.items(answer.in(answer.root(), "problems"))) {
          std::string words;
          for (auto problem: *problems) words += (words.empty() ? "" : "\n") + inWords(answer, *problem);
          return StrippedModules(words.empty() ? unusable() : Failure(cli::EXIT_CODE_CODE_ERROR, words));
        }
        KJ_IF_MAYBE(places, answer.items(answer.in(answer.root(), "needed"))) {
          bool asked = false;
          try {
            for (auto node: *places) {
              auto place = Answer::text(node);
              if (place == nullptr || !isPackagePlace(*place)) return StrippedModules(unusable());
              asked = bundling->addPackage(*place) || asked;
            }
          } catch (const Failure& failure) {
            return StrippedModules(failure);
          }
          if (!asked) return StrippedModules(unusable());
          return ask(kj::mv(bundling));
        }
        if (answer.in(answer.root(), "missing") != nullptr) {
          if (bundling->registry != nullptr || registry_ == nullptr) return StrippedModules(unusable());
          try {
            bundling->registry = KJ_ASSERT_NONNULL(registry_)();
            bundling->add(readLockFiles(bundling->config));
          } catch (const Failure& failure) {
            return StrippedModules(failure);
          }
          return ask(kj::mv(bundling));
        }
        lastNeeded_ = std::move(bundling->given);
        for (auto& [name, target]: bundling->links) lastNeeded_.insert(name);
        return readModules(answer);
      });
}

rpc::Worker::Client PackageBundler::load() {
  if (supervisor_ == nullptr) supervisor_ = start_();
  auto request = KJ_ASSERT_NONNULL(supervisor_).loaderRequest().send().getLoader().loadRequest();
  auto code = request.initCode();
  code.setCompatibilityDate(COMPATIBILITY_DATE);
  code.setMainModule(SCRIPT_NAME);
  cli::setModules({{SCRIPT_NAME, ModuleType::JS, cli::readFile(scriptFile_)}, {WASM_NAME, ModuleType::WASM, cli::readFile(wasmFile_)}}, code);
  writeLimits(BUNDLER_LIMITS, code.initLimits());
  return request.send().getWorker();
}

}  // namespace glovebox::project
