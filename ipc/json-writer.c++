#include <kj/exception.h>
#include <kj/string.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "ipc/value-check.h"
#include "ipc/value-json.h"

namespace glovebox {

namespace {

using Kind = ValueNode::Kind;

template <typename... Params>
[[noreturn]] void fail(Params&&... params) {
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::str("JSON: ", kj::fwd<Params>(params)...)));
}

// ECMA-262, Number::toString.
std::string numberText(double value) {
  if (!std::isfinite(value)) return "null";
  if (value == 0) return "0";
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof(buffer), std::fabs(value), std::chars_format::scientific).ptr;
  std::string_view shortest(buffer, end - buffer);   // d.ddde+xx
  size_t e = shortest.find('e');
  std::string digits(1, shortest[0]);
  if (e > 2) digits += shortest.substr(2, e - 2);
  int exponent = atoi(std::string(shortest.substr(e + 1)).c_str());
  int count = digits.size();

  std::string text(value < 0 ? "-" : "");
  if (exponent > -7 && exponent < 21) {
    if (exponent < 0) {
      text += "0.";
      text.append(-exponent - 1, '0');
      text += digits;
    } else if (count <= exponent + 1) {
      text += digits;
      text.append(exponent + 1 - count, '0');
    } else {
      text += digits.substr(0, exponent + 1);
      text += '.';
      text += digits.substr(exponent + 1);
    }
  } else {
    text += digits[0];
    if (count > 1) {
      text += '.';
      text += digits.substr(1);
    }
    text += exponent < 0 ? "e-" : "e+";
    text += std::to_string(std::abs(exponent));
  }
  return text;
}

