#include "tools/http/log.h"

#include <kj/encoding.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <time.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "ipc/ending.h"
#include "ipc/log-level.h"
#include "tools/cli/terminal.h"

namespace glovebox::http {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void writeText(Json& json, const char* name, const std::string& value) {
  json.Key(name);
  // A worker's text may be no UTF-8.
  auto clean = kj::decodeUtf32(kj::encodeUtf32(kj::arrayPtr(value.data(), value.size())));
  json.String(clean.begin(), static_cast<rapidjson::SizeType>(clean.size()));
}

std::string summary(const LogLine::Request& request) {
  auto outcome = request.status != 0 ? std::to_string(request.status)
                 : request.outcome == "exception" ? "threw"
                 : request.outcome == "ok" ? "no Response" : request.outcome;
  return request.method + " " + request.path + " " + outcome + " (" + std::to_string(request.milliseconds) + " ms)";
}

std::string timeText(double timeMs) {
  auto milliseconds = static_cast<int64_t>(timeMs);
  time_t seconds = static_cast<time_t>(milliseconds / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  auto length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(text + length, sizeof(text) - length, ".%03dZ", static_cast<int>(milliseconds % 1000));
  return text;
}

// A child's name is what its parent calls it. In quotes, where it could be taken for more than a name.
std::string shownName(std::string_view name) {
  bool plain = !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return isalnum(c) || strchr("#-_.:/@", c) != nullptr; });
  if (plain) return std::string(name);
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  auto clean = kj::decodeUtf32(kj::encodeUtf32(kj::arrayPtr(name.data(), name.size())));
  json.String(clean.begin(), static_cast<rapidjson::SizeType>(clean.size()));
  return std::string(buffer.GetString(), buffer.GetSize());
}

class LogConsole final: public rpc::Console::Server {
 public:
  LogConsole(Log& log, project::MappedLines& lines, const std::string& worker, cli::ModuleOrigins origins)
      : log_(log), lines_(lines), worker_(worker), origins_(std::move(origins)) {}

 protected:
  kj::Promise<void> write(WriteContext context) override {
    for (auto message: context.getParams().getMessages()) {
      auto level = levelName(message.getLevel());
      auto text = message.getText();
      auto worker = worker_;
      for (auto name: message.getWorkers()) worker += " > " + shownName(std::string_view(name.begin(), name.size()));
      // What a worker that it has loaded is made of is nobody's knowledge here.
      auto& origins = message.getWorkers().size() == 0 ? origins_ : NO_ORIGINS;
      LogLine line{.level = level.cStr(), .worker = worker, .message = {}, .request = {}, .trace = readTrace(message.getTrace())};
      lines_.add(std::string(text.begin(), text.size()), origins, [&log = log_, line = std::move(line)](std::string mapped) mutable {
        line.message = std::move(mapped);
        log.write(line);
      });
    }
    return kj::READY_NOW;
  }

 private:
  Log& log_;
  project::MappedLines& lines_;
  const std::string worker_;
  const cli::ModuleOrigins origins_;
  const cli::ModuleOrigins NO_ORIGINS;
};

}  // namespace

std::string asText(const LogLine& line) {
  if (!line.request) return line.worker.empty() ? line.message : line.worker + ": " + line.message;
  auto& request = *line.request;
  auto said = request.error.empty() ? "" : request.error + "\n";
  return said + summary(request);
}

std::string asJson(const LogLine& line, double timeMs) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.StartObject();
  writeText(json, "time", timeText(timeMs));
  writeText(json, "level", line.level);
  writeText(json, "message", line.request ? summary(*line.request) : line.message);
  if (!line.worker.empty()) writeText(json, "worker", line.worker);
  if (line.request) {
    json.Key("request");
    json.StartObject();
    writeText(json, "method", line.request->method);
    writeText(json, "path", line.request->path);
    if (line.request->status != 0) {
      json.Key("status");
      json.Uint(line.request->status);
    }
    writeText(json, "outcome", line.request->outcome);
    json.Key("ms");
    json.Uint64(line.request->milliseconds);
    if (!line.request->error.empty()) writeText(json, "error", line.request->error);
    json.EndObject();
  }
  if (line.trace.exists()) {
    writeText(json, "trace", traceIdText(line.trace));
    writeText(json, "span", spanText(line.trace.span));
    if (line.trace.parent != 0) writeText(json, "parent", spanText(line.trace.parent));
  }
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize());
}

void Log::write(const LogLine& line) {
  if (quiet_ && (line.worker.empty() || line.request)) return;
  auto text = cli::forStandardError(asText(line));
  if (form_ == Form::JSON) {
    auto now = std::chrono::system_clock::now().time_since_epoch();
    text = asJson(line, static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  }
  text += '\n';
  fwrite(text.data(), 1, text.size(), stderr);
}

void Log::write(project::MappedLines& lines, const std::string& worker, Answered answered) {
  auto outcome = endingName(answered.outcome);
  LogLine line{.level = answered.status >= 500 || answered.status == 0 ? "error" : "info",
               .worker = worker,
               .message = {},
               .request = LogLine::Request{answered.line.method, answered.line.path, answered.status, outcome.cStr(),
                                           static_cast<uint64_t>(answered.took / kj::MILLISECONDS)},
               .trace = answered.trace};
  lines.add(std::move(answered.words), answered.origins, [this, line = std::move(line)](std::string words) mutable {
    line.request->error = std::move(words);
    write(line);
  });
}

void Log::say(const char* level, std::string message) { write({.level = level, .message = std::move(message)}); }

rpc::Console::Client consoleOf(Log& log, project::MappedLines& lines, const std::string& worker, cli::ModuleOrigins origins) {
  return kj::heap<LogConsole>(log, lines, worker, std::move(origins));
}

}  // namespace glovebox::http
