#include "tools/project/config-value.h"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ipc/value-check.h"
#include "tools/cli/failure.h"

namespace glovebox::project {
namespace {

using cli::Failure;
using Kind = ConfigValue::Kind;

Failure wrongAt(const std::string& file, size_t line, size_t column, const std::string& words) {
  return Failure(cli::EXIT_CODE_USAGE, file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + words);
}

// -- JSON ----------------------------------------------------------------------------------------------------------------

// Events of RapidJSON's reader to a tree. A value's line is that of its end, a container's that of its beginning.
class TreeBuilder: public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  TreeBuilder(std::string_view text, const rapidjson::StringStream& stream): text_(text), stream_(stream) {}

  ConfigValue root;
  bool tooDeep = false;

  bool Null() { return add(Kind::NIL); }
  bool Bool(bool value) {
    if (!add(Kind::BOOLEAN)) return false;
    last_->boolean = value;
    return true;
  }
  bool Int(int value) { return Double(value); }
  bool Uint(unsigned value) { return Double(value); }
  bool Int64(int64_t value) { return Double(static_cast<double>(value)); }
  bool Uint64(uint64_t value) { return Double(static_cast<double>(value)); }
  bool Double(double value) {
    if (!add(Kind::NUMBER)) return false;
    last_->number = value;
    return true;
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (!add(Kind::TEXT)) return false;
    last_->text.assign(text, length);
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    key_.assign(text, length);
    return true;
  }
  bool StartObject() { return open(Kind::OBJECT); }
  bool StartArray() { return open(Kind::ARRAY); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  std::string_view text_;
  const rapidjson::StringStream& stream_;
  std::vector<ConfigValue> open_;   // values are moved into their parents when these end, so that no pointer into a vector is kept
  std::vector<std::string> keys_;
  std::string key_;
  ConfigValue* last_ = nullptr;     // valid until the next event
  size_t counted_ = 0;
  uint32_t line_ = 1;

  uint32_t lineNow() {
    auto at = std::min(stream_.Tell(), text_.size());
    line_ += static_cast<uint32_t>(std::count(text_.begin() + static_cast<long>(counted_), text_.begin() + static_cast<long>(at), '\n'));
    counted_ = at;
    return line_;
  }
  bool add(Kind kind) {
    ConfigValue value;
    value.kind = kind;
    value.line = lineNow();
    put(std::move(value), key_);
    return true;
  }
  void put(ConfigValue&& value, const std::string& key) {
    if (open_.empty()) {
      root = std::move(value);
      last_ = &root;
      return;
    }
    auto& members = open_.back().members;
    // A key that comes twice counts as its last, as in JavaScript.
    auto same = open_.back().kind == Kind::OBJECT ? std::find_if(members.begin(), members.end(), [&](auto& member) { return member.key == key; }) : members.end();
    if (same != members.end()) members.erase(same);
    members.push_back({open_.back().kind == Kind::OBJECT ? key : std::string(), std::move(value)});
    last_ = &members.back().value;
  }
  bool open(Kind kind) {
    if (open_.size() >= CONFIG_DEPTH_MAX) {
      tooDeep = true;
      return false;
    }
    open_.emplace_back();
    open_.back().kind = kind;
    open_.back().line = lineNow();
    keys_.push_back(key_);
    return true;
  }
  bool close() {
    auto value = std::move(open_.back());
    auto key = std::move(keys_.back());
    open_.pop_back();
    keys_.pop_back();
    put(std::move(value), key);
    return true;
  }
};

ConfigValue parseJsonText(const std::string& text, const std::string& file) {
  rapidjson::StringStream stream(text.c_str());
  TreeBuilder builder(text, stream);
  rapidjson::Reader reader;
  // Iterative: brackets without end are to end in an error.
  constexpr unsigned FLAGS = rapidjson::kParseIterativeFlag | rapidjson::kParseCommentsFlag | rapidjson::kParseTrailingCommasFlag;
  auto result = reader.Parse<FLAGS>(stream, builder);
  if (!result.IsError()) return std::move(builder.root);
  auto offset = std::min(result.Offset(), text.size());
  auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(offset), '\n');
  auto begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;
  std::string words = builder.tooDeep ? "it is nested deeper than " + std::to_string(CONFIG_DEPTH_MAX) + " levels" : std::string("this is not JSON: ") + rapidjson::GetParseError_En(result.Code());
  throw wrongAt(file, static_cast<size_t>(line), offset - begin + 1, words);
}

// -- TOML ----------------------------------------------------------------------------------------------------------------

ConfigValue fromToml(const toml::node& node, const std::string& file, size_t depth) {
  auto place = node.source().begin;
  if (depth > CONFIG_DEPTH_MAX) throw wrongAt(file, place.line, place.column, "it is nested deeper than " + std::to_string(CONFIG_DEPTH_MAX) + " levels");
  ConfigValue value;
  value.line = place.line;
  if (auto* table = node.as_table()) {
    value.kind = Kind::OBJECT;
    for (auto&& [key, member]: *table) value.members.push_back({std::string(key.str()), fromToml(member, file, depth + 1)});
    // By their place in the file, which is lost in the table.
    std::stable_sort(value.members.begin(), value.members.end(), [](auto& a, auto& b) { return a.value.line < b.value.line; });
  } else if (auto* array = node.as_array()) {
    value.kind = Kind::ARRAY;
    for (auto&& item: *array) value.members.push_back({std::string(), fromToml(item, file, depth + 1)});
  } else if (auto* text = node.as_string()) {
    value.kind = Kind::TEXT;
    value.text = text->get();
  } else if (auto* boolean = node.as_boolean()) {
    value.kind = Kind::BOOLEAN;
    value.boolean = boolean->get();
  } else if (auto number = node.value<double>(); number && std::isfinite(*number)) {
    value.kind = Kind::NUMBER;
    value.number = *number;
  } else {
    throw wrongAt(file, place.line, place.column, "dates, times and numbers without end have no meaning here; write a string in quotes");
  }
  return value;
}

ConfigValue parseTomlText(const std::string& text, const std::string& file) {
  try {
    return fromToml(toml::parse(std::string_view(text), std::string_view(file)), file, 0);
  } catch (const toml::parse_error& error) {
    auto place = error.source().begin;
    throw wrongAt(file, place.line, place.column, "this is not TOML: " + std::string(error.description()));
  }
}

// -- Back ----------------------------------------------------------------------------------------------------------------

void write(const ConfigValue& value, rapidjson::Writer<rapidjson::StringBuffer>& writer) {
  auto text = [&](const std::string& words) { writer.String(words.data(), static_cast<rapidjson::SizeType>(words.size())); };
  switch (value.kind) {
    case Kind::NIL: writer.Null(); break;
    case Kind::BOOLEAN: writer.Bool(value.boolean); break;
    case Kind::NUMBER:
      // Whole numbers without a point, as JavaScript would.
      if (value.number == std::floor(value.number) && std::abs(value.number) < 9007199254740992.0) writer.Int64(static_cast<int64_t>(value.number));
      else writer.Double(value.number);
      break;
    case Kind::TEXT: text(value.text); break;
    case Kind::ARRAY:
      writer.StartArray();
      for (auto& member: value.members) write(member.value, writer);
      writer.EndArray();
      break;
    case Kind::OBJECT:
      writer.StartObject();
      for (auto& member: value.members) {
        text(member.key);
        write(member.value, writer);
      }
      writer.EndObject();
      break;
  }
}

}  // namespace

