#include "tools/cli/account-json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <cstdio>
#include <ctime>

#include "ipc/ending.h"
#include "ipc/log-level.h"
#include "ipc/trace.h"

namespace glovebox::cli {
namespace {

// Output escapes whatever is not ASCII.
using Json = rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>>;

void writeText(Json& json, const char* name, capnp::Text::Reader value) {
  json.Key(name);
  json.String(value.begin(), static_cast<rapidjson::SizeType>(value.size()));
}

void writeNumber(Json& json, const char* name, uint64_t value) {
  json.Key(name);
  json.Uint64(value);
}

void writeMs(Json& json, const char* name, uint64_t microseconds) {
  json.Key(name);
  json.Double(static_cast<double>(microseconds) / 1000);
}

// As JSON.stringify() writes a Date; a worker may have sent any number.
void writeTime(Json& json, const char* name, double milliseconds) {
  constexpr double YEAR_9999 = 253'402'300'800'000;
  json.Key(name);
  if (!(milliseconds >= 0 && milliseconds < YEAR_9999)) {
    json.Null();
    return;
  }
  auto seconds = static_cast<time_t>(milliseconds / 1000);
  tm parts;
  gmtime_r(&seconds, &parts);
  char date[32], text[48];
  strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text, sizeof(text), "%s.%03dZ", date, static_cast<int>(milliseconds - static_cast<double>(seconds) * 1000));
  json.String(text);
}

template <typename List, typename Write>
void writeList(Json& json, const char* name, List list, Write&& write) {
  json.Key(name);
  json.StartArray();
  for (auto element: list) {
    json.StartObject();
    write(element);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string accountAsJson(rpc::Account::Reader account) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.StartObject();
  writeText(json, "outcome", endingName(account.getOutcome()));
  writeTime(json, "startTime", account.getStartTime());
  writeMs(json, "wallMs", account.getWallUs());
  writeMs(json, "cpuMs", account.getCpuUs());
  writeNumber(json, "peakMemoryBytes", account.getPeakMemoryBytes());
  writeNumber(json, "subRequests", account.getSubRequests());
  writeNumber(json, "bytesIn", account.getBytesIn());
  writeNumber(json, "bytesOut", account.getBytesOut());
  writeList(json, "capabilities", account.getCapabilities(), [&](rpc::Account::Use::Reader use) {
    writeText(json, "label", use.getLabel());
    writeText(json, "kind", use.getKind());
    writeNumber(json, "calls", use.getCalls());
    writeNumber(json, "bytesOut", use.getBytesOut());
    writeNumber(json, "bytesIn", use.getBytesIn());
  });
  writeList(json, "logs", account.getLogs(), [&](rpc::LogMessage::Reader log) {
    writeText(json, "level", levelName(log.getLevel()).cStr());
    writeTime(json, "time", log.getTime());
    writeText(json, "text", log.getText());
  });
  writeList(json, "exceptions", account.getExceptions(), [&](rpc::ThrownError::Reader thrown) {
    writeTime(json, "time", thrown.getTime());
    writeText(json, "name", thrown.getName());
    writeText(json, "message", thrown.getMessage());
    writeText(json, "stack", thrown.getStack());
  });
  json.Key("truncated");
  json.Bool(account.getTruncated());
  if (account.hasTrace()) {
    auto trace = readTrace(account.getTrace());
    json.Key("trace");
    json.StartObject();
    writeText(json, "traceId", traceIdText(trace).c_str());
    writeText(json, "spanId", spanText(trace.span).c_str());
    writeText(json, "parentSpanId", spanText(trace.parent).c_str());
    json.EndObject();
  }
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace glovebox::cli
