// glovebox policy: the rules with their reasons, the layers, the limits, and the filter as the kernel runs it.

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cstdio>
#include <span>

#include "policy/confine-gateway.h"
#include "policy/filter-compiler.h"
#include "policy/gateway-syscalls.h"
#include "policy/layers.h"
#include "policy/limits.h"
#include "policy/syscalls.h"
#include "tools/cli/commands.h"
#include "tools/cli/exit-codes.h"
#include "tools/cli/terminal.h"

namespace glovebox::cli {
namespace {

struct KernelLimit {
  std::string_view name;
  uint64_t value;
};
constexpr KernelLimit KERNEL_LIMITS[] = {
    {"RLIMIT_NOFILE", policy::WORKER_NOFILE_MAX},
    {"RLIMIT_NPROC", policy::WORKER_NPROC_MAX},
    {"RLIMIT_FSIZE", policy::WORKER_FSIZE_BYTES_MAX},
    {"RLIMIT_CORE", policy::WORKER_CORE_BYTES_MAX},
    {"RLIMIT_MEMLOCK", policy::WORKER_MEMLOCK_BYTES_MAX},
    {"RLIMIT_STACK", policy::WORKER_STACK_BYTES_MAX},
    {"RLIMIT_AS", policy::WORKER_ADDRESS_SPACE_BYTES_MAX},
    {"RLIMIT_DATA", policy::workerDataBytesMax(SupervisorOptions().limits.memoryMb)},
};

class Json {
 public:
  void text(std::string_view key, std::string_view value) {
    name(key);
    writer_.String(value.data(), size(value));
  }
  void number(std::string_view key, uint64_t value) {
    name(key);
    writer_.Uint64(value);
  }
  void name(std::string_view key) { writer_.Key(key.data(), size(key)); }
  rapidjson::PrettyWriter<rapidjson::StringBuffer>& writer() { return writer_; }
  std::string take() { return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n"; }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer_{buffer_};

  static rapidjson::SizeType size(std::string_view text) { return static_cast<rapidjson::SizeType>(text.size()); }
};

std::string conditionText(const policy::Condition& condition) {
  auto argument = "arg" + std::to_string(condition.argument);
  bool masked = condition.mask != ~uint64_t{0};
  return argument + (masked ? " " : condition.valueCount > 1 ? " in {" : " == ") + std::string(condition.text) +
         (!masked && condition.valueCount > 1 ? "}" : "");
}

void writeRules(Json& json, std::span<const policy::Rule> rules, policy::Profile profile) {
  auto& writer = json.writer();
  json.name("rules");
  writer.StartArray();
  for (auto& rule: rules) {
    if (!rule.profiles.has(profile)) continue;
    writer.StartObject();
    json.text("call", rule.call);
    json.number("number", static_cast<uint64_t>(rule.number));
    json.name("conditions");
    writer.StartArray();
    for (size_t i = 0; i < rule.conditionCount(); i++) writer.String(conditionText(rule.conditions[i]).c_str());
    writer.EndArray();
    json.text("answer", rule.answer.text);
    json.text("reason", rule.reason);
    writer.EndObject();
  }
  writer.EndArray();
}

std::string asJson(policy::Profile profile) {
  Json json;
  auto& writer = json.writer();
  writer.StartObject();
  json.text("profile", policy::profileName(profile));
  json.text("otherwise", "KILL_PROCESS");
  writeRules(json, policy::WORKER_SYSCALLS, profile);
  json.name("layers");
  writer.StartArray();
  for (auto& layer: policy::LAYERS) {
    writer.StartObject();
    json.text("name", layer.name);
    json.text("need", layer.need == policy::Need::REQUIRED ? "required" : "where possible");
    json.text("purpose", layer.purpose);
    json.text("fix", layer.fix);
    writer.EndObject();
  }
  writer.EndArray();
  json.name("gateway");
  writer.StartObject();
  json.text("otherwise", "KILL_PROCESS");
  writeRules(json, policy::GATEWAY_SYSCALLS, policy::Profile::DEFAULT);
  json.name("layers");
  writer.StartArray();
  for (auto& layer: policy::LAYERS) {
    if (policy::gatewayLayers().has(layer.layer)) writer.String(layer.name.data(), static_cast<rapidjson::SizeType>(layer.name.size()));
  }
  writer.EndArray();
  writer.EndObject();
  json.name("kernelLimits");
  writer.StartObject();
  for (auto& limit: KERNEL_LIMITS) json.number(limit.name, limit.value);
  writer.EndObject();
  json.name("filter");
  writer.StartArray();
  for (auto& instruction: policy::compileWorkerFilter(profile)) {
    writer.StartArray();
    for (uint32_t field: {uint32_t{instruction.code}, uint32_t{instruction.jt}, uint32_t{instruction.jf}, uint32_t{instruction.k}}) writer.Uint(field);
    writer.EndArray();
  }
  writer.EndArray();
  writer.EndObject();
  return json.take();
}

std::string filterText(policy::Profile profile) {
  auto filter = policy::compileWorkerFilter(profile);
  return "Compiled filter (" + std::to_string(filter.size()) + " BPF instructions), as libseccomp reads it:\n\n" +
         policy::filterPseudoCode(profile);
}

std::string asText(policy::Profile profile) {
  std::string out = policy::describeWorkerRules(profile);
  out += "\nLayers (--allow-missing=NAME goes on without a required one):\n";
  for (auto& layer: policy::LAYERS) {
    char line[96];
    snprintf(line, sizeof(line), "  %-20.*s %-15s ", static_cast<int>(layer.name.size()), layer.name.data(),
             layer.need == policy::Need::REQUIRED ? "required" : "where possible");
    out += line;
    out += layer.purpose;
    out += '\n';
  }
  out += "\nThe kernel's limits for a worker with the default memory:\n";
  for (auto& limit: KERNEL_LIMITS) {
    char line[96];
    snprintf(line, sizeof(line), "  %-20.*s %llu\n", static_cast<int>(limit.name.size()), limit.name.data(), static_cast<unsigned long long>(limit.value));
    out += line;
  }
  out += "\nThe gateway (dev, serve --config, --admin): " + policy::describeGatewayRules();
  out += "\nIts layers:";
  for (auto& layer: policy::LAYERS) {
    if (policy::gatewayLayers().has(layer.layer)) out += " " + std::string(layer.name);
  }
  out += "\n";
  return out + "\n" + filterText(profile);
}

}  // namespace

int policy(const PolicyOptions& options) {
  if (options.json) writeOutput(asJson(options.profile));
  else if (options.bpf) writeOutput(filterText(options.profile));
  else writeOutput(asText(options.profile));
  return EXIT_CODE_OK;
}

}  // namespace glovebox::cli
