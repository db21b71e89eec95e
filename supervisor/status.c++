#include "supervisor/status.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string_view>

#include "ipc/return-reader.h"
#include "policy/layers.h"

namespace glovebox {

kj::String writeStatus(const StatusReport& report) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  auto key = [&](std::string_view name) { json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); };
  auto text = [&](std::string_view value) { json.String(value.data(), static_cast<rapidjson::SizeType>(value.size())); };
  auto number = [&](std::string_view name, uint64_t value) {
    key(name);
    json.Uint64(value);
  };

  json.StartObject();
  key("profile");
  text(policy::profileName(report.options.profile));
  key("limits");
  json.StartObject();
  number("cpuMs", report.options.cpuMsMax);
  number("wallMs", report.options.wallMsMax);
  number("memoryMb", report.options.memoryMbMax);
  number("workers", report.options.workersMax);
  json.EndObject();

  policy::LayerSet inForce;
  KJ_IF_MAYBE(zygote, report.zygote) inForce = zygote->layersInForce();
  inForce = policy::LayerSet(inForce.bits() | report.cgroups.inForce().bits());
  key("layers");
  json.StartArray();
  for (auto& layer: policy::LAYERS) {
    json.StartObject();
    key("name");
    text(layer.name);
    key("inForce");
    json.Bool(inForce.has(layer.layer));
    key("required");
    json.Bool(layer.need == policy::Need::REQUIRED);
    key("missingAllowed");
    json.Bool(report.options.allowMissing.has(layer.layer));
    key("purpose");
    text(layer.purpose);
    for (auto& missing: report.cgroups.missing()) {
      if (missing.layer != layer.layer) continue;
      key("reason");
      text(missing.reason);
    }
    json.EndObject();
  }
  json.EndArray();

  key("pool");
  json.StartObject();
  number("warm", report.pool.warm);
  number("starting", report.pool.starting);
  number("waiting", report.pool.waiting);
  number("forked", report.pool.forked);
  number("failed", report.pool.failed);
  json.EndObject();

  key("zygote");
  json.StartObject();
  number("started", report.pool.zygotesStarted);
  KJ_IF_MAYBE(zygote, report.zygote) {
    number("forks", zygote->forkCount());
    number("wardenPid", static_cast<uint64_t>(zygote->wardenPid()));
    key("hashSeedProbe");
    text(kj::str(kj::hex(zygote->hashSeedProbe())).cStr());
  }
  json.EndObject();

  number("workersMemoryBytes", report.cgroups.memoryBytes());
  number("loads", report.census.loads);
  number("calls", report.census.calls);
  number("liveWorkers", report.census.liveWorkers);
  number("callsInFlight", report.census.callsInFlight);
  key("endings");
  json.StartObject();
  for (size_t i = 0; i < Census::CODE_COUNT; i++) {
    auto code = static_cast<rpc::Ending::Code>(i);
    number(std::string_view(endingName(code).begin(), endingName(code).size()), report.census.endings(code));
  }
  json.EndObject();
  json.EndObject();
  return kj::heapString(buffer.GetString(), buffer.GetSize());
}

}  // namespace glovebox