const ConfigValue* ConfigValue::tryFind(std::string_view key) const {
  for (auto& member: members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

ConfigValue parseConfigValue(std::string_view given, const std::string& file) {
  std::string text(given);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  if (!isUtf8(text)) throw Failure(cli::EXIT_CODE_USAGE, file + ": this is not UTF-8");
  // It would end the text for RapidJSON.
  if (auto nul = text.find('\0'); nul != std::string::npos) throw Failure(cli::EXIT_CODE_USAGE, file + ": there is a NUL in it, at byte " + std::to_string(nul));
  auto value = file.ends_with(".toml") ? parseTomlText(text, file) : parseJsonText(text, file);
  if (value.kind != Kind::OBJECT) throw wrongAt(file, 1, 1, "expected an object, { ... }; got " + describe(value));
  return value;
}

std::string toJson(const ConfigValue& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  write(value, writer);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string describe(const ConfigValue& value) {
  switch (value.kind) {
    case Kind::NIL: return "null";
    case Kind::BOOLEAN: return value.boolean ? "true" : "false";
    case Kind::NUMBER: return "the number " + toJson(value);
    case Kind::TEXT: return toJson(value).substr(0, 80);
    case Kind::ARRAY: return "an array";
    case Kind::OBJECT: return "an object";
  }
  return "something else";
}

}  // namespace glovebox::project
