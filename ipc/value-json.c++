#include "ipc/value-json.h"

#include <kj/exception.h>
#include <kj/string.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cstdlib>
#include <unordered_map>

#include "ipc/value-check.h"

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;

template <typename... Params>
[[noreturn]] void fail(Params&&... params) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__, kj::str(kj::fwd<Params>(params)...)));
}

// A node takes a hundred times the two bytes that JSON needs for it.
constexpr size_t JSON_NODES_MAX = 2'000'000;

// ---------------------------------------------------------------------------------------------------------------------
// Reading

// Takes RapidJSON's events. Nodes are made in the order in which they open, so the root is node 0.
class GraphBuilder: public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, GraphBuilder> {
 public:
  ValueGraph graph;

  bool Null() { return add(Kind::NIL); }
  bool Bool(bool value) {
    if (!add(Kind::BOOLEAN)) return false;
    graph.nodes.back().flag = value;
    return true;
  }
  // Digits as they stand, because from_chars() rounds correctly and RapidJSON's fast way does not.
  bool RawNumber(const char* digits, rapidjson::SizeType length, bool) {
    double value = 0;
    if (std::from_chars(digits, digits + length, value).ec == std::errc::result_out_of_range) {
      value = strtod(std::string(digits, length).c_str(), nullptr);
    }
    if (!add(Kind::NUMBER)) return false;
    graph.nodes.back().number = value;
    return true;
  }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    if (!add(Kind::TEXT)) return false;
    setString(graph.nodes.back(), text, length);
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    auto known = keys_.try_emplace(std::string(text, length), graph.nodes.size());
    if (known.second) {
      graph.nodes.emplace_back();
      graph.nodes.back().kind = Kind::TEXT;
      setString(graph.nodes.back(), text, length);
    }
    open_.back().key = known.first->second;
    return true;
  }
  bool StartObject() { return start(Kind::OBJECT); }
  bool StartArray() { return start(Kind::ARRAY); }
  bool EndObject(rapidjson::SizeType) {
    dropRepeatedKeys(graph.nodes[open_.back().node].properties);
    open_.pop_back();
    return true;
  }
  bool EndArray(rapidjson::SizeType) {
    auto& array = graph.nodes[open_.back().node];
    array.length = array.items.size();
    if (isRowOfNumbers(array)) {
      // The short form; its elements are the last nodes.
      size_t count = array.items.size();
      size_t first = graph.nodes.size() - count;
      array.kind = Kind::NUMBERS;
      array.length = 0;
      array.items = {};
      for (size_t i = first; i < graph.nodes.size(); ++i) array.numbers.push_back(graph.nodes[i].number);
      graph.nodes.resize(first);
    }
    open_.pop_back();
    return true;
  }

 private:
  struct Open {
    NodeRef node;
    NodeRef key;
  };
  std::vector<Open> open_;
  std::unordered_map<std::string, NodeRef> keys_;   // one node for all properties of a name

  bool isRowOfNumbers(const ValueNode& array) const {
    size_t count = array.items.size();
    if (count == 0 || array.items[0] != graph.nodes.size() - count) return false;
    for (auto item: array.items) {
      if (graph.nodes[item].kind != Kind::NUMBER) return false;
    }
    return true;
  }

  bool add(Kind kind) {
    if (graph.nodes.size() >= JSON_NODES_MAX) return false;
    NodeRef index = graph.nodes.size();
    if (!open_.empty()) {
      auto& parent = graph.nodes[open_.back().node];
      if (parent.kind == Kind::ARRAY) {
        parent.items.push_back(index);
      } else {
        parent.properties.push_back({open_.back().key, index});
      }
    }
    graph.nodes.emplace_back();
    graph.nodes.back().kind = kind;
    return true;
  }
  bool start(Kind kind) {
    NodeRef index = graph.nodes.size();
    if (!add(kind)) return false;
    open_.push_back({index, NO_NODE});
    return true;
  }

  // The last value of a key, in the place of the first.
  static void dropRepeatedKeys(std::vector<ValueProperty>& properties) {
    std::unordered_map<NodeRef, size_t> places;
    size_t kept = 0;
    for (auto& property: properties) {
      auto place = places.try_emplace(property.key, kept);
      if (place.second) {
        properties[kept++] = property;
      } else {
        properties[place.first->second].value = property.value;
      }
    }
    properties.resize(kept);
  }

  static void setString(ValueNode& node, const char* text, size_t length);
};

