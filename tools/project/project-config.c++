#include "tools/project/project-config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tools/cli/failure.h"

namespace glovebox::project {
namespace {

using cli::Failure;
using cli::ModuleType;
using Kind = ConfigValue::Kind;

constexpr const char* FILE_NAMES[] = {"wrangler.jsonc", "wrangler.json", "wrangler.toml"};

// Bindings of Cloudflare's that there is nothing here for.
constexpr std::string_view UNSUPPORTED_BINDINGS[] = {
    "agent_memory", "ai", "ai_search", "ai_search_namespaces", "analytics_engine_datasets", "artifacts", "assets", "browser", "containers", "d1_databases", "data_blobs",
    "dispatch_namespaces", "durable_objects", "flagship", "hyperdrive", "images", "kv_namespaces", "logfwdr", "media", "mtls_certificates",
    "pipelines", "queues", "r2_buckets", "ratelimits", "secrets_store_secrets", "send_email", "site", "stream", "text_blobs", "unsafe",
    "unsafe_hello_world", "vectorize", "version_metadata", "vpc_networks", "vpc_services", "wasm_modules", "websearch", "workflows",
};

// Without a meaning here and without harm: editors' business, or how it is here anyway.
constexpr std::string_view SILENT[] = {"$schema", "no_bundle", "find_additional_modules", "preserve_file_names"};

// Known to wrangler, and of no effect here.
constexpr std::string_view WITHOUT_EFFECT[] = {
    "account_id", "alias", "base_dir", "build", "cloudchamber", "compliance_region", "define", "dependencies_instrumentation", "dev", "env", "first_party_worker",
    "jsx_factory", "jsx_fragment", "keep_names", "keep_vars", "legacy_env", "logpush", "migrations", "minify", "observability",
    "pages_build_output_dir", "placement", "preview_urls", "previews", "python_modules", "route", "routes", "secrets", "send_metrics", "streaming_tail_consumers",
    "tail_consumers", "triggers", "tsconfig", "upload_source_maps", "userWorkerConfig", "workers_dev", "zone_id",
};

constexpr const char* SUPPORTED = "Supported are: worker_loaders, vars and services.";

struct TypeName {
  std::string_view name;
  ModuleType type;
};
constexpr TypeName RULE_TYPES[] = {
    {"ESModule", ModuleType::JS}, {"CommonJS", ModuleType::CJS}, {"Text", ModuleType::TEXT},
    {"Data", ModuleType::DATA}, {"CompiledWasm", ModuleType::WASM},
};

// Environment variables of Cloudflare's have 5 kB each, and there are 128; the supervisor bounds the whole.
constexpr size_t BINDINGS_MAX = 128;

// Where a value stands: for messages, and nothing else.
struct Where {
  const std::string& file;
  std::string path;   // "services[0].binding"

