#pragma once
// What the page at the admin address shows (tools/http/page/), as JSON: how the server is, and what one worker said.
//
// Names, methods, labels and lines were written by workers and strangers. Here each is a JSON string of sound UTF-8, and that is all
// that is promised of it: who shows it must take it for text.

#include <optional>
#include <string>
#include <string_view>

#include "supervisor/journal.h"
#include "supervisor/metrics.h"
#include "tools/http/metrics-text.h"

namespace glovebox::http {

struct PageStatus {
  const std::string& project;                  // empty: there is none
  bool draining;
  kj::Maybe<const RequestCounts&> requests;
  const Metrics& metrics;
  const Journal& journal;
  std::string_view supervisor;                 // the status document (supervisor/status.h)
};

std::string writePageStatus(const PageStatus& status);

// Null if nothing is known of such a worker, or any more.
kj::Maybe<std::string> tryWriteLogs(const Journal& journal, uint64_t worker);

}  // namespace glovebox::http
