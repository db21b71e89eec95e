#include "tools/http/page-data.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <vector>

#include "ipc/ending.h"
#include "ipc/log-level.h"
#include "supervisor/wall-clock.h"

namespace glovebox::http {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void writeNumber(Json& json, const char* name, uint64_t value) {
  json.Key(name);
  json.Uint64(value);
}

void writeText(Json& json, const char* name, std::string_view value) {
  json.Key(name);
  json.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void writeText(Json& json, const char* name, kj::StringPtr value) { writeText(json, name, std::string_view(value.begin(), value.size())); }

void writeHistogram(Json& json, const char* name, const Histogram& histogram) {
  json.Key(name);
  json.StartObject();
  json.Key("bounds");
  json.StartArray();
  for (auto bound: Histogram::BOUNDS) json.Double(bound);
  json.EndArray();
  json.Key("counts");
  json.StartArray();
  for (auto count: histogram.counts()) json.Uint64(count);
  json.EndArray();
  json.Key("sum");
  json.Double(histogram.sum());
  json.EndObject();
}

void writeRequests(Json& json, const RequestCounts& requests) {
  json.Key("requests");
  json.StartObject();
  writeNumber(json, "inFlight", requests.inFlight);
  writeNumber(json, "givenUp", requests.givenUp);
  writeNumber(json, "workerRestarts", requests.workerRestarts);
  json.Key("byStatus");
  json.StartObject();
  constexpr std::array CLASSES{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
  static_assert(CLASSES.size() == std::tuple_size_v<decltype(requests.byStatusClass)>);
  for (size_t i = 0; i < CLASSES.size(); i++) writeNumber(json, CLASSES[i], requests.byStatusClass[i]);
  json.EndObject();
  writeHistogram(json, "time", requests.time);
  json.EndObject();
}

const char* nameOf(Journal::Ended what) {
  switch (what) {
    case Journal::Ended::CALL: return "call";
    case Journal::Ended::WORKER: return "worker";
    case Journal::Ended::LET_GO: return "letGo";
  }
  KJ_UNREACHABLE;
}

void writeEnding(Json& json, const Journal::Ending& ending) {
  json.StartObject();
  writeNumber(json, "serial", ending.serial);
  json.Key("time");
  json.Double(ending.time);
  writeText(json, "what", std::string_view(nameOf(ending.what)));
  writeNumber(json, "worker", ending.diary->id());
  writeText(json, "name", ending.diary->name());
  if (ending.what == Journal::Ended::CALL) {
    writeText(json, "method", ending.method);
    writeNumber(json, "times", ending.times);
  } else {
    writeNumber(json, "cpuMs", ending.cpuMs);
    writeNumber(json, "peakMemoryBytes", ending.peakMemoryBytes);
  }
  writeText(json, "outcome", endingName(ending.outcome.code));
  // The words for a call that was under way do not fit here.
  bool letGo = ending.what == Journal::Ended::LET_GO;
  writeText(json, "message", letGo ? kj::StringPtr("Nobody needed the worker any more: it was disposed of, or the last one to hold it let go.")
                                   : kj::StringPtr(ending.outcome.message));
  json.EndObject();
}

// From the last one.
void writeEndings(Json& json, const Journal& journal) {
  std::vector<const Journal::Ending*> all;
  for (auto& ring: journal.endings()) {
    for (auto& ending: ring) all.push_back(&ending);
  }
  std::sort(all.begin(), all.end(), [](auto a, auto b) { return a->serial > b->serial; });
  json.Key("endings");
  json.StartArray();
  for (auto ending: all) writeEnding(json, *ending);
  json.EndArray();
}

std::string textOf(const rapidjson::StringBuffer& buffer) { return {buffer.GetString(), buffer.GetSize()}; }

}  // namespace

std::string writePageStatus(const PageStatus& status) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.StartObject();
  json.Key("time");
  json.Double(wallClockMs());
  if (!status.project.empty()) writeText(json, "project", std::string_view(status.project));
  json.Key("draining");
  json.Bool(status.draining);
  KJ_IF_MAYBE(requests, status.requests) writeRequests(json, *requests);
  writeHistogram(json, "callTime", status.metrics.census.callTime);
  writeHistogram(json, "loadTime", status.metrics.census.loadTime);
  writeNumber(json, "workerCpuMs", static_cast<uint64_t>(status.metrics.workerCpu / kj::MILLISECONDS));
  writeNumber(json, "workerMemoryBytes", status.metrics.workerMemoryBytes);
  writeEndings(json, status.journal);
  json.Key("supervisor");
  json.RawValue(status.supervisor.data(), status.supervisor.size(), rapidjson::kObjectType);
  json.EndObject();
  return textOf(buffer);
}

kj::Maybe<std::string> tryWriteLogs(const Journal& journal, uint64_t worker) {
  KJ_IF_MAYBE(diary, journal.tryFind(worker)) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.StartObject();
    writeNumber(json, "worker", worker);
    writeText(json, "name", diary->name());
    json.Key("ended");
    json.Bool(diary->hasEnded());
    json.Key("cut");
    json.Bool(diary->isCut());
    json.Key("lines");
    json.StartArray();
    for (auto& line: diary->lines()) {
      json.StartObject();
      json.Key("time");
      json.Double(line.time);
      writeText(json, "level", line.isThrown ? "uncaught"_kj : levelName(line.level));
      writeText(json, "text", kj::StringPtr(line.text));
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
    return textOf(buffer);
  }
  return nullptr;
}

}  // namespace glovebox::http