  Where at(std::string_view key) const { return {file, path.empty() ? std::string(key) : path + "." + std::string(key)}; }
  Where at(size_t index) const { return {file, path + "[" + std::to_string(index) + "]"}; }
  std::string of(const ConfigValue& value) const { return file + ":" + std::to_string(value.line) + ": " + path; }
  [[noreturn]] void refuse(const ConfigValue& value, const std::string& words) const { throw Failure(cli::EXIT_CODE_USAGE, of(value) + ": " + words); }
  [[noreturn]] void expected(const ConfigValue& value, const std::string& what) const { refuse(value, "expected " + what + "; got " + describe(value)); }
};

const std::string& readText(const ConfigValue& value, const Where& where, const std::string& what) {
  if (value.kind != Kind::TEXT || value.text.empty()) where.expected(value, what);
  return value.text;
}

const ConfigValue& require(const ConfigValue& object, std::string_view key, const Where& where, const std::string& what) {
  auto* value = object.tryFind(key);
  if (value == nullptr) where.refuse(object, "`" + std::string(key) + "` is missing: expected " + what);
  return *value;
}

void forEach(const ConfigValue& value, const Where& where, const std::string& what, const std::function<void(const ConfigValue&, const Where&)>& use) {
  if (value.kind != Kind::ARRAY) where.expected(value, what);
  for (size_t i = 0; i < value.members.size(); i++) use(value.members[i].value, where.at(i));
}

void checkKeys(const ConfigValue& object, const Where& where, std::initializer_list<std::string_view> known, std::vector<std::string>& warnings) {
  for (auto& [key, value]: object.members) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    warnings.push_back(where.at(key).of(value) + ": unknown, and ignored");
  }
}

// A binding is a property of env and a name in the types.
std::string readBinding(const ConfigValue& value, const Where& where) { return readText(value, where, "the name of a binding, such as \"LOADER\""); }

std::string readDate(const ConfigValue& value, const Where& where) {
  constexpr std::string_view SHAPE = "dddd-dd-dd";
  auto& text = readText(value, where, "a date such as \"2026-04-15\"");
  bool good = text.size() == SHAPE.size();
  for (size_t i = 0; good && i < SHAPE.size(); i++) good = SHAPE[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == '-';
  if (!good) where.expected(value, "a date such as \"2026-04-15\"");
  return text;
}

// Relative, and not out of the project's folder.
std::string readPath(const ConfigValue& value, const Where& where) {
  auto& text = readText(value, where, "the path of the main module, such as \"src/index.ts\"");
  if (text[0] == '/') where.expected(value, "a path relative to the file, such as \"src/index.ts\"");
  return text;
}

std::string withUnderscores(std::string_view name) {
  std::string words;
  for (char c: name) {
    if (c >= 'A' && c <= 'Z') words += '_';
    words += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

WorkerLimits readLimitsOf(const ConfigValue& value, const Where& where, std::vector<std::string>& warnings) {
  if (value.kind != Kind::OBJECT) where.expected(value, "an object such as { \"cpu_ms\": 50 }");
  WorkerLimits limits;
  for (auto& [key, member]: value.members) {
    // Wrangler's own name of that one.
    std::string name = key == "subrequests" ? "sub_requests" : key;
    auto* limit = std::find_if(std::begin(WORKER_LIMITS), std::end(WORKER_LIMITS), [&](auto& info) { return withUnderscores(info.name) == name; });
    auto there = where.at(key);
    if (limit == std::end(WORKER_LIMITS)) {
      warnings.push_back(there.of(member) + ": unknown, and ignored");
      continue;
    }
    if (member.kind != Kind::NUMBER || member.number != std::floor(member.number) || member.number < 1 || member.number > UINT32_MAX) {
      there.expected(member, "a whole number from 1 to " + std::to_string(UINT32_MAX));
    }
    limits.*limit->field = static_cast<uint32_t>(member.number);
  }
  return limits;
}

ServiceBinding readService(const ConfigValue& value, const Where& where, std::vector<std::string>& warnings) {
  if (value.kind != Kind::OBJECT) where.expected(value, "an object such as { \"binding\": \"AUTH\", \"service\": \"auth\" }");
  checkKeys(value, where, {"binding", "service", "entrypoint", "props"}, warnings);
  ServiceBinding service;
  service.where = where.of(value);
  service.binding = readBinding(require(value, "binding", where, "the name of the binding"), where.at("binding"));
  service.service = readText(require(value, "service", where, "the `name` of a project"), where.at("service"), "the `name` of a project");
  if (auto* entrypoint = value.tryFind("entrypoint")) service.entrypoint = readText(*entrypoint, where.at("entrypoint"), "the name of an export");
  if (auto* props = value.tryFind("props")) {
    if (props->kind != Kind::OBJECT) where.at("props").expected(*props, "an object, which the entrypoint finds as `this.ctx.props`");
    service.props = *props;
  }
  return service;
}

ModuleRule readRule(const ConfigValue& value, const Where& where, std::vector<std::string>& warnings) {
  if (value.kind != Kind::OBJECT) where.expected(value, "an object such as { \"type\": \"Text\", \"globs\": [\"**/*.md\"] }");
  checkKeys(value, where, {"type", "globs", "fallthrough"}, warnings);
  ModuleRule rule;
  auto& type = require(value, "type", where, "a type of module, such as \"Text\"");
  std::string names;
  for (auto& known: RULE_TYPES) names += (names.empty() ? "" : ", ") + std::string(known.name);
  auto& name = readText(type, where.at("type"), "one of " + names);
  auto* known = std::find_if(std::begin(RULE_TYPES), std::end(RULE_TYPES), [&](auto& entry) { return entry.name == name; });
  if (known == std::end(RULE_TYPES)) where.at("type").expected(type, "one of " + names);
  rule.type = known->type;
  forEach(require(value, "globs", where, "an array of globs"), where.at("globs"), "an array of globs such as \"**/*.md\"", [&](auto& glob, auto& there) {
    rule.globs.push_back(readText(glob, there, "a glob such as \"**/*.md\""));
  });
  if (auto* fallthrough = value.tryFind("fallthrough")) {
    if (fallthrough->kind != Kind::BOOLEAN) where.at("fallthrough").expected(*fallthrough, "true or false");
    rule.fallthrough = fallthrough->boolean;
  }
  return rule;
}

template <typename List>
bool contains(const List& list, std::string_view key) { return std::find(std::begin(list), std::end(list), key) != std::end(list); }

bool isEmpty(const ConfigValue& value) {
  return value.kind == Kind::NIL || ((value.kind == Kind::ARRAY || value.kind == Kind::OBJECT) && value.members.empty());
}

void readKey(ProjectConfig& config, const std::string& key, const ConfigValue& value, const Where& where) {
  auto& warnings = config.warnings;
  if (key == "name") {
    config.name = readText(value, where, "the project's name");
  } else if (key == "main") {
    config.main = readPath(value, where);
  } else if (key == "compatibility_date") {
    config.compatibilityDate = readDate(value, where);
  } else if (key == "compatibility_flags") {
    forEach(value, where, "an array of flags", [&](auto& flag, auto& there) { config.compatibilityFlags.push_back(readText(flag, there, "the name of a flag")); });
  } else if (key == "worker_loaders") {
    forEach(value, where, "an array such as [{ \"binding\": \"LOADER\" }]", [&](auto& loader, auto& there) {
      if (loader.kind != Kind::OBJECT) there.expected(loader, "an object such as { \"binding\": \"LOADER\" }");
      checkKeys(loader, there, {"binding"}, warnings);
      config.workerLoaders.push_back(readBinding(require(loader, "binding", there, "the name of the binding"), there.at("binding")));
    });
  } else if (key == "vars") {
    if (value.kind != Kind::OBJECT) where.expected(value, "an object such as { \"KEY\": \"value\" }");
    config.vars = value.members;
  } else if (key == "services") {
    forEach(value, where, "an array such as [{ \"binding\": \"AUTH\", \"service\": \"auth\" }]",
            [&](auto& service, auto& there) { config.services.push_back(readService(service, there, warnings)); });
  } else if (key == "rules") {
    forEach(value, where, "an array such as [{ \"type\": \"Text\", \"globs\": [\"**/*.md\"] }]",
            [&](auto& rule, auto& there) { config.rules.push_back(readRule(rule, there, warnings)); });
  } else if (key == "limits") {
    config.limits = readLimitsOf(value, where, warnings);
  } else if (key == "glovebox") {
    // What wrangler has no word for.
    if (value.kind != Kind::OBJECT) where.expected(value, "an object such as { \"egress\": { \"allow\": [\"api.example.com\"] } }");
    checkKeys(value, where, {"egress"}, warnings);
    if (auto* egress = value.tryFind("egress")) config.egress = readEgressConfig(*egress, where.file, where.at("egress").path, warnings);
  } else if (contains(UNSUPPORTED_BINDINGS, key)) {
    if (!isEmpty(value)) where.refuse(value, std::string("Glovebox has no bindings of this kind. ") + SUPPORTED);
  } else if (contains(WITHOUT_EFFECT, key)) {
    warnings.push_back(where.of(value) + ": has no effect here");
  } else if (!contains(SILENT, key)) {
    warnings.push_back(where.of(value) + ": unknown, and ignored");
  }
}

// Each name in env once.
void checkBindings(const ProjectConfig& config) {
  std::vector<std::string> names = config.workerLoaders;
  for (auto& var: config.vars) names.push_back(var.key);
  for (auto& service: config.services) names.push_back(service.binding);
  if (names.size() > BINDINGS_MAX) {
    throw Failure(cli::EXIT_CODE_USAGE, config.file + ": a worker may have " + std::to_string(BINDINGS_MAX) + " bindings; there are " + std::to_string(names.size()));
  }
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw Failure(cli::EXIT_CODE_USAGE, config.file + ": there are two bindings of the name '" + *twice + "'; rename one");
}

bool isFolder(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string folderOf(const std::string& file) {
  auto slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

}  // namespace

ProjectConfig parseProjectConfig(std::string_view text, const std::string& file) {
  auto root = parseConfigValue(text, file);
  ProjectConfig config;
  config.file = file;
  config.folder = folderOf(file);
  for (auto& [key, value]: root.members) readKey(config, key, value, Where{config.file, key});
  auto missing = [&](const char* key, const char* example) {
    throw Failure(cli::EXIT_CODE_USAGE, file + ": `" + key + "` is missing. For example: " + example);
  };
  if (config.main.empty()) missing("main", "\"main\": \"src/index.ts\"");
  if (config.compatibilityDate.empty()) missing("compatibility_date", "\"compatibility_date\": \"2026-04-15\"");
  checkBindings(config);
  return config;
}

bool isProjectPath(const std::string& path) {
  auto name = path.substr(path.rfind('/') + 1);
  return isFolder(path) || std::find(std::begin(FILE_NAMES), std::end(FILE_NAMES), name) != std::end(FILE_NAMES);
}

ProjectConfig readProjectConfig(const std::string& path) {
  if (!isFolder(path)) return parseProjectConfig(cli::readFile(path), path);
  auto folder = path.ends_with('/') && path.size() > 1 ? path.substr(0, path.size() - 1) : path;
  for (auto name: FILE_NAMES) {
    auto file = folder == "." ? std::string(name) : folder + "/" + name;
    if (access(file.c_str(), F_OK) == 0) return parseProjectConfig(cli::readFile(file), file);
  }
  throw Failure(cli::EXIT_CODE_NO_INPUT, "there is no project in '" + path + "': expected wrangler.jsonc, wrangler.json or wrangler.toml in it. "
                "The least of one: { \"name\": \"hello\", \"main\": \"index.js\", \"compatibility_date\": \"2026-04-15\" }");
}

}  // namespace glovebox::project
