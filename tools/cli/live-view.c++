#include "tools/cli/live-view.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "tools/cli/terminal.h"

namespace glovebox::cli {
namespace {

using Json = rapidjson::Value;
using Row = std::vector<std::string>;

// What fits on a screen.
constexpr size_t WORKERS_MAX = 20;
constexpr size_t RUNS_MAX = 12;
constexpr size_t CAPABILITIES_MAX = 4;   // of a worker

const Json* tryFind(const Json& object, const char* name) {
  if (!object.IsObject()) return nullptr;
  auto found = object.FindMember(name);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

double number(const Json& object, const char* name) {
  auto value = tryFind(object, name);
  return value != nullptr && value->IsNumber() ? value->GetDouble() : 0;
}

std::string whole(const Json& object, const char* name) {
  auto value = tryFind(object, name);
  return value != nullptr && value->IsUint64() ? std::to_string(value->GetUint64()) : "-";
}

// On one line, whatever it is.
std::string text(const Json& object, const char* name) {
  auto value = tryFind(object, name);
  if (value == nullptr || !value->IsString() || value->GetStringLength() == 0) return "-";
  auto clean = escapeControls({value->GetString(), value->GetStringLength()});
  std::replace_if(clean.begin(), clean.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return clean;
}

std::string fixed(double value) {
  char digits[32];
  snprintf(digits, sizeof(digits), "%.1f", value);
  return digits;
}

std::string bytes(double count) {
  if (count < 1024) return std::to_string(static_cast<uint64_t>(count)) + " B";
  return count < (1 << 20) ? fixed(count / 1024) + " KiB" : fixed(count / (1 << 20)) + " MiB";
}

std::string clock(double milliseconds) {
  auto seconds = static_cast<time_t>(milliseconds / 1000);
  tm parts;
  char digits[16];
  localtime_r(&seconds, &parts);
  strftime(digits, sizeof(digits), "%H:%M:%S", &parts);
  return digits;
}

// How many columns of a terminal: bytes that begin a character.
size_t columns(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void appendTable(const std::vector<Row>& rows, std::string& out) {
  for (auto& row: rows) {
    std::string line = " ";
    for (size_t column = 0; column < row.size(); column++) {
      size_t width = 0;
      for (auto& other: rows) width = std::max(width, columns(other[column]));
      line += " " + row[column] + (column + 1 == row.size() ? "" : std::string(width - columns(row[column]) + 1, ' '));
    }
    out += line + "\n";
  }
}

std::string capabilities(const Json& worker) {
  std::string out;
  size_t shown = 0, more = 0;
  if (auto list = tryFind(worker, "capabilities"); list != nullptr && list->IsArray()) {
    for (auto& use: list->GetArray()) {
      if (number(use, "calls") == 0 && number(use, "bytesIn") == 0) continue;
      if (shown == CAPABILITIES_MAX) {
        more++;
        continue;
      }
      shown++;
      out += (out.empty() ? "" : ", ") + text(use, "label") + " " + whole(use, "calls") + " (" + bytes(number(use, "bytesOut")) + " out, " +
             bytes(number(use, "bytesIn")) + " in)";
    }
  }
  if (more > 0) out += ", " + std::to_string(more) + " more";
  return out.empty() ? "-" : out;
}

void appendWorkers(const Json& status, std::string& out) {
  auto workers = tryFind(status, "workers");
  if (workers == nullptr || !workers->IsArray() || workers->Empty()) return;
  std::vector<Row> rows{{"pid", "name", "calls", "cpu ms", "memory", "capabilities used"}};
  for (auto& worker: workers->GetArray()) {
    if (rows.size() > WORKERS_MAX) break;
    rows.push_back({whole(worker, "pid"), text(worker, "name"), whole(worker, "callsInFlight"), whole(worker, "cpuMs"),
                    bytes(number(worker, "memoryBytes")), capabilities(worker)});
  }
  out += "\nworkers\n";
  appendTable(rows, out);
  auto live = number(status, "liveWorkers"), shown = static_cast<double>(rows.size() - 1);
  if (live > shown) out += "  and " + std::to_string(static_cast<uint64_t>(live - shown)) + " more\n";
}

// The latest first.
void appendRuns(const Json& status, std::string& out) {
  auto runs = tryFind(status, "recent");
  if (runs == nullptr || !runs->IsArray() || runs->Empty()) return;
  std::vector<Row> rows{{"ended", "pid", "outcome", "cpu ms", "wall ms", "method"}};
  for (auto i = runs->Size(); i > 0 && rows.size() <= RUNS_MAX; i--) {
    auto& run = (*runs)[i - 1];
    auto wallMs = number(run, "wallUs") / 1000;
    rows.push_back({clock(number(run, "time") + wallMs), whole(run, "pid"), text(run, "outcome"), fixed(number(run, "cpuUs") / 1000),
                    fixed(wallMs), text(run, "method")});
  }
  out += "\nrecent runs\n";
  appendTable(rows, out);
}

void appendEndings(const Json& status, std::string& out) {
  auto endings = tryFind(status, "endings");
  std::string line;
  if (endings != nullptr && endings->IsObject()) {
    for (auto& ending: endings->GetObject()) {
      if (ending.value.IsUint64() && ending.value.GetUint64() > 0) {
        line += (line.empty() ? "" : ", ") + escapeControls({ending.name.GetString(), ending.name.GetStringLength()}) + " " +
                std::to_string(ending.value.GetUint64());
      }
    }
  }
  if (!line.empty()) out += "\nendings\n  " + line + "\n";
}

}  // namespace

std::string liveView(const Json& status) {
  std::string out = whole(status, "liveWorkers") + " workers, " + whole(status, "callsInFlight") + " calls in flight, " +
                    bytes(number(status, "workersMemoryBytes")) + "; so far " + whole(status, "loads") + " loads, " +
                    whole(status, "calls") + " calls\n";
  appendWorkers(status, out);
  appendRuns(status, out);
  appendEndings(status, out);
  return out;
}

}  // namespace glovebox::cli
