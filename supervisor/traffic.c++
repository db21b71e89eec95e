#include "supervisor/traffic.h"

#include "supervisor/membrane-limits.h"

namespace glovebox {

Traffic& TrafficByName::of(kj::StringPtr label, ValueExternal::Kind kind) {
  for (auto& entry: entries_) {
    if (entry.kind == kind && entry.label == label) return entry.traffic;
  }
  if (label.size() > 0 && entries_.size() >= membrane::ACCOUNT_NAMES_MAX) return of(""_kj, kind);
  entries_.push_back({kj::str(label), kind, {}});
  return entries_.back().traffic;
}

std::vector<Traffic> TrafficByName::snapshot() const {
  std::vector<Traffic> result;
  result.reserve(entries_.size());
  for (auto& entry: entries_) result.push_back(entry.traffic);
  return result;
}

kj::StringPtr kindName(ValueExternal::Kind kind) {
  switch (kind) {
    case ValueExternal::Kind::NONE: break;
    case ValueExternal::Kind::STUB: return "stub"_kj;
    case ValueExternal::Kind::SERVICE: return "service"_kj;
    case ValueExternal::Kind::READABLE: return "readable"_kj;
    case ValueExternal::Kind::WRITABLE: return "writable"_kj;
    case ValueExternal::Kind::LOADER: return "loader"_kj;
    case ValueExternal::Kind::SOCKET: return "socket"_kj;
  }
  return "none"_kj;
}

}  // namespace glovebox
