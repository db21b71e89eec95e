#include "supervisor/status.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <kj/encoding.h>

#include <string_view>

#include "ipc/ending.h"
#include "policy/layers.h"
#include "supervisor/loaded-worker.h"
#include "supervisor/outward.h"

namespace glovebox {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void writeNumber(Json& json, std::string_view name, uint64_t value) {
  json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  json.Uint64(value);
}

void writeText(Json& json, std::string_view name, std::string_view value) {
  json.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void writeTraffic(Json& json, const Traffic& traffic) {
  writeNumber(json, "calls", traffic.calls);
  writeNumber(json, "bytesOut", traffic.bytesOut);
  writeNumber(json, "bytesIn", traffic.bytesIn);
}

// What the worker holds under a name, and all that it did with what it holds or held.
void writeCapabilities(Json& json, Membrane& membrane) {
  Traffic total = membrane.ledger.passed;
  size_t written = 0;
  json.Key("capabilities");
  json.StartArray();
  for (auto& entry: membrane.outward()) {
    auto& outward = *entry.second;
    total.add(outward.traffic());
    if (outward.label().size() == 0 || ++written > membrane::STATUS_CAPABILITIES_MAX) continue;
    json.StartObject();
    // Chosen by whoever handed it over; cleaned when it crossed.
    writeText(json, "label", std::string_view(outward.label().begin(), outward.label().size()));
    auto kind = kindName(outward.kind());
    writeText(json, "kind", std::string_view(kind.begin(), kind.size()));
    writeTraffic(json, outward.traffic());
    json.EndObject();
  }
  json.EndArray();
  json.Key("callsOut");
  json.StartObject();
  writeTraffic(json, total);
  writeNumber(json, "inFlight", membrane.ledger.outwardCalls.now());
  json.EndObject();
}

std::string_view stateName(LoadedWorker::State state) {
  switch (state) {
    case LoadedWorker::State::STARTING: return "starting";
    case LoadedWorker::State::FAILED: return "failed";   // its modules: it says so to each call
    case LoadedWorker::State::BUSY: return "busy";
    case LoadedWorker::State::IDLE: return "idle";
    case LoadedWorker::State::ENDING: return "ending";
  }
  KJ_UNREACHABLE;
}

void writeWorker(Json& json, LoadedWorker& worker) {
  auto& membrane = worker.membrane();
  json.StartObject();
  writeNumber(json, "id", worker.id());
  KJ_IF_MAYBE(name, worker.name()) {
    auto clean = kj::decodeUtf32(kj::encodeUtf32(*name));
    writeText(json, "name", std::string_view(clean.begin(), clean.size()));
  }
  KJ_IF_MAYBE(peer, worker.peer()) {
    writeNumber(json, "pid", static_cast<uint64_t>(peer->pid()));
    writeNumber(json, "cpuMs", static_cast<uint64_t>(peer->cpuTime() / kj::MILLISECONDS));
    writeNumber(json, "memoryBytes", peer->memoryBytes());
  }
  writeText(json, "state", stateName(worker.state()));
  writeNumber(json, "ageMs", static_cast<uint64_t>(worker.age() / kj::MILLISECONDS));
  KJ_IF_MAYBE(parent, membrane.parent()) writeText(json, "loadedBy", std::string_view(parent->label().begin(), parent->label().size()));
  writeNumber(json, "callsInFlight", worker.callsInFlight());
  writeNumber(json, "children", membrane.ledger.children.now());
  writeNumber(json, "liveCapabilities", membrane.ledger.outwardCapabilities.now() + membrane.ledger.inwardCapabilities.now());
  writeCapabilities(json, membrane);
  json.EndObject();
}

void writeCodeCache(Json& json, const CodeCache& cache, const CodeCompiler::Counts& compiler) {
  auto counts = cache.counts();
  json.Key("codeCache");
  json.StartObject();
  writeNumber(json, "entries", counts.entries);
  writeNumber(json, "bytes", counts.bytes);
  writeNumber(json, "bytesMax", cache.bytesMax());
  writeNumber(json, "hits", counts.hits);
  writeNumber(json, "misses", counts.misses);
  writeNumber(json, "compiles", compiler.compiles);
  writeNumber(json, "failures", compiler.failures);
  writeNumber(json, "waiting", compiler.waiting);
  json.EndObject();
}

void writeNamed(Json& json, const Warmth& warmth) {
  json.Key("named");
  json.StartObject();
  writeNumber(json, "workers", warmth.workers());
  writeNumber(json, "memoryBytes", warmth.bytes());
  writeNumber(json, "budgetBytes", warmth.budgetBytes());
  json.Key("evictions");
  json.StartObject();
  writeNumber(json, "idle", warmth.evictions(EvictionReason::IDLE));
  writeNumber(json, "memory", warmth.evictions(EvictionReason::MEMORY));
  writeNumber(json, "workers", warmth.evictions(EvictionReason::WORKERS));
  json.EndObject();
  json.EndObject();
}

// In order of age, as many as make a document that people and monitoring can take.
void writeWorkers(Json& json, const Kinship& kinship) {
  json.Key("workers");
  json.StartArray();
  size_t written = 0;
  for (auto& entry: kinship.workers()) {
    if (++written > membrane::STATUS_WORKERS_MAX) break;
    writeWorker(json, *entry.second);
  }
  json.EndArray();
}

void writeRecent(Json& json, const Recent& recent) {
  json.Key("recent");
  json.StartArray();
  recent.forEach([&](const Recent::Row& row) {
    json.StartObject();
    json.Key("time");
    json.Double(row.startTime);
    writeNumber(json, "pid", static_cast<uint64_t>(row.pid));
    // As the caller wrote it.
    auto method = cleanText(kj::StringPtr(row.method.data()));
    writeText(json, "method", std::string_view(method.begin(), method.size()));
    auto outcome = endingName(row.outcome);
    writeText(json, "outcome", std::string_view(outcome.begin(), outcome.size()));
    writeNumber(json, "cpuUs", static_cast<uint64_t>(row.cpu / kj::MICROSECONDS));
    writeNumber(json, "wallUs", static_cast<uint64_t>(row.wall / kj::MICROSECONDS));
    json.EndObject();
  });
  json.EndArray();
}

}  // namespace

kj::String writeStatus(const StatusReport& report) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
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
  for (auto& limit: WORKER_LIMITS) number(limit.name, report.options.limits.*limit.field);
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

  writeCodeCache(json, report.codeCache, report.codeCompiler);
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
  number("tailCallsFailed", report.census.tailCallsFailed);
  number("tailEventsDropped", report.census.tailEventsDropped);
  writeNamed(json, report.warmth);
  writeWorkers(json, report.kinship);
  writeRecent(json, report.recent);
  json.EndObject();
  return kj::heapString(buffer.GetString(), buffer.GetSize());
}

}  // namespace glovebox