// RapidJSON hands surrogates from \u escapes on as three bytes each if they are alone ("WTF-8").
bool hasLoneSurrogate(std::string_view text) {
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    if (uint8_t(text[i]) == 0xed && uint8_t(text[i + 1]) >= 0xa0) return true;
  }
  return false;
}

std::u16string toUtf16(std::string_view text) {
  std::u16string units;
  for (size_t i = 0; i < text.size();) {
    auto at = [&](size_t offset) { return i + offset < text.size() ? uint8_t(text[i + offset]) : uint8_t(0); };
    uint8_t lead = at(0);
    uint32_t point = lead;
    size_t length = 1;
    if (lead >= 0xf0) {
      point = (lead & 7) << 18 | (at(1) & 63) << 12 | (at(2) & 63) << 6 | (at(3) & 63);
      length = 4;
    } else if (lead >= 0xe0) {
      point = (lead & 15) << 12 | (at(1) & 63) << 6 | (at(2) & 63);
      length = 3;
    } else if (lead >= 0xc0) {
      point = (lead & 31) << 6 | (at(1) & 63);
      length = 2;
    }
    if (point >= 0x10000) {
      units.push_back(0xd7c0 + (point >> 10));
      units.push_back(0xdc00 + (point & 0x3ff));
    } else {
      units.push_back(point);
    }
    i += length;
  }
  return units;
}

void GraphBuilder::setString(ValueNode& node, const char* text, size_t length) {
  std::string_view view(text, length);
  if (!hasLoneSurrogate(view)) {
    node.bytes = view;
    return;
  }
  node.kind = Kind::UTF16;
  for (char16_t unit: toUtf16(view)) {
    node.bytes.push_back(char(unit & 0xff));
    node.bytes.push_back(char(unit >> 8));
  }
}


int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of the \uXXXX at `at`, or -1.
int escapedUnit(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; ++i) {
    int digit = hexDigit(text[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

// RapidJSON refuses a high surrogate that is alone, JavaScript does not. Such an escape is replaced by the bytes that
// RapidJSON makes of a low one.
class LoneHighSurrogates {
 public:
  explicit LoneHighSurrogates(std::string_view text): text_(text) {
    size_t copied = 0;
    for (size_t at = text.find('\\'); at != text.npos; at = text.find('\\', at)) {
      int unit = escapedUnit(text, at);
      if (unit < 0xd800 || unit > 0xdbff) {
        at += 2;
        continue;
      }
      int next = escapedUnit(text, at + 6);
      if (next >= 0xdc00 && next <= 0xdfff) {
        at += 12;
        continue;
      }
      rewritten_ += text.substr(copied, at - copied);
      rewritten_ += {char(0xed), char(0x80 | (unit >> 6 & 63)), char(0x80 | (unit & 63))};
      places_.push_back(rewritten_.size());
      copied = at += 6;
    }
    if (places_.empty()) return;
    rewritten_ += text.substr(copied);
    text_ = rewritten_;
  }
  std::string_view text() const { return text_; }
  size_t originalOffset(size_t offset) const {
    size_t result = offset;
    for (auto place: places_) result += place <= offset ? 3 : 0;
    return result;
  }

 private:
  std::string_view text_;
  std::string rewritten_;
  std::vector<size_t> places_;
};

}  // namespace

ValueGraph parseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytesMax) {
    fail("JSON: got ", text.size(), " bytes, expected at most ", limits.bytesMax);
  }
  size_t nul = text.find('\0');
  if (nul != text.npos) fail("JSON: byte ", nul, ": a NUL stands for nothing here");
  if (!isUtf8(text)) fail("JSON: not valid UTF-8");

  LoneHighSurrogates prepared(text);
  rapidjson::MemoryStream stream(prepared.text().data(), prepared.text().size());
  rapidjson::Reader reader;
  GraphBuilder builder;
  auto result = reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag>(stream, builder);
  if (result.Code() == rapidjson::kParseErrorTermination) {
    fail("JSON: byte ", prepared.originalOffset(result.Offset()), ": more than ", JSON_NODES_MAX, " values");
  }
  if (result.IsError()) {
    fail("JSON: byte ", prepared.originalOffset(result.Offset()), ": ", rapidjson::GetParseError_En(result.Code()));
  }
  return kj::mv(builder.graph);
}

}  // namespace glovebox
