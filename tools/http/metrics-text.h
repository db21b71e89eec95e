#pragma once
// Metrics in Prometheus' text format, version 0.0.4.
//
// There is a library that writes it, prometheus-cpp; its package brings an HTTP server and curl along, and its registries are counters of
// its own with a lock each, beside those that the supervisor has anyway. The format is a line for each value.
//
// Names begin with glovebox_ and end with their unit. Labels come from lists that are closed: what workers or strangers call things is
// never one, because each new value of a label is kept for ever by whoever collects them.

#include <kj/common.h>

#include <array>
#include <string>
#include <string_view>

#include "policy/profile.h"
#include "supervisor/histogram.h"
#include "supervisor/metrics.h"

namespace glovebox::http {

constexpr const char* METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

// Of a project's front.
struct RequestCounts {
  uint32_t inFlight = 0;
  uint64_t givenUp = 0;                        // the client went, or the gateway
  std::array<uint64_t, 6> byStatusClass{};     // [2]: 200 to 299; [0]: the worker threw, ended, or answered no Response
  uint64_t workerRestarts = 0;
  Histogram time;
};

std::string metricsText(const Metrics& metrics, policy::Profile profile, kj::Maybe<const RequestCounts&> requests);

// -----------------------------------------------------------------------------------------------------------------------

class MetricsWriter {
 public:
  enum class Type { COUNTER, GAUGE, HISTOGRAM };

  // Before its values. `help` and labels' values are constants: they hold nothing that had to be escaped.
  void family(std::string_view name, Type type, std::string_view help);
  // Of the last family. `labels`: as `outcome="ok"`.
  void value(double value, std::string_view labels = {});
  void value(uint64_t value, std::string_view labels = {});
  void histogram(const Histogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  std::string text_, name_;

  void line(std::string_view suffix, std::string_view labels, std::string_view value);
};

}  // namespace glovebox::http
