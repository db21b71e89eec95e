#include "tools/cli/json-table.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <vector>

namespace glovebox::cli {
namespace {

std::string scalar(const rapidjson::Value& value) {
  if (value.IsString()) return {value.GetString(), value.GetStringLength()};
  if (value.IsBool()) return value.GetBool() ? "yes" : "no";
  if (value.IsNull()) return "-";
  if (value.IsArray()) {
    std::string out;
    for (auto& item: value.GetArray()) out += (out.empty() ? "" : ", ") + scalar(item);
    return out.empty() ? "-" : out;
  }
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return buffer.GetString();
}

std::string padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

bool isTable(const rapidjson::Value& value) { return value.IsArray() && !value.Empty() && value[0].IsObject(); }

// The columns are the names of the first row.
void appendTable(const rapidjson::Value& rows, const std::string& indent, std::string& out) {
  std::vector<std::string> columns;
  for (auto& member: rows[0].GetObject()) columns.emplace_back(member.name.GetString());
  std::vector<std::vector<std::string>> cells{columns};
  for (auto& row: rows.GetArray()) {
    cells.emplace_back();
    for (auto& column: columns) {
      auto member = row.IsObject() ? row.FindMember(column.c_str()) : rows[0].MemberEnd();
      cells.back().push_back(row.IsObject() && member != row.MemberEnd() ? scalar(member->value) : "");
    }
  }
  for (auto& line: cells) {
    out += indent;
    for (size_t column = 0; column < columns.size(); column++) {
      size_t width = 0;
      for (auto& other: cells) width = std::max(width, other[column].size());
      // The last one may be long; no blanks behind it.
      out += column + 1 == columns.size() ? line[column] : padded(line[column], width + 2);
    }
    out += '\n';
  }
}

void appendObject(const rapidjson::Value& object, const std::string& indent, std::string& out) {
  size_t width = 0;
  for (auto& member: object.GetObject()) width = std::max<size_t>(width, member.name.GetStringLength());
  for (auto& member: object.GetObject()) {
    if (isTable(member.value) || member.value.IsObject()) {
      if (indent.empty() && !out.empty()) out += '\n';
      out += indent + member.name.GetString() + "\n";
      if (member.value.IsObject()) appendObject(member.value, indent + "  ", out);
      else appendTable(member.value, indent + "  ", out);
      if (indent.empty()) out += '\n';
    } else {
      out += indent + padded(member.name.GetString(), width + 2) + scalar(member.value) + "\n";
    }
  }
}

// Neighbouring sections each bring an empty line.
std::string withoutDoubleGaps(const std::string& text) {
  std::string out;
  for (char c: text) {
    if (c == '\n' && out.ends_with("\n\n")) continue;
    out += c;
  }
  while (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace

std::string jsonTable(const rapidjson::Value& document) {
  std::string out;
  if (document.IsObject()) appendObject(document, "", out);
  else if (isTable(document)) appendTable(document, "", out);
  else out = scalar(document) + "\n";
  return withoutDoubleGaps(out);
}

}  // namespace glovebox::cli