// Date.prototype.toISOString, or null for an invalid date.
std::string dateText(double value) {
  constexpr double DAY_MS = 86'400'000;
  if (!(std::fabs(value) <= 8.64e15)) return "null";
  int64_t ms = std::trunc(value);
  int64_t day = ms / int64_t(DAY_MS);
  int64_t inDay = ms % int64_t(DAY_MS);
  if (inDay < 0) {
    inDay += DAY_MS;
    --day;
  }
  // Days since 0000-03-01, in eras of 400 years.
  day += 719'468;
  int64_t era = (day >= 0 ? day : day - 146'096) / 146'097;
  int64_t dayOfEra = day - era * 146'097;
  int64_t yearOfEra = (dayOfEra - dayOfEra / 1'460 + dayOfEra / 36'524 - dayOfEra / 146'096) / 365;
  int64_t dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  int64_t shifted = (5 * dayOfYear + 2) / 153;
  int dayOfMonth = dayOfYear - (153 * shifted + 2) / 5 + 1;
  int month = shifted < 10 ? shifted + 3 : shifted - 9;
  int64_t year = yearOfEra + era * 400 + (month <= 2);

  char text[48];
  const char* yearFormat = year >= 0 && year <= 9'999 ? "\"%04lld" : year < 0 ? "\"-%06lld" : "\"+%06lld";
  int length = snprintf(text, sizeof(text), yearFormat, static_cast<long long>(std::llabs(year)));
  snprintf(text + length, sizeof(text) - length, "-%02d-%02dT%02d:%02d:%02d.%03dZ\"", month, dayOfMonth,
           int(inDay / 3'600'000), int(inDay / 60'000 % 60), int(inDay / 1'000 % 60), int(inDay % 1'000));
  return text;
}

double halfToDouble(uint16_t half) {
  int exponent = half >> 10 & 31;
  double mantissa = half & 1'023;
  double value = exponent == 0    ? std::ldexp(mantissa, -24)
                 : exponent == 31 ? (mantissa == 0 ? INFINITY : NAN)
                                  : std::ldexp(mantissa + 1'024, exponent - 25);
  return half & 0x8000 ? -value : value;
}

class Writer {
 public:
  Writer(const ValueGraph& graph, const JsonLimits& limits)
      : nodes_(graph.nodes), limits_(limits), onPath_(graph.nodes.size()), stepsLeft_(limits.bytesMax + graph.nodes.size()) {}

  std::string run() {
    if (isUndefined(0)) fail("the value is undefined, for which JSON has no word");
    value(0);
    while (!open_.empty()) step();
    return kj::mv(out_);
  }

 private:
  // An array or an object that is being written.
  struct Open {
    NodeRef node;
    uint64_t next;
    bool any;
    std::unordered_map<uint64_t, NodeRef> beyond;   // array elements that stand among the properties
  };

  const std::vector<ValueNode>& nodes_;
  const JsonLimits& limits_;
  std::vector<bool> onPath_;
  std::vector<Open> open_;
  std::string out_;
  uint64_t stepsLeft_;   // properties that write nothing take time all the same

  void put(std::string_view text) {
    out_ += text;
    if (out_.size() > limits_.bytesMax) fail("the value takes more than ", limits_.bytesMax, " bytes");
  }
  bool isUndefined(NodeRef ref) const {
    return ref == NO_NODE || nodes_[ref].kind == Kind::UNDEFINED || nodes_[ref].kind == Kind::EXTERNAL;
  }

  void value(NodeRef ref) {
    auto& node = nodes_[ref];
    switch (node.kind) {
      case Kind::UNDEFINED:
      case Kind::NIL:
      case Kind::EXTERNAL: return put("null");   // as a function
      case Kind::BOOLEAN: return put(node.flag ? "true" : "false");
      case Kind::NUMBER: return put(numberText(node.number));
      case Kind::TEXT:
      case Kind::UTF16: return string(node);
      case Kind::BIGINT: fail("a BigInt (node ", ref, ") cannot be written; convert it to a string or a number first");
      case Kind::PLATFORM: fail("a ", node.bytes.c_str(), " (node ", ref, ") cannot be written; return what is in it instead, such as its text");
      case Kind::DATE: return put(dateText(node.number));
      case Kind::BOXED: return value(node.ref);   // a primitive: no further
      case Kind::NUMBERS: return numbers(node);
      case Kind::VIEW: return view(node, ref);
      case Kind::REGEXP:
      case Kind::MAP:
      case Kind::SET:
      case Kind::ARRAY_BUFFER:
      case Kind::DOM_EXCEPTION: return put("{}");
      case Kind::ERROR:
      case Kind::OBJECT:
      case Kind::ARRAY:
        if (onPath_[ref]) fail("the value refers to itself (node ", ref, "), which JSON cannot say");
        onPath_[ref] = true;
        open_.push_back({ref, 0, false, {}});
        if (node.kind == Kind::ARRAY && node.length > node.items.size()) findElementsBeyond(node, open_.back());
        return put(node.kind == Kind::ARRAY ? "[" : "{");
    }
  }

  // One element or property of the innermost thing that is open.
  void step() {
    if (stepsLeft_-- == 0) fail("the value takes too long to write");
    auto& open = open_.back();
    auto& node = nodes_[open.node];
    if (node.kind == Kind::ARRAY) {
      if (open.next == node.length) return close("]");
      if (open.next > 0) put(",");
      uint64_t index = open.next++;
      NodeRef item = NO_NODE;
      if (index < node.items.size()) {
        item = node.items[index];
      } else if (auto found = open.beyond.find(index); found != open.beyond.end()) {
        item = found->second;
      }
      return isUndefined(item) ? put("null") : value(item);
    }
    if (open.next == node.properties.size()) return close("}");
    auto& property = node.properties[open.next++];
    if (isUndefined(property.value)) return;
    if (open.any) put(",");
    open.any = true;
    string(nodes_[property.key]);
    put(":");
    value(property.value);
  }

  void close(std::string_view bracket) {
    onPath_[open_.back().node] = false;
    open_.pop_back();
    put(bracket);
  }

  void findElementsBeyond(const ValueNode& array, Open& open) {
    for (auto& property: array.properties) {
      auto& key = nodes_[property.key].bytes;
      uint64_t index = 0;
      auto parsed = std::from_chars(key.data(), key.data() + key.size(), index);
      bool canonical = parsed.ec == std::errc() && parsed.ptr == key.data() + key.size() && (key[0] != '0' || key.size() == 1);
      if (canonical && index < array.length) open.beyond[index] = property.value;
    }
  }

  void numbers(const ValueNode& node) {
    put("[");
    for (size_t i = 0; i < node.numbers.size(); ++i) {
      if (i > 0) put(",");
      put(numberText(node.numbers[i]));
    }
    put("]");
  }

  void view(const ValueNode& node, NodeRef ref) {
    auto kind = static_cast<ViewKind>(node.subkind);
    if (kind == ViewKind::DATA_VIEW) return put("{}");
    auto& bytes = nodes_[node.ref].bytes;
    size_t unit = elementSize(kind);
    uint64_t count = node.flag ? (bytes.size() - node.offset) / unit : node.length;
    if (count > 0 && (kind == ViewKind::BIG_INT64 || kind == ViewKind::BIG_UINT64)) {
      fail("a BigInt (in node ", ref, ") cannot be written; convert it to a string or a number first");
    }
    put("{");
    for (uint64_t i = 0; i < count; ++i) {
      if (i > 0) put(",");
      put("\"");
      put(std::to_string(i));
      put("\":");
      put(numberText(element(kind, bytes.data() + node.offset + i * unit)));
    }
    put("}");
  }

  template <typename T>
  static double read(const char* at) {
    T value;
    memcpy(&value, at, sizeof(value));
    return value;
  }
  static double element(ViewKind kind, const char* at) {
    switch (kind) {
      case ViewKind::INT8: return read<int8_t>(at);
      case ViewKind::INT16: return read<int16_t>(at);
      case ViewKind::UINT16: return read<uint16_t>(at);
      case ViewKind::INT32: return read<int32_t>(at);
      case ViewKind::UINT32: return read<uint32_t>(at);
      case ViewKind::FLOAT32: return read<float>(at);
      case ViewKind::FLOAT64: return read<double>(at);
      case ViewKind::FLOAT16: {
        uint16_t half;
        memcpy(&half, at, sizeof(half));
        return halfToDouble(half);
      }
      default: return read<uint8_t>(at);
    }
  }

  void escaped(uint32_t unit) {
    constexpr char HEX[] = "0123456789abcdef";
    char text[] = {'\\', 'u', HEX[unit >> 12 & 15], HEX[unit >> 8 & 15], HEX[unit >> 4 & 15], HEX[unit & 15]};
    put(std::string_view(text, sizeof(text)));
  }
  // True if the character needs an escape, which is then written.
  bool special(uint32_t c) {
    switch (c) {
      case '"': put("\\\""); return true;
      case '\\': put("\\\\"); return true;
      case '\b': put("\\b"); return true;
      case '\f': put("\\f"); return true;
      case '\n': put("\\n"); return true;
      case '\r': put("\\r"); return true;
      case '\t': put("\\t"); return true;
    }
    if (c >= 0x20) return false;
    escaped(c);
    return true;
  }

  void string(const ValueNode& node) {
    put("\"");
    if (node.kind == Kind::TEXT) {
      size_t plain = 0;
      for (size_t i = 0; i < node.bytes.size(); ++i) {
        uint8_t c = node.bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(std::string_view(node.bytes).substr(plain, i - plain));
        special(c);
        plain = i + 1;
      }
      put(std::string_view(node.bytes).substr(plain));
    } else {
      utf16(node.bytes);
    }
    put("\"");
  }

  void utf16(const std::string& bytes) {
    auto unit = [&](size_t i) -> uint32_t {
      return i + 1 < bytes.size() ? uint8_t(bytes[i]) | uint8_t(bytes[i + 1]) << 8 : 0;
    };
    for (size_t i = 0; i < bytes.size(); i += 2) {
      uint32_t c = unit(i);
      if (c >= 0xd800 && c < 0xdc00 && unit(i + 2) >= 0xdc00 && unit(i + 2) < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (unit(i + 2) - 0xdc00);
        i += 2;
        char text[] = {char(0xf0 | c >> 18), char(0x80 | (c >> 12 & 63)), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))};
        put(std::string_view(text, 4));
      } else if (c >= 0xd800 && c < 0xe000) {
        escaped(c);
      } else if (special(c)) {
      } else if (c < 0x80) {
        put(std::string(1, char(c)));
      } else if (c < 0x800) {
        char text[] = {char(0xc0 | c >> 6), char(0x80 | (c & 63))};
        put(std::string_view(text, 2));
      } else {
        char text[] = {char(0xe0 | c >> 12), char(0x80 | (c >> 6 & 63)), char(0x80 | (c & 63))};
        put(std::string_view(text, 3));
      }
    }
  }
};

}  // namespace

std::string stringifyJson(const ValueGraph& graph, const JsonLimits& limits) {
  checkValueGraph(graph);
  return Writer(graph, limits).run();
}

}  // namespace glovebox
