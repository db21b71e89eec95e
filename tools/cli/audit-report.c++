#include "tools/cli/audit-report.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <map>

namespace glovebox::cli {
namespace {

using probe::Judgement;
using probe::Verdict;

std::string_view standingName(Standing standing) {
  switch (standing) {
    case Standing::STOPPED: return "stopped";
    case Standing::REACHED: return "reached";
    case Standing::GRANTED: return "granted";
    case Standing::MET: return "met";
    case Standing::UNCLEAR: return "unclear";
  }
  return "unclear";
}

// A refusal that no layer of ours is known for is the kernel's own: no such call, no such page, no such file.
std::string layerName(const Verdict& verdict) {
  return verdict.layer ? std::string(policy::info(*verdict.layer).name) : "kernel";
}

std::string stopperOf(const Verdict& verdict) {
  return verdict.judgement == Judgement::REFUSED ? layerName(verdict) + " (" + verdict.how + ")" : "-";
}

std::string otherStopperOf(const AuditEntry& entry) {
  if (!entry.withoutSeccomp) return "not tried";
  return entry.withoutSeccomp->judgement == Judgement::REFUSED ? layerName(*entry.withoutSeccomp) : "nothing";
}

std::string outsideText(const Outside& outside) {
  if (outside.word != "refused" && outside.word != "unavailable") return outside.word;
  return outside.word + " (" + outside.how + ")";
}

using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::string out;
  for (auto& row: rows) {
    for (size_t column = 0; column < row.size(); column++) {
      out += row[column];
      if (column + 1 == row.size()) continue;
      size_t width = 0;
      for (auto& other: rows) width = std::max(width, other[column].size());
      out.append(width + 2 - row[column].size(), ' ');
    }
    out += '\n';
  }
  return out;
}

std::string section(const std::vector<AuditEntry>& entries, policy::Profile profile, Standing standing, const char* title) {
  std::string out;
  for (auto& entry: entries) {
    if (standingOf(entry, profile) != standing) continue;
    if (out.empty()) out = std::string("\n") + title + "\n";
    out += "  " + std::string(entry.attempt->name) + ": " + std::string(entry.attempt->goal);
    if (standing == Standing::UNCLEAR) out += " (" + entry.inside.how + ")";
    else if (standing != Standing::MET) out += "\n    " + std::string(entry.attempt->remark);
    out += '\n';
  }
  return out;
}

std::string summary(const std::vector<AuditEntry>& entries, policy::Profile profile) {
  std::map<Standing, size_t> standings;
  std::map<std::string, size_t> layers;
  size_t heldWithoutSeccomp = 0, metOutside = 0, harmful = 0;
  for (auto& entry: entries) {
    auto standing = standingOf(entry, profile);
    standings[standing]++;
    if (standing == Standing::STOPPED) {
      layers[layerName(entry.inside)]++;
      if (entry.withoutSeccomp && entry.withoutSeccomp->judgement == Judgement::REFUSED) heldWithoutSeccomp++;
    }
    if (entry.outside.word == "met") metOutside++;
    if (!entry.attempt->harmless()) harmful++;
  }
  auto count = [](size_t number) { return std::to_string(number); };
  std::string stoppers;
  for (auto& [layer, number]: layers) stoppers += (stoppers.empty() ? "" : ", ") + layer + " " + count(number);
  auto broken = standings[Standing::MET] + standings[Standing::UNCLEAR];
  return "Outside the jail " + count(metOutside) + " of " + count(entries.size() - harmful) + " harmless attempts succeed. Without seccomp the other layers alone would stop " +
         count(heldWithoutSeccomp) + ".\n" + count(entries.size()) + " attempts in profile " + std::string(policy::profileName(profile)) + ": " +
         count(standings[Standing::STOPPED]) + " stopped (" + stoppers + "), " + count(standings[Standing::GRANTED]) + " granted on purpose, " +
         count(standings[Standing::REACHED]) + " past every filter to no effect, " + count(broken) + " succeeded.\n";
}

class Json {
 public:
  void text(const char* key, std::string_view value) {
    writer.Key(key);
    writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  }
  void textOrNull(const char* key, bool isThere, std::string_view value) {
    if (isThere) return text(key, value);
    writer.Key(key);
    writer.Null();
  }
  std::string take() { return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n"; }

 private:
  rapidjson::StringBuffer buffer_;

 public:
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer{buffer_};
};

void writeWithoutSeccomp(Json& json, const AuditEntry& entry) {
  json.writer.Key("withoutSeccomp");
  json.writer.StartObject();
  auto& verdict = entry.withoutSeccomp;
  bool stopped = verdict && verdict->judgement == Judgement::REFUSED;
  json.text("inside", !verdict ? "not run (harmful)" : stopped ? "stopped" : probe::judgementName(verdict->judgement));
  json.textOrNull("stoppedBy", stopped, stopped ? layerName(*verdict) : "");
  json.textOrNull("how", verdict.has_value(), verdict ? verdict->how : "");
  json.writer.EndObject();
}

}  // namespace

Standing standingOf(const AuditEntry& entry, policy::Profile profile) {
  bool documented = probe::isAsDocumented(*entry.attempt, entry.inside, profile);
  switch (entry.inside.judgement) {
    case Judgement::REFUSED: return Standing::STOPPED;
    case Judgement::REACHED: return documented ? Standing::REACHED : Standing::MET;
    case Judgement::MET: return documented ? Standing::GRANTED : Standing::MET;
    case Judgement::UNCLEAR: return Standing::UNCLEAR;
  }
  return Standing::UNCLEAR;
}

bool hasHeld(const std::vector<AuditEntry>& entries, policy::Profile profile) {
  return !entries.empty() &&
         std::all_of(entries.begin(), entries.end(), [&](auto& entry) { return probe::isAsDocumented(*entry.attempt, entry.inside, profile); });
}

std::string reportAsText(const std::vector<AuditEntry>& entries, policy::Profile profile) {
  std::vector<Row> rows{{"ATTEMPT", "OUTSIDE", "INSIDE", "STOPPED BY", "WITHOUT SECCOMP"}};
  for (auto& entry: entries) {
    rows.push_back({std::string(entry.attempt->name), outsideText(entry.outside), std::string(standingName(standingOf(entry, profile))),
                    stopperOf(entry.inside), otherStopperOf(entry)});
  }
  return table(rows) + section(entries, profile, Standing::GRANTED, "Granted on purpose:") +
         section(entries, profile, Standing::REACHED, "Past every filter, to no effect:") +
         section(entries, profile, Standing::UNCLEAR, "UNCLEAR, which counts as a success:") +
         section(entries, profile, Standing::MET, "SUCCEEDED, which breaks a promise:") + "\n" + summary(entries, profile);
}

std::string reportAsJson(const std::vector<AuditEntry>& entries, policy::Profile profile) {
  Json json;
  json.writer.StartArray();
  for (auto& entry: entries) {
    auto standing = standingOf(entry, profile);
    json.writer.StartObject();
    json.text("name", entry.attempt->name);
    json.text("group", probe::groupName(entry.attempt->group));
    json.text("tries", entry.attempt->goal);
    json.text("outside", entry.outside.word);
    json.textOrNull("outsideHow", !entry.outside.how.empty(), entry.outside.how);
    json.text("inside", standingName(standing));
    json.textOrNull("stoppedBy", standing == Standing::STOPPED, layerName(entry.inside));
    json.text("how", entry.inside.how);
    writeWithoutSeccomp(json, entry);
    json.textOrNull("documented", standing == Standing::GRANTED || standing == Standing::REACHED, entry.attempt->remark);
    json.writer.EndObject();
  }
  json.writer.EndArray();
  return json.take();
}

}  // namespace glovebox::cli
