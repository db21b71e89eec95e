#include "tools/http/metrics-text.h"

#include <charconv>

#include "ipc/ending.h"
#include "supervisor/traffic.h"

namespace glovebox::http {
namespace {

using Type = MetricsWriter::Type;

std::string text(double value) {
  char digits[400];
  auto end = std::to_chars(digits, digits + sizeof(digits), value, std::chars_format::fixed).ptr;   // whatever the locale
  return std::string(digits, end);
}

double seconds(kj::Duration time) { return static_cast<double>(time / kj::NANOSECONDS) / 1e9; }

std::string label(std::string_view name, kj::StringPtr value) {
  return std::string(name) + "=\"" + value.cStr() + "\"";
}

void writeRequests(MetricsWriter& out, const RequestCounts& requests) {
  out.family("glovebox_requests_total", Type::COUNTER, "HTTP requests that the project's worker was asked, by the class of the status it answered; none: no Response.");
  out.value(requests.byStatusClass[0], "status=\"none\"");
  for (size_t i = 1; i < requests.byStatusClass.size(); i++) out.value(requests.byStatusClass[i], "status=\"" + std::to_string(i) + "xx\"");
  out.family("glovebox_requests_given_up_total", Type::COUNTER, "HTTP requests whose client went before there was an answer.");
  out.value(requests.givenUp);
  out.family("glovebox_requests_in_flight", Type::GAUGE, "HTTP requests that wait for the head of their answer.");
  out.value(uint64_t{requests.inFlight});
  out.family("glovebox_request_duration_seconds", Type::HISTOGRAM, "From an HTTP request's head to the head of its answer.");
  out.histogram(requests.time);
  out.family("glovebox_project_restarts_total", Type::COUNTER, "Workers of the project that were made again after they had ended.");
  out.value(requests.workerRestarts);
}

void writeCalls(MetricsWriter& out, const Census& census) {
  out.family("glovebox_calls_total", Type::COUNTER, "Calls on workers, by how they ended; pieces of streams are none.");
  for (size_t i = 0; i < Census::CODE_COUNT; i++) {
    auto code = static_cast<rpc::Ending::Code>(i);
    out.value(census.runs(code), label("outcome", endingName(code)));
  }
  out.family("glovebox_calls_in_flight", Type::GAUGE, "Calls on workers that are under way.");
  out.value(uint64_t{census.callsInFlight});
  out.family("glovebox_call_duration_seconds", Type::HISTOGRAM, "From a call's arrival at the supervisor to its end.");
  out.histogram(census.callTime);
  out.family("glovebox_loads_total", Type::COUNTER, "Workers loaded.");
  out.value(census.loads);
  out.family("glovebox_load_duration_seconds", Type::HISTOGRAM, "From a load to the end of the evaluation of its modules.");
  out.histogram(census.loadTime);
  out.family("glovebox_capability_calls_total", Type::COUNTER, "Calls of workers on what they were handed, by its kind; reads and writes of streams are calls.");
  for (size_t i = 0; i < census.passed.size(); i++) out.value(census.passed[i].calls, label("kind", kindName(static_cast<ValueExternal::Kind>(i))));
  out.family("glovebox_capability_bytes_total", Type::COUNTER, "Bytes of such calls: out of workers, and in to them.");
  for (size_t i = 0; i < census.passed.size(); i++) {
    auto kind = label("kind", kindName(static_cast<ValueExternal::Kind>(i)));
    out.value(census.passed[i].bytesOut, kind + ",direction=\"out\"");
    out.value(census.passed[i].bytesIn, kind + ",direction=\"in\"");
  }
  out.family("glovebox_tail_calls_failed_total", Type::COUNTER, "Events whose tail threw, ended or was gone.");
  out.value(census.tailCallsFailed);
  out.family("glovebox_tail_events_dropped_total", Type::COUNTER, "Events whose tail had too many calls under way.");
  out.value(census.tailEventsDropped);
}

void writeWorkers(MetricsWriter& out, const Metrics& metrics) {
  out.family("glovebox_workers", Type::GAUGE, "Loaded workers that are there.");
  out.value(uint64_t{metrics.census.liveWorkers});
  out.family("glovebox_worker_cpu_seconds_total", Type::COUNTER, "CPU time of loaded workers, user and system.");
  out.value(seconds(metrics.workerCpu));
  out.family("glovebox_worker_memory_bytes", Type::GAUGE, "Memory of the loaded workers that are there: resident, and no file's.");
  out.value(metrics.workerMemoryBytes);
  KJ_IF_MAYBE(bytes, metrics.cgroupMemoryBytes) {
    out.family("glovebox_cgroup_memory_bytes", Type::GAUGE, "Memory of all jailed processes by their cgroup's account.");
    out.value(*bytes);
  }
  out.family("glovebox_named_workers", Type::GAUGE, "Named workers that are warm.");
  out.value(metrics.namedWorkers);
  out.family("glovebox_named_memory_bytes", Type::GAUGE, "Memory of named workers, as it counts against their budget.");
  out.value(metrics.namedMemoryBytes);
  out.family("glovebox_named_memory_budget_bytes", Type::GAUGE, "What named workers may have together before some are evicted.");
  out.value(metrics.namedBudgetBytes);
  out.family("glovebox_evictions_total", Type::COUNTER, "Named workers that were evicted, by why.");
  constexpr const char* REASONS[EVICTION_REASONS] = {"reason=\"idle\"", "reason=\"memory\"", "reason=\"workers\""};
  for (size_t i = 0; i < EVICTION_REASONS; i++) out.value(metrics.evictions[i], REASONS[i]);
}

void writePool(MetricsWriter& out, const Metrics& metrics) {
  out.family("glovebox_warm_workers", Type::GAUGE, "Workers that wait to be loaded.");
  out.value(uint64_t{metrics.pool.warm});
  out.family("glovebox_starting_workers", Type::GAUGE, "Workers that are about to be warm.");
  out.value(uint64_t{metrics.pool.starting});
  out.family("glovebox_waiting_loads", Type::GAUGE, "Loads that wait for a warm worker.");
  out.value(uint64_t{metrics.pool.waiting});
  out.family("glovebox_worker_forks_total", Type::COUNTER, "Workers forked.");
  out.value(metrics.pool.forked);
  out.family("glovebox_worker_start_failures_total", Type::COUNTER, "Workers that did not become warm.");
  out.value(metrics.pool.failed);
  out.family("glovebox_zygote_ready", Type::GAUGE, "1 if there is a zygote that workers can be forked from.");
  out.value(uint64_t{metrics.zygoteStands});
  out.family("glovebox_zygote_starts_total", Type::COUNTER, "Zygotes started; each but the first replaced another.");
  out.value(metrics.pool.zygotesStarted);
  out.family("glovebox_code_cache_hits_total", Type::COUNTER, "Loads whose modules were compiled before.");
  out.value(metrics.codeCache.hits);
  out.family("glovebox_code_cache_misses_total", Type::COUNTER, "Loads whose modules were not.");
  out.value(metrics.codeCache.misses);
  out.family("glovebox_code_cache_bytes", Type::GAUGE, "What is kept of compiled modules.");
  out.value(metrics.codeCache.bytes);
}

}  // namespace

std::string metricsText(const Metrics& metrics, policy::Profile profile, kj::Maybe<const RequestCounts&> requests) {
  MetricsWriter out;
  out.family("glovebox_info", Type::GAUGE, "Always 1; its label says which jail workers have.");
  out.value(uint64_t{1}, "profile=\"" + std::string(policy::profileName(profile)) + "\"");
  KJ_IF_MAYBE(counts, requests) writeRequests(out, *counts);
  writeCalls(out, metrics.census);
  writeWorkers(out, metrics);
  writePool(out, metrics);
  return out.take();
}

void MetricsWriter::family(std::string_view name, Type type, std::string_view help) {
  constexpr const char* TYPES[] = {"counter", "gauge", "histogram"};
  name_ = name;
  text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + TYPES[static_cast<size_t>(type)] + "\n";
}

void MetricsWriter::value(double value, std::string_view labels) { line("", labels, text(value)); }

void MetricsWriter::value(uint64_t value, std::string_view labels) { line("", labels, std::to_string(value)); }

void MetricsWriter::histogram(const Histogram& histogram) {
  uint64_t sum = 0;
  for (size_t i = 0; i < Histogram::BOUNDS.size(); i++) {
    sum += histogram.counts()[i];
    line("_bucket", "le=\"" + text(Histogram::BOUNDS[i]) + "\"", std::to_string(sum));
  }
  sum += histogram.counts().back();
  line("_bucket", "le=\"+Inf\"", std::to_string(sum));
  line("_sum", "", text(histogram.sum()));
  line("_count", "", std::to_string(sum));
}

void MetricsWriter::line(std::string_view suffix, std::string_view labels, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
  text_ += " ";
  text_ += value;
  text_ += "\n";
}

}  // namespace glovebox::http
