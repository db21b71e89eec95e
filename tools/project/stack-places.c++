#include "tools/project/stack-places.h"

#include <algorithm>
#include <optional>

namespace glovebox::project {
namespace {

constexpr size_t LINE_BYTES_MAX = 4096;
constexpr size_t NAME_BYTES_MAX = 1024;
// Where a name could begin: behind "at", "async" and brackets.
constexpr size_t BEGINNINGS_MAX = 16;

// Digits from `at` on, as many as a line or column has.
std::optional<uint32_t> tryNumber(std::string_view line, size_t& at) {
  constexpr size_t DIGITS_MAX = 9;
  size_t begin = at;
  uint32_t value = 0;
  while (at < line.size() && line[at] >= '0' && line[at] <= '9' && at - begin < DIGITS_MAX) value = value * 10 + static_cast<uint32_t>(line[at++] - '0');
  if (at == begin) return std::nullopt;
  return value;
}

bool mayFollow(std::string_view line, size_t at) { return at == line.size() || std::string_view(") ],}\r").find(line[at]) != std::string_view::npos; }

std::optional<StackPlace> findPlace(std::string_view line, const cli::ModuleOrigins& origins) {
  size_t at = line.find_first_not_of(' ');
  if (at == std::string_view::npos || at == 0 || !line.substr(at).starts_with("at ") || line.size() > LINE_BYTES_MAX) return std::nullopt;
  std::vector<size_t> beginnings{at + 3};
  if (line.substr(at + 3).starts_with("async ")) beginnings.push_back(at + 9);
  for (size_t bracket = line.find('(', at); bracket != std::string_view::npos && beginnings.size() < BEGINNINGS_MAX; bracket = line.find('(', bracket + 1)) beginnings.push_back(bracket + 1);
  for (size_t colon = line.find(':', at); colon != std::string_view::npos; colon = line.find(':', colon + 1)) {
    size_t end = colon + 1;
    auto lineNumber = tryNumber(line, end);
    if (!lineNumber || *lineNumber == 0 || end >= line.size() || line[end] != ':') continue;
    auto column = tryNumber(line, ++end);
    if (!column || !mayFollow(line, end)) continue;
    for (auto begin: beginnings) {
      if (begin >= colon || colon - begin > NAME_BYTES_MAX) continue;
      auto found = origins->find(line.substr(begin, colon - begin));
      if (found != origins->end()) return StackPlace{begin, end, &found->second, *lineNumber, *column};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<StackPlace> findPlaces(std::string_view text, const cli::ModuleOrigins& origins) {
  std::vector<StackPlace> places;
  if (origins == nullptr) return places;
  text = text.substr(0, STACK_BYTES_MAX);
  for (size_t begin = 0; begin < text.size() && places.size() < PLACES_MAX;) {
    size_t end = std::min(text.find('\n', begin), text.size());
    if (auto place = findPlace(text.substr(begin, end - begin), origins)) {
      place->begin += begin;
      place->end += begin;
      places.push_back(*place);
    }
    begin = end + 1;
  }
  return places;
}

}  // namespace glovebox::project
